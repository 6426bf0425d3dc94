"""What must be true of a router's training sets, one by one and between them: what their asset checks report on.

Belongs here: claims over `TrainingRow` frames by variant key. Does not belong here: making them (balancing), files.
"""

from collections.abc import Mapping

import polars as pl

from sft_pipeline.curation.claims import Claim, Outcome
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import NON_REASONING, REASONING
from sft_pipeline.curation.turns import expected_splits
from sft_pipeline.curation.validating import IDS_SHOWN
from sft_pipeline.curation.variants import Variant

Sets = Mapping[str, pl.DataFrame]
"""The training sets of a router in a window by variant key; those of all its variants."""

EXACT_RATIO = Claim(
    "ratio_is_exact", "Every training set has its classes exactly in its ratio, and no more than its total"
)
ONCE = Claim("no_request_twice", "No request and no text stands twice in a training set")
OWN_SPLIT = Claim("rows_are_of_their_split", "Every row is of the split of its training set, by the plan's hash too")
VERDICT_LABELS = Claim("labels_are_those_of_the_verdicts", "Every row has the label that its request was given")
ONE_SPLIT_A_TEXT = Claim("no_text_in_two_splits", "No text is in the training sets of two splits")
ONE_LABEL_A_TEXT = Claim("no_text_with_two_labels", "No text has two labels in the training sets")

TRAINING_CLAIMS: tuple[Claim, ...] = (
    *(EXACT_RATIO, ONCE, OWN_SPLIT, VERDICT_LABELS),
    *(ONE_SPLIT_A_TEXT, ONE_LABEL_A_TEXT),
)


def ratio_is_exact(sets: Sets, plan: Plan) -> Outcome:
    """Count the classes of each training set; odd ones are named by variant."""
    counted = {
        key: (rows.filter(label=REASONING).height, rows.filter(label=NON_REASONING).height)
        for key, rows in sets.items()
    }
    odd = [
        key
        for key, counts in counted.items()
        if not _in_ratio(_variant(plan, key), *counts) or sum(counts) != sets[key].height
    ]
    told = "; ".join(
        f"{key}: {label0:,} + {label1:,} of {_variant(plan, key).total:,}" for key, (label0, label1) in counted.items()
    )
    return Outcome(EXACT_RATIO.name, len(odd), tuple(odd[:IDS_SHOWN]), told)


def no_request_twice(sets: Sets) -> Outcome:
    """Find rows whose requestId or contentKey stands in the same training set before."""
    again = [
        rows.filter(~pl.col("requestId").is_first_distinct() | ~pl.col("contentKey").is_first_distinct())["requestId"]
        for rows in sets.values()
    ]
    return _outcome(ONCE, again)


def rows_are_of_their_split(sets: Sets, plan: Plan) -> Outcome:
    """Compare the split of each row with its set's and with its hash, which rows do not tell where users are split."""
    odd: list[pl.Series] = []
    for key, rows in sets.items():
        own = _variant(plan, key).split
        by_hash = rows["split"] if plan.split.by == "user" else expected_splits(rows, plan)
        told = rows.select("requestId", "split", byHash=by_hash)
        odd.append(told.filter((pl.col("split") != own) | (pl.col("byHash") != own))["requestId"])
    return _outcome(OWN_SPLIT, odd)


def labels_are_those_of_the_verdicts(sets: Sets, verdicts: Mapping[str, pl.DataFrame], plan: Plan) -> Outcome:
    """Find rows whose verdict says something else, or who have none.

    Args:
        sets: training sets by variant key.
        verdicts: `Verdict` rows by split.
        plan: which split a variant is of.
    """
    odd = [
        rows.join(verdicts[_variant(plan, key).split], on=["requestId", "label"], how="anti")["requestId"]
        for key, rows in sets.items()
    ]
    return _outcome(VERDICT_LABELS, odd)


def no_text_in_two_splits(sets: Sets) -> Outcome:
    """Find texts of more than one split."""
    return _texts_with_many(ONE_SPLIT_A_TEXT, sets, "split")


def no_text_with_two_labels(sets: Sets) -> Outcome:
    """Find texts of more than one label."""
    return _texts_with_many(ONE_LABEL_A_TEXT, sets, "label")


def _texts_with_many(claim: Claim, sets: Sets, column: str) -> Outcome:
    """Texts, each by its first request, that have more than one value in a column."""
    rows = [frame.select("requestId", "contentKey", column) for frame in sets.values()]
    if not rows:
        return Outcome(claim.name, 0)
    texts = pl.concat(rows).group_by("contentKey").agg(pl.col(column).n_unique(), pl.col("requestId").min())
    return _outcome(claim, [texts.filter(pl.col(column) > 1)["requestId"].sort()])


def _outcome(claim: Claim, found: list[pl.Series]) -> Outcome:
    """How many rows break a claim, over all training sets."""
    ids = list(dict.fromkeys(name for series in found for name in series.head(IDS_SHOWN)))
    return Outcome(claim.name, sum(series.len() for series in found), tuple(ids[:IDS_SHOWN]))


def _in_ratio(variant: Variant, label0: int, label1: int) -> bool:
    part0, part1 = variant.ratio.parts
    return label0 * part1 == label1 * part0 and label0 + label1 <= variant.total


def _variant(plan: Plan, key: str) -> Variant:
    return routers_of(plan).variant(key)
