"""The embedded engine: KQL over a folder of raw events, in process, by duckdb-kql on DuckDB.

Belongs here: translation, running, and results with the types of a cluster's.
Does not belong here: how raw events are stored (telemetry.staging).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import duckdb_kql
import polars as pl
from duckdb.sqltypes import DuckDBPyType
from duckdb_kql.params import bind

from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.kusto.parameters import ParameterValue, checked_parameters
from sft_pipeline.clients.kusto.protocol import Saved
from sft_pipeline.clients.kusto.response import POLARS_TYPES
from sft_pipeline.clients.kusto.slots import Slots
from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.telemetry.events import KUSTO_SCHEMA, TABLE
from sft_pipeline.telemetry.partitioning import DUCKDB_TYPES, Settings, connected, quoted
from sft_pipeline.telemetry.staging import Progress, StagedStore, Staging

CHUNK_RULE = 'strcat("chunk:", conversationId)'
"""A query with the parameters chunk and chunkCount is given its chunk alone when this is how it tells chunks."""

_NO_EVENTS = (
    "SELECT "
    + ", ".join(f'CAST(NULL AS {DUCKDB_TYPES[kind]}) AS "{name}"' for name, kind in KUSTO_SCHEMA.items())
    + " WHERE false"
)

_KUSTO_TYPES = {
    "VARCHAR": "string",
    "UUID": "guid",
    "JSON": "dynamic",
    "BIGINT": "long",
    "UBIGINT": "long",
    "HUGEINT": "long",
    "INTEGER": "int",
    "DOUBLE": "real",
    "BOOLEAN": "bool",
    "TIMESTAMP": "datetime",
    "TIMESTAMP WITH TIME ZONE": "datetime",
}
"""DuckDB type -> the Kusto type it stands for. A sum of BIGINT is a HUGEINT; lists, too, are dynamic."""

_AS_TOLD = {
    "string": "coalesce({0}, '')",
    "guid": "CAST({0} AS VARCHAR)",
    "dynamic": "CAST(to_json({0}) AS VARCHAR)",
    "long": "CAST({0} AS BIGINT)",
    "datetime": "CAST({0} AS TIMESTAMP)",
}
"""How a column is told as a cluster tells it: strings are never null, dynamics are JSON text."""

_TEXT_OF_JSON = re.compile(r"""json_extract\(("\w+"), ('[^']*')\) ->> '\$'""")
"""A property as text, as duckdb-kql has it: taken out as JSON, which is then parsed again."""

_PLACEHOLDER = re.compile(r"\$(\w+)")
_TELLING = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.OutOfMemoryException)
"""Errors whose text speaks of the query or the engine; that of others may quote data."""


class EmbeddedKusto:
    """A folder of raw events as a database with the one table `AppEvents`.

    The folder is staged by hash chunk on first use, and again when its content has changed.

    Args:
        telemetry: the folder, as `telemetry generate` and `telemetry import` make it.
        store: the folder to keep the staging in.
        memory_limit: what DuckDB may use before it spills to the store.
        threads: how many; all cores when not given.
        staged_chunks: into how many chunks to cut; queries are fastest when this is a multiple of their chunkCount.
        progress: is told how many events of how many are staged.
    """

    cluster = "embedded"
    remote = False

    def __init__(
        self,
        telemetry: Path,
        *,
        store: Path,
        memory_limit: str = "2GB",
        threads: int | None = None,
        staged_chunks: int = 40,
        progress: Progress | None = None,
    ) -> None:
        self.database = telemetry.name
        self.slots = Slots(1)  # one query takes all cores and its memory limit
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._settings: Settings = {
            "memory_limit": memory_limit,
            "preserve_insertion_order": False,
            "arrow_large_buffer_size": True,
            **({"threads": threads} if threads else {}),
        }
        self._spill = store / "spill"
        self._store = StagedStore(telemetry, store, chunks=staged_chunks, settings=self._settings, progress=progress)

    def fingerprint(self) -> str:
        """SHA-256 over the content of the raw files.

        Raises:
            Refused: there is no telemetry folder, or it is empty.
        """
        return self._store.fingerprint()

    def prepare(self, progress: Progress) -> None:
        """See `Kusto.prepare`: stages the telemetry folder where that is not done yet."""
        self._store.staging(progress)

    def execute(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pl.DataFrame:
        """See `Kusto.execute`.

        Raises:
            Refused: also when the telemetry folder cannot be staged.
        """
        translation, values = translated(query, checked_parameters(query, parameters))
        staging = self._store.staging()
        with self.slots.taken(), connected(self._settings, self._spill) as connection:
            self._connection = connection
            try:
                connection.execute(_view(staging, *_part(query, values)))
                # a table, because a relation has its SQL parsed and planned again at every step to the frame
                connection.execute(f"CREATE TEMP TABLE answer AS ({translation})", _bound(translation, values))
                connection.execute("SET preserve_insertion_order = true")  # the query's own order, if it has one
                return _answer(connection.table("answer"), query)
            except RuntimeError as error:
                if str(error) == "Query interrupted":  # DuckDB's word for Ctrl-C
                    raise KeyboardInterrupt from None
                raise
            except duckdb.Error as error:
                kind = "too_large" if isinstance(error, duckdb.OutOfMemoryException) else "permanent"
                raise KustoQueryFailed(_told(error), query.name, kind=kind) from None
            finally:
                self._connection = None

    def interrupt(self) -> None:
        """See `Kusto.interrupt`."""
        connection = self._connection  # the query may end at any moment
        if connection:
            connection.interrupt()

    def save(self, query: Query, parameters: Mapping[str, ParameterValue], path: Path | None = None) -> Saved:
        """See `Kusto.save`."""
        rows, memory = self.execute(query, parameters), BytesIO()
        rows.write_parquet(path or memory, compression="lz4")
        return Saved(rows.height, int(rows.estimated_size()), memory.getvalue())


def translated(
    query: Query, values: Mapping[str, ParameterValue]
) -> tuple[duckdb_kql.TranslationResult, dict[str, Any]]:
    """The query as SQL, and the value of every parameter; a default of null is no default to the engine.

    Raises:
        KustoQueryFailed: the engine does not know what the query asks for, or a parameter has another type.
    """
    try:
        translation = _translate(query.text)
        bound, _ = bind(list(translation.declarations), dict(values))
    except duckdb_kql.KqlError as error:
        raise KustoQueryFailed(str(error).splitlines()[0], query.name) from None
    return translation, {declared.name: bound.get(declared.slot) for declared in translation.declarations}


def _bound(translation: duckdb_kql.TranslationResult, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by placeholder, of the parameters that the query uses: DuckDB refuses others."""
    used = set(_PLACEHOLDER.findall(translation))
    return {declared.slot: values[declared.name] for declared in translation.declarations if declared.slot in used}


@lru_cache(maxsize=64)
def _translate(text: str) -> duckdb_kql.TranslationResult:
    """SQL with placeholders for the parameters: the same for every chunk of a window."""
    sql = duckdb_kql.to_sql(text, schema={TABLE: list(KUSTO_SCHEMA)}, allow_write=False)
    quicker = _TEXT_OF_JSON.sub(r"json_extract_string(\1, \2)", sql)
    return duckdb_kql.TranslationResult(quicker).with_parameters(sql.parameters, sql.unbound, sql.declarations)


def _part(query: Query, values: Mapping[str, Any]) -> tuple[int, int]:
    """The chunk and the number of chunks that the query reads; (0, 1) is all."""
    chunk, count = values.get("chunk"), values.get("chunkCount")
    if CHUNK_RULE in query.text and isinstance(chunk, int) and isinstance(count, int) and 0 <= chunk < count:
        return chunk, count
    return 0, 1


def _view(staging: Staging, chunk: int, count: int) -> str:
    """`AppEvents` over the files of one chunk.

    Each event name is a branch with that name as a constant, so that a condition on Name leaves branches out.
    """
    branches = [_NO_EVENTS]
    for event, name in ((-1, '"Name"'), *enumerate(map(quoted, staging.names))):
        files = ", ".join(map(quoted, staging.files(event, chunk, count)))
        if files:
            columns = ", ".join(_column(column, name, staging) for column in KUSTO_SCHEMA)
            branches.append(f"SELECT {columns} FROM read_parquet([{files}], hive_partitioning = false)")  # noqa: S608
    return f'CREATE VIEW "{TABLE}" AS {" UNION ALL ".join(branches)}'


def _column(column: str, name: str, staging: Staging) -> str:
    if column == "Name":
        return name
    return f'"{column}"' if column in staging.columns else "NULL"


def _answer(relation: duckdb.DuckDBPyRelation, query: Query) -> pl.DataFrame:
    kinds = {name: _kusto_type(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    unread = [name for name, kind in kinds.items() if kind not in POLARS_TYPES]
    if unread:
        raise KustoQueryFailed(
            f"the columns {', '.join(unread)} have types that are not read: convert them", query.name
        )
    told = relation.project(", ".join(f"{_as_told(name, kind)} AS {_name(name)}" for name, kind in kinds.items()))
    frame = pl.DataFrame(told.to_arrow_table())
    in_utc = [pl.col(name).dt.replace_time_zone("UTC") for name, kind in kinds.items() if kind == "datetime"]
    return frame.with_columns(in_utc).cast({name: POLARS_TYPES[kind] for name, kind in kinds.items()})


def _kusto_type(kind: DuckDBPyType) -> str:
    return "dynamic" if kind.id == "list" else _KUSTO_TYPES.get(str(kind), str(kind))


def _as_told(name: str, kind: str) -> str:
    return _AS_TOLD.get(kind, "{0}").format(_name(name))


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _told(error: duckdb.Error) -> str:
    """The engine's message, where it cannot quote data."""
    kind = type(error).__name__
    return f"{kind}: {str(error).splitlines()[0]}" if isinstance(error, _TELLING) else f"{kind} while it ran"
