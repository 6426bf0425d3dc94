"""A cluster's response: whole or not at all, and its table as a frame.

Belongs here: the frames of the v2 protocol that azure-kusto-data leaves unread, Kusto column types as Polars types.
Does not belong here: requests, sign-in and what callers are told (kusto).
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import polars as pl
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.response import KustoResponseDataSet, KustoResponseDataSetV2

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


class Incomplete(Exception):
    """A response that must be discarded: the service failed while it was sending, or did not send all."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class WholeResponseClient(KustoClient):
    """The client, which also looks at how a response ends.

    azure-kusto-data reads the tables of a response and passes over its `DataSetCompletion` frame: a query that failed
    or was cancelled half way gives rows and no exception.

    Args:
        connection: where to connect and how to sign in.
        patience: how much longer than the server's own timeout to wait.
    """

    def __init__(self, connection: KustoConnectionStringBuilder, *, patience: timedelta) -> None:
        super().__init__(connection)
        self._client_server_delta = patience  # pyright: ignore[reportAttributeAccessIssue] - a default meant for all

    @staticmethod
    def _kusto_parse_by_endpoint(endpoint: str, response_json: Any) -> KustoResponseDataSet:  # noqa: ANN401, ARG004
        response = KustoResponseDataSetV2(response_json)
        require_whole(response_json)
        return response


def require_whole(frames: object) -> None:
    """Raise `Incomplete` unless the last frame says that the query ended well."""
    last = cast("Sequence[object]", frames)[-1] if isinstance(frames, list) and frames else None
    match last:
        case {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}:
            return
        case {"FrameType": "DataSetCompletion", "Cancelled": True}:
            raise Incomplete("the query was cancelled while it answered")
        case {"FrameType": "DataSetCompletion"}:
            raise Incomplete("the query failed while it answered")
        case _:
            raise Incomplete("the answer has no end")


def result_frame(response: KustoResponseDataSet) -> pl.DataFrame:
    """The one table of a response, column by column.

    Raises:
        Incomplete: the service reports errors, there is not exactly one table, or a column has a type that is not read.
    """
    if response.errors_count:
        raise Incomplete(f"the service reports {response.errors_count} errors in the answer")
    tables = response.primary_results
    if len(tables) != 1:
        raise Incomplete(f"the answer holds {len(tables)} tables, not one", permanent=True)
    names = [column.column_name for column in tables[0].columns]
    kinds = [column.column_type.lower() for column in tables[0].columns]
    unread = [name for name, kind in zip(names, kinds, strict=True) if kind not in POLARS_TYPES]
    if unread:
        raise Incomplete(f"the columns {', '.join(unread)} have types that are not read: convert them", permanent=True)
    columns = zip(*tables[0].raw_rows, strict=True) if tables[0].raw_rows else ((),) * len(names)
    return pl.DataFrame([_series(name, kind, values) for name, kind, values in zip(names, kinds, columns, strict=True)])


def _series(name: str, kind: str, values: Sequence[Any]) -> pl.Series:
    reader = _READERS.get(kind)
    return reader(name, values) if reader else pl.Series(name, values, POLARS_TYPES[kind])


def _strings(name: str, values: Sequence[Any]) -> pl.Series:
    """Kusto's strings are never null: an empty one may still arrive as null."""
    return pl.Series(name, values, pl.String()).fill_null("")


def _datetimes(name: str, values: Sequence[Any]) -> pl.Series:
    """ISO texts of up to seven decimals; the tenth of a microsecond is cut off."""
    texts = pl.Series(name, values, pl.String())
    return texts.str.replace(r"(\.\d{6})\d+", "$1").str.to_datetime(format="%+", time_unit="us", time_zone="UTC")


def _reals(name: str, values: Sequence[Any]) -> pl.Series:
    """Numbers, or `NaN`, `Infinity` and `-Infinity` as texts."""
    return pl.Series(name, [None if value is None else float(value) for value in values], pl.Float64())


def _booleans(name: str, values: Sequence[Any]) -> pl.Series:
    """True and false, or the 1 and 0 of older services."""
    return pl.Series(name, [None if value is None else bool(value) for value in values], pl.Boolean())


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
