"""SFT releases come into being by the same protocol as releases of samples, beside them in one store."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copytree

import polars as pl
import pytest

from sft_pipeline.clients.publishing import Published, publish
from sft_pipeline.clients.release_store import LocalReleaseStore, ReleaseConflict, open_release_store
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.sft_release import Labelling
from sft_pipeline.curation.sft_sections import slots
from sft_pipeline_tests.clients.test_publishing import FailingStore, Interrupted, OvertakenStore, race, tree
from sft_pipeline_tests.labelling_world import MOMENT, NAME, SMALL, Sets, accounts_of, labelling_of, sets_of
from sft_pipeline_tests.records_world import curation_of

LATER = MOMENT + timedelta(days=3)
LATER_NAME = NAME.replace("20250816", "20250819")
SETS = sets_of()
PATHS = [path for slot in slots(routers_of(SMALL)) for path in slot.paths.values()]
TRAIN = "session_router/train-70r30n"


def labelling_in(folder: Path, sets: Sets = SETS) -> tuple[LocalReleaseStore, Labelling]:
    store = LocalReleaseStore(folder)
    return store, labelling_of(store, sets=sets)


def other_sets() -> Sets:
    """The same, one text of a training set another one."""
    return {**SETS, TRAIN: SETS[TRAIN].with_columns(weight=pl.lit(4.0))}


def released(folder: Path) -> dict[str, bytes]:
    return {path: content for path, content in tree(folder).items() if path.startswith("vscodedata_sft")}


def test_a_release_has_two_files_of_every_router_split_and_ratio(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    published = publish(store, labelling, moment=MOMENT)
    assert (published.name, published.already_there) == (NAME, False)
    assert len(PATHS) == 24
    assert "conversation_router/datav3_val_50r_50n_sft.jsonl" in PATHS
    assert store.list(NAME) == sorted(f"{NAME}/{path}" for path in (*PATHS, METADATA))
    assert sorted(file.path for file in published.files) == store.list(NAME)
    assert all(store.find(file.path) == file for file in published.files)
    for path, origin in labelling.artifacts.select("path", "origin").iter_rows():
        assert (tmp_path / NAME / path).read_bytes() == (tmp_path / origin).read_bytes()
    assert verify_release(open_release_store(published.url)).passed


def test_metadata_is_written_last(tmp_path: Path):
    _, labelling = labelling_in(tmp_path)
    store = FailingStore(tmp_path, at=0, after=False)
    publish(store, labelling, moment=MOMENT)
    assert store.paths[-1] == f"{NAME}/{METADATA}"


def test_both_kinds_lie_in_one_store_at_one_moment(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    both = [publish(store, made, moment=MOMENT) for made in (curation_of(store), labelling)]
    assert len({published.name for published in both}) == 2
    assert all(verify_release(open_release_store(published.url)).passed for published in both)


def test_publishing_again_changes_nothing_and_tells_the_labels_as_of_then(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    first = publish(store, labelling, moment=MOMENT)
    before = tree(tmp_path)
    again = publish(store, replace(labelling, accounts=accounts_of(cost=9.0), run_id="run-2"), moment=LATER)
    assert again.already_there
    assert (again.name, set(again.files)) == (first.name, set(first.files))
    assert tree(tmp_path) == before


def test_files_that_somebody_removed_come_back(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    publish(store, labelling, moment=MOMENT)
    before = tree(tmp_path)
    for path in PATHS[:3]:
        (tmp_path / NAME / path).unlink()
    assert publish(store, labelling, moment=LATER).already_there
    assert tree(tmp_path) == before


def test_other_labels_get_another_name_and_the_old_release_stays(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    publish(store, labelling, moment=MOMENT)
    before = released(tmp_path)
    _, other = labelling_in(tmp_path, other_sets())
    with pytest.raises(ReleaseConflict, match=f"the release name {NAME} belongs to other content"):
        publish(store, other, moment=MOMENT)
    assert released(tmp_path) == before
    assert publish(store, other, moment=LATER).name == LATER_NAME
    assert {path: content for path, content in released(tmp_path).items() if path.startswith(NAME)} == before


def test_what_cannot_be_trusted_is_refused_before_anything_is_written(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(Refused, match="canaries_keep_their_labels"):
        publish(store, replace(labelling, accounts=accounts_of(canaries_missed=("a", "b", "c"))), moment=MOMENT)
    assert tree(tmp_path) == before


def test_an_artifact_that_was_damaged_or_lost_after_upload_is_not_released(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    artifact = tmp_path / labelling.artifacts["origin"][1]
    artifact.chmod(0o644)
    content = artifact.read_bytes()
    artifact.write_bytes(content[:-1])
    with pytest.raises(ReleaseConflict, match=r"parquet is no longer as it was written") as refusal:
        publish(store, labelling, moment=MOMENT)
    assert "sft_artifacts" in refusal.value.remedy
    artifact.unlink()
    with pytest.raises(ReleaseConflict, match=r"parquet is missing"):
        publish(store, labelling, moment=MOMENT)
    assert released(tmp_path) == {}
    artifact.write_bytes(content)
    assert publish(store, labelling, moment=LATER).name == NAME


def test_files_that_do_not_belong_are_a_conflict(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    store.put(f"{NAME}/session_router/notes.txt", [b"mine"])
    with pytest.raises(ReleaseConflict, match=r"not of this release: session_router/notes\.txt"):
        publish(store, labelling, moment=MOMENT)


@pytest.mark.parametrize("content", [b"{}", b"not JSON", b"[]", b'{"output_files": {"a": 5}}'])
def test_a_published_release_with_other_metadata_is_a_conflict(tmp_path: Path, content: bytes):
    store, labelling = labelling_in(tmp_path)
    store.put(f"{NAME}/{METADATA}", [content])
    with pytest.raises(ReleaseConflict, match="is published with other files"):
        publish(store, labelling, moment=MOMENT)


def test_fault_44_killed_at_any_step_it_shows_no_release_and_the_next_run_completes_the_same_bytes(tmp_path: Path):
    _, labelling = labelling_in(tmp_path / "artifacts")
    expected: dict[str, dict[str, bytes]] = {}
    for moment, name in ((MOMENT, NAME), (LATER, LATER_NAME)):
        copytree(tmp_path / "artifacts", tmp_path / name)
        store = FailingStore(tmp_path / name, at=0, after=False)
        publish(store, labelling, moment=moment)
        expected[name] = released(tmp_path / name)
        assert len(store.paths) == 27, "a name, a stamp, 24 files, metadata.json"
    for step in (1, 2, 3, 14, 26, 27):
        for after in (False, True):
            folder = tmp_path / f"{step}-{after}"
            copytree(tmp_path / "artifacts", folder)
            with pytest.raises(Interrupted):
                publish(FailingStore(folder, at=step, after=after), labelling, moment=MOMENT)
            finished = (step, after) == (27, True)
            assert any(METADATA in path for path in released(folder)) == finished
            assert publish(LocalReleaseStore(folder), labelling, moment=LATER).already_there == finished
            assert released(folder) == expected[NAME if (step, after) >= (2, True) else LATER_NAME]


def test_fault_45_two_publishers_of_the_same_labels_make_one_release(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    runs = [
        partial(publish, store, replace(labelling, run_id=run), moment=moment)
        for run, moment in (("1", MOMENT), ("2", LATER))
    ]
    outcomes = race(runs)
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, Published) and not outcome.already_there]
    (lost,) = [outcome for outcome in outcomes if outcome is not won]
    assert isinstance(lost, ReleaseConflict) or (lost.already_there and lost.name == won.name)
    assert verify_release(open_release_store(won.url)).passed


def test_fault_45_the_publisher_that_comes_second_says_which_run_won(tmp_path: Path):
    store, labelling = labelling_in(tmp_path)
    overtaken = OvertakenStore(tmp_path, partial(publish, store, replace(labelling, run_id="fast"), moment=LATER))
    with pytest.raises(ReleaseConflict, match=f"{NAME} was published by run fast while run slow was at it"):
        publish(overtaken, replace(labelling, run_id="slow"), moment=MOMENT)
    assert json.loads((tmp_path / NAME / METADATA).read_bytes())["curation_info"]["run_id"] == "fast"
