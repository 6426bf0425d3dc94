"""Lenient reading of session files: bytes to JSON, JSON values to typed ones.

Belongs here: what to do about broken bytes, odd types and characters no store takes, whatever the format.
Does not belong here: what a field means (vscode, transcript, specstory).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import orjson

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LARGEST_COUNT = 2**53
_MILLISECONDS = range(946_684_800_000, 4_102_444_800_000)
"""2000 to 2100: editors write -1 or 0 where they know no time."""


class UnreadableError(Exception):
    """A session file that cannot be read; the message is the reason and holds no text of the file."""


def decode(data: bytes) -> str:
    """Text of a file; bytes that are no UTF-8 become replacement characters, a byte order mark goes."""
    return data.decode("utf-8-sig", errors="replace")


def parse(data: bytes) -> object:
    """The JSON value of a whole file or line.

    Raises:
        UnreadableError: it is not JSON, or nested too deeply.
    """
    try:
        return cast("object", orjson.loads(data))
    except orjson.JSONDecodeError:
        return _parse_leniently(decode(data))


def _parse_leniently(text: str) -> object:
    """What orjson refuses and editors write all the same: lone surrogates, raw control characters, invalid UTF-8."""
    try:
        return cast("object", json.loads(text, strict=False))
    except json.JSONDecodeError as error:
        raise UnreadableError(f"not JSON from line {error.lineno}, column {error.colno} on") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not readable as JSON ({type(error).__name__})") from None


def parse_lines(data: bytes) -> list[object]:
    """The JSON values of a file's lines; a torn last line is left out, for the editor was killed while writing it.

    Raises:
        UnreadableError: a line that is not the last is not JSON, or there is no whole line.
    """
    lines = [(number, line) for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
    values: list[object] = []
    for number, line in lines:
        try:
            values.append(parse(line))
        except UnreadableError:
            if number != lines[-1][0]:
                raise UnreadableError(f"line {number} is not JSON") from None
    if not values:
        raise UnreadableError("no line is JSON")
    return values


def record(value: object) -> Mapping[str, object]:
    """The object, or an empty one where there is none."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def entries(value: object) -> Sequence[object]:
    """The array, or an empty one where there is none."""
    return cast("Sequence[object]", value) if isinstance(value, list) else []


def walk(value: object, *path: str) -> object:
    """What lies under nested keys, or None."""
    for key in path:
        value = record(value).get(key)
    return value


def text(value: object) -> str:
    """The string, clean, or the empty one where there is none."""
    return clean(value) if isinstance(value, str) else ""


def clean(value: str) -> str:
    """Text that every store takes: pairs of surrogates joined, lone ones and NUL replaced."""
    whole = (
        value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if _has_surrogates(value) else value
    )
    return whole.replace("\x00", REPLACEMENT)


def _has_surrogates(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


def count(value: object) -> int | None:
    """A whole number from 0 on, or None: what is not known is never made up."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < _LARGEST_COUNT and value == int(value) else None


def instant(value: object) -> datetime | None:
    """The time of a count of milliseconds since 1970, or None where it is no plausible one."""
    milliseconds = count(value)
    if milliseconds is None or milliseconds not in _MILLISECONDS:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
