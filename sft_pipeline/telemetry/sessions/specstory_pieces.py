"""SpecStory Markdown cut into pieces: headings, text, tool calls, thoughts.

Belongs here: where a piece begins and ends.
Does not belong here: what headings say and how pieces become turns (specstory).
"""

import html
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

HEADING = re.compile(r"_\*\*(?P<role>User|Agent|Assistant)(?P<side> - sidechain)?(?: \((?P<note>.*)\))?\*\*_\s*")

_TOOL_NAME = re.compile(r'<tool-use\b[^>]*\bdata-tool-name="([^"]*)"')
_SUMMARY = re.compile(r"<summary>\s*(?:Tool use: \*\*(?P<tool>.+?)\*\*|(?P<thought>Thought Process|Thinking))")
_CLOSERS = ("</tool-use>", "</think>", "</details>")


class Piece(NamedTuple):
    """A line of text or a heading, the name of a tool, or nothing of a thought."""

    kind: Literal["heading", "text", "tool", "thought"]
    value: str


class _Opening(NamedTuple):
    piece: Piece
    closer: str


def pieces(lines: Sequence[str]) -> Iterator[Piece]:
    """The pieces of a file, in order. Under a user heading there are only text and the next heading.

    A block that is never closed counts as text, so that what follows is not lost.
    """
    ends = {
        closer: [number for number, line in enumerate(lines) if line.rstrip().endswith(closer)] for closer in _CLOSERS
    }
    in_user, number = False, 0
    while number < len(lines):
        line = lines[number]
        opening = None if in_user else _opening(line, lines[number + 1 : number + 2])
        end = _first_from(ends[opening.closer], number) if opening else None
        if opening and end is not None:
            yield opening.piece
            number = end
        elif heading := HEADING.fullmatch(line):
            in_user = heading["role"] == "User"
            yield Piece("heading", line)
        else:
            yield Piece("text", line)
        number += 1


def _opening(line: str, following: Sequence[str]) -> _Opening | None:
    if line.startswith("<tool-use"):
        named = _TOOL_NAME.match(line)
        return _Opening(Piece("tool", html.unescape(named[1]) if named else ""), "</tool-use>")
    if line.startswith("<think>"):
        return _Opening(Piece("thought", ""), "</think>")
    if line.startswith("<details>"):
        return _folded(line + "".join(following))
    return None


def _folded(opening: str) -> _Opening | None:
    """Older files fold tools and thoughts away without naming them in a tag; other folded text is the answer's."""
    summary = _SUMMARY.search(opening)
    if summary is None:
        return None
    piece = Piece("tool", html.unescape(summary["tool"])) if summary["tool"] else Piece("thought", "")
    return _Opening(piece, "</details>")


def _first_from(numbers: Sequence[int], start: int) -> int | None:
    position = bisect_left(numbers, start)
    return numbers[position] if position < len(numbers) else None
