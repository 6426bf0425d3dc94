"""SFT releases are listed beside those of samples, and the last one of a plan is found for comparison."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.published import Listed, last_sft_release, list_published, prove
from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.clients.released_lines import open_release
from sft_pipeline.curation.balancing import in_line_order
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA
from sft_pipeline_tests.clients.test_published import Reading, overwrite, untold
from sft_pipeline_tests.labelling_world import DAY, JUDGE, MOMENT, NAME, SMALL, accounts_of, labelling_of, sets_of
from sft_pipeline_tests.records_world import NAME as SAMPLES_NAME
from sft_pipeline_tests.records_world import curation_of

LATER = MOMENT + timedelta(days=3)
LATER_NAME = NAME.replace("20250816", "20250819")
WINDOW, LATER_WINDOW = SMALL.bounds(DAY), SMALL.bounds(DAY + timedelta(days=3))
LINES = "session_router/datav3_val_50r_50n_sft.jsonl"


@pytest.fixture
def store(tmp_path: Path) -> Reading:
    """A store with an SFT release."""
    store = Reading(tmp_path)
    publish(store, labelling_of(store), moment=MOMENT)
    return store


def publish_later(store: LocalReleaseStore, name: str = "test") -> None:
    """A second SFT release, of another window and with other labels."""
    plan = SMALL.model_copy(update={"name": name})
    accounts = accounts_of(plan, label0=57, judges={JUDGE: 77}, requests=85)
    labelling = labelling_of(store, plan, sets_of(), window=LATER_WINDOW, accounts=accounts)
    publish(store, labelling, moment=LATER)


def test_an_sft_release_is_listed_as_one_and_no_data_file_is_read(store: Reading, tmp_path: Path):
    store.read_paths.clear()
    (listed,) = list_published(store)
    assert listed == Listed(
        NAME,
        (tmp_path / NAME).as_uri(),
        "complete",
        kind="sft",
        curated=MOMENT,
        plan="test",
        window=WINDOW,
        records=160,
        splits={"train": 80, "val": 40, "test": 40},
    )
    assert store.read_paths == [f"{NAME}/{METADATA}"]


def test_both_kinds_are_listed(store: Reading):
    publish(store, curation_of(store), moment=LATER)
    assert [one.kind for one in list_published(store)] == ["samples", "sft"]


def test_a_file_that_is_missing_or_too_many_is_told(store: Reading, tmp_path: Path):
    (tmp_path / NAME / LINES).unlink()
    (tmp_path / NAME / "mine.txt").write_text("mine")
    (listed,) = list_published(store)
    assert (listed.state, listed.kind) == ("damaged", "sft")
    assert listed.detail == f"lacks {LINES}; holds what is not its own: mine.txt"


def test_metadata_of_another_form_is_damage(store: Reading, tmp_path: Path):
    overwrite(tmp_path / NAME / METADATA, b'{"release_kind": "sft", "output_files": {"a": {"kind": 5}}}')
    (listed,) = list_published(store)
    assert (listed.state, listed.kind, listed.records) == ("damaged", "sft", None)
    assert "routers (missing)" in listed.detail


def test_a_shortfall_is_told(tmp_path: Path):
    store, sets = LocalReleaseStore(tmp_path), sets_of()
    key = "session_router/val-50r50n"
    short = in_line_order(pl.concat([sets[key].filter(label=label).head(2) for label in (0, 1)]), "router")
    publish(store, labelling_of(store, sets={**sets, key: short}), moment=MOMENT)
    (listed,) = list_published(store)
    assert dict(listed.short) == {key: {"want": 10, "have": 4}}


def test_an_sft_release_is_proved_by_its_lines(store: Reading, tmp_path: Path):
    (listed,) = list_published(store)
    told: list[tuple[int, int]] = []
    release = LocalReleaseStore(tmp_path / NAME)
    assert prove(listed, release, lambda done, total: told.append((done, total))) == replace(listed, state="verified")
    assert told[-1] == (160, 160)
    path = tmp_path / NAME / LINES
    overwrite(path, path.read_bytes().replace(b"request of", b"requesu of", 1))
    proved = prove(listed, release, untold)
    assert proved.state == "broken"
    assert LINES in proved.detail


def test_an_sft_release_is_not_opened_as_one_of_conversations(store: Reading, tmp_path: Path):
    with pytest.raises(Refused, match="is an SFT release: it holds labelled requests and no conversations") as refusal:
        open_release(LocalReleaseStore(tmp_path / NAME))
    assert "name the release of samples" in refusal.value.remedy


def test_where_nothing_was_released_there_is_no_last_release(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    assert last_sft_release(store, "test") is None
    publish(store, curation_of(store), moment=MOMENT)
    assert last_sft_release(store, "test") is None


def test_the_last_release_of_a_plan_is_the_newest_of_another_window(store: Reading):
    publish_later(store)
    publish(store, curation_of(store), moment=MOMENT)
    store.read_paths.clear()
    last = last_sft_release(store, "test")
    assert last
    assert last.curation_info.curation_id == LATER_NAME
    assert last.shares_of_label_0["session_router", "train"] == 57 / 76
    assert set(store.read_paths) == {f"{NAME}/{METADATA}", f"{LATER_NAME}/{METADATA}"}
    before = last_sft_release(store, "test", other_than=LATER_WINDOW)
    assert before
    assert before.curation_info.curation_id == NAME
    assert before.shares_of_label_0["session_router", "train"] == 0.5


def test_releases_of_another_plan_or_of_the_window_alone_do_not_count(store: Reading):
    publish_later(store, "another")
    assert last_sft_release(store, "test", other_than=WINDOW) is None
    assert last_sft_release(store, "nobody") is None


def test_what_is_no_release_any_more_does_not_count(store: Reading, tmp_path: Path):
    publish_later(store)
    overwrite(tmp_path / LATER_NAME / METADATA, b"{}")
    (tmp_path / SAMPLES_NAME).mkdir()
    last = last_sft_release(store, "test")
    assert last
    assert last.curation_info.curation_id == NAME
    (tmp_path / NAME / METADATA).unlink()
    assert last_sft_release(store, "test") is None
