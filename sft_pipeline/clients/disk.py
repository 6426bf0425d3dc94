"""Writing to a local disk so that a file is there whole or not at all, even when the machine stops.

Belongs here: unfinished files, folders and names made durable, and what the disk's refusals mean for a user.
Does not belong here: what is written (release_store).
"""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from errno import EACCES, EDQUOT, EFBIG, EIO, EISDIR, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from sft_pipeline.curation.refusal import Refused

UNFINISHED = ".unfinished"
"""The folder in which files are written before they get their name."""

ABANDONED_SECONDS = 24 * 60 * 60
"""An unfinished file that nobody wrote to for so long belonged to a process that was killed."""

_FREE_SPACE = "free space or choose another folder, then run again: finished files are kept"
_LET_WRITE = "give this user the right to write there, or choose another folder"
_NAME_FOLDER = "choose a folder, or move that file away"

_TOLD: dict[int, tuple[str, str]] = {
    ENOSPC: ("the disk is full", _FREE_SPACE),
    EDQUOT: ("the disk quota is used up", _FREE_SPACE),
    EFBIG: ("the file is larger than this system lets files be", _FREE_SPACE),
    EROFS: ("the disk is read-only", _LET_WRITE),
    EACCES: ("permission denied", _LET_WRITE),
    EPERM: ("not permitted by the file system", _LET_WRITE),
    ENOTDIR: ("there is a file where a folder should be", _NAME_FOLDER),
    EISDIR: ("there is a folder where a file should be", "move that folder away, or choose another one"),
    ENOENT: ("there is no such file", "compare the path with what is there"),
    EIO: ("the disk failed", "check the disk, then run again"),
}


@contextmanager
def refusing(path: Path) -> Generator[None]:
    """Tell what the disk refuses in a user's words.

    Raises:
        Refused: names the path, what is the matter, and what to do.
    """
    try:
        yield
    except OSError as error:
        otherwise = (error.strerror or type(error).__name__, "check the disk, or choose another folder")
        reason, remedy = _TOLD.get(error.errno or 0, otherwise)
        raise Refused(f"{error.filename or path}: {reason}", remedy=remedy) from error


@contextmanager
def unfinished_file(root: Path) -> Generator[tuple[Path, BinaryIO]]:
    """A file that is gone when the block ends; what shall stay is linked to a name before.

    Its mode makes it read-only for everyone as soon as it is closed: published files do not change.
    """
    folder = root / UNFINISHED
    make_folder(folder)
    _sweep(folder)
    path = folder / uuid4().hex
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield path, handle
    finally:
        path.unlink(missing_ok=True)


def finish(handle: BinaryIO) -> None:
    """Wait until the disk has all bytes of the file."""
    handle.flush()
    os.fsync(handle.fileno())


def link(origin: Path, target: Path) -> None:
    """Give a file another name, durably.

    Raises:
        FileExistsError: the name is taken.
    """
    make_folder(target.parent)
    target.hardlink_to(origin)
    _sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    for level in reversed(missing):
        level.mkdir(exist_ok=True)
        _sync_folder(level.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(FileNotFoundError, PermissionError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()
