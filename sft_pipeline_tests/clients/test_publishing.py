"""The publish protocol: a release is there whole or not at all, under one name, and never changes."""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

import polars as pl
import pytest

from sft_pipeline.clients.publishing import Published, artifact_path, publish, upload_artifact
from sft_pipeline.clients.release_store import (
    Counted,
    LocalReleaseStore,
    ReleaseConflict,
    StoredFile,
    open_release_store,
)
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import record_lines, table_version
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA, Curation, release_version
from sft_pipeline.curation.tables import Artifact, schema_of
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.conversations_world import with_names
from sft_pipeline_tests.records_world import (
    MOMENT,
    NAME,
    ODD_TEXT,
    SMALL,
    curation_of,
    rejected_rows,
    samples_of,
    with_targets,
    with_turns,
)

LATER = MOMENT + timedelta(days=3)
MOMENTS = (MOMENT, LATER)
SAMPLES = samples_of(SMALL)


def curation_in(folder: Path, plan: Plan = SMALL, **changes: Any) -> tuple[LocalReleaseStore, Curation]:
    store = LocalReleaseStore(folder)
    return store, curation_of(store, plan, **{"samples": SAMPLES, **changes})


def tree(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes; unfinished files stand for themselves."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def release_tree(store_folder: Path) -> dict[str, bytes]:
    return {path: content for path, content in tree(store_folder).items() if path.startswith("vscodedata")}


def changed_samples() -> dict[str, pl.DataFrame]:
    return {**SAMPLES, "val-short": with_turns(SAMPLES["val-short"], 0, modelMessage="another answer")}


class Interrupted(Exception):
    """The process was killed."""


class FailingStore(LocalReleaseStore):
    """Stops at the n-th file, before or after it is written."""

    def __init__(self, folder: Path, *, at: int, after: bool) -> None:
        super().__init__(folder)
        self.at, self.after, self.paths = at, after, list[str]()

    def put(self, path: str, pieces: Iterable[bytes], *, records: Counted = None) -> StoredFile:
        return self._step(path, lambda: super(FailingStore, self).put(path, pieces, records=records))

    def copy(self, source: str, path: str) -> StoredFile:
        return self._step(path, lambda: super(FailingStore, self).copy(source, path))

    def _step(self, path: str, write: Callable[[], StoredFile]) -> StoredFile:
        self.paths.append(path)
        if len(self.paths) == self.at and not self.after:
            raise Interrupted
        stored = write()
        if len(self.paths) == self.at:
            raise Interrupted
        return stored


def test_an_artifact_is_the_records_of_its_sample_in_order(tmp_path: Path):
    store, cell, sample = LocalReleaseStore(tmp_path), SMALL.cell("train-short"), SAMPLES["train-short"]
    artifact = upload_artifact(store, cell, sample, "v" * 64)
    assert artifact.schema == schema_of(Artifact)
    row = artifact.row(0, named=True)
    assert (row["cell"], row["path"], row["records"]) == ("train-short", "train/short_3_to_5_turns.json", 4)
    assert (row["sampleVersion"], row["bytes"]) == ("v" * 64, len(record_lines(sample)))
    assert row["url"] == f"{store.url}/artifacts/train-short-{'v' * 32}.json"
    assert b"".join(store.read(artifact_path("train-short", "v" * 64))) == record_lines(sample)
    assert upload_artifact(store, cell, sample.lazy(), "v" * 64).equals(artifact)


def test_an_artifact_of_an_empty_sample_is_an_empty_file(tmp_path: Path):
    sample = SAMPLES["train-short"].clear()
    row = upload_artifact(LocalReleaseStore(tmp_path), SMALL.cell("train-short"), sample, "v").row(0, named=True)
    assert (row["records"], row["bytes"]) == (0, 0)


def test_an_artifact_never_changes(tmp_path: Path):
    store, cell = LocalReleaseStore(tmp_path), SMALL.cell("train-short")
    upload_artifact(store, cell, SAMPLES["train-short"], "v")
    with pytest.raises(ReleaseConflict):
        upload_artifact(store, cell, SAMPLES["train-short"].head(1), "v")


def test_fault_29_a_record_with_line_separators_stays_one_line(tmp_path: Path):
    sample = with_turns(SAMPLES["val-short"], 0, userMessage=ODD_TEXT, modelMessage=ODD_TEXT)
    store = LocalReleaseStore(tmp_path)
    artifact = upload_artifact(store, SMALL.cell("val-short"), sample, "v")
    lines = b"".join(store.read(artifact_path("val-short", "v"))).split(b"\n")
    assert artifact["records"].item() == sample.height == len(lines) - 1
    assert json.loads(lines[0])["turnsArray"][0]["userMessage"] == ODD_TEXT


def test_a_release_has_its_files_in_the_folders_of_their_splits(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    published = publish(store, curation, moment=MOMENT)
    assert published.name == NAME
    assert published.url == (tmp_path / NAME).as_uri()
    assert not published.already_there
    labels = ("short_3_to_5_turns", "medium_6_to_10_turns", "long_11_to_20_turns")
    assert store.list(NAME) == sorted(
        [f"{NAME}/{split}/{label}.json" for split in ("train", "val", "test") for label in labels]
        + [f"{NAME}/invalid_records_{split}_20250816_120000.json" for split in ("train", "val")]
        + [f"{NAME}/metadata.json"]
    )
    assert sorted(file.path for file in published.files) == store.list(NAME)
    assert all(store.find(file.path) == file for file in published.files)
    for cell in SMALL.cells:
        assert (tmp_path / NAME / cell.path).read_bytes() == record_lines(SAMPLES[cell.key])
    assert verify_release(open_release_store(published.url)).passed


def test_metadata_is_written_last(tmp_path: Path):
    _, curation = curation_in(tmp_path)
    store = FailingStore(tmp_path, at=0, after=False)
    publish(store, curation, moment=MOMENT)
    assert store.paths[-1] == f"{NAME}/metadata.json"


def test_an_unsplit_release_is_flat(tmp_path: Path):
    targets = {"all": {"short": 2, "medium": 1, "long": 1}}
    plan = with_targets(with_names(read_plan("production_100k")), targets)
    store, curation = curation_in(tmp_path, plan, samples=samples_of(plan), rejected=rejected_rows())
    published = publish(store, curation, moment=MOMENT)
    assert published.name == "vscodedata_0.004k_complete_stratified_deduped_60d_20250816"
    assert [path.rsplit("/")[-1] for path in store.list(published.name)] == [
        "long_11_to_20_turns.json",
        "medium_6_to_10_turns.json",
        "metadata.json",
        "short_3_to_5_turns.json",
    ]
    assert verify_release(open_release_store(published.url)).passed


def test_one_split_can_be_released_alone_with_its_own_invalid_records(tmp_path: Path):
    plan = SMALL.only("val")
    store, curation = curation_in(tmp_path, plan)
    published = publish(store, curation, moment=MOMENT)
    assert {path.split("/", 1)[1] for path in store.list(published.name)} == {
        *(cell.path for cell in plan.cells),
        "invalid_records_val_20250816_120000.json",
        "metadata.json",
    }
    assert verify_release(open_release_store(published.url)).passed


def test_a_shortfall_that_is_allowed_is_published_and_verifies(tmp_path: Path):
    plan = SMALL.with_shortfall()
    samples = {**SAMPLES, "val-short": SAMPLES["val-short"].head(1), "test-long": SAMPLES["test-long"].clear()}
    store, curation = curation_in(tmp_path, plan, samples=samples)
    published = publish(store, curation, moment=MOMENT)
    metadata = json.loads(b"".join(store.read(f"{published.name}/metadata.json")))
    assert metadata["shortfall"] == {"val-short": {"want": 2, "have": 1}, "test-long": {"want": 1, "have": 0}}
    assert verify_release(open_release_store(published.url)).passed


def test_what_is_not_whole_is_refused_before_anything_is_written(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(Refused, match="test-long"):
        publish(store, replace(curation, artifacts=curation.artifacts.head(8)), moment=MOMENT)
    assert tree(tmp_path) == before


def test_publishing_again_changes_nothing(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    first = publish(store, curation, moment=MOMENT)
    before = tree(tmp_path)
    again = publish(store, replace(curation, versions={"polars": "3.0.0"}), moment=LATER)
    assert again.already_there
    assert again._replace(already_there=False, files=()) == first._replace(files=())
    assert set(again.files) == set(first.files)
    assert tree(tmp_path) == before


def test_other_content_gets_another_name_and_the_old_release_stays(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    first = publish(store, curation, moment=MOMENT)
    before = release_tree(tmp_path)
    _, other = curation_in(tmp_path, samples=changed_samples())
    second = publish(store, other, moment=LATER)
    assert second.name == "vscodedata_0.015k_complete_stratified_deduped_1d_20250819_120000"
    assert {path: content for path, content in release_tree(tmp_path).items() if path.startswith(NAME)} == before
    assert verify_release(open_release_store(first.url)).passed
    assert verify_release(open_release_store(second.url)).passed


def test_other_content_at_the_same_moment_is_refused_and_can_be_published_later(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    publish(store, curation, moment=MOMENT)
    before = release_tree(tmp_path)
    _, other = curation_in(tmp_path, samples=changed_samples())
    with pytest.raises(ReleaseConflict, match=f"the release name {NAME} belongs to other content") as refusal:
        publish(store, other, moment=MOMENT)
    assert "stamp_format" in refusal.value.remedy
    assert release_tree(tmp_path) == before
    assert publish(store, other, moment=LATER).name.endswith("20250819_120000")


def steps_of_a_publication(folder: Path) -> int:
    _, curation = curation_in(folder)
    store = FailingStore(folder, at=0, after=False)
    publish(store, curation, moment=MOMENT)
    return len(store.paths)


def test_fault_44_killed_at_any_step_it_shows_no_release_and_the_next_run_completes_the_same_bytes(tmp_path: Path):
    steps = steps_of_a_publication(tmp_path / "undisturbed")
    assert steps == 14, "a name, a stamp, nine data files, two reports, metadata.json"
    expected = {MOMENT: release_tree(tmp_path / "undisturbed")}
    _, curation = curation_in(tmp_path / "artifacts")
    copytree(tmp_path / "artifacts", tmp_path / "later")
    publish(LocalReleaseStore(tmp_path / "later"), curation, moment=LATER)
    expected[LATER] = release_tree(tmp_path / "later")
    for step in range(1, steps + 1):
        for after in (False, True):
            folder = tmp_path / f"{step}-{after}"
            copytree(tmp_path / "artifacts", folder)
            with pytest.raises(Interrupted):
                publish(FailingStore(folder, at=step, after=after), curation, moment=MOMENT)
            finished = (step, after) == (steps, True)
            assert any("metadata.json" in path for path in release_tree(folder)) == finished
            named = (step, after) >= (2, True)
            again = publish(LocalReleaseStore(folder), curation, moment=LATER)
            assert again.already_there == finished
            assert release_tree(folder) == expected[MOMENT if named else LATER]
            assert not any(".unfinished" in path for path in tree(folder))


def race(publishers: list[Callable[[], Published]]) -> list[Published | ReleaseConflict]:
    barrier, outcomes = threading.Barrier(len(publishers)), list[Published | ReleaseConflict]()

    def run(publisher: Callable[[], Published]) -> None:
        barrier.wait()
        try:
            outcomes.append(publisher())
        except ReleaseConflict as conflict:
            outcomes.append(conflict)

    threads = [threading.Thread(target=run, args=(publisher,)) for publisher in publishers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_fault_45_two_publishers_of_the_same_content_make_one_release(tmp_path: Path):
    for attempt in range(5):
        store, curation = curation_in(tmp_path / str(attempt))
        runs = {run: replace(curation, run_id=run) for run in ("run-1", "run-2")}
        outcomes = race(
            [partial(publish, store, one, moment=moment) for one, moment in zip(runs.values(), MOMENTS, strict=True)]
        )
        (won,) = [outcome for outcome in outcomes if isinstance(outcome, Published) and not outcome.already_there]
        (lost,) = [outcome for outcome in outcomes if outcome is not won]
        assert isinstance(lost, ReleaseConflict) or (lost.already_there and lost.name == won.name)
        assert verify_release(open_release_store(won.url)).passed
        assert len({path.split("/")[0] for path in release_tree(tmp_path / str(attempt))}) == 1


class OvertakenStore(LocalReleaseStore):
    """Another publisher is at it, and faster: it commits just before this one would."""

    def __init__(self, folder: Path, overtake: Callable[[], object]) -> None:
        super().__init__(folder)
        self.overtake = overtake

    def put(self, path: str, pieces: Iterable[bytes], *, records: Counted = None) -> StoredFile:
        if path.endswith(f"/{METADATA}"):
            self.overtake()
        return super().put(path, pieces, records=records)


def test_fault_45_the_publisher_that_comes_second_says_which_run_won(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    overtaken = OvertakenStore(tmp_path, partial(publish, store, replace(curation, run_id="fast"), moment=LATER))
    with pytest.raises(ReleaseConflict, match=f"{NAME} was published by run fast while run slow was at it"):
        publish(overtaken, replace(curation, run_id="slow"), moment=MOMENT)
    again = publish(store, replace(curation, run_id="slow"), moment=MOMENT)
    assert again.already_there
    assert json.loads(b"".join(store.read(f"{NAME}/{METADATA}")))["curation_info"]["run_id"] == "fast"


def test_fault_45_a_publisher_whose_own_commit_is_there_has_won(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    overtaken = OvertakenStore(tmp_path, partial(publish, store, curation, moment=MOMENT))
    assert not publish(overtaken, curation, moment=MOMENT).already_there


def test_fault_45_of_publishers_of_different_content_under_one_name_one_wins(tmp_path: Path):
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        store, curation = curation_in(folder)
        _, other = curation_in(folder, samples=changed_samples())
        outcomes = race([partial(publish, store, one, moment=MOMENT) for one in (curation, other)])
        (published,) = [outcome for outcome in outcomes if isinstance(outcome, Published)]
        (refusal,) = [outcome for outcome in outcomes if isinstance(outcome, ReleaseConflict)]
        assert "belongs to other content" in refusal.what
        assert verify_release(open_release_store(published.url)).passed


def test_files_that_do_not_belong_are_a_conflict(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    store.put(f"{NAME}/train/notes.txt", [b"mine"])
    with pytest.raises(ReleaseConflict, match=r"not of this release: train/notes\.txt"):
        publish(store, curation, moment=MOMENT)
    assert f"{NAME}/metadata.json" not in store.list(NAME)


def test_files_that_do_not_belong_to_a_published_release_are_a_conflict(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    publish(store, curation, moment=MOMENT)
    store.put(f"{NAME}/train/notes.txt", [b"mine"])
    with pytest.raises(ReleaseConflict, match=r"not of this release: train/notes\.txt"):
        publish(store, curation, moment=MOMENT)


def test_other_bytes_in_an_unfinished_folder_are_a_conflict(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    store.put(f"{NAME}/val/short_3_to_5_turns.json", [b"{}\n"])
    with pytest.raises(ReleaseConflict, match=r"val/short_3_to_5_turns\.json is there with other content"):
        publish(store, curation, moment=MOMENT)
    assert (tmp_path / NAME / "val/short_3_to_5_turns.json").read_bytes() == b"{}\n"
    assert f"{NAME}/metadata.json" not in store.list(NAME)


@pytest.mark.parametrize("content", [b"{}", b"not JSON", b"[]", b'{"output_files": {}, "rejected": {}}'])
def test_a_published_release_with_other_metadata_is_a_conflict(tmp_path: Path, content: bytes):
    store, curation = curation_in(tmp_path)
    store.put(f"{NAME}/metadata.json", [content])
    with pytest.raises(ReleaseConflict, match="is published with other files"):
        publish(store, curation, moment=MOMENT)
    assert store.list(NAME) == [f"{NAME}/metadata.json"]


def test_an_artifact_that_was_damaged_or_lost_after_upload_is_not_released(tmp_path: Path):
    store, curation = curation_in(tmp_path)
    artifact = tmp_path / artifact_path("train-long", table_version(SAMPLES["train-long"]))
    artifact.chmod(0o644)
    content = artifact.read_bytes()
    artifact.write_bytes(content.replace(b"answer 1", b"answer 2"))
    with pytest.raises(ReleaseConflict, match=r"train-long-.*no longer as it was written"):
        publish(store, curation, moment=MOMENT)
    artifact.unlink()
    with pytest.raises(ReleaseConflict, match=r"train-long-.*is missing"):
        publish(store, curation, moment=MOMENT)
    assert release_tree(tmp_path) == {}
    artifact.write_bytes(content)
    assert publish(store, curation, moment=LATER).name == NAME


@pytest.mark.parametrize("content", [b"not JSON", b"{}", b"[]", b'{"moment": 5}', b'{"moment": "2025-08-16T12:00:00"}'])
def test_a_stamp_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes):
    store, curation = curation_in(tmp_path)
    version = release_version(curation.artifacts, curation.plan, curation.window)
    store.put(f"artifacts/stamps/{version}.json", [content])
    with pytest.raises(Refused, match=f"{version}.json does not say when"):
        publish(store, curation, moment=MOMENT)
    assert release_tree(tmp_path) == {}
