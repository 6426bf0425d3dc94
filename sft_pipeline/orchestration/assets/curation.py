"""Curation: the aggregated candidates of a window, and the exact sample of each cell.

Belongs here: the assets between chunks and release. How a sample is chosen is `curation.sampling`'s business.
"""

import dagster as dg
import polars as pl

from sft_pipeline.curation.extraction import take_turns
from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.sampling import aggregate, cell_counts, choose, require_filled
from sft_pipeline.curation.tables import Candidate, Conversation
from sft_pipeline.orchestration.automation import ON_NEW_DATA
from sft_pipeline.orchestration.metadata import frame_table, row_count, schema_metadata
from sft_pipeline.orchestration.partitions import Partitions, parts_of, plan_partitions

GROUP = "curation"
OWNERS = ["team:sft-pipeline"]

ALL_CHUNKS_OF_THE_WINDOW = dg.MultiPartitionMapping(
    {"window": dg.DimensionPartitionMapping("window", dg.IdentityPartitionMapping())}
)

CANDIDATE_COLUMNS = ("conversationId", "userName", "turnCount", "bucket", "split", "priority", "digest")


def curation_assets(plan: Plan) -> list[dg.AssetsDefinition]:
    """`conversations` and `samples` of a plan."""
    return [_conversations(plan, plan_partitions(plan)), _samples(plan, plan_partitions(plan))]


def _conversations(plan: Plan, partitions: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=partitions.windows,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"polars", "parquet"},
        metadata=schema_metadata(Candidate),
        code_version=plan.extraction_version()[:16],
        automation_condition=ON_NEW_DATA,
        io_manager_key="table_io",
    )
    def conversations(conversation_chunks: pl.LazyFrame) -> dg.Output[pl.DataFrame]:
        """Every candidate of the window, deduplicated and ranked within its cell; a light row each, no text."""
        light = conversation_chunks.rename({"part": "chunk"}).select(*CANDIDATE_COLUMNS, "chunk").collect()
        candidates, duplicates = aggregate(light)
        return dg.Output(
            candidates,
            data_version=dg.DataVersion(table_version(candidates)),
            metadata={
                **row_count(candidates),
                "cells": frame_table(cell_counts(candidates, plan)),
                "duplicates found": duplicates.height,
            },
        )

    return conversations


def _samples(plan: Plan, partitions: Partitions) -> dg.AssetsDefinition:
    knobs = content_version([plan.extraction_version(), plan.sample.model_dump_json(include={"targets"})])

    @dg.asset(
        ins={"conversation_chunks": dg.AssetIn(partition_mapping=ALL_CHUNKS_OF_THE_WINDOW)},
        partitions_def=partitions.cells,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"polars", "parquet"},
        metadata=schema_metadata(Conversation),
        code_version=knobs[:16],
        automation_condition=ON_NEW_DATA,
        io_manager_key="table_io",
    )
    def samples(
        context: dg.AssetExecutionContext, conversations: pl.DataFrame, conversation_chunks: pl.LazyFrame
    ) -> dg.Output[pl.DataFrame]:
        """The chosen conversations of one cell with all their turns, in priority order: an exact, nested sample."""
        cell = plan.cell(parts_of(context.partition_key).part)
        require_filled(conversations, plan)
        sample = take_turns(conversation_chunks, choose(conversations, cell))
        return dg.Output(
            sample,
            data_version=dg.DataVersion(table_version(sample)),
            metadata={**row_count(sample), "want": cell.target, "turns": int(sample["turnCount"].sum())},
        )

    return samples
