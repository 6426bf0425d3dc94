"""What a query comes to: columns with their Kusto types, and rows as JSON, each computed once.

Belongs here: running a query's text on an engine, the types of its columns, the engine's errors in the service's words.
Does not belong here: limits, frames, HTTP.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from math import isfinite, isnan
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import duckdb
import orjson
import polars as pl
from duckdb_kql.kusto import ClientRequestProperties, KustoClient, KustoError

from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.kusto.response import POLARS_TYPES
from sft_pipeline.clients.queries.catalog import Query, query_from_file
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import KUSTO_SCHEMA, TABLE
from sft_pipeline.telemetry.partitioning import DUCKDB_TYPES
from sft_pipeline_tests.stand_in.failures import Failure, bad_request, semantic_error, syntax_error
from sft_pipeline_tests.stand_in.literals import Value
from sft_pipeline_tests.stand_in.request import Asked

_NO_TABLE = re.compile(r"Table with name (\w+) does not exist")
_NO_COLUMN = re.compile(r"column \"([^\"]+)\"", re.IGNORECASE)
_NO_KQL = re.compile(r"could not parse KQL at (\d+):(\d+): (.*)")


class Engine(Protocol):
    """What answers queries: `EmbeddedKusto`, or anything that runs as it does."""

    @property
    def database(self) -> str:
        """The name of the one database."""
        ...

    def execute(self, query: Query, parameters: Mapping[str, Value]) -> pl.DataFrame:
        """The answer as a frame."""
        ...


class Column(NamedTuple):
    """A column of a result, with its Kusto type."""

    name: str
    kind: str


@dataclass(frozen=True)
class Answer:
    """A whole result.

    Args:
        columns: in order.
        rows: each a JSON array, dynamics as JSON values.
        rows_with_text: the same with dynamics as strings of JSON, where that makes a difference.
    """

    columns: tuple[Column, ...]
    rows: tuple[bytes, ...]
    rows_with_text: tuple[bytes, ...]


class Answers:
    """The answers of an engine; the same question is computed once, whoever asks and however often.

    Args:
        engine: what runs the queries.
        folder: where query texts may be written down.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.database = engine.database
        self._engine = engine
        self._folder = folder
        self._known: dict[str, Future[Answer]] = {}
        self._lock = Lock()

    def of(self, asked: Asked) -> Answer:
        """The answer to a query.

        Raises:
            Failure: the engine refuses it.
        """
        with self._lock:
            mine = asked.key not in self._known
            future = self._known.setdefault(asked.key, Future())
        if mine:
            try:
                future.set_result(self._computed(asked))
            except BaseException as error:
                future.set_exception(error)
        failure = future.exception()
        if isinstance(failure, Failure):
            raise replace(failure)
        return future.result()

    def _computed(self, asked: Asked) -> Answer:
        query = self._query(asked)
        kinds = _kinds(asked)
        try:
            frame = self._engine.execute(query, asked.parameters)
        except KustoQueryFailed as error:
            raise bad_request(f"Request is invalid and cannot be processed: {error.message}") from error
        except Refused as error:
            raise bad_request(f"Request is invalid and cannot be processed: {error.what}") from error
        columns = tuple(Column(name, _kind(kinds.get(name), dtype)) for name, dtype in frame.schema.items())
        rows = tuple(_rows(frame, columns, dynamic_as_text=False))
        has_dynamics = any(column.kind == "dynamic" for column in columns)
        with_text = tuple(_rows(frame, columns, dynamic_as_text=True)) if has_dynamics else rows
        return Answer(columns, rows, with_text)

    def _query(self, asked: Asked) -> Query:
        path = self._folder / f"{uuid4()}.kql"  # threads ask the same with other values
        path.write_text(asked.text, encoding="utf-8")
        try:
            return query_from_file(path)
        except Refused as error:
            raise semantic_error(error.what) from error
        finally:
            path.unlink()


_KNOWN: dict[str, dict[str, str]] = {}
"""Query -> its columns' types, which do not depend on values or data: who asks first finds them out for all."""


def _kinds(asked: Asked) -> dict[str, str]:
    """The columns of a query with their Kusto types, told by running it over an empty table.

    An engine's frame does not say all: dynamics and guids are strings there.

    Raises:
        Failure: the query cannot be run.
    """
    if asked.query_hash in _KNOWN:
        return _KNOWN[asked.query_hash]
    properties = ClientRequestProperties()
    for name, value in asked.parameters.items():
        properties.set_parameter(name, value)  # pyright: ignore[reportArgumentType] - it takes values, and says texts
    declared = ", ".join(f'"{name}" {DUCKDB_TYPES[kind]}' for name, kind in KUSTO_SCHEMA.items())
    with duckdb.connect() as connection:
        connection.execute(f'CREATE TABLE "{TABLE}" ({declared})')
        try:
            response = KustoClient(connection).execute("stand-in", asked.text, properties)
        except KustoError as error:
            raise _refusal(str(error).splitlines()[0]) from error
    columns = response.primary_results[0].columns
    return _KNOWN.setdefault(asked.query_hash, {column.column_name: column.column_type for column in columns})


def _kind(told: str | None, dtype: pl.DataType) -> str:
    """The type of a column: by the query's text, unless the engine's frame has another or one more."""
    if told and POLARS_TYPES[told] == dtype:
        return told
    return next(kind for kind, known in POLARS_TYPES.items() if known == dtype)


def _refusal(told: str) -> Failure:
    """The engine's message in the service's words."""
    if found := _NO_KQL.search(told):
        where = f"[line:position={found[1]}:{found[2]}]"
        return syntax_error(f"SYN0002: A recognition error occurred. {found[3]} {where}")
    if found := _NO_TABLE.search(told):
        return semantic_error(f"SEM0100: 'table' operator: Failed to resolve table expression named '{found[1]}'")
    if found := _NO_COLUMN.search(told):
        return semantic_error(
            f"SEM0100: 'project' operator: Failed to resolve column or scalar expression named '{found[1]}'"
        )
    return semantic_error(told)


def _rows(frame: pl.DataFrame, columns: tuple[Column, ...], *, dynamic_as_text: bool) -> Iterator[bytes]:
    """Times as ISO text with seven decimals; what JSON has no number for as text."""
    times = [_iso(column.name) for column in columns if column.kind == "datetime"]
    kept: dict[str, Callable[[Any], Any]] = {"real": _real} if dynamic_as_text else {"real": _real, "dynamic": _dynamic}
    written = [(at, kept[column.kind]) for at, column in enumerate(columns) if column.kind in kept]
    for row in frame.with_columns(times).iter_rows():
        values: list[Any] = list(row)
        for at, write in written:
            values[at] = None if values[at] is None else write(values[at])
        yield orjson.dumps(values)


def _iso(name: str) -> pl.Expr:
    return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f") + "0Z"


def _real(value: float) -> float | str:
    if isnan(value):
        return "NaN"
    return value if isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _dynamic(text: str) -> orjson.Fragment:
    return orjson.Fragment(text)
