"""Release: the uploaded file of each cell, and the release that binds them, `metadata.json` written last.

Belongs here: the assets that leave the pipeline. The publish protocol is `clients.publishing`'s business.
"""

from datetime import UTC, date, datetime
from importlib.metadata import version

import dagster as dg
import polars as pl

from sft_pipeline.clients.publishing import Published, publish, upload_artifact
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import Curation, Source
from sft_pipeline.curation.rules import conversation_rules, split_rule
from sft_pipeline.curation.sampling import cell_counts, choose, require_filled
from sft_pipeline.curation.secrets import SECRET_KINDS, redaction_counts
from sft_pipeline.curation.sections import validation_counts
from sft_pipeline.curation.tables import Artifact, PublishedRelease, schema_of
from sft_pipeline.curation.validating import require_valid
from sft_pipeline.orchestration.automation import ON_NEW_DATA
from sft_pipeline.orchestration.metadata import counts_table, reasons, repaired, row_count, schema_metadata
from sft_pipeline.orchestration.partitions import Partitions, parts_of, plan_partitions
from sft_pipeline.orchestration.passed_checks import require_passed
from sft_pipeline.orchestration.resources import (
    KustoResource,
    ReleasesResource,
    TablesResource,
    plan_query,
    rules_code_version,
)

GROUP = "release"
OWNERS = ["team:sft-pipeline"]
SOFTWARE = ("sft-pipeline", "dagster", "polars")
BROKEN = "broken: "
"""Prefix of the notes by which the file of an artifact's row tells how many records break which rule."""
REDACTED = "redacted: "
"""Prefix of those that tell how many secrets of which kind stand redacted."""


def release_assets(plan: Plan) -> list[dg.AssetsDefinition]:
    """`sample_artifacts` and `sample_release` of a plan."""
    return [_sample_artifacts(plan, plan_partitions(plan)), _sample_release(plan, plan_partitions(plan))]


def _sample_artifacts(plan: Plan, partitions: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=partitions.cells,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"json"},
        metadata=schema_metadata(Artifact),
        code_version=rules_code_version(plan),
        automation_condition=ON_NEW_DATA,
        io_manager_key="table_io",
    )
    def sample_artifacts(
        context: dg.AssetExecutionContext, samples: pl.DataFrame, releases: ReleasesResource
    ) -> dg.Output[pl.DataFrame]:
        """The uploaded file of one cell: its path, bytes, hashes and record count."""
        cell = plan.cell(parts_of(context.partition_key).part)
        require_valid(samples, [*conversation_rules(plan), split_rule(cell.split)], plan, name=cell.key)
        artifact = upload_artifact(releases.store(), cell, samples, table_version(samples))
        return dg.Output(
            artifact,
            data_version=dg.DataVersion(table_version(artifact)),
            metadata={
                **row_count(samples),
                **artifact.select("url", "bytes", "sha256").row(0, named=True),
                **_noted(samples, plan),
            },
        )

    return sample_artifacts


def _noted(samples: pl.DataFrame, plan: Plan) -> dict[str, int]:
    """What a release tells about the records of its cells: counted once, when their file is written."""
    broken = {f"{BROKEN}{rule}": count for rule, _, count in validation_counts(samples, plan).iter_rows()}
    return {**broken, **{f"{REDACTED}{kind}": count for kind, count in redaction_counts(samples).items()}}


def _sample_release(plan: Plan, partitions: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=partitions.windows,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"json"},
        metadata=schema_metadata(PublishedRelease),
        code_version=plan.version()[:16],
        automation_condition=ON_NEW_DATA,
        io_manager_key="table_io",
    )
    def sample_release(
        context: dg.AssetExecutionContext,
        sample_artifacts: pl.LazyFrame,
        rejected_conversations: pl.LazyFrame,
        conversations: pl.DataFrame,
        kusto: KustoResource,
        tables: TablesResource,
        releases: ReleasesResource,
    ) -> dg.Output[pl.DataFrame]:
        """The published release of a window; its metadata.json, written last, proves what the files hold."""
        require_filled(conversations, plan)
        require_passed(plan, context.instance, context.partition_key)
        _require_current(plan, tables.store(), context.partition_key, sample_artifacts.collect(), conversations)
        source = (sample_artifacts.collect(), rejected_conversations.collect(), conversations)
        curation = _curation(plan, context, source, kusto, tables.store())
        published = publish(releases.store(), curation, moment=datetime.now(UTC).replace(microsecond=0))
        release = release_row(published, curation.records)
        return dg.Output(
            release,
            data_version=dg.DataVersion(table_version(release)),
            metadata={
                "url": dg.MetadataValue.path(published.url),
                "records": curation.records,
                "already there": published.already_there,
                "left out": counts_table(reasons(curation.rejected), name="reason"),
            },
        )

    return sample_release


def _require_current(
    plan: Plan, tables: TableStore, window: str, artifacts: pl.DataFrame, candidates: pl.DataFrame
) -> None:
    """Refuse to bind files of older samples, or samples of older candidates, into one release."""
    old: list[str] = []
    for cell, written_from in artifacts.select("cell", "sampleVersion").iter_rows():
        key = TableKey("samples", window, cell)
        columns = ["conversationId", "digest"]
        sample = tables.scan([key]).select(columns).collect()
        chosen = choose(candidates, plan.cell(cell)).select(columns)
        if tables.notes(key)["version"] != written_from or not sample.equals(chosen):
            old.append(cell)
    if old:
        raise Refused(
            f"the files of {', '.join(old)} are not of the candidates as they are now: a release would mix old and new",
            remedy="materialize samples and sample_artifacts of these cells, or `sft-pipeline run`",
        )


def _curation(
    plan: Plan,
    context: dg.AssetExecutionContext,
    source: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
    kusto: KustoResource,
    tables: TableStore,
) -> Curation:
    artifacts, rejected, candidates = source
    query, client, day = plan_query(plan), kusto.client(), date.fromisoformat(context.partition_key)
    return Curation(
        plan=plan,
        source=Source(client.cluster, client.database, query.path, query.sha256),
        window=plan.bounds(day),
        artifacts=artifacts.select(schema_of(Artifact).names()),
        counts=cell_counts(candidates, plan),
        rejected=rejected.drop("part"),
        validation=_validation(plan, tables, day, artifacts),
        redacted=_redacted(tables, day, artifacts),
        repairs=repaired(plan, tables, day.isoformat()),
        versions=software_versions(),
        run_id=context.run.run_id,
    )


def software_versions() -> dict[str, str]:
    """The versions of the software that curates."""
    return {name: version(name) for name in SOFTWARE}


def _validation(plan: Plan, tables: TableStore, day: date, artifacts: pl.DataFrame) -> pl.DataFrame:
    """The counts that each artifact's file noted when it was written."""
    rows: list[tuple[str, int, int]] = []
    for cell, records in artifacts.select("cell", "records").iter_rows():
        notes = tables.notes(TableKey("sample_artifacts", day.isoformat(), cell))
        rows += [(rule.name, records, int(notes[BROKEN + rule.name])) for rule in conversation_rules(plan)]
    return pl.DataFrame(rows, {"rule": pl.String, "checked": pl.Int64, "broken": pl.Int64}, orient="row")


def _redacted(tables: TableStore, day: date, artifacts: pl.DataFrame) -> dict[str, int]:
    """The secrets that the artifacts' files noted as redacted when they were written, by kind."""
    notes = [tables.notes(TableKey("sample_artifacts", day.isoformat(), cell)) for cell in artifacts["cell"]]
    return {kind.name: sum(int(note[REDACTED + kind.name]) for note in notes) for kind in SECRET_KINDS}


def release_row(published: Published, records: int) -> pl.DataFrame:
    """A row of `PublishedRelease`."""
    row = {"name": published.name, "url": published.url, "records": records, "files": len(published.files)}
    return pl.DataFrame([row], schema=schema_of(PublishedRelease))
