"""No Dagster: the same functions called one after the other, every table stored and every check evaluated.

Nothing is recorded of what was made: who is interrupted begins anew, and there is no history to look at.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import polars as pl

from bench.inputs import END
from bench.orchestration.places import WINDOW, in_an_empty_home, left
from bench.telling import tell
from sft_pipeline.clients.publishing import publish, upload_artifact
from sft_pipeline.clients.release_store import ReleaseStore
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.extraction import chunk_parameters, curate_chunk, take_turns
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.release import Curation, Source
from sft_pipeline.curation.rules import conversation_rules, split_rule
from sft_pipeline.curation.sampling import aggregate, cell_counts, choose
from sft_pipeline.curation.secrets import SECRET_KINDS, redaction_counts
from sft_pipeline.curation.sections import validation_counts
from sft_pipeline.curation.tables import REPAIRS
from sft_pipeline.curation.validating import require_valid
from sft_pipeline.orchestration.assembly import kusto_resource
from sft_pipeline.orchestration.assets.curation import CANDIDATE_COLUMNS
from sft_pipeline.orchestration.assets.release import release_row
from sft_pipeline.orchestration.checked import CheckedAsset, Shelf
from sft_pipeline.orchestration.checks import checked_assets
from sft_pipeline.orchestration.partitions import PartitionParts
from sft_pipeline.orchestration.pseudonym_key import pseudonym_key, settings_key_id
from sft_pipeline.orchestration.resources import extraction_code_version, open_releases, open_tables, plan_query
from sft_pipeline.orchestration.settings import Settings


@dataclass(frozen=True)
class Work:
    """Where tables and releases lie, and what is checked."""

    plan: Plan
    tables: TableStore
    releases: ReleaseStore
    checked: dict[str, CheckedAsset]

    def stored(self, asset: str, part: str, table: pl.DataFrame, **notes: str) -> str:
        """The content version of a table that is stored with it."""
        told = table_version(table)
        self.tables.write(TableKey(asset, WINDOW, part), table, {"version": told, **notes})
        return told

    def check(self, asset: str, part: str = "") -> None:
        """Evaluate an asset's checks.

        Raises:
            SystemExit: a fatal one failed.
        """
        outcomes = self.checked[asset].outcomes(Shelf(self.tables, self.releases), PartitionParts(WINDOW, part))
        if broken := [claim.name for claim, outcome in outcomes if claim.severity == "fatal" and not outcome.passed]:
            raise SystemExit(f"{asset} {part}: {broken}")


def chunks(settings: Settings, work: Work) -> dict[str, int]:
    """All chunks as their queries are answered; what the query repaired."""
    plan, queries = settings.plan, kusto_resource(settings).chunks()
    asked = [chunk_parameters(plan, END, chunk=chunk) for chunk in range(plan.chunks.count)]
    key = pseudonym_key(plan, home=settings.home, storage=settings.storage)
    made_by = extraction_code_version(plan, settings_key_id(settings))
    repairs = dict.fromkeys(REPAIRS, 0)
    with queries.ahead(plan_query(plan), asked) as (ready, _):
        for number in ready:
            rows, part = queries.take(plan_query(plan), asked[number]).rows, plan.chunk_keys[number]
            chunk = curate_chunk(rows, plan, chunk=number, key=key)
            looked_at = {"conversations looked at": str(chunk.rows)}
            work.stored("conversation_chunks", part, chunk.conversations, codeVersion=made_by, **looked_at)
            work.stored("rejected_conversations", part, chunk.rejected)
            work.check("conversation_chunks", part)
            repairs = {name: repairs[name] + chunk.repairs[name] for name in REPAIRS}
    return repairs


def all_of(work: Work, asset: str) -> pl.LazyFrame:
    """A table of all chunks."""
    return work.tables.scan([TableKey(asset, WINDOW, part) for part in work.plan.chunk_keys])


def candidates_of(work: Work) -> pl.DataFrame:
    """The candidates of all chunks, ranked."""
    light = all_of(work, "conversation_chunks").rename({"part": "chunk"}).select(*CANDIDATE_COLUMNS, "chunk")
    candidates, _ = aggregate(light.collect())
    work.stored("conversations", "", candidates)
    work.check("conversations")
    return candidates


def artifacts_of(work: Work, candidates: pl.DataFrame) -> list[tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]]:
    """The uploaded file of each cell, what its rules came to, and the secrets that stand redacted."""
    made: list[tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]] = []
    for cell in work.plan.cells:
        sample = take_turns(all_of(work, "conversation_chunks"), choose(candidates, cell))
        told = work.stored("samples", cell.key, sample)
        work.check("samples", cell.key)
        require_valid(sample, [*conversation_rules(work.plan), split_rule(cell.split)], work.plan, name=cell.key)
        artifact = upload_artifact(work.releases, cell, sample, told)
        work.stored("sample_artifacts", cell.key, artifact)
        work.check("sample_artifacts", cell.key)
        made.append((artifact, validation_counts(sample, work.plan), redaction_counts(sample)))
    return made


def release(settings: Settings, work: Work) -> None:
    """From telemetry to the release."""
    repairs, plan = chunks(settings, work), work.plan
    candidates = candidates_of(work)
    artifacts = artifacts_of(work, candidates)
    client, query = kusto_resource(settings).client(), plan_query(plan)
    curation = Curation(
        plan=plan,
        source=Source(client.cluster, client.database, query.path, query.sha256),
        window=plan.bounds(END),
        artifacts=pl.concat([artifact for artifact, _, _ in artifacts]),
        counts=cell_counts(candidates, plan),
        rejected=all_of(work, "rejected_conversations").drop("part").collect(),
        validation=pl.concat([counts for _, counts, _ in artifacts]),
        redacted={kind.name: sum(counts[kind.name] for _, _, counts in artifacts) for kind in SECRET_KINDS},
        repairs=repairs,
        versions={"polars": version("polars")},
        run_id="bench",
    )
    published = publish(work.releases, curation, moment=datetime.now(UTC).replace(microsecond=0))
    work.stored("sample_release", "", release_row(published, curation.records))
    work.check("sample_release")


if __name__ == "__main__":
    settings = in_an_empty_home()
    began = time.perf_counter()
    checked = {one.asset: one for one in checked_assets(settings.plan, settings_key_id(settings))}
    release(settings, Work(settings.plan, open_tables(settings.storage), open_releases(settings.releases), checked))
    tell(time.perf_counter() - began, left(settings))
