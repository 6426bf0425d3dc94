"""Asset checks: every rule and claim, per partition, with statement, count and up to five ids.

Belongs here: which claims hold for which asset, reading what they need, and telling Dagster. One declaration serves the
checks that follow a materialization, the `asset_checks` job and `sft-pipeline check`.
Does not belong here: the claims themselves (curation.rules, curation.claims).
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from sft_pipeline.clients.publishing import artifact_path
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation import claims
from sft_pipeline.curation.claims import Claim, Outcome, rule_claims, rule_outcomes
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version, with_digests
from sft_pipeline.curation.rules import chunk_rule, conversation_rules, split_rule
from sft_pipeline.orchestration.checked import CheckedAsset, Shelf
from sft_pipeline.orchestration.partitions import (
    PartitionParts,
    Partitions,
    asset_key,
    part_keys,
    partition_key,
    parts_of,
    plan_partitions,
)
from sft_pipeline.orchestration.resources import (
    ReleasesResource,
    TablesResource,
    extraction_code_version,
    open_releases,
)
from sft_pipeline.orchestration.router_checks import checked_router_assets
from sft_pipeline.orchestration.staleness import Target, last_made


def checked_assets(plan: Plan, key_id: str = "") -> tuple[CheckedAsset, ...]:
    """The assets with their claims, in the order of the walk; `key_id` is that of the pseudonym key, if any."""
    partitions = plan_partitions(plan)
    return (
        _conversation_chunks(plan, partitions),
        _conversations(plan, partitions, key_id),
        _samples(plan, partitions),
        _sample_artifacts(partitions),
        _sample_release(partitions),
        *checked_router_assets(plan),
    )


def _conversation_chunks(plan: Plan, partitions: Partitions) -> CheckedAsset:
    rules = [*conversation_rules(plan), chunk_rule(0, plan.chunks.count)]

    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        table = shelf.read("conversation_chunks", *parts)
        rejected = shelf.read("rejected_conversations", *parts)
        notes = shelf.notes("conversation_chunks", *parts)
        number = plan.chunk_keys.index(parts.part)
        yield from rule_outcomes(table, [*rules[:-1], chunk_rule(number, plan.chunks.count)], plan)
        yield claims.stored_as_written(table_version(with_digests(table)), notes["version"])
        looked_at = int(notes["conversations looked at"])
        yield claims.counts_add_up(kept=table.height, rejected=rejected.height, looked_at=looked_at)
        yield claims.tokens_grow(table)
        yield claims.requests_follow(table)
        yield claims.deltas_add_up(table)

    own = (
        claims.STORED_AS_WRITTEN,
        claims.COUNTS_ADD_UP,
        claims.TOKENS_GROW,
        claims.REQUESTS_FOLLOW,
        claims.DELTAS_ADD_UP,
    )
    return CheckedAsset("conversation_chunks", (*rule_claims(rules), *own), evaluate, partitions.chunks)


def _conversations(plan: Plan, partitions: Partitions, key_id: str) -> CheckedAsset:
    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        table = shelf.read("conversations", parts.window)
        chunks = shelf.scan("conversation_chunks", parts.window, plan.chunk_keys).select("conversationId").collect()
        versions = [shelf.notes("conversation_chunks", parts.window, part)["codeVersion"] for part in plan.chunk_keys]
        yield claims.stored_as_written(table_version(table), shelf.notes("conversations", parts.window)["version"])
        yield claims.chunks_add_up(chunks, table)
        yield claims.one_plan(versions, extraction_code_version(plan, key_id))
        yield claims.one_split(table, plan)
        yield claims.cells_filled(table, plan)

    own = (
        claims.STORED_AS_WRITTEN,
        claims.CHUNKS_ADD_UP,
        claims.ONE_PLAN,
        claims.ONE_SPLIT,
        claims.CELLS_FILLED,
    )
    return CheckedAsset("conversations", own, evaluate, partitions.windows)


def _samples(plan: Plan, partitions: Partitions) -> CheckedAsset:
    rules = [*conversation_rules(plan), split_rule("")]

    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        cell = plan.cell(parts.part)
        table = shelf.read("samples", *parts)
        candidates = shelf.read("conversations", parts.window)
        yield from rule_outcomes(table, [*rules[:-1], split_rule(cell.split)], plan)
        yield claims.stored_as_written(table_version(with_digests(table)), shelf.notes("samples", *parts)["version"])
        yield claims.exact_count(table, candidates, cell)
        yield claims.bottom_k(table, candidates, cell)

    own = (claims.STORED_AS_WRITTEN, claims.EXACT_COUNT, claims.BOTTOM_K)
    return CheckedAsset("samples", (*rule_claims(rules), *own), evaluate, partitions.cells)


def _sample_artifacts(partitions: Partitions) -> CheckedAsset:
    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        artifact = shelf.read("sample_artifacts", *parts).row(0, named=True)
        file = shelf.releases.find(artifact_path(artifact["cell"], artifact["sampleVersion"]))
        yield claims.same_bytes(artifact, file._asdict() if file else None)
        yield claims.of_this_sample(artifact["sampleVersion"], shelf.notes("samples", *parts)["version"])

    own = (claims.SAME_BYTES, claims.OF_THIS_SAMPLE)
    return CheckedAsset("sample_artifacts", own, evaluate, partitions.cells)


def _sample_release(partitions: Partitions) -> CheckedAsset:
    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        release = shelf.read("sample_release", parts.window).row(0, named=True)
        found = [finding for finding in verify_release(open_releases(release["url"])).findings if not finding.passed]
        detail = "; ".join(f"{finding.name}: {finding.detail}" for finding in found)
        yield Outcome(claims.RELEASE_VERIFIES.name, len(found), detail=detail)

    return CheckedAsset("sample_release", (claims.RELEASE_VERIFIES,), evaluate, partitions.windows)


def broken_claims(checked: Iterable[CheckedAsset], shelf: Shelf, asset: str, key: str) -> str:
    """What the failed blocking checks of a partition have to say; Dagster's error has their names alone."""
    mine = next(one for one in checked if one.asset == asset)
    broken = [
        f"{claim.statement} - but not here: {outcome.detail or ', '.join(outcome.ids)}"
        for claim, outcome in mine.outcomes(shelf, parts_of(key))
        if claim.severity == "fatal" and not outcome.passed
    ]
    return "; ".join(broken)


def check_definition(checked: CheckedAsset) -> dg.AssetChecksDefinition:
    """The checks of one asset, evaluated together after a partition is materialized."""

    @dg.multi_asset_check(
        name=f"{checked.asset.replace('/', '__')}_checks",
        specs=[
            dg.AssetCheckSpec(
                claim.name,
                asset=asset_key(checked.asset),
                description=claim.statement,
                blocking=claim.severity == "fatal",
                partitions_def=checked.partitions,
            )
            for claim in checked.claims
        ],
    )
    def checks(
        context: dg.AssetCheckExecutionContext, tables: TablesResource, releases: ReleasesResource
    ) -> Iterator[dg.Output[None] | dg.AssetCheckEvaluation]:
        shelf, partition = Shelf(tables.store(), releases.store()), context.partition_key
        outcomes = checked.outcomes(shelf, parts_of(partition))
        made = last_made(context.instance, asset_key(checked.asset), partition)
        for claim, outcome in outcomes:
            # As Dagster does with an AssetCheckResult, for each of which it would look up what was made.
            yield dg.Output(None, output_name=f"{checked.asset.replace('/', '__')}_{claim.name}")
            yield evaluation(checked.asset, claim, outcome, partition, made)

    return checks


def evaluation(
    asset: str, claim: Claim, outcome: Outcome, partition: str, made: Target | None
) -> dg.AssetCheckEvaluation:
    """How a check of a partition turned out, with count and ids as the UI shows them, and figures to draw over time.

    Args:
        asset: of the partition.
        claim: what is checked.
        outcome: of it.
        partition: the key.
        made: the record of the materialization that was looked at.
    """
    fatal = claim.severity == "fatal"
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(asset),
        check_name=claim.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if fatal else dg.AssetCheckSeverity.WARN,
        metadata={"broken": outcome.broken, "ids": ", ".join(outcome.ids) or "none", **outcome.figures},
        description=outcome.detail or None,
        blocking=fatal,
        partition=partition,
        target_materialization_data=made,
    )


def stored_partitions(checked: CheckedAsset, shelf: Shelf, plan: Plan, window: str | None) -> list[str]:
    """The partition keys of an asset that are stored and belong to the plan, of one window or of all."""
    known = set(part_keys(plan, checked.asset))
    keys = shelf.tables.keys(checked.asset)
    return [partition_key(key.window, key.part) for key in keys if key.part in known and window in (None, key.window)]
