"""Jobs: `asset_checks`, which evaluates every check on everything that is stored, for CI.

Belongs here: jobs that are not a selection of assets.
"""

from collections.abc import Iterator
from typing import NamedTuple

import dagster as dg

from sft_pipeline.curation.claims import Claim, Outcome
from sft_pipeline.curation.plan import Plan
from sft_pipeline.orchestration.checked import CheckedAsset, Shelf
from sft_pipeline.orchestration.checks import stored_partitions
from sft_pipeline.orchestration.partitions import parts_of
from sft_pipeline.orchestration.resources import ReleasesResource, TablesResource


class Evaluation(NamedTuple):
    """One claim about one stored partition, evaluated."""

    asset: str
    partition: str
    claim: Claim
    outcome: Outcome

    @property
    def is_error(self) -> bool:
        """Whether a fatal claim is broken."""
        return self.claim.severity == "fatal" and not self.outcome.passed

    @property
    def is_warning(self) -> bool:
        """Whether a warning is broken."""
        return self.claim.severity == "warning" and not self.outcome.passed


def evaluate_stored(
    checked: tuple[CheckedAsset, ...], shelf: Shelf, plan: Plan, window: str | None = None
) -> Iterator[Evaluation]:
    """Every claim about every stored partition, in the order of the walk."""
    for asset in checked:
        for key in stored_partitions(asset, shelf, plan, window):
            for claim, outcome in asset.outcomes(shelf, parts_of(key)):
                yield Evaluation(asset.asset, key, claim, outcome)


class ChecksConfig(dg.Config):
    """What the job looks at."""

    window: str = ""
    """A window's key; empty for every window that is stored."""


def asset_checks_job(checked: tuple[CheckedAsset, ...], plan: Plan) -> dg.JobDefinition:
    """The job for CI: logs what is broken, fails when a fatal claim is."""

    @dg.op
    def evaluate_asset_checks(
        context: dg.OpExecutionContext, config: ChecksConfig, tables: TablesResource, releases: ReleasesResource
    ) -> None:
        """Evaluate every check on what is stored."""
        shelf = Shelf(tables.store(), releases.store())
        evaluations = list(evaluate_stored(checked, shelf, plan, config.window or None))
        for evaluation in evaluations:
            if not evaluation.outcome.passed:
                log = context.log.error if evaluation.is_error else context.log.warning
                log(_line(evaluation))
        errors = [_line(evaluation) for evaluation in evaluations if evaluation.is_error]
        if errors or not evaluations:
            told = "; ".join(errors[:5]) or "nothing is stored"
            raise dg.Failure(f"{len(errors)} of {len(evaluations)} checks failed: {told}")
        context.log.info(f"{len(evaluations)} checks passed")

    @dg.job(name="asset_checks", executor_def=dg.in_process_executor)
    def asset_checks() -> None:
        """Every check on everything that is stored; fails when a fatal one fails."""
        evaluate_asset_checks()

    return asset_checks


def _line(evaluation: Evaluation) -> str:
    asset, partition, claim, outcome = evaluation
    told = outcome.detail or ", ".join(outcome.ids)
    return f"{asset} {partition}: {claim.name} is broken {outcome.broken} times: {told}"
