"""The hand-written world as management commands for an empty database.

Belongs here: commands as text, and running them where nothing can be spoilt.
Does not belong here: the world (scenario), queries.
"""

from collections.abc import Iterator

import polars as pl
from azure.kusto.data import KustoClient

from sft_pipeline.clients.kusto.parameters import kql_literal
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import KUSTO_SCHEMA, RAW_SCHEMA, TABLE

ROWS_AT_ONCE = 400
"""Events of a command: some 100 kB of text."""
_BAGS = [name for name, kind in KUSTO_SCHEMA.items() if kind == "dynamic"]


def create_table() -> str:
    """The command that creates the raw table; it changes nothing where there is one with these columns."""
    columns = ", ".join(f"{name}:{kind}" for name, kind in KUSTO_SCHEMA.items())
    return f".create-merge table {TABLE} ({columns})"


def append_events(events: pl.DataFrame) -> Iterator[str]:
    """The commands that append events, columns of `RAW_SCHEMA`."""
    for part in events.match_to_schema(RAW_SCHEMA).iter_slices(ROWS_AT_ONCE):
        yield f".set-or-append {TABLE} <|\n{events_as_table(part)}"


def events_as_table(events: pl.DataFrame) -> str:
    """Events as a query that answers them with all columns of the raw table.

    Bags travel as JSON text: a string's few escapes mean the same everywhere, a dynamic literal's many do not.
    """
    kinds = {name: "string" if name in _BAGS else KUSTO_SCHEMA[name] for name in events.columns}
    head = ", ".join(f"{name}:{kind}" for name, kind in kinds.items())
    rows = ",\n".join(
        ", ".join(kql_literal(value, kind) for value, kind in zip(row, kinds.values(), strict=True))
        for row in events.iter_rows()
    )
    told = ", ".join(_column(name, kind, known=name in kinds) for name, kind in KUSTO_SCHEMA.items())
    return f"datatable({head})[\n{rows}\n]\n| project {told}"


def _column(name: str, kind: str, *, known: bool) -> str:
    if name in _BAGS:
        return f"{name} = parse_json({name})"
    null = '""' if kind == "string" else f"{kind}(null)"
    return name if known else f"{name} = {null}"


def load(client: KustoClient, database: str, events: pl.DataFrame) -> None:
    """Create the table and fill it; nothing is done where these events lie already.

    Raises:
        Refused: the table holds other rows; they are not touched.
    """
    tables = client.execute_mgmt(database, ".show tables").primary_results[0]
    if TABLE in {row["TableName"] for row in tables} and _count(client, database):
        _require_whole(_count(client, database), events)
        return
    client.execute_mgmt(database, create_table())
    for command in append_events(events):
        client.execute_mgmt(database, command)
    _require_whole(_count(client, database), events)


def _count(client: KustoClient, database: str) -> int:
    return int(client.execute_query(database, f"{TABLE} | count").primary_results[0][0][0])


def _require_whole(count: int, events: pl.DataFrame) -> None:
    if count != events.height:
        raise Refused(
            f"{TABLE} holds {count} events where the hand-written world has {events.height}",
            remedy="name an empty database to load, or leave SFT_LIVE_LOAD out to compare what lies there",
        )
