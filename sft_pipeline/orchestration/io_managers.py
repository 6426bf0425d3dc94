"""Reading and writing asset tables as Parquet, one file per partition.

Belongs here: the bridge from Dagster's contexts to `clients.table_store`.
"""

import dagster as dg
import polars as pl

from sft_pipeline.curation.records import table_version
from sft_pipeline.orchestration.partitions import table_key
from sft_pipeline.orchestration.resources import open_tables

ACCOUNT = "account"
"""The metadata that holds the account of a split's labels, as JSON."""

TOKENS, LONGEST, COUNTED_BY = "tokens", "longest line in tokens", "tokens counted by"
"""The metadata that tells the tokens of a file's lines."""


class TableIOManager(dg.ConfigurableIOManager):
    """Tables under `base`. An input typed `pl.LazyFrame` is scanned, `pl.DataFrame` is read whole.

    A file carries its content version, the code version it was made by, the counts of the output's metadata and, where
    that tells them, the version of the telemetry it was made from and the account of its labels: by them a check can
    tell whether it is still the table that was stored and whether anything was lost, and another machine whether it
    need not make it.
    """

    base: str

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Write one partition."""
        key = table_key(context.asset_key, context.asset_partition_key)
        metadata = context.output_metadata.items()
        told = {name: str(value.value) for name, value in metadata if _is_noted(name, value)}
        notes = {**told, "version": table_version(obj), "codeVersion": context.asset_spec.code_version or ""}
        tables = open_tables(self.base)
        tables.write(key, obj, notes)
        context.add_output_metadata({"path": dg.MetadataValue.path(tables.uri(key))})

    def load_input(self, context: dg.InputContext) -> pl.DataFrame | pl.LazyFrame:
        """Scan the upstream partitions; column `part` tells them apart in a lazy frame of several."""
        keys = [table_key(context.asset_key, key) for key in context.asset_partition_keys]
        frame = open_tables(self.base).scan(keys)
        if context.dagster_type.typing_type is pl.LazyFrame:
            return frame
        return frame.drop("part").collect()


def _is_noted(name: str, value: object) -> bool:
    return isinstance(value, dg.IntMetadataValue) or name in {"source", ACCOUNT, COUNTED_BY}
