"""The frames of a v2 response as its bytes arrive, so that no more than a part of a large table is held at a time.

Belongs here: telling where frames and rows end. JSON itself is read by orjson.
Does not belong here: what frames mean (response).
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import orjson

from sft_pipeline.clients.kusto.failures import ServiceFailure

PART_BYTES = 4 << 20
"""Large enough that the work per part does not show, small enough that five queries at a time do not either."""

_FRAME_TYPE = b'"FrameType"'
_LONGEST_GAP = 64
"""White space between a frame's bracket and its first key; services send none, or a line's indentation."""
_ROWS = re.compile(rb'"Rows"\s*:\s*\[')
_BETWEEN = b", \r\n\t"
_BETWEEN_ROWS = (b'],["', b'],\n["', b'],\r\n["', b'], ["', b"],[", b"],\n[", b"],\r\n[", b"], [")
"""How a row ends and the next begins. In a JSON string a quote is escaped: the first four are hardly ever text."""
_ENDS_TRIED = 4


class Part(NamedTuple):
    """A frame, or some rows of a large one with all else that the frame says before its rows."""

    frame: dict[str, Any]
    continued: bool
    """Whether an earlier part was of the same frame."""


def response_parts(pieces: Iterable[bytes], *, part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """Read a response.

    Args:
        pieces: its body, decompressed, cut anywhere.
        part_bytes: frames larger than that come in parts.

    Raises:
        ServiceFailure: the body is cut off, or is not what the v2 protocol sends.
    """
    splitter = _Splitter(part_bytes)
    for piece in pieces:
        yield from splitter.read(piece)
    yield from splitter.rest()


class _Splitter:
    """Bytes that are not told yet, behind what their frame says up to its first row once some of its rows are told."""

    def __init__(self, part_bytes: int) -> None:
        self._bytes = bytearray()
        self._head = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._part_bytes = part_bytes
        self._enough = part_bytes

    def read(self, piece: bytes) -> Iterator[Part]:
        """Add bytes; tell what is whole, when there are enough."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size < self._enough:
            return
        self._join()
        if self._head and (part := self._whole_rows()) is not None:
            yield part  # in the midst of a table, which spares looking for the next frame
        else:
            yield from self._whole_frames()
            if len(self._bytes) >= self._enough and (part := self._whole_rows()) is not None:
                yield part
        # A row may be larger than a part: looking for its end again with every piece would take the square of its size.
        self._size = len(self._bytes)
        self._enough = max(self._part_bytes, 2 * self._size)

    def rest(self) -> Iterator[Part]:
        """The last frames, when no more bytes come."""
        self._join()
        yield from self._whole_frames()
        begin = 0 if self._head else max(0, _frame_start(self._bytes, 0))
        ends = self._bytes.rstrip().endswith(b"]")
        frame = _parsed(self._bytes[begin:].rstrip().removesuffix(b"]"))
        if frame is None or not (ends or "FrameType" not in frame):
            raise ServiceFailure("the answer breaks off")
        yield Part(frame, continued=bool(self._head))

    def _join(self) -> None:
        self._bytes = bytearray().join([self._bytes, *self._pieces])
        self._pieces = []

    def _whole_frames(self) -> Iterator[Part]:
        """The frames that another one follows."""
        begin = 0 if self._head else _frame_start(self._bytes, 0)
        end = _frame_start(self._bytes, max(begin, self._head - 1) + 1) if begin >= 0 else -1
        while end >= 0:
            frame = _parsed(self._bytes[begin:end].rstrip(_BETWEEN))
            if frame is not None:
                yield Part(frame, continued=bool(self._head))
                del self._bytes[:end]
                self._head, begin, end = 0, 0, 0
            end = _frame_start(self._bytes, end + 1)

    def _whole_rows(self) -> Part | None:
        """The rows so far, all but the last; what the frame says before them stays in front of the bytes."""
        continued = bool(self._head)
        if not continued and not self._begin_rows():
            return None
        for end in _row_ends(self._bytes, self._head):
            if (frame := self._closed(end)) is not None:
                del self._bytes[self._head : _next_row(self._bytes, end)]
                return Part(frame, continued)
        self._head = self._head if continued else 0
        return None

    def _begin_rows(self) -> bool:
        begin, found = _frame_start(self._bytes, 0), _ROWS.search(self._bytes)
        if found is None or begin < 0:
            return False
        self._head = found.end() - begin
        del self._bytes[:begin]
        return True

    def _closed(self, end: int) -> dict[str, Any] | None:
        """The frame as if it ended here: two bytes are lent for that, which spares a copy of all."""
        lent = bytes(self._bytes[end : end + 2])
        self._bytes[end : end + 2] = b"]}"
        try:
            with memoryview(self._bytes) as all_bytes, all_bytes[: end + 2] as text:
                return _parsed(text)
        finally:
            self._bytes[end : end + 2] = lent


def _frame_start(text: bytearray, begin: int) -> int:
    """Where the next frame starts, or -1. In a JSON string the quotes of its first key would be escaped."""
    key = text.find(_FRAME_TYPE, begin)
    while key >= 0:
        start = len(text[max(0, key - _LONGEST_GAP) : key].rstrip()) + max(0, key - _LONGEST_GAP) - 1
        if start >= begin and text[start] == ord("{"):
            return start
        key = text.find(_FRAME_TYPE, key + 1)
    return -1


def _row_ends(text: bytearray, begin: int) -> Iterator[int]:
    """Where rows may end, the likeliest first; reading what stands before proves it."""
    for between in _BETWEEN_ROWS:
        end = text.rfind(between, begin)
        for _ in range(_ENDS_TRIED):
            if end < 0:
                break
            yield end + 1
            end = text.rfind(between, begin, end)


def _next_row(text: bytearray, end: int) -> int:
    gap = text[end : end + _LONGEST_GAP]
    return end + len(gap) - len(gap.lstrip(_BETWEEN))


def _parsed(text: bytearray | memoryview) -> dict[str, Any] | None:
    """A JSON object, or None when the text is not one."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _with_half_characters(bytes(text))
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _with_half_characters(text: bytes) -> object:
    """JSON in which a string was cut inside a surrogate pair: the lone half becomes U+FFFD."""
    if b"\\ud" not in text.lower():
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    again = json.dumps(value, ensure_ascii=False)
    return orjson.loads(again.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
