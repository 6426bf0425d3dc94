"""A local disk that is full, fails, or may not be written (46): what was there stays, nothing half-written is left.

Belongs here: whole publications and tables. Single files of a release are tested with their store.
"""

import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.publishing import Published, publish
from sft_pipeline.clients.release_store import LocalReleaseStore, open_release_store
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA, Curation
from sft_pipeline_tests.records_world import MOMENT, SMALL, curation_of, samples_of, with_turns

LATER = MOMENT + timedelta(days=3)
PAGE = 4096
SAMPLES = samples_of(SMALL)
CHANGED = {**SAMPLES, "val-short": with_turns(SAMPLES["val-short"], 0, modelMessage="another answer")}
KEY = TableKey("conversation_chunks", "2026-11-01", "07-of-40")
TABLE = pl.DataFrame({"conversationId": ["a", "b"], "turnCount": [3, 4]})
LARGER = pl.DataFrame({"conversationId": [f"{number * 7919 % 1000003}" for number in range(200_000)]})


@contextmanager
def nobody() -> Generator[None]:
    """Root may write anywhere; for the block the test is not root."""
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


def fill(disk: Path) -> Path:
    """A file that takes all the space there is."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(bytes(PAGE))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return filler


def free_a_page(filler: Path) -> None:
    os.truncate(filler, max(0, filler.stat().st_size - PAGE))


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def releases(folder: Path) -> list[str]:
    """The folders of what is published."""
    return sorted(path.parent.name for path in folder.glob(f"vscodedata*/{METADATA}"))


def one_release_and_the_next(folder: Path) -> tuple[LocalReleaseStore, Published, Curation]:
    """A release that is there, and other content to publish beside it."""
    store = LocalReleaseStore(folder)
    first = publish(store, curation_of(store, SMALL, samples=SAMPLES), moment=MOMENT)
    return store, first, curation_of(store, SMALL, samples=CHANGED)


def published_or_refused(store: LocalReleaseStore, curation: Curation) -> Published | Refused:
    try:
        return publish(store, curation, moment=LATER)
    except Refused as refused:
        return refused


def publish_until_it_succeeds(folder: Path, told: str, mend: Callable[[], None]) -> tuple[int, Published]:
    """Publish, and mend a little after every refusal; nothing may be lost or half-written in between."""
    store, first, curation = one_release_and_the_next(folder)
    before = tree(folder / first.name)
    for refusals in range(300):
        mend()
        outcome = published_or_refused(store, curation)
        assert tree(folder / first.name) == before
        assert list((folder / ".unfinished").iterdir()) == []
        assert all(verify_release(open_release_store(str(folder / name))).passed for name in releases(folder))
        if isinstance(outcome, Published):
            assert releases(folder) == sorted([first.name, outcome.name])
            return refusals, outcome
        assert told in outcome.what
    pytest.fail("nothing ever sufficed")


def test_fault_46_a_disk_that_is_full_anywhere_in_a_publication_keeps_the_former_release_and_space_completes_it(
    tiny_disk: Path, tmp_path: Path
) -> None:
    fillers: list[Path] = []

    def mend() -> None:
        if fillers:
            free_a_page(fillers[0])
        else:
            fillers.append(fill(tiny_disk))

    refusals, published = publish_until_it_succeeds(tiny_disk, "the disk is full", mend)
    assert refusals >= 3
    store, _, curation = one_release_and_the_next(tmp_path / "undisturbed")
    assert publish(store, curation, moment=LATER).name == published.name
    assert tree(tiny_disk / published.name) == tree(tmp_path / "undisturbed" / published.name)


def test_fault_46_a_disk_that_fails_to_keep_any_file_of_a_publication_keeps_the_former_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, second, ... time that the disk is asked to have all bytes, it fails."""
    fsync, attempts, left = os.fsync, [0], [0]

    def failing(descriptor: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    def mend() -> None:
        attempts[0] += 1
        left[0] = attempts[0]
        monkeypatch.setattr(os, "fsync", failing)

    refusals, _ = publish_until_it_succeeds(tmp_path, "the disk failed", mend)
    assert refusals >= 3


def test_fault_46_a_folder_of_releases_that_became_read_only_refuses_and_stays_as_it_is(tmp_path: Path) -> None:
    store, first, curation = one_release_and_the_next(tmp_path)
    before = tree(tmp_path)
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    tmp_path.parent.chmod(0o755)
    try:
        with nobody(), pytest.raises(Refused, match="permission denied"):
            publish(store, curation, moment=LATER)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert tree(tmp_path) == before
    assert releases(tmp_path) == [first.name]
    assert publish(store, curation, moment=LATER).name != first.name


def stays(tables: TableStore) -> None:
    """The table that was there is there, and nothing beside it."""
    assert tables.read(KEY).equals(TABLE)
    assert tables.notes(KEY)["version"] == "v1"
    assert [path.name for path in Path(tables.uri(KEY)).parent.iterdir()] == [f"{KEY.part}.parquet"]


def test_fault_46_a_full_disk_keeps_the_former_table(tiny_disk: Path) -> None:
    tables = TableStore(str(tiny_disk))
    tables.write(KEY, TABLE, {"version": "v1"})
    filler = fill(tiny_disk)
    with pytest.raises(Refused, match="cannot write") as refusal:
        tables.write(KEY, LARGER, {"version": "v2"})
    assert "run again" in refusal.value.remedy
    stays(tables)
    filler.unlink()
    tables.write(KEY, LARGER.head(10), {"version": "v2"})
    assert tables.read(KEY).height == 10


def test_fault_46_a_disk_that_fails_keeps_the_former_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = TableStore(str(tmp_path))
    tables.write(KEY, TABLE, {"version": "v1"})

    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(Refused, match="cannot write"):
            tables.write(KEY, LARGER, {"version": "v2"})
    stays(tables)


def test_fault_46_a_folder_that_became_read_only_keeps_the_former_table(tmp_path: Path) -> None:
    tables = TableStore(str(tmp_path / "tables"))
    tables.write(KEY, TABLE, {"version": "v1"})
    folder = Path(tables.uri(KEY)).parent
    folder.chmod(0o555)
    tmp_path.parent.chmod(0o755)
    tmp_path.chmod(0o755)
    with nobody(), pytest.raises(Refused, match="cannot write"):
        tables.write(KEY, LARGER, {"version": "v2"})
    folder.chmod(0o755)
    stays(tables)
