"""A response of the v2 protocol: whole or not at all, its one table as frames with the types of Kusto.

Belongs here: what the protocol's frames mean, and Kusto column types as Polars types.
Does not belong here: where frames end (frames), requests and what callers are told (cluster).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import polars as pl

from sft_pipeline.clients.kusto.failures import ServiceFailure, kind_of, service_error, worst
from sft_pipeline.clients.kusto.frames import Part

DATETIME = pl.Datetime("us", "UTC")

POLARS_TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "guid": pl.String(),
    "dynamic": pl.String(),
    "long": pl.Int64(),
    "int": pl.Int32(),
    "real": pl.Float64(),
    "bool": pl.Boolean(),
    "datetime": DATETIME,
}
"""Kusto type -> Polars type, the same for a cluster and for the embedded engine."""

_PRIMARY = "PrimaryResult"
_WORST_LEVELS = 2
"""Levels of the status table: 1 critical, 2 error; above are warnings, figures and remarks."""


def row_batches(parts: Iterable[Part]) -> Iterator[pl.DataFrame]:
    """The rows of the one table of a response, in batches; at least one batch, which may be empty.

    azure-kusto-data passes over what says that a query failed or was cancelled half way: here the last thing that
    happens is an exception, and what was told before must be thrown away.

    Raises:
        ServiceFailure: the query failed or was cancelled, rows are missing, there is not exactly one table, or a column
            has a type that is not read.
    """
    reading = _Reading()
    for part in parts:
        rows = _read(reading, part)
        if rows is not None:
            yield rows
    reading.require_whole()


def _read(reading: "_Reading", part: Part) -> pl.DataFrame | None:
    try:
        return reading.read(part)
    except (AttributeError, KeyError, TypeError, ValueError):
        frame = str(part.frame.get("FrameType"))[:20]
        raise ServiceFailure(f"a frame {frame} is not one of the v2 protocol") from None  # the cause quotes values


class _Reading:
    """What a response has said so far."""

    def __init__(self) -> None:
        self._columns: dict[str, str] | None = None
        self._table: object = None
        self._rows = 0
        self._ended = False
        self._open = False

    def read(self, part: Part) -> pl.DataFrame | None:
        """Take a frame, or part of one, in; rows of the table are given back."""
        frame = part.frame
        match frame.get("FrameType"):
            case "DataTable":
                return self._data_table(part)
            case "TableHeader" if frame.get("TableKind") == _PRIMARY:
                self._open = True
                return _frame(self._begin(frame), [])
            case "TableFragment" if frame.get("TableId") == self._table:
                return self._fragment(frame)
            case "TableCompletion" if frame.get("TableId") == self._table:
                self._complete(frame)
            case "DataSetCompletion":
                _require_success(frame)
                self._ended = True
            case None:
                raise _whole_body_failure(frame)
            case _:
                pass
        return None

    def require_whole(self) -> None:
        """Raise unless the response said that it is whole."""
        if not self._ended or self._open:
            raise ServiceFailure("the answer has no end")
        if self._columns is None:
            raise ServiceFailure("the answer holds no table", "permanent")

    def _data_table(self, part: Part) -> pl.DataFrame | None:
        match part.frame.get("TableKind"):
            case "PrimaryResult":
                if not part.continued:
                    self._begin(part.frame)
                return self._batch(part.frame)
            case "QueryCompletionInformation":
                _require_no_errors(part.frame)
            case _:
                pass
        return None

    def _begin(self, frame: Mapping[str, Any]) -> dict[str, str]:
        if self._columns is not None:
            raise ServiceFailure("the answer holds more than one table", "permanent")
        self._columns = {column["ColumnName"]: column["ColumnType"].lower() for column in frame["Columns"]}
        self._table = frame.get("TableId")
        if len(self._columns) < len(frame["Columns"]):
            raise ServiceFailure("two columns of the answer have one name: rename one", "permanent")
        unread = [name for name, kind in self._columns.items() if kind not in POLARS_TYPES]
        if unread:
            told = f"the columns {', '.join(unread)} have types that are not read: convert them"
            raise ServiceFailure(told, "permanent")
        return self._columns

    def _fragment(self, frame: Mapping[str, Any]) -> pl.DataFrame:
        if frame.get("TableFragmentType", "DataAppend") != "DataAppend":
            raise ServiceFailure("the answer takes rows back: switch progressive results off", "permanent")
        return self._batch(frame)

    def _complete(self, frame: Mapping[str, Any]) -> None:
        if frame.get("OneApiErrors"):
            raise _told_errors(frame["OneApiErrors"])
        if frame["RowCount"] != self._rows:
            raise ServiceFailure(f"the answer holds {self._rows} rows of {frame['RowCount']}")
        self._open = False

    def _batch(self, frame: Mapping[str, Any]) -> pl.DataFrame:
        columns = self._columns or {}
        rows = cast("Sequence[Any]", frame["Rows"])
        failed = [cast("dict[str, list[dict[str, Any]]]", row) for row in rows if isinstance(row, dict)]
        if failed:
            raise _told_errors([error for row in failed for error in row.get("OneApiErrors") or ({},)])
        self._rows += len(rows)
        return _frame(columns, rows)


def _frame(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    try:
        values = zip(*rows, strict=True) if rows else ((),) * len(columns)
        return pl.DataFrame(
            [_series(name, kind, told) for (name, kind), told in zip(columns.items(), values, strict=True)]
        )
    except (KeyError, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        told = ", ".join(f"{name}:{kind}" for name, kind in columns.items())
        raise ServiceFailure(f"the answer's rows are not of its columns {told}", "permanent") from None  # as above


def _require_success(frame: Mapping[str, Any]) -> None:
    if frame.get("OneApiErrors"):
        raise _told_errors(frame["OneApiErrors"])
    if frame.get("Cancelled"):
        raise ServiceFailure("the query was cancelled while it answered")
    if frame.get("HasErrors"):
        raise ServiceFailure("the query failed while it answered")


def _require_no_errors(status: Mapping[str, Any]) -> None:
    """Failures that the service was asked to defer stand in the status table alone."""
    names = [column["ColumnName"] for column in status["Columns"]]
    for row in (dict(zip(names, values, strict=False)) for values in status["Rows"]):
        if int(row.get("Level", 9)) <= _WORST_LEVELS:
            code = row.get("StatusCodeName", "")
            kind = kind_of(f"{code} {row.get('Payload')}", permanent=False)
            raise ServiceFailure(f"the service reports an error beside the answer: {code}", kind)


def _told_errors(errors: Sequence[Mapping[str, Any]]) -> ServiceFailure:
    return worst([service_error(error.get("error", error)) for error in errors])


def _whole_body_failure(body: Mapping[str, Any]) -> ServiceFailure:
    if isinstance(body.get("error"), dict):
        return service_error(body["error"])
    return ServiceFailure("the answer is not one of the v2 protocol", "permanent")


def _series(name: str, kind: str, values: Sequence[Any]) -> pl.Series:
    reader = _READERS.get(kind)
    return reader(name, values) if reader else pl.Series(name, values, POLARS_TYPES[kind])


def _strings(name: str, values: Sequence[Any]) -> pl.Series:
    """Kusto's strings are never null: an empty one may still arrive as null."""
    texts = pl.Series(name, values, pl.String())
    return texts.fill_null("") if texts.null_count() else texts


def _datetimes(name: str, values: Sequence[Any]) -> pl.Series:
    """ISO texts of up to seven decimals; the tenth of a microsecond is cut off."""
    return pl.Series(name, values, pl.String()).str.to_datetime(format="%+", time_unit="us", time_zone="UTC")


def _reals(name: str, values: Sequence[Any]) -> pl.Series:
    """Numbers, or `NaN`, `Infinity` and `-Infinity` as texts."""
    return pl.Series(name, [None if value is None else float(value) for value in values], pl.Float64())


def _booleans(name: str, values: Sequence[Any]) -> pl.Series:
    """True and false, or the 1 and 0 of older services."""
    return pl.Series(name, [_TRUTHS[value] for value in values], pl.Boolean())


_TRUTHS = {None: None, True: True, False: False}
"""1 and 0 are keys as well: they equal True and False."""


def _dynamics(name: str, values: Sequence[Any]) -> pl.Series:
    """JSON text; the service sends it as text or as the value itself."""
    texts = [value if value is None or isinstance(value, str) else _json(value) for value in values]
    return pl.Series(name, texts, pl.String())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_READERS: dict[str, Callable[[str, Sequence[Any]], pl.Series]] = {
    "string": _strings,
    "datetime": _datetimes,
    "real": _reals,
    "bool": _booleans,
    "dynamic": _dynamics,
}
