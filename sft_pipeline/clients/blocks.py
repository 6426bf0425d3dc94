"""The bytes of a file in blocks of whole lines, for work on one block while the next one is read.

Belongs here: cutting where lines end. Does not belong here: what the lines say.
"""

from collections.abc import Callable, Iterable, Iterator

BLOCK_BYTES = 16 * 1024 * 1024
LONGEST_LINE_BYTES = 128 * 1024 * 1024
"""No record is longer: a cluster answers a whole query with 64 MB at most. What is longer is cut, and no record."""

WORKERS = 2

Progress = Callable[[int, int], None]
"""Told how many records were read so far, and of how many."""


def whole_lines(
    pieces: Iterable[bytes], *, size: int = BLOCK_BYTES, longest: int = LONGEST_LINE_BYTES
) -> Iterator[bytes]:
    """The same bytes in blocks of at least `size` that end where a line ends; lines longer than `longest` are cut."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        if len(rest) < size:
            continue
        end = rest.rfind(b"\n") + 1
        if end == 0 and len(rest) > longest:
            end = len(rest)
        if end:
            yield bytes(rest[:end])
            del rest[:end]
    if rest:
        yield bytes(rest)
