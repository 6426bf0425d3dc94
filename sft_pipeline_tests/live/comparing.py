"""Two engines' answers to one query, compared without showing what people wrote.

Belongs here: what counts as the same answer, and telling the first difference by column, path and row id.
Does not belong here: asking (test_parity).
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson
import polars as pl

IN_NO_ORDER = "in no order"
"""What a header says of a column whose JSON arrays mean the same in any order."""
TOLERANCE = 1e-9
SORTED_DIGITS = 6
"""Significant digits of numbers that rows are sorted by: fewer than those that are compared."""

Row = dict[str, Any]


def first_difference(cluster: pl.DataFrame, embedded: pl.DataFrame, meanings: Mapping[str, str]) -> str:
    """Where two answers differ first; empty when they are the same.

    The same are equal columns with equal types and equal rows in any order. Numbers with a fraction may differ by
    rounding; texts that hold JSON are compared as values, in which a missing field is a null one.

    Args:
        cluster: one answer.
        embedded: the other.
        meanings: column -> what the query's header says of it.
    """
    if cluster.schema != embedded.schema:
        return f"columns differ: {dict(cluster.schema)} on the cluster, {dict(embedded.schema)} embedded"
    if cluster.height != embedded.height:
        return f"the cluster answers {cluster.height} rows, the embedded engine {embedded.height}"
    loose = {column for column in cluster.columns if IN_NO_ORDER in meanings.get(column, "")}
    for number, (one, other) in enumerate(zip(_rows(cluster, loose), _rows(embedded, loose), strict=True), start=1):
        for column in cluster.columns:
            found = next(_differences(one[column], other[column], column), "")
            if found:
                return f"row {number} of {cluster.height}{_identity(one)}: {found}"
    return ""


def _rows(frame: pl.DataFrame, loose: set[str]) -> list[Row]:
    """The rows with JSON as values, sorted by all they hold, the first column first."""
    rows = [
        {column: _value(value, loose=column in loose) for column, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]
    return sorted(rows, key=lambda row: _sort_key(list(row.values())))


def _value(value: object, *, loose: bool) -> object:
    match value:
        case str():
            return _json(value, loose=loose)
        case dict():
            named = cast("dict[str, object]", value)
            return {name: _value(item, loose=loose) for name, item in named.items() if item is not None}
        case list():
            items = [_value(item, loose=loose) for item in cast("list[object]", value)]
            return sorted(items, key=_sort_key) if loose else items
        case _:
            return value


def _json(text: str, *, loose: bool) -> object:
    """A text that holds a JSON array or object as its value; engines nest objects as they are or as such texts."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return _value(orjson.loads(text), loose=loose)
    except orjson.JSONDecodeError:
        return text


def _sort_key(value: object) -> bytes:
    return orjson.dumps(_rounded(value), option=orjson.OPT_SORT_KEYS)


def _rounded(value: object) -> object:
    match value:
        case float():
            return float(f"{value:.{SORTED_DIGITS}g}")
        case dict():
            return {name: _rounded(item) for name, item in cast("dict[str, object]", value).items()}
        case list():
            return [_rounded(item) for item in cast("list[object]", value)]
        case _:
            return value


def _differences(one: object, other: object, path: str) -> Iterator[str]:
    match one, other:
        case dict(), dict():
            ones, others = cast("Row", one), cast("Row", other)
            for name in sorted(ones.keys() | others.keys()):
                yield from _differences(ones.get(name), others.get(name), f"{path}.{name}")
        case list(), list() if len(cast("list[object]", one)) == len(cast("list[object]", other)):
            pairs = zip(cast("list[object]", one), cast("list[object]", other), strict=True)
            for index, (left, right) in enumerate(pairs):
                yield from _differences(left, right, f"{path}[{index}]")
        case _:
            if not _alike(one, other):
                yield f"{path} is {_shown(one)} on the cluster, {_shown(other)} embedded"


def _alike(one: object, other: object) -> bool:
    if _is_number(one) and _is_number(other):
        left, right = cast("float", one), cast("float", other)
        return math.isclose(left, right, rel_tol=TOLERANCE) or (math.isnan(left) and math.isnan(right))
    return type(one) is type(other) and one == other


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """Numbers, times and truth as they are; of all else the size alone."""
    match value:
        case str():
            return f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(cast('list[object]', value))}"
        case dict():
            return f"an object of {len(cast('Row', value))}"
        case _:
            return repr(value)


def _identity(row: Row) -> str:
    found = row.get("conversationId")
    return f" (conversationId {found!r})" if isinstance(found, str) else ""
