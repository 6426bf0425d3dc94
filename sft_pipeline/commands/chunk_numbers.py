"""The chunks that `run --chunks` names.

Belongs here: reading that text. Does not belong here: which chunks a plan has (orchestration.walk).
"""

import re

import typer

RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)


def chunk_numbers(told: str) -> frozenset[int]:
    """The numbers of `0-19` or `3,7,12-15`.

    Raises:
        BadParameter: the text is no list of numbers and ranges.
    """
    numbers: set[int] = set()
    for part in told.split(","):
        found = RANGE.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            msg = f"{part.strip()!r} is no number and no range from a smaller to a larger one, as 0-19 or 3,7,12-15"
            raise typer.BadParameter(msg, param_hint="--chunks")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)
