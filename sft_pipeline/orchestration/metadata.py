"""What the UI shows of a table: row counts, column schemas, small tables of counts. Never texts or user names.

Belongs here: turning frames and schemas into Dagster metadata.
"""

from collections.abc import Mapping, Sequence

import dagster as dg
import dataframely as dy
import polars as pl

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.tables import REPAIRS


def column_schema(table: type[dy.Schema]) -> dg.TableSchema:
    """The columns of a table with their types and meanings."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=str(column.dtype).split("(", 1)[0] if column.dtype.is_nested() else str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.primary_key),
            )
            for name, column in table.columns().items()
        ]
    )


def schema_metadata(table: type[dy.Schema]) -> dict[str, dg.TableSchema]:
    """Definition metadata that fills the UI's Columns tab."""
    return {"dagster/column_schema": column_schema(table)}


def row_count(frame: pl.DataFrame) -> dict[str, int]:
    """Materialization metadata that the UI draws over time."""
    return {"dagster/row_count": frame.height}


def counts_table(counts: Mapping[str, int], *, name: str) -> dg.TableMetadataValue:
    """A table of names and counts, largest first; it may have no rows."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    columns = [dg.TableColumn(name, "string"), dg.TableColumn("count", "int")]
    records = [dg.TableRecord({name: key, "count": count}) for key, count in ordered]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def frame_table(frame: pl.DataFrame) -> dg.TableMetadataValue:
    """A small frame as it is."""
    return dg.MetadataValue.table([dg.TableRecord(row) for row in frame.iter_rows(named=True)])


def reasons(rejected: pl.DataFrame) -> dict[str, int]:
    """How many conversations were left out for which reason."""
    return dict(rejected.group_by("dropReason").len().sort("dropReason").iter_rows())


def left_out(plan: Plan, tables: TableStore, window: str, chunks: Sequence[str] = ()) -> dict[str, int]:
    """Why conversations of a window were left out, over all its chunks or those given, and how many of each reason."""
    keys = [TableKey("rejected_conversations", window, chunk) for chunk in chunks or plan.chunk_keys]
    return reasons(tables.scan(keys).collect())


def repaired(plan: Plan, tables: TableStore, window: str, chunks: Sequence[str] = ()) -> dict[str, int]:
    """What the query dropped or repaired in the conversations kept, over all chunks of a window or those given."""
    keys = [TableKey("conversation_chunks", window, chunk) for chunk in chunks or plan.chunk_keys]
    return tables.scan(keys).select(pl.col(REPAIRS).sum()).collect().row(0, named=True)
