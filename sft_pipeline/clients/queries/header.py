"""The header of a query file: the comment on its top, as the question it answers and the meaning of its names.

Belongs here: reading that comment.
Does not belong here: what the code below it declares (catalog), how it is shown (reference).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from sft_pipeline.curation.refusal import Refused

PARAMETERS, RESULT = "Parameters", "Result"

_NAMES = re.compile(r" {3}(?P<names>\w+(?:, \w+)*)(?P<more>,)?(?: {2,}(?P<meaning>\S.*))?")
_CONTINUED = re.compile(r" {4,}(\S.*)")


@dataclass(frozen=True)
class QueryHeader:
    """What a query file says of itself.

    Args:
        question: the first paragraph: one sentence.
        explanation: the paragraphs that follow, as plain text without line breaks.
        parameters: name -> meaning, in the order of the header; names that are told together share their meaning.
        result: column -> meaning, likewise; empty for a name that says all.
    """

    question: str = ""
    explanation: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    result: Mapping[str, str] = field(default_factory=dict[str, str])


def read_header(text: str, shown: str) -> QueryHeader:
    """The header of a query file's text; a file without one has an empty one.

    Args:
        text: the whole file.
        shown: the file's name for messages.

    Raises:
        Refused: a line under `Parameters` or `Result` is neither names nor their meaning, or tells a name again.
    """
    paragraphs = list(_paragraphs(takewhile(lambda line: line.startswith("//"), text.splitlines())))
    sections = {lines[0].strip(): lines[1:] for lines in paragraphs if lines[0].strip() in (PARAMETERS, RESULT)}
    prose = [" ".join(map(str.strip, lines)) for lines in paragraphs if lines[0].strip() not in sections]
    return QueryHeader(
        question=prose[0] if prose else "",
        explanation=tuple(prose[1:]),
        parameters=_meanings(sections.get(PARAMETERS, ()), f"{shown}, {PARAMETERS}"),
        result=_meanings(sections.get(RESULT, ()), f"{shown}, {RESULT}"),
    )


def _paragraphs(comment: Iterator[str]) -> Iterator[list[str]]:
    """The lines between empty ones, without their slashes."""
    lines: list[str] = []
    for line in comment:
        told = line.removeprefix("//").rstrip()
        if told:
            lines.append(told)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _meanings(lines: Sequence[str], where: str) -> dict[str, str]:
    """Name -> meaning. A line of names that ends with a comma goes on in the next one."""
    found: dict[str, str] = {}
    open_names: list[str] = []
    names: list[str] = []
    for line in lines:
        entry, continued = _NAMES.fullmatch(line), _CONTINUED.fullmatch(line)
        if entry:
            names = open_names + entry["names"].split(", ")
            open_names = names if entry["more"] else []
            _require_new(names if not open_names else (), found, where)
            found |= {} if open_names else dict.fromkeys(names, entry["meaning"] or "")
        elif continued and names and not open_names:
            found |= {name: f"{found[name]} {continued[1]}".strip() for name in names}
        else:
            raise Refused(
                f"the header of {where}, has the line {line.strip()!r}",
                remedy="write names three blanks in and their meaning two blanks on; indent what continues it further",
            )
    return found


def _require_new(names: Sequence[str], found: Mapping[str, str], where: str) -> None:
    again = sorted({name for name in names if name in found or names.count(name) > 1})
    if again:
        raise Refused(f"the header of {where}, tells {', '.join(again)} twice", remedy="tell every name once")
