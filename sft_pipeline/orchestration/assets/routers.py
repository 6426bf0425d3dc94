"""Routers: requests, verdicts, training sets and SFT files of each of the two.

Belongs here: the assets between conversations and the SFT release. What they hold is curation's business, how labels
come that of `clients.labelling`.
"""

from typing import Any, TypedDict

import dagster as dg
import dataframely as dy
import polars as pl

from sft_pipeline.clients.labelling.splits import judge_split
from sft_pipeline.clients.labelling.trust import account_of, with_people, with_second_looks
from sft_pipeline.clients.line_counting import count_lines, counter
from sft_pipeline.clients.sft_artifacts import upload_sft
from sft_pipeline.curation.balancing import balance
from sft_pipeline.curation.filling import share_interval
from sft_pipeline.curation.label_account import LabelAccount
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.requests import (
    choose_conversations,
    content_keys,
    higher_splits,
    requests_of,
    routers_of,
    trimmed,
)
from sft_pipeline.curation.router_tables import Request, SftArtifact, TrainingRow, Verdict
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.orchestration.assets.curation import ALL_CHUNKS_OF_THE_WINDOW, OWNERS
from sft_pipeline.orchestration.automation import ON_NEW_DATA, Condition
from sft_pipeline.orchestration.instance import JUDGE_POOL
from sft_pipeline.orchestration.io_managers import ACCOUNT, COUNTED_BY, LONGEST, TOKENS
from sft_pipeline.orchestration.judge_settings import JudgeSettings
from sft_pipeline.orchestration.judging import JudgeResource, judging_code_version
from sft_pipeline.orchestration.metadata import counts_table, row_count, schema_metadata
from sft_pipeline.orchestration.partitions import Partitions, parts_of, plan_partitions, splits_of_variants
from sft_pipeline.orchestration.resources import ReleasesResource
from sft_pipeline.orchestration.router_versions import files_version, requests_version, training_version


def router_assets(plan: Plan, judge: JudgeSettings) -> list[dg.AssetsDefinition]:
    """The four assets of each router; none where the plan has no routers."""
    if not plan.routers:
        return []
    partitions = plan_partitions(plan)
    return [
        asset
        for router in ROUTERS
        for asset in (
            _requests(plan, router, partitions),
            _verdicts(plan, router, partitions, judge),
            _training_sets(plan, router, partitions),
            _sft_artifacts(plan, router, partitions),
        )
    ]


class Described(TypedDict):
    """What the assets of a router have in common."""

    key_prefix: str
    group_name: str
    owners: list[str]
    partitions_def: dg.PartitionsDefinition[str]
    metadata: dict[str, dg.TableSchema]
    automation_condition: Condition | None
    io_manager_key: str


def _described(router: RouterName, table: type[dy.Schema], partitions: dg.PartitionsDefinition[str]) -> Described:
    return {
        "key_prefix": router,
        "group_name": router,
        "owners": OWNERS,
        "partitions_def": partitions,
        "metadata": schema_metadata(table),
        "automation_condition": ON_NEW_DATA,
        "io_manager_key": "table_io",
    }


def _requests(plan: Plan, router: RouterName, partitions: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        name="requests",
        ins={"conversation_chunks": dg.AssetIn(partition_mapping=ALL_CHUNKS_OF_THE_WINDOW)},
        code_version=requests_version(plan, router),
        kinds={"polars", "parquet"},
        **_described(router, Request, partitions.splits),
    )
    def requests(
        context: dg.AssetExecutionContext, conversations: pl.DataFrame, conversation_chunks: pl.LazyFrame
    ) -> dg.Output[pl.DataFrame]:
        """The requests of one split with their signals, in priority order; those left out with the reason."""
        split = parts_of(context.partition_key).part
        taken = {
            key: higher
            for higher in reversed(higher_splits(plan, split))
            for key in content_keys(_chosen(conversation_chunks, conversations, plan, router, higher), plan, router)
        }
        chosen = _chosen(conversation_chunks, conversations, plan, router, split)
        table = requests_of(chosen, plan, router, split, taken)
        return dg.Output(
            table,
            data_version=dg.DataVersion(table_version(table)),
            metadata={
                **row_count(table),
                "conversations": chosen.height,
                "left out": counts_table(_counts(table["leftOut"]), name="reason"),
                "chosen models": counts_table(_counts(table["modelClass"]), name="class"),
                "complexity": counts_table(_counts(table["complexity"]), name="complexity"),
            },
        )

    return requests


def _chosen(chunks: pl.LazyFrame, candidates: pl.DataFrame, plan: Plan, router: RouterName, split: str) -> pl.DataFrame:
    """The conversations of a split whose requests are judged, as far as requests are made of them."""
    wanted = choose_conversations(candidates, plan, router, split).lazy().select("conversationId")
    rows = chunks.filter(pl.col("split") == split).join(wanted, on="conversationId", how="semi")
    return trimmed(rows, router).collect()


def _verdicts(plan: Plan, router: RouterName, partitions: Partitions, who: JudgeSettings) -> dg.AssetsDefinition:
    described = _described(router, Verdict, partitions.splits)
    if not who.kind:  # nobody can be asked, and a request of Dagster's own would fail
        described["automation_condition"] = None

    @dg.asset(
        name="verdicts",
        pool=JUDGE_POOL,
        code_version=judging_code_version(plan, who, router),
        kinds={"polars", "parquet"},
        ins={"requests": dg.AssetIn(key_prefix=router)},
        **described,
    )
    def verdicts(
        context: dg.AssetExecutionContext, requests: pl.DataFrame, judge: JudgeResource
    ) -> dg.Output[pl.DataFrame]:
        """The judge's verdicts on the first requests of one split, as many as its training sets need."""
        parts, people = parts_of(context.partition_key), judge.people()
        with judge.labelling(plan, (router, parts.part), parts.window, context.log.info) as labelling:
            judged = judge_split(requests, labelling)
            table, more = with_second_looks(judged.table(), requests, labelling, parts.window)
            judged.asks += more
            table = with_people(table, requests, people)
            account = account_of(requests, table, judged, labelling, parts.window)
        return dg.Output(
            table,
            data_version=dg.DataVersion(table_version(table)),
            metadata={**row_count(table), ACCOUNT: account.model_dump_json(), **_account_shown(account)},
        )

    return verdicts


def _account_shown(account: LabelAccount) -> dict[str, Any]:
    return {
        "judge": account.who.judge,
        "language model": account.who.is_language_model,
        "label 0": account.label0,
        "label 1": account.label1,
        "share of label 0": share_interval(account.label0, account.label1).share or 0.0,
        "unlabelled": sum(account.unlabelled.values()),
        "not asked": account.not_asked,
        "cost": account.cost,
        "prompt tokens": account.prompt_tokens,
    }


def _training_sets(plan: Plan, router: RouterName, partitions: Partitions) -> dg.AssetsDefinition:
    mapping = splits_of_variants(plan)

    @dg.asset(
        name="training_sets",
        code_version=training_version(plan, router),
        kinds={"polars", "parquet"},
        ins={name: dg.AssetIn(key_prefix=router, partition_mapping=mapping) for name in ("requests", "verdicts")},
        **_described(router, TrainingRow, partitions.variants),
    )
    def training_sets(
        context: dg.AssetExecutionContext, requests: pl.DataFrame, verdicts: pl.DataFrame
    ) -> dg.Output[pl.DataFrame]:
        """The labelled requests of one split at one exact ratio, none twice, in the order of the file."""
        variant = routers_of(plan).variant(parts_of(context.partition_key).part)
        rows = balance(requests, verdicts, plan, router, variant)
        return dg.Output(
            rows,
            data_version=dg.DataVersion(table_version(rows)),
            metadata={
                **row_count(rows),
                "want": variant.total,
                "label 0": int((rows["label"] == 0).sum()),
                "label 1": int((rows["label"] == 1).sum()),
                "strata": counts_table(_counts(rows["stratum"]), name="stratum"),
                "buckets": counts_table(_counts(rows["bucket"]), name="bucket"),
            },
        )

    return training_sets


def _sft_artifacts(plan: Plan, router: RouterName, partitions: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        name="sft_artifacts",
        code_version=files_version(plan),
        kinds={"json", "parquet"},
        ins={"training_sets": dg.AssetIn(key_prefix=router)},
        **_described(router, SftArtifact, partitions.variants),
    )
    def sft_artifacts(
        context: dg.AssetExecutionContext, training_sets: pl.DataFrame, releases: ReleasesResource
    ) -> dg.Output[pl.DataFrame]:
        """The uploaded files of one variant: SFT lines, and the table of labels beside them."""
        variant = routers_of(plan).variant(parts_of(context.partition_key).part)
        tokens = count_lines(training_sets, counter(), limit=routers_of(plan).training.max_line_tokens)
        artifacts = upload_sft(releases.store(), router, variant, training_sets, table_version(training_sets))
        return dg.Output(
            artifacts,
            data_version=dg.DataVersion(table_version(artifacts)),
            metadata={
                **row_count(training_sets),
                TOKENS: tokens.total,
                LONGEST: tokens.longest,
                COUNTED_BY: tokens.counter,
                "files": ", ".join(artifacts["path"]),
            },
        )

    return sft_artifacts


def _counts(values: pl.Series) -> dict[str, int]:
    return {str(name): count for name, count in values.drop_nulls().value_counts().iter_rows()}
