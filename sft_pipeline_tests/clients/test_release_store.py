"""The store's promise: a file is there whole or not at all, and never changes."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from errno import EIO
from hashlib import md5, sha256
from pathlib import Path

import pytest

from sft_pipeline.clients.disk import ABANDONED_SECONDS, UNFINISHED, refusing
from sft_pipeline.clients.release_store import LocalReleaseStore, ReleaseConflict, StoredFile, open_release_store
from sft_pipeline.curation.refusal import Refused

MEGABYTE = b"x" * 1024 * 1024


def store_in(folder: Path) -> LocalReleaseStore:
    return LocalReleaseStore(folder)


def unfinished(folder: Path) -> list[Path]:
    return list((folder / UNFINISHED).glob("*"))


@contextmanager
def nobody() -> Generator[None]:
    """Root may write anywhere; for the block the test is not root."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


@contextmanager
def files_up_to(size: int) -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_put_file_is_found_with_its_hashes_and_read_back(tmp_path: Path):
    store = store_in(tmp_path)
    put = store.put("a/b.json", [b"one\n", b"two\n"])
    content = b"one\ntwo\n"
    url = (tmp_path / "a/b.json").as_uri()
    digest = md5(content, usedforsecurity=False).hexdigest()
    assert put == StoredFile("a/b.json", url, 8, digest, sha256(content).hexdigest())
    assert store.find("a/b.json") == put
    assert b"".join(store.read("a/b.json")) == content


def test_a_large_file_is_read_in_pieces(tmp_path: Path):
    store = store_in(tmp_path)
    store.put("large", [MEGABYTE] * 9)
    assert [len(piece) for piece in store.read("large")] == [4 << 20, 4 << 20, 1 << 20]


def test_a_file_that_is_not_there_is_none_and_cannot_be_read(tmp_path: Path):
    assert store_in(tmp_path).find("a") is None
    with pytest.raises(Refused, match="no such file"):
        list(store_in(tmp_path).read("a"))


def test_nothing_is_created_before_the_first_file(tmp_path: Path):
    store = store_in(tmp_path / "releases")
    assert store.list("") == []
    assert store.find("a") is None
    assert not (tmp_path / "releases").exists()


def test_the_same_bytes_count_as_done(tmp_path: Path):
    store = store_in(tmp_path)
    first = store.put("a", [b"same"])
    inode = (tmp_path / "a").stat().st_ino
    assert store.put("a", [b"sa", b"me"]) == first
    assert store.copy("a", "a") == first
    assert (tmp_path / "a").stat().st_ino == inode


def test_other_bytes_are_a_conflict_and_the_file_stays(tmp_path: Path):
    store = store_in(tmp_path)
    store.put("a", [b"first"])
    store.put("b", [b"second"])
    with pytest.raises(ReleaseConflict, match="/a is there with other content"):
        store.put("a", [b"second"])
    with pytest.raises(ReleaseConflict, match="/a is there with other content"):
        store.copy("b", "a")
    assert (tmp_path / "a").read_bytes() == b"first"


def test_a_copy_has_the_same_bytes_without_moving_them(tmp_path: Path):
    store = store_in(tmp_path)
    put = store.put("a", [b"content"])
    copied = store.copy("a", "deep/er/b")
    assert copied == put._replace(path="deep/er/b", url=(tmp_path / "deep/er/b").as_uri())
    assert (tmp_path / "deep/er/b").samefile(tmp_path / "a")


def test_a_copy_to_another_file_system_moves_the_bytes(tmp_path: Path, tiny_disk: Path):
    store = store_in(tmp_path)
    (tiny_disk / "origin").write_bytes(b"content")
    stored = store.copy("tiny/origin", "b")
    assert (tmp_path / "b").read_bytes() == b"content"
    assert stored == store.find("b")
    assert unfinished(tmp_path) == []


def test_files_are_read_only(tmp_path: Path):
    store_in(tmp_path).put("a", [b"content"])
    assert (tmp_path / "a").stat().st_mode & 0o222 == 0


def test_a_list_is_sorted_and_holds_all_files_below_a_folder(tmp_path: Path):
    store = store_in(tmp_path)
    for path in ("r/b", "r/a/c", "r/.hidden", "s/d", "ra"):
        store.put(path, [path.encode()])
    (tmp_path / "r/link").symlink_to(tmp_path / "s")
    assert store.list("r") == ["r/.hidden", "r/a/c", "r/b", "r/link"]
    assert store.list("") == ["r/.hidden", "r/a/c", "r/b", "r/link", "ra", "s/d"]
    assert store.list("nothing") == []


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a\\b", "a\nb", "a\u2028b", "a/"]
)
def test_a_path_cannot_leave_the_store(tmp_path: Path, path: str):
    store = store_in(tmp_path)
    store.put("good", [b"content"])
    with pytest.raises(Refused, match="no path inside a store"):
        store.put(path, [b"content"])
    with pytest.raises(Refused, match="no path inside a store"):
        store.copy("good", path)
    with pytest.raises(Refused, match="no path inside a store"):
        store.find(path)


def test_a_store_opens_by_path_and_by_file_url(tmp_path: Path):
    folder = tmp_path / "with space"
    store_in(folder).put("a", [b"content"])
    for location in (str(folder), folder.as_uri(), f"file://localhost{folder.as_uri().removeprefix('file://')}"):
        assert open_release_store(location).list("") == ["a"]
        assert open_release_store(location).url == folder.as_uri()


@pytest.mark.parametrize("url", ["s3://bucket/v4", "abfss://container@account/v4", "file://elsewhere/v4"])
def test_other_urls_are_refused(url: str):
    with pytest.raises(Refused, match="releases cannot lie at"):
        open_release_store(url)


def test_a_password_in_a_url_is_not_told():
    with pytest.raises(Refused) as refused:
        open_release_store("ftp://user:secret@host/v4")
    assert "secret" not in str(refused.value)


def test_a_source_that_fails_leaves_nothing(tmp_path: Path):
    def pieces() -> Iterator[bytes]:
        yield MEGABYTE
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store_in(tmp_path).put("a", pieces())
    assert store_in(tmp_path).list("") == []
    assert unfinished(tmp_path) == []


def test_fault_44_a_writer_killed_in_the_middle_leaves_no_file_and_the_next_one_succeeds(tmp_path: Path):
    program = """
import os, signal, sys
from pathlib import Path
from sft_pipeline.clients.release_store import LocalReleaseStore
def pieces():
    yield b"x" * 3_000_000
    os.kill(os.getpid(), signal.SIGKILL)
LocalReleaseStore(Path(sys.argv[1])).put("a", pieces())
"""
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    store = store_in(tmp_path)
    assert store.list("") == []
    (left,) = unfinished(tmp_path)
    store.put("a", [b"content"])
    assert store.list("") == ["a"]
    assert left.exists()
    os.utime(left, (0, left.stat().st_mtime - ABANDONED_SECONDS - 60))
    store.put("b", [b"content"])
    assert unfinished(tmp_path) == []


def test_fault_45_of_writers_that_race_for_a_name_one_wins_and_the_others_conflict(tmp_path: Path):
    barrier, outcomes = threading.Barrier(8), list[object]()

    def write(content: bytes) -> None:
        def pieces() -> Iterator[bytes]:
            yield content
            barrier.wait()  # all have written, none is linked

        try:
            outcomes.append(store_in(tmp_path).put("a", pieces()))
        except ReleaseConflict as conflict:
            outcomes.append(conflict)

    writers = [threading.Thread(target=write, args=(f"writer {number}".encode(),)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    won = [outcome for outcome in outcomes if isinstance(outcome, StoredFile)]
    assert len(outcomes) == 8
    assert won == [store_in(tmp_path).find("a")]
    assert unfinished(tmp_path) == []


def test_fault_46_a_full_disk_refuses_and_leaves_nothing_half_written(tiny_disk: Path):
    store = store_in(tiny_disk)
    store.put("before", [b"content"])
    with pytest.raises(Refused, match="the disk is full") as refusal:
        store.put("large", [MEGABYTE] * 2)
    assert str(tiny_disk) in refusal.value.what
    assert "free space" in refusal.value.remedy
    assert store.list("") == ["before"]
    assert unfinished(tiny_disk) == []
    assert store.put("before", [b"content"]) == store.find("before")


def test_fault_46_a_read_only_disk_refuses(tiny_disk: Path):
    store = store_in(tiny_disk)
    store.put("before", [b"content"])
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)  # noqa: S607
    for path in ("after", "new/after"):
        with pytest.raises(Refused, match="the disk is read-only"):
            store.put(path, [b"content"])
    with pytest.raises(Refused, match="the disk is read-only"):
        store.copy("before", "new/after")
    assert store.list("") == ["before"]


def test_fault_46_a_file_larger_than_the_system_allows_refuses(tmp_path: Path):
    store = store_in(tmp_path)
    with files_up_to(1024 * 1024), pytest.raises(Refused, match="larger than this system lets files be"):
        store.put("large", [MEGABYTE] * 2)
    assert store.list("") == []
    assert unfinished(tmp_path) == []


def test_fault_46_a_folder_without_permission_refuses(tmp_path: Path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with nobody(), pytest.raises(Refused, match="permission denied"):
        store_in(folder).put("a", [b"content"])
    assert list(folder.iterdir()) == []


def test_fault_46_an_io_error_refuses(tmp_path: Path):
    with pytest.raises(Refused, match="/a: the disk failed") as refusal, refusing(tmp_path / "a"):
        raise OSError(EIO, os.strerror(EIO))
    assert "check the disk" in refusal.value.remedy


def test_an_error_without_a_word_of_its_own_is_told_as_the_system_tells_it(tmp_path: Path):
    with pytest.raises(Refused, match="File name too long"):
        store_in(tmp_path).put("a" * 300, [b"content"])


def test_a_file_where_a_folder_should_be_refuses(tmp_path: Path):
    (tmp_path / "file").write_text("content")
    with pytest.raises(Refused, match="there is a file where a folder should be"):
        store_in(tmp_path / "file").put("a", [b"content"])
    with pytest.raises(Refused, match="there is a file where a folder should be"):
        store_in(tmp_path).put("file/a/b", [b"content"])


def test_a_folder_where_a_file_should_be_refuses(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(Refused, match="there is a folder where a file should be"):
        store_in(tmp_path).find("folder")
    with pytest.raises(Refused, match="there is a folder where a file should be"):
        store_in(tmp_path).put("folder", [b"content"])
