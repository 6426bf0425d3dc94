"""Where releases lie: files that come into being whole or not at all, and never change.

Belongs here: the store's contract, the local folder, and opening a store by its URL.
Does not belong here: which files a release has, in which order they are written (publishing).
"""

from collections.abc import Callable, Iterable, Iterator
from errno import EMLINK, EPERM, EXDEV
from hashlib import md5, sha256
from os import walk
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from sft_pipeline.clients.disk import UNFINISHED, finish, link, refusing, unfinished_file
from sft_pipeline.clients.transfers import Transfers
from sft_pipeline.curation.refusal import Refused

PIECE_BYTES = 4 * 1024 * 1024


Counted = Callable[[], int] | None


class StoredFile(NamedTuple):
    """A file as it lies in a store; the hashes are hex digits, computed from the bytes."""

    path: str
    url: str
    bytes: int
    md5: str
    sha256: str


class ReleaseConflict(Refused):
    """A name is taken by something else; what is there stays as it is."""


class ReleaseStore(Protocol):
    """Files by path, created once: no method changes or removes one. Paths are relative, with `/`."""

    @property
    def url(self) -> str:
        """Where the store lies."""
        ...

    @property
    def transfers(self) -> Transfers:
        """How the sending of a file goes on; nothing where files are there as soon as they are written."""
        ...

    def put(self, path: str, pieces: Iterable[bytes], *, records: Counted = None) -> StoredFile:
        """Create a file; the same bytes under this path count as done.

        Args:
            path: where.
            pieces: the bytes, read once.
            records: of a file with a record a line, asked after the last piece how many there were; a store that can
                note something beside a file notes their number.

        Raises:
            ReleaseConflict: other bytes are there.
            Refused: the store cannot be written to.
        """
        ...

    def copy(self, source: str, path: str) -> StoredFile:
        """Create a file with the bytes of another one of the store, on the same terms as `put`."""
        ...

    def read(self, path: str) -> Iterator[bytes]:
        """The bytes of a file, in pieces of 4 MB.

        Raises:
            Refused: there is no such file, or it cannot be read.
        """
        ...

    def find(self, path: str) -> StoredFile | None:
        """The file, or None where there is none.

        Its hashes are those that the store noted when it was written, or computed anew where it cannot note any.
        """
        ...

    def list(self, prefix: str) -> list[str]:
        """The paths of all files in a folder and those below it, sorted; the empty prefix is the whole store."""
        ...


def open_release_store(url_or_path: str) -> ReleaseStore:
    """The store at a folder's path or `file://` URL; nothing is created before the first file is put.

    Raises:
        Refused: the URL is of a kind that this version has no store for.
    """
    if "://" not in url_or_path:
        return LocalReleaseStore(Path(url_or_path))
    url = urlsplit(url_or_path)
    if url.scheme == "file" and url.netloc in {"", "localhost"}:
        return LocalReleaseStore(Path(url2pathname(url.path)))
    raise Refused(
        f"releases cannot lie at {url.scheme}://{url.netloc.rpartition('@')[2]}: no store is of that kind",
        remedy="name a folder by its path or as file:///..., or "
        "https://<account>.blob.core.windows.net/<container>/<path>",
    )


class LocalReleaseStore:
    """A folder: files are written under another name, flushed to the disk and then linked to theirs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.transfers = Transfers()

    @property
    def url(self) -> str:
        """The folder as a `file://` URL."""
        return self._folder.as_uri()

    def put(self, path: str, pieces: Iterable[bytes], *, records: Counted = None) -> StoredFile:  # noqa: ARG002
        """See `ReleaseStore`; a folder notes nothing beside a file."""
        target = self._at(path)
        with refusing(target):
            if target.exists():
                return self._require_same(path, measured(path, target.as_uri(), pieces))
            with unfinished_file(self._folder) as (unfinished, handle):
                stored = measured(path, target.as_uri(), _written(handle, pieces))
                return self._link(unfinished, target, stored)

    def copy(self, source: str, path: str) -> StoredFile:
        """See `ReleaseStore`; a hard link where the file system can."""
        origin, target = self._at(source), self._at(path)
        with refusing(target):
            stored = measured(path, target.as_uri(), self.read(source))
            try:
                return self._link(origin, target, stored)
            except OSError as error:
                if error.errno not in {EXDEV, EMLINK, EPERM}:
                    raise
        return self.put(path, self.read(source))

    def read(self, path: str) -> Iterator[bytes]:
        """See `ReleaseStore`."""
        origin = self._at(path)
        with refusing(origin), origin.open("rb") as handle:
            while piece := handle.read(PIECE_BYTES):
                yield piece

    def find(self, path: str) -> StoredFile | None:
        """See `ReleaseStore`."""
        target = self._at(path)
        with refusing(target):
            found = target.exists()
        return measured(path, target.as_uri(), self.read(path)) if found else None

    def list(self, prefix: str) -> list[str]:
        """See `ReleaseStore`."""
        top = self._at(prefix) if prefix else self._folder
        paths: list[str] = []
        with refusing(top):
            for folder, folders, files in walk(top, onerror=_raise_unless_missing):
                links = [name for name in folders if Path(folder, name).is_symlink()]
                paths += [Path(folder, name).relative_to(self._folder).as_posix() for name in (*files, *links)]
        return sorted(path for path in paths if not path.startswith(f"{UNFINISHED}/"))

    def _at(self, path: str) -> Path:
        require_path(path)
        return self._folder / path

    def _link(self, origin: Path, target: Path, stored: StoredFile) -> StoredFile:
        try:
            link(origin, target)
        except FileExistsError:
            return self._require_same(stored.path, stored)
        return stored

    def _require_same(self, path: str, wanted: StoredFile) -> StoredFile:
        there = measured(path, self._at(path).as_uri(), self.read(path))
        if there != wanted:
            raise conflict(there, wanted)
        return there


def folder_name(store: ReleaseStore) -> str:
    """The name of the folder that a store is, as it was given."""
    return unquote(store.url.rstrip("/").rsplit("/", 1)[-1])


def require_path(path: str) -> None:
    """Refuse what is no path inside a store.

    Raises:
        Refused: tells the rule.
    """
    if any(part in {"", ".", ".."} for part in path.split("/")) or not path.isprintable() or "\\" in path:
        raise Refused(f"{path!r} is no path inside a store", remedy="use names joined by /, without . and ..")


def conflict(there: StoredFile, wanted: StoredFile) -> ReleaseConflict:
    """Two contents for one name."""
    return ReleaseConflict(
        f"{there.url} is there with other content (md5 {there.md5}, not {wanted.md5})",
        remedy="published files never change: move that file away if nobody needs it, or choose another store",
    )


class Measuring:
    """The same pieces, hashed as they pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._md5, self._sha256 = md5(usedforsecurity=False), sha256()
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._md5.update(piece)
            self._sha256.update(piece)
            self._bytes += len(piece)
            yield piece

    def stored(self, path: str, url: str) -> StoredFile:
        """The file that has passed."""
        return StoredFile(path, url, self._bytes, self._md5.hexdigest(), self._sha256.hexdigest())


def measured(path: str, url: str, pieces: Iterable[bytes]) -> StoredFile:
    """Read a file's bytes to their end, and say what they are."""
    measuring = Measuring(pieces)
    for _ in measuring:
        pass
    return measuring.stored(path, url)


def _written(handle: BinaryIO, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces, each written; after the last one the disk has them all."""
    for piece in pieces:
        handle.write(piece)
        yield piece
    finish(handle)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
