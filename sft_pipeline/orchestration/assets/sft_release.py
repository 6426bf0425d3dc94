"""The SFT release: the files of both routers bound together, `metadata.json` written last.

Belongs here: the asset. What metadata.json says is `curation.sft_release`'s business, publishing that of `clients`.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.label_account import LabelAccount
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import Source
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.router_tables import SftArtifact
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.curation.sft_release import Labelling
from sft_pipeline.curation.tables import PublishedRelease, schema_of
from sft_pipeline.orchestration.assets.release import GROUP, OWNERS, release_row, software_versions
from sft_pipeline.orchestration.automation import ON_NEW_DATA
from sft_pipeline.orchestration.io_managers import ACCOUNT, COUNTED_BY, LONGEST, TOKENS
from sft_pipeline.orchestration.metadata import schema_metadata
from sft_pipeline.orchestration.partitions import plan_partitions
from sft_pipeline.orchestration.passed_checks import require_passed
from sft_pipeline.orchestration.resources import KustoResource, ReleasesResource, TablesResource, plan_query

CHAIN = (
    "conversation_chunks",
    "conversations",
    *(f"{router}/{name}" for router in ROUTERS for name in ("requests", "verdicts", "training_sets", "sft_artifacts")),
)
"""The assets that an SFT release is made from."""


def sft_release_assets(plan: Plan) -> list[dg.AssetsDefinition]:
    """`sft_release` of a plan that has routers."""
    return [_sft_release(plan)] if plan.routers else []


def _sft_release(plan: Plan) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=plan_partitions(plan).windows,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"json"},
        metadata=schema_metadata(PublishedRelease),
        code_version=routers_of(plan).version()[:16],
        automation_condition=ON_NEW_DATA,
        io_manager_key="table_io",
        ins={f"{router}_files": dg.AssetIn(dg.AssetKey([router, "sft_artifacts"])) for router in ROUTERS},
        deps=[dg.AssetKey([router, "verdicts"]) for router in ROUTERS],
    )
    def sft_release(
        context: dg.AssetExecutionContext,
        session_router_files: pl.LazyFrame,
        conversation_router_files: pl.LazyFrame,
        kusto: KustoResource,
        tables: TablesResource,
        releases: ReleasesResource,
    ) -> dg.Output[pl.DataFrame]:
        """The published SFT files of a window; their metadata.json tells judge, agreement, cost and class shares."""
        window = context.partition_key
        require_passed(plan, context.instance, window, CHAIN)
        artifacts = pl.concat([session_router_files.collect(), conversation_router_files.collect()])
        _require_current(tables.store(), window, artifacts)
        _require_labels_of_now(plan, tables.store(), window)
        labelling = _labelling(plan, context, artifacts, kusto, tables.store())
        published = publish(releases.store(), labelling, moment=datetime.now(UTC).replace(microsecond=0))
        release = release_row(published, labelling.records)
        return dg.Output(
            release,
            data_version=dg.DataVersion(table_version(release)),
            metadata={
                "url": dg.MetadataValue.path(published.url),
                "records": labelling.records,
                "already there": published.already_there,
                "cost": sum(account.cost for account in labelling.accounts),
            },
        )

    return sft_release


def _labelling(
    plan: Plan, context: dg.AssetExecutionContext, artifacts: pl.DataFrame, kusto: KustoResource, tables: TableStore
) -> Labelling:
    query, client, window = plan_query(plan), kusto.client(), context.partition_key
    return Labelling(
        plan=plan,
        window=plan.bounds(date.fromisoformat(window)),
        source=Source(client.cluster, client.database, query.path, query.sha256),
        artifacts=artifacts.select(schema_of(SftArtifact).names()),
        accounts=accounts_of(plan, tables, window),
        versions=software_versions(),
        run_id=context.run.run_id,
        tokens=_tokens(tables, window, artifacts),
    )


def accounts_of(
    plan: Plan, tables: TableStore, window: str, routers: Collection[RouterName] = ROUTERS
) -> tuple[LabelAccount, ...]:
    """The accounts that the verdicts' files carry, by router then split."""
    keys = [TableKey(f"{router}/verdicts", window, split) for router in routers for split in routers_of(plan).splits]
    return tuple(LabelAccount.model_validate_json(tables.notes(key)[ACCOUNT]) for key in keys)


def _tokens(tables: TableStore, window: str, artifacts: pl.DataFrame) -> dict[str, dict[str, str | int]]:
    """The tokens of each file of lines, as they were counted when it was written."""
    told: dict[str, dict[str, str | int]] = {}
    for path, variant in artifacts.filter(kind="sft").select("path", "variant").iter_rows():
        notes = tables.notes(TableKey(f"{path.split('/')[0]}/sft_artifacts", window, variant))
        told[path] = {"total": int(notes[TOKENS]), "longest": int(notes[LONGEST]), "counter": notes[COUNTED_BY]}
    return told


def _require_current(tables: TableStore, window: str, artifacts: pl.DataFrame) -> None:
    """Refuse to bind files that were written from other training sets than those of now."""
    old = sorted(
        {
            f"{path.split('/')[0]} {variant}"
            for path, variant, version in artifacts.select("path", "variant", "trainingVersion").iter_rows()
            if tables.notes(TableKey(f"{path.split('/')[0]}/training_sets", window, variant))["version"] != version
        }
    )
    if old:
        raise Refused(
            f"the files of {', '.join(old)} are not of the training sets of now: a release would mix old and new",
            remedy="materialize sft_artifacts of these variants, or `sft-pipeline run`",
        )


def _require_labels_of_now(plan: Plan, tables: TableStore, window: str) -> None:
    """Refuse labels that are not those of the verdicts of now: the accounts would tell of another judge's."""
    told = ("requestId", "label", "judge", "prompt")
    old = [
        f"{router} {variant.key}"
        for router in ROUTERS
        for variant in routers_of(plan).variants
        if tables.scan([TableKey(f"{router}/training_sets", window, variant.key)])
        .join(tables.scan([TableKey(f"{router}/verdicts", window, variant.split)]), on=told, how="anti")
        .select(pl.len())
        .collect()
        .item()
    ]
    if old:
        raise Refused(
            f"the labels of {', '.join(old)} are not of the verdicts of now: a release would mix old and new",
            remedy="materialize training_sets and sft_artifacts of these variants, or `sft-pipeline run`",
        )
