"""Where a conversation stands in a release: on its line, in a report, or nowhere, with the reason cell by cell."""

from itertools import count
from pathlib import Path

import pytest

from sft_pipeline.clients.lookup import look_up
from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.clients.released_lines import open_release
from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.plan import Cell
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.standing import split_of
from sft_pipeline_tests.clients.test_published import overwrite, published, published_also, release_in, untold
from sft_pipeline_tests.conversations_world import BY_USER
from sft_pipeline_tests.records_world import MOMENT, SMALL, curation_of, samples_of, with_targets

SAMPLES = samples_of(SMALL)
TARGETS = {split: {"short": 1, "medium": 1, "long": 1} for split in ("train", "val", "test")}


def looked_up(conversation_id: str, folder: Path) -> dict[str, str]:
    return dict(look_up(conversation_id, open_release(LocalReleaseStore(folder)), untold))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a published release."""
    published(tmp_path)
    return release_in(tmp_path)


@pytest.mark.parametrize("cell", SMALL.cells, ids=lambda cell: cell.key)
def test_a_released_conversation_is_found_on_its_line(folder: Path, cell: Cell):
    sample = SAMPLES[cell.key]
    for place, row in enumerate(sample.iter_rows(named=True), start=1):
        told = looked_up(row["conversationId"], folder)
        assert list(told) == ["chunk", "split", cell.path]
        assert told["split"].startswith(cell.split)
        assert (
            told[cell.path] == f"line {place} of {sample.height}: {row['turnCount']} turns, bucket {cell.bucket.name}"
        )


def test_an_invalid_conversation_is_found_in_its_report_with_its_errors(folder: Path):
    told = looked_up("a", folder)
    assert list(told) == ["chunk", "split", "invalid_records_train_20250816_120000.json"]
    assert told["invalid_records_train_20250816_120000.json"] == (
        "left out as invalid (6 turns, bucket short): "
        "Bucket mismatch: short bucket has 6 turns; Empty userMessage in 1 turns"
    )


def test_an_unknown_conversation_is_explained_for_every_cell_of_its_split(folder: Path):
    conversation_id = next(f"x{n}" for n in count() if split_of(f"x{n}", SMALL) == "train")
    told = looked_up(conversation_id, folder)
    assert list(told) == ["chunk", "split", "data files", "train-short", "train-medium", "train-long"]
    assert told["data files"] == "not among the 15 records"
    for cell in ("train-short", "train-medium", "train-long"):
        salt, last = SMALL.sample.salt, SAMPLES[cell]["conversationId"].to_list()[-1]
        above = priority_of(conversation_id, salt=salt) > priority_of(last, salt=salt)
        assert told[cell].startswith("ranks too low") == above


def test_a_conversation_of_a_split_that_was_not_released_is_told_so(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    release = publish(store, curation_of(store, SMALL.only("val"), SAMPLES), moment=MOMENT)
    conversation_id = SAMPLES["train-short"]["conversationId"][0]
    told = looked_up(conversation_id, tmp_path / release.name)
    assert told["train"] == "this split is not part of the release"
    assert list(told) == ["chunk", "split", "data files", "train"]


def test_where_users_are_split_every_cell_is_explained(tmp_path: Path):
    store, plan = LocalReleaseStore(tmp_path), with_targets(BY_USER, TARGETS)
    release = publish(store, curation_of(store, plan), moment=MOMENT)
    told = looked_up("unknown", tmp_path / release.name)
    assert list(told)[3:] == [cell.key for cell in plan.cells]


def test_a_record_that_lies_in_the_file_of_another_split_is_found_all_the_same(folder: Path):
    line = (folder / "train/short_3_to_5_turns.json").read_bytes().splitlines(keepends=True)[0]
    overwrite(folder / "train/short_3_to_5_turns.json", b"")
    overwrite(folder / "test/long_11_to_20_turns.json", line)
    told = looked_up(SAMPLES["train-short"]["conversationId"][0], folder)
    assert told["test/long_11_to_20_turns.json"].startswith("line 1 of 1")


def test_an_empty_cell_took_every_candidate_there_was(tmp_path: Path):
    samples = {**SAMPLES, "train-long": SAMPLES["train-long"].clear()}
    store = published_also(LocalReleaseStore(tmp_path), SMALL.with_shortfall(), samples=samples)
    (name,) = {path.split("/")[0] for path in store.list("")} - {"artifacts"}
    conversation_id = SAMPLES["train-long"]["conversationId"][0]
    told = looked_up(conversation_id, tmp_path / name)
    assert told["train-long"].startswith("every candidate was taken (0 of 2 wanted)")


def test_progress_ends_with_all_records_when_nothing_is_found(folder: Path):
    told: list[tuple[int, int]] = []
    list(look_up("unknown", open_release(LocalReleaseStore(folder)), lambda done, total: told.append((done, total))))
    assert told[-1] == (15, 15)
    assert told == sorted(told)


@pytest.mark.parametrize("content", [b"not JSON", b"[]", b'{"invalid_records": [{}]}', b'{"invalid_records": 5}'])
def test_a_report_that_is_none_is_refused_by_its_name(folder: Path, content: bytes):
    overwrite(folder / "invalid_records_val_20250816_120000.json", content)
    with pytest.raises(Refused, match=r"invalid_records_val_20250816_120000\.json is no report") as refusal:
        looked_up("unknown", folder)
    assert "sft-pipeline verify" in refusal.value.remedy


def test_a_missing_file_is_refused_by_its_name(folder: Path):
    (folder / "val/short_3_to_5_turns.json").unlink()
    with pytest.raises(Refused, match=r"lacks val/short_3_to_5_turns\.json"):
        looked_up("unknown", folder)
