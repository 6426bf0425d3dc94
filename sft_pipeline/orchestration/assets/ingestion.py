"""Ingestion: one Kusto query per hash chunk becomes curated conversations, and rejected ones with their reasons.

Belongs here: the assets that read telemetry. What a query's rows mean is `curation.extraction`'s business.
"""

from collections.abc import Iterator

import dagster as dg
import dataframely as dy
import polars as pl

from sft_pipeline.clients.kusto.chunk_queries import ChunkAnswer
from sft_pipeline.curation.extraction import CuratedChunk, chunk_parameters, curate_chunk, unread_columns
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.tables import Conversation, RejectedConversation
from sft_pipeline.orchestration.metadata import counts_table, reasons, row_count, schema_metadata
from sft_pipeline.orchestration.partitions import parts_of, plan_partitions
from sft_pipeline.orchestration.pseudonym_key import PseudonymsResource
from sft_pipeline.orchestration.resources import KustoResource, extraction_code_version, plan_query
from sft_pipeline.orchestration.staleness import observed

GROUP = "ingestion"
OWNERS = ["team:sft-pipeline"]
POOL = "kusto"
"""Its limit (5 by default) is the number of queries a Log Analytics user may run at a time."""


def ingestion_assets(plan: Plan, key_id: str) -> list[dg.AssetsDefinition]:
    """`app_events`, `conversation_chunks` and `rejected_conversations` of a plan and a pseudonym key (its id)."""
    source = dg.AssetSpec(
        "app_events", description="Raw telemetry: the AppEvents table.", group_name=GROUP, owners=OWNERS
    )
    return [_app_events(source), _conversation_chunks(plan, source, extraction_code_version(plan, key_id))]


def _app_events(source: dg.AssetSpec) -> dg.AssetsDefinition:
    @dg.multi_observable_source_asset(specs=[source])
    def app_events(kusto: KustoResource) -> dg.ObserveResult:
        return dg.ObserveResult(data_version=dg.DataVersion(kusto.client().fingerprint()))

    return app_events


def _conversation_chunks(plan: Plan, source: dg.AssetSpec, code_version: str) -> dg.AssetsDefinition:
    query = plan_query(plan)

    @dg.multi_asset(
        name="conversation_chunks",
        deps=[source],
        partitions_def=plan_partitions(plan).chunks,
        pool=POOL,
        outs={
            "conversation_chunks": _table(
                code_version,
                Conversation,
                "Complete, valid agent conversations of one hash chunk, one row each, turns nested.",
            ),
            "rejected_conversations": _table(
                code_version,
                RejectedConversation,
                "The conversations of the chunk that were left out, each with its reason and errors.",
            ),
        },
    )
    def conversation_chunks(
        context: dg.AssetExecutionContext, kusto: KustoResource, pseudonyms: PseudonymsResource
    ) -> Iterator[dg.Output[pl.DataFrame]]:
        """Query one chunk of one window and tell the conversations that can be trained on from the others."""
        parts = parts_of(context.partition_key)
        number = plan.chunk_keys.index(parts.part)
        source = _source(context.instance, kusto)
        answer = kusto.chunks().take(query, chunk_parameters(plan, parts.day, chunk=number))
        for column in unread_columns(answer.rows):
            context.log.warning(f"the query gives a column {column}, which is not read")
        yield from _outputs(curate_chunk(answer.rows, plan, chunk=number, key=pseudonyms.key(plan)), answer, source)

    return conversation_chunks


def _table(code_version: str, table: type[dy.Schema], description: str) -> dg.AssetOut:
    return dg.AssetOut(
        description=description,
        metadata=schema_metadata(table),
        code_version=code_version,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"kusto", "polars", "parquet"},
        io_manager_key="table_io",
    )


def _source(instance: dg.DagsterInstance, kusto: KustoResource) -> str:
    """The version of the telemetry, unless it is another than a walk observed: the walk may have asked before."""
    version, (last, _) = kusto.client().fingerprint(), observed(instance, "app_events")
    return version if last in {None, version} else "changed meanwhile"


def _outputs(chunk: CuratedChunk, answer: ChunkAnswer, source: str) -> Iterator[dg.Output[pl.DataFrame]]:
    yield dg.Output(
        chunk.conversations,
        output_name="conversation_chunks",
        data_version=dg.DataVersion(table_version(chunk.conversations)),
        metadata={
            **row_count(chunk.conversations),
            "conversations looked at": chunk.rows,
            "query seconds": round(answer.seconds, 2),
            "queries": len(answer.parts),
            "asked for": ", ".join(answer.parts),
            "columns not read": ", ".join(unread_columns(answer.rows)) or "none",
            "megabytes": round(chunk.conversations.estimated_size("mb"), 1),
            "repairs": counts_table(chunk.repairs, name="repair"),
            "secrets redacted": counts_table(chunk.redacted, name="kind"),
            "source": source,
        },
    )
    yield dg.Output(
        chunk.rejected,
        output_name="rejected_conversations",
        data_version=dg.DataVersion(table_version(chunk.rejected)),
        metadata={
            **row_count(chunk.rejected),
            "reasons": counts_table(reasons(chunk.rejected), name="reason"),
            "source": source,
        },
    )
