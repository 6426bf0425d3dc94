"""KQL literals, as parameters travel in a request, back to values.

Belongs here: the literals that a service takes for `declare query_parameters`. Does not belong here: writing them.
"""

import json
import re
from datetime import UTC, datetime

Value = datetime | int | float | str | bool

_TYPED = re.compile(r"(datetime|long|int|real|double|bool)\(\s*(.*?)\s*\)", re.DOTALL)
_REALS = {"nan": float("nan"), "+inf": float("inf"), "-inf": float("-inf"), "inf": float("inf")}
_BOOLEANS = {"true": True, "false": False}


def value_of(literal: str) -> Value:
    """The value of a literal: `datetime(...)`, `long(7)`, `"text"`, `true`, a bare number.

    Raises:
        ValueError: it is no literal that parameters may be given as.
    """
    text = literal.strip()
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if text.startswith('"'):
        return str(json.loads(text))
    found = _TYPED.fullmatch(text)
    if found is None:
        return int(text)
    return _typed(found[1], found[2])


def _typed(kind: str, inner: str) -> Value:
    match kind:
        case "datetime":
            moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", inner))
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        case "bool":
            return _BOOLEANS[inner.lower()]
        case "long" | "int":
            return int(inner)
        case _:
            return _REALS[inner.lower()] if inner.lower() in _REALS else float(inner)
