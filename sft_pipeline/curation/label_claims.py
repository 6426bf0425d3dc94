"""What must be true of labels before anyone trains on them: the statements that asset checks of verdicts report on.

Belongs here: claims over a split's account, and over its verdicts and requests. Does not belong here: the statistics
(agreement), counting (label_account), claims over training sets (training_claims).
"""

from fractions import Fraction

import polars as pl

from sft_pipeline.curation.agreement import cohen_kappa
from sft_pipeline.curation.claims import Claim, Outcome
from sft_pipeline.curation.filling import share_interval
from sft_pipeline.curation.judge_knobs import Trust
from sft_pipeline.curation.judging import NOT_STORED
from sft_pipeline.curation.label_account import LabelAccount, Pairs, pairs_of, summed
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import NON_REASONING, REASONING
from sft_pipeline.curation.validating import IDS_SHOWN

ACCOUNTED = Claim(
    "every_request_is_accounted", "Left out, labelled, unlabelled and not asked requests add up to all requests"
)
ACCOUNT_MATCHES = Claim("account_matches_the_tables", "The account counts what stands in requests and verdicts")
RETEST = Claim("judge_agrees_with_itself", "Asked again, the judge agrees with itself as far as the plan wants")
SECOND = Claim("second_judge_agrees", "A second judge or prompt agrees with the judge as far as the plan wants")
CANARIES = Claim("canaries_keep_their_labels", "Requests whose label is beyond doubt get it, as many as the plan wants")
PEOPLE = Claim("people_agree", "People who were asked agree with the judge as far as the plan wants")
FEW_UNLABELLED = Claim("unlabelled_are_few", "No larger share of the judged than the plan allows has no label")
NO_DRIFT = Claim(
    "labels_do_not_drift",
    "The share of label 0 has not moved further from the last release than the plan says",
    "warning",
)
PREFIX = Claim("verdicts_are_a_prefix", "Judged are the first requests by priority, each once and none passed over")
ZERO_OR_ONE = Claim("labels_are_0_or_1", "A label is 0 or 1; where there is none, a reason is, and only there")

VERDICT_CLAIMS: tuple[Claim, ...] = (
    *(ACCOUNTED, ACCOUNT_MATCHES, PREFIX, ZERO_OR_ONE),
    *(RETEST, SECOND, CANARIES, PEOPLE, FEW_UNLABELLED, NO_DRIFT),
)


def every_request_is_accounted(account: LabelAccount) -> Outcome:
    """Add up an account."""
    parts = (sum(account.left_out.values()), account.label0 + account.label1, sum(account.unlabelled.values()))
    told = "{:,} left out + {:,} labelled + {:,} unlabelled".format(*parts)
    detail = f"{told} + {account.not_asked:,} not asked, of {account.requests:,}"
    return Outcome(ACCOUNTED.name, abs(account.requests - sum(parts) - account.not_asked), detail=detail)


def account_matches_the_tables(account: LabelAccount, verdicts: pl.DataFrame, requests: pl.DataFrame) -> Outcome:
    """Count requests and verdicts again."""
    unlabelled = verdicts.filter(pl.col("label").is_null())
    found = {
        "requests": requests.height,
        "left_out": _counts(requests["leftOut"]),
        "label0": verdicts.filter(label=REASONING).height,
        "label1": verdicts.filter(label=NON_REASONING).height,
        "unlabelled": _counts(unlabelled["reason"]),
        "judges": _counts(verdicts["judge"]),
        "served_models": _counts(verdicts["servedModel"]),
        "retest": pairs_of(verdicts.select("label", "retestLabel").iter_rows()).model_dump(),
        "human": pairs_of(verdicts.select("label", "humanLabel").iter_rows()).model_dump(),
    }
    claimed = account.model_dump(include=set(found))
    counted = ("left_out", "unlabelled", "judges", "served_models")
    claimed |= {name: summed([claimed[name]]) for name in counted}
    odd = [name for name, figure in found.items() if claimed[name] != figure]
    return Outcome(ACCOUNT_MATCHES.name, len(odd), detail=f"other in the tables: {', '.join(odd)}" if odd else "")


def judge_agrees_with_itself(account: LabelAccount, plan: Plan) -> Outcome:
    """The kappa of the retest against the plan's."""
    trust = _trust(plan)
    return _agrees(RETEST, account.retest, trust.min_retest_kappa, trust)


def second_judge_agrees(account: LabelAccount, plan: Plan) -> Outcome:
    """The kappa of the second opinion against the plan's."""
    trust = _trust(plan)
    return _agrees(SECOND, account.second_opinion, trust.min_second_kappa, trust)


def people_agree(account: LabelAccount, plan: Plan) -> Outcome:
    """The kappa of labels that people gave against the plan's; thumbs are no labels and do not count."""
    trust = _trust(plan)
    return _agrees(PEOPLE, account.human, trust.min_human_kappa, trust)


def canaries_keep_their_labels(account: LabelAccount, plan: Plan) -> Outcome:
    """The canaries that were missed, by name."""
    missed = account.canaries_missed
    kept = account.canaries - len(missed)
    return Outcome(
        CANARIES.name,
        len(missed),
        missed[:IDS_SHOWN],
        f"{kept:,} of {account.canaries:,} kept their label" if account.canaries else "no canaries were asked",
        tolerated=_at_most(1 - _exact(_trust(plan).min_canaries), account.canaries),
        figures={"canaries": account.canaries, "kept": kept},
    )


def unlabelled_are_few(account: LabelAccount, plan: Plan) -> Outcome:
    """The judged requests without a label, by reason; a judge that only gives back what is stored judged no others."""
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in summed([account.unlabelled]).items())
    not_stored = account.unlabelled.get(NOT_STORED, 0)
    unlabelled, judged = sum(account.unlabelled.values()) - not_stored, account.judged - not_stored
    return Outcome(
        FEW_UNLABELLED.name,
        unlabelled,
        detail=f"{unlabelled:,} of {judged:,} judged{f': {reasons}' if reasons else ''}",
        tolerated=_at_most(_exact(_trust(plan).max_unlabelled), judged),
        figures={"unlabelled": unlabelled, "judged": judged},
    )


def labels_do_not_drift(account: LabelAccount, plan: Plan, before: float | None) -> Outcome:
    """The share of label 0 against that of the last release.

    Args:
        account: of a split.
        plan: how far it may move.
        before: the share in the last release; None where there is none.
    """
    share, low, high = share_interval(account.label0, account.label1)
    if share is None:
        return Outcome(NO_DRIFT.name, 0, detail="no labels, hence no share")
    told = f"{share:.1%} are label 0 (95 % interval {low:.1%} to {high:.1%})"
    figures = {"share": share, "low": low, "high": high}
    if before is None:
        return Outcome(NO_DRIFT.name, 0, detail=f"{told}; no earlier release to compare with", figures=figures)
    moved = round(abs(share - before), 9)
    figures |= {"before": before, "moved": moved}
    far = moved > _trust(plan).max_drift
    return Outcome(NO_DRIFT.name, int(far), detail=f"{told}; {before:.1%} in the last release", figures=figures)


def verdicts_are_a_prefix(verdicts: pl.DataFrame, requests: pl.DataFrame) -> Outcome:
    """Compare the judged requests with as many of the first that could be judged."""
    first = requests.filter(pl.col("leftOut").is_null()).sort("priority", "requestId").head(verdicts.height)
    key = ["requestId", "priority"]
    unexpected = verdicts.join(first, on=key, how="anti")
    passed_over = first.join(verdicts, on=key, how="anti")
    twice = verdicts.filter(~pl.col("requestId").is_first_distinct())
    odd = pl.concat([frame["requestId"] for frame in (twice, unexpected, passed_over)])
    return Outcome(PREFIX.name, odd.n_unique(), _shown(odd), f"{verdicts.height:,} verdicts")


def labels_are_0_or_1(verdicts: pl.DataFrame) -> Outcome:
    """Find labels of other numbers, labels with a reason and missing ones without, and impossible probabilities."""
    label, other = pl.col("label"), (pl.col("retestLabel"), pl.col("secondLabel"), pl.col("humanLabel"))
    odd = verdicts.filter(
        pl.any_horizontal(
            *[~column.is_in([REASONING, NON_REASONING]) for column in (label, *other)],
            label.is_null() == pl.col("reason").is_null(),
            ~pl.col("probability").is_between(0, 1),
        ).fill_null(value=False)
    )
    return Outcome(ZERO_OR_ONE.name, odd.height, _shown(odd["requestId"]))


def _agrees(claim: Claim, pairs: Pairs, least: float, trust: Trust) -> Outcome:
    """A kappa that must reach the least; too few pairs stop nothing, and one class alone must agree throughout."""
    kappa = cohen_kappa(pairs)
    found = {"kappa": kappa.value, "low": kappa.low, "high": kappa.high, "agreement": kappa.agreement}
    figures = {"pairs": kappa.pairs, **{name: figure for name, figure in found.items() if figure is not None}}
    if kappa.pairs < trust.pairs_needed:
        detail = f"{kappa.told}: fewer than the {trust.pairs_needed:,} that a kappa needs, so nothing is concluded"
        return Outcome(claim.name, 0, detail=detail, figures=figures)
    low = kappa.agreement != 1 if kappa.value is None else kappa.value < least
    return Outcome(claim.name, int(low), detail=f"{kappa.told}; at least {least} is wanted", figures=figures)


def _trust(plan: Plan) -> Trust:
    return routers_of(plan).trust


def _exact(share: float) -> Fraction:
    """The share as the plan writes it: 0.1 of 40 is 4."""
    return Fraction(str(share))


def _at_most(share: Fraction, count: int) -> int:
    return int(share * count)


def _counts(reasons: pl.Series) -> dict[str, int]:
    counted = reasons.drop_nulls().value_counts(sort=False)
    return summed([dict(counted.iter_rows())])


def _shown(ids: pl.Series) -> tuple[str, ...]:
    return tuple(ids.unique(maintain_order=True).head(IDS_SHOWN))
