"""Asset checks of the routers: which claims hold for their assets, and reading what they need.

Belongs here: the evaluation of claims for one partition. Does not belong here: the claims (curation.label_claims,
curation.training_claims), telling Dagster (checks).
"""

from collections.abc import Iterator

import polars as pl

from sft_pipeline.clients.published import last_sft_release
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation import claims, label_claims, request_claims, training_claims
from sft_pipeline.curation.claims import Outcome
from sft_pipeline.curation.label_account import LabelAccount
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.orchestration.checked import CheckedAsset, Shelf
from sft_pipeline.orchestration.io_managers import ACCOUNT
from sft_pipeline.orchestration.partitions import PartitionParts, Partitions, plan_partitions
from sft_pipeline.orchestration.resources import open_releases


def checked_router_assets(plan: Plan) -> tuple[CheckedAsset, ...]:
    """The routers' assets with their claims, in the order of the walk; none where the plan has no routers."""
    if not plan.routers:
        return ()
    partitions = plan_partitions(plan)
    each = [
        checked
        for router in ROUTERS
        for checked in (
            _requests(plan, router, partitions),
            _verdicts(plan, router, partitions),
            _training_sets(plan, router, partitions),
            _sft_artifacts(router, partitions),
        )
    ]
    return (*each, _sft_release(partitions))


def _requests(plan: Plan, router: RouterName, partitions: Partitions) -> CheckedAsset:
    asset = f"{router}/requests"

    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        table = shelf.read(asset, *parts)
        yield claims.stored_as_written(table_version(table), shelf.notes(asset, *parts)["version"])
        yield request_claims.requests_are_in_priority_order(table, plan)
        yield request_claims.no_turn_is_lost(
            table, shelf.read("conversations", parts.window), plan, (router, parts.part)
        )
        yield request_claims.no_text_is_judged_twice(table)

    own = (claims.STORED_AS_WRITTEN, *request_claims.REQUEST_CLAIMS)
    return CheckedAsset(asset, own, evaluate, partitions.splits)


def _verdicts(plan: Plan, router: RouterName, partitions: Partitions) -> CheckedAsset:
    asset = f"{router}/verdicts"

    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        table, requests = shelf.read(asset, *parts), shelf.read(f"{router}/requests", *parts)
        notes = shelf.notes(asset, *parts)
        account = LabelAccount.model_validate_json(notes[ACCOUNT])
        yield claims.stored_as_written(table_version(table), notes["version"])
        yield label_claims.every_request_is_accounted(account)
        yield label_claims.account_matches_the_tables(account, table, requests)
        yield label_claims.verdicts_are_a_prefix(table, requests)
        yield label_claims.labels_are_0_or_1(table)
        yield label_claims.judge_agrees_with_itself(account, plan)
        yield label_claims.second_judge_agrees(account, plan)
        yield label_claims.canaries_keep_their_labels(account, plan)
        yield label_claims.people_agree(account, plan)
        yield label_claims.unlabelled_are_few(account, plan)
        yield label_claims.labels_do_not_drift(account, plan, _share_before(shelf, plan, router, parts))

    own = (claims.STORED_AS_WRITTEN, *label_claims.VERDICT_CLAIMS)
    return CheckedAsset(asset, own, evaluate, partitions.splits)


def _share_before(shelf: Shelf, plan: Plan, router: RouterName, parts: PartitionParts) -> float | None:
    """The share of label 0 in the newest SFT release of the plan that is of another window."""
    last = last_sft_release(shelf.releases, plan.name, other_than=plan.bounds(parts.day))
    return last.shares_of_label_0.get((router, parts.part)) if last else None


def _training_sets(plan: Plan, router: RouterName, partitions: Partitions) -> CheckedAsset:
    asset = f"{router}/training_sets"

    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        table = shelf.read(asset, *parts)
        verdicts = verdicts_of(shelf, plan, router, parts.window)
        own = {parts.part: table}
        yield claims.stored_as_written(table_version(table), shelf.notes(asset, *parts)["version"])
        yield training_claims.ratio_is_exact(own, plan)
        yield training_claims.no_request_twice(own)
        yield training_claims.rows_are_of_their_split(own, plan)
        yield training_claims.labels_are_those_of_the_verdicts(own, verdicts, plan)
        beside = _beside(shelf, plan, router, parts, verdicts)
        yield training_claims.no_text_in_two_splits({**beside, **own})
        yield training_claims.no_text_with_two_labels({**beside, **own})

    own = (claims.STORED_AS_WRITTEN, *training_claims.TRAINING_CLAIMS)
    return CheckedAsset(asset, own, evaluate, partitions.variants)


def verdicts_of(shelf: Shelf, plan: Plan, router: RouterName, window: str) -> dict[str, pl.DataFrame]:
    """The verdicts of a window by split; splits that were not judged have none."""
    asset = f"{router}/verdicts"
    stored = {key.part for key in shelf.tables.keys(asset) if key.window == window}
    return {split: shelf.read(asset, window, split) for split in routers_of(plan).splits if split in stored}


def _beside(
    shelf: Shelf, plan: Plan, router: RouterName, parts: PartitionParts, verdicts: dict[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """The other training sets of the window, by the same plan, without rows of verdicts that are no more."""
    asset = f"{router}/training_sets"
    made_by = shelf.notes(asset, *parts)["codeVersion"]
    stored = {key.part for key in shelf.tables.keys(asset) if key.window == parts.window and key.part != parts.part}
    return {
        variant.key: shelf.read(asset, parts.window, variant.key).join(
            verdicts[variant.split], on=["requestId", "label"], how="semi"
        )
        for variant in routers_of(plan).variants
        if variant.key in stored
        and variant.split in verdicts
        and shelf.notes(asset, parts.window, variant.key)["codeVersion"] == made_by
    }


def _sft_artifacts(router: RouterName, partitions: Partitions) -> CheckedAsset:
    asset = f"{router}/sft_artifacts"

    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        rows = shelf.read(asset, *parts).rows(named=True)
        now = shelf.notes(f"{router}/training_sets", *parts)["version"]
        found = {row["origin"]: shelf.releases.find(row["origin"]) for row in rows}
        there = {origin: file._asdict() for origin, file in found.items() if file}
        yield request_claims.files_have_their_hashes(rows, there)
        yield request_claims.files_are_of_this_training_set([row["trainingVersion"] for row in rows], now)

    return CheckedAsset(asset, request_claims.FILE_CLAIMS, evaluate, partitions.variants)


def _sft_release(partitions: Partitions) -> CheckedAsset:
    def evaluate(shelf: Shelf, parts: PartitionParts) -> Iterator[Outcome]:
        release = shelf.read("sft_release", parts.window).row(0, named=True)
        found = [finding for finding in verify_release(open_releases(release["url"])).findings if not finding.passed]
        detail = "; ".join(f"{finding.name}: {finding.detail}" for finding in found)
        yield Outcome(claims.RELEASE_VERIFIES.name, len(found), detail=detail)

    return CheckedAsset("sft_release", (claims.RELEASE_VERIFIES,), evaluate, partitions.windows)
