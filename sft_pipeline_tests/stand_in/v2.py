"""A result as the v2 endpoint sends it: frames, in one piece or fragmented, ending well or not.

Belongs here: the frames and what a fault leaves of them. Does not belong here: HTTP, choosing faults.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from sft_pipeline_tests.stand_in.answers import Column
from sft_pipeline_tests.stand_in.failures import Failure, timestamp
from sft_pipeline_tests.stand_in.request import Asked

End = Literal["well", "has_errors", "cancelled", "none"]
Placement = Literal["InData", "EndOfTable", "EndOfDataSet"]

_NO_CHART: dict[str, object] = {
    **dict.fromkeys(("Visualization", "Title", "XColumn", "Series", "YColumns", "AnomalyColumns", "XTitle", "YTitle")),
    **dict.fromkeys(("XAxis", "YAxis", "Legend", "YSplit", "Kind", "Xmin", "Xmax")),
    **dict.fromkeys(("Accumulate", "IsQuerySorted"), False),
    **dict.fromkeys(("Ymin", "Ymax"), "NaN"),
}
_STATUS_COLUMNS = (
    Column("Timestamp", "datetime"),
    Column("ClientRequestId", "string"),
    Column("ActivityId", "guid"),
    Column("SubActivityId", "guid"),
    Column("ParentActivityId", "guid"),
    Column("Level", "int"),
    Column("LevelName", "string"),
    Column("StatusCode", "int"),
    Column("StatusCodeName", "string"),
    Column("EventType", "int"),
    Column("EventTypeName", "string"),
    Column("Payload", "string"),
)


@dataclass(frozen=True)
class Shape:
    """How a result is cut into frames.

    Args:
        fragmented: a primary table as header, fragments and completion instead of one frame.
        progressive: the same with word of the progress.
        fragment_rows: rows in a fragment.
        placement: where errors stand.
    """

    fragmented: bool = False
    progressive: bool = False
    fragment_rows: int = 100
    placement: Placement = "InData"


@dataclass(frozen=True)
class Result:
    """A table and how it ends.

    Args:
        columns: of the table.
        rows: each a JSON array.
        failures: that the service reports with it.
        deferred: whether the failures stand in the status table alone.
        end: what the last frame says; `none`: there is no last frame.
    """

    columns: Sequence[Column]
    rows: Sequence[bytes]
    failures: Sequence[Failure] = field(default_factory=tuple[Failure, ...])
    deferred: bool = False
    end: End = "well"


def shape_of(asked: Asked, *, fragmented: bool, fragment_rows: int) -> Shape:
    """The shape that a request asks for.

    Args:
        asked: its options are looked at.
        fragmented: whether the service fragments in any case.
        fragment_rows: rows in a fragment.
    """
    placements: dict[str, Placement] = {"end_of_table": "EndOfTable", "end_of_dataset": "EndOfDataSet"}
    progressive = bool(asked.options.get("results_progressive_enabled"))
    return Shape(
        fragmented=fragmented or progressive or bool(asked.options.get("results_v2_fragment_primary_tables")),
        progressive=progressive,
        fragment_rows=fragment_rows,
        placement=placements.get(str(asked.options.get("results_error_reporting_placement")).lower(), "InData"),
    )


def body(result: Result, shape: Shape, request_id: str) -> bytes:
    """The frames of a result as the bytes of a response, a line each."""
    return b"[" + b"\n,".join(_frames(result, shape, request_id)) + b"\n]\n"


def _frames(result: Result, shape: Shape, request_id: str) -> Iterator[bytes]:
    errors = [] if result.deferred else [failure.document(request_id) for failure in result.failures]
    header = {"IsProgressive": shape.progressive, "Version": "v2.0", "IsFragmented": shape.fragmented}
    yield _frame("DataSetHeader", **header, ErrorReportingPlacement=shape.placement)
    yield _table(0, "QueryProperties", "@ExtendedProperties", _PROPERTIES, [_dumped([1, "Visualization", _CHART])])
    yield from _primary(result, shape, errors)
    status = [_status(failure, request_id) for failure in result.failures] if result.deferred else []
    yield _table(
        2,
        "QueryCompletionInformation",
        "QueryCompletionInformation",
        _STATUS_COLUMNS,
        [_completed(request_id), *status],
    )
    if result.end != "none":
        ending: dict[str, Any] = {"HasErrors": result.end == "has_errors", "Cancelled": result.end == "cancelled"}
        yield _frame("DataSetCompletion", **ending, **({"OneApiErrors": errors} if errors else {}))


def _primary(result: Result, shape: Shape, errors: list[dict[str, Any]]) -> Iterator[bytes]:
    in_data = [_dumped({"OneApiErrors": errors})] if errors and shape.placement == "InData" else []
    rows = [*result.rows, *in_data]
    if not shape.fragmented:
        yield _table(1, "PrimaryResult", "PrimaryResult", result.columns, rows)
        return
    table: dict[str, Any] = {"TableId": 1, "TableKind": "PrimaryResult", "TableName": "PrimaryResult"}
    yield _frame("TableHeader", **table, Columns=_named(result.columns))
    for at in range(0, len(rows), shape.fragment_rows):
        fragment = {"TableFragmentType": "DataAppend", "TableId": 1}
        yield _with_rows(_frame("TableFragment", **fragment), rows[at : at + shape.fragment_rows])
        if shape.progressive:
            yield _frame("TableProgress", TableId=1, TableProgress=100 * (at + 1) / len(rows))
    at_end = {"OneApiErrors": errors} if errors and shape.placement == "EndOfTable" else {}
    yield _frame("TableCompletion", TableId=1, RowCount=len(result.rows), **at_end)


def _table(number: int, kind: str, name: str, columns: Sequence[Column], rows: Sequence[bytes]) -> bytes:
    table = {"TableId": number, "TableKind": kind, "TableName": name}
    return _with_rows(_frame("DataTable", **table, Columns=_named(columns)), rows)


def _with_rows(frame: bytes, rows: Sequence[bytes]) -> bytes:
    return frame[:-1] + b',"Rows":[' + b",".join(rows) + b"]}"


def _frame(kind: str, **says: object) -> bytes:
    return _dumped({"FrameType": kind, **says})


def _named(columns: Sequence[Column]) -> list[dict[str, str]]:
    return [{"ColumnName": column.name, "ColumnType": column.kind} for column in columns]


def _completed(request_id: str) -> bytes:
    told = _dumped({"Count": 1, "Text": "Query completed successfully"}).decode()
    return _dumped([*_activity(request_id), 4, "Info", 0, "S_OK (0)", 4, "QueryInfo", told])


def _status(failure: Failure, request_id: str) -> bytes:
    told = _dumped({"Count": 1, "Text": failure.description}).decode()
    return _dumped([*_activity(request_id), 2, "Error", -2133196797, failure.code, 2, "QueryError", told])


def _activity(request_id: str) -> list[str]:
    activity = str(uuid4())
    return [timestamp(), request_id, activity, activity, activity]


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


_PROPERTIES = (Column("TableId", "int"), Column("Key", "string"), Column("Value", "dynamic"))
_CHART = _dumped(_NO_CHART).decode()
