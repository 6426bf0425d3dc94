"""From labelled requests to training sets: exact ratios of the classes, within a class as even as its strata allow.

Belongs here: how many of which class and stratum, and which requests those are. Nothing is ever taken twice.
Does not belong here: what a stratum is and in which order it is drawn from (strata), SFT lines (sft_lines).
"""

from collections import Counter
from collections.abc import Mapping

import polars as pl

from sft_pipeline.curation.hashing import priorities
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.requests import content_of, routers_of
from sft_pipeline.curation.router_tables import TrainingRow
from sft_pipeline.curation.routers import NON_REASONING, REASONING, RouterName, Training
from sft_pipeline.curation.strata import DRAW, draw_order, inverse_frequency, stratum
from sft_pipeline.curation.tables import schema_of
from sft_pipeline.curation.variants import Ratio, Variant

_OF_VERDICTS = ("requestId", "label", "probability", "judge", "prompt")

PLACE = "_place"


def largest_exact(total: int, ratio: Ratio, have0: int, have1: int) -> tuple[int, int]:
    """How many of label 0 and of label 1: the most, up to the total, that are exactly in the ratio.

    Returns:
        m * parts of the ratio, with the largest m for which neither class is short.
    """
    part0, part1 = ratio.parts
    times = min(total // (part0 + part1), have0 // part0, have1 // part1)
    return times * part0, times * part1


def allocate(total: int, available: Mapping[str, int]) -> dict[str, int]:
    """How many to take of each stratum, as evenly as possible: short ones give all, the others one more or less.

    Strata are filled like vessels, level by level; what is left of the last level goes to the first by name. A larger
    total takes no fewer of any.

    Returns:
        numbers that add up to the total, or to all there are.
    """
    level, left = _level(total, list(available.values()))
    quotas = {name: min(have, level) for name, have in available.items()}
    for name in sorted(name for name, have in available.items() if have > level)[:left]:
        quotas[name] += 1
    return quotas


def balance(
    requests: pl.DataFrame, verdicts: pl.DataFrame, plan: Plan, router: RouterName, variant: Variant
) -> pl.DataFrame:
    """The `TrainingRow`s of a variant in the order of their lines (`in_line_order`).

    Of the same verdicts a larger total keeps every row of a smaller one. Further verdicts of the priority order keep
    them too where a class is balanced by nothing else; strata and weights may then come out otherwise.

    Args:
        requests: `Request` rows of the split.
        verdicts: `Verdict` rows of it, of which those with a label count.
        plan: strategies, salt, and whether a class may fall short.
        router: whose requests they are.
        variant: split, ratio and total.

    Raises:
        Refused: a class is short and the plan does not allow it, or a verdict is of no request, or of one twice.
    """
    routers = routers_of(plan)
    strategies = routers.router(router).strategies
    labelled = _labelled(requests, verdicts).with_columns(
        weight=inverse_frequency(), stratum=stratum(strategies, router)
    )
    labelled = labelled.with_columns(draw_order(labelled, strategies, routers.salt))
    classes = {label: labelled.filter(label=label) for label in (REASONING, NON_REASONING)}
    wanted = _wanted(classes, variant, routers.training, f"{router} {variant.key}")
    chosen = pl.concat([_lowest_of_strata(of_class, wanted[label]) for label, of_class in classes.items()])
    training = chosen.with_columns(content=content_of(chosen, plan, router))
    return in_line_order(training.select(schema_of(TrainingRow).names()), routers.salt)


def in_line_order(training: pl.DataFrame, salt: str) -> pl.DataFrame:
    """Training rows by the hash of their text under a salt of its own: classes and strata are mixed throughout.

    Not by priority, in which the rarer class reaches further: a file's end would be of that class alone.
    """
    place = priorities(training["contentKey"], salt=f"line:{salt}").alias(PLACE)
    return training.with_columns(place).sort(PLACE, "requestId").drop(PLACE)


def _level(total: int, have: list[int]) -> tuple[int, int]:
    """The height up to which all strata can be filled, and how many are left to go above it."""
    left, level = total, 0
    for done, height in enumerate(sorted(have)):
        level = left // (len(have) - done)
        if height > level:
            return level, left - level * (len(have) - done)
        left -= height
    return max(have, default=0), 0


def _labelled(requests: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    labels = verdicts.filter(pl.col("label").is_not_null()).select(_OF_VERDICTS)
    labelled = requests.join(labels, on="requestId", maintain_order="left")
    if not labelled.height == labels.height == labels["requestId"].n_unique():
        raise Refused(
            f"{labels.height:,} labels are of {labelled.height:,} requests: some of none, or of one twice",
            remedy="materialize requests and verdicts of this split again",
        )
    return labelled


def _wanted(classes: Mapping[int, pl.DataFrame], variant: Variant, training: Training, name: str) -> dict[int, int]:
    """How many of each label are taken."""
    have = {label: of_class.height for label, of_class in classes.items()}
    taken = largest_exact(variant.total, variant.ratio, have[REASONING], have[NON_REASONING])
    want = dict(zip(have, (variant.total * percent // 100 for percent in variant.ratio), strict=True))
    if sum(taken) < variant.total and training.short_class == "refuse":
        told = ", ".join(f"label {label} (want {want[label]:,}, have {have[label]:,})" for label in have)
        raise Refused(
            f"{name} cannot have {variant.total:,} rows: {told}",
            remedy="judge more requests (widen window.days), lower routers.training.totals in the plan, or allow it "
            "with --allow-shortfall: the largest total at the exact ratio is then taken",
        )
    return dict(zip(have, taken, strict=True))


def _lowest_of_strata(of_class: pl.DataFrame, count: int) -> pl.DataFrame:
    """The rows of a class that are taken: of each stratum its share, the lowest by draw."""
    quotas = allocate(count, Counter(of_class["stratum"]))
    share = pl.DataFrame(list(quotas.items()), schema={"stratum": pl.String, "share": pl.Int64}, orient="row")
    ordered = of_class.sort(DRAW, "priority", "requestId").join(share, on="stratum", maintain_order="left")
    return ordered.filter(pl.int_range(pl.len()).over("stratum") < pl.col("share"))
