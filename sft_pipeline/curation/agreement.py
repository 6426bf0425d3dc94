"""How far two labellings of the same requests agree beyond chance: Cohen's kappa and its 95 % interval.

Belongs here: the statistic. Does not belong here: counting pairs (label_account), what is good enough (label_claims).
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from sft_pipeline.curation.label_account import Pairs

_Z = NormalDist().inv_cdf(0.975)


class Kappa(NamedTuple):
    """Cohen's kappa of so many pairs.

    Args:
        value: (agreement - chance) / (1 - chance); None without pairs, or where all labels are of one class.
        low: lower end of the 95 % interval; None where `value` is.
        high: its upper end.
        pairs: how many were labelled twice.
        agreement: the share of pairs with equal labels; None without pairs.
    """

    value: float | None
    low: float | None
    high: float | None
    pairs: int
    agreement: float | None

    @property
    def told(self) -> str:
        """The figures in words."""
        if self.agreement is None:
            return "no pairs"
        agree = f"{self.agreement:.1%} of {self.pairs:,} pairs agree"
        if self.value is None:
            return f"kappa is undefined, as all labels are of one class; {agree}"
        return f"kappa {self.value:.3f} (95 % interval {self.low:.3f} to {self.high:.3f}); {agree}"


def cohen_kappa(pairs: Pairs) -> Kappa:
    """Kappa of requests labelled twice."""
    return kappa_of_table(((pairs.both0, pairs.first0_second1), (pairs.first1_second0, pairs.both1)))


def kappa_of_table(table: Sequence[Sequence[int]]) -> Kappa:
    """Kappa of a square table of counts: rows are the first labels, columns the second ones.

    The interval is value +- 1.96 standard errors, cut at -1 and 1, by the asymptotic variance of Fleiss, Cohen and
    Everitt (1969). It is too narrow where pairs are few or kappa is near 1, and has no width at perfect agreement:
    hence no kappa counts below the plan's `pairs_needed`.
    """
    classes = range(len(table))
    first = [sum(row) for row in table]
    second = [sum(row[column] for row in table) for column in classes]
    pairs = sum(first)
    if not pairs:
        return Kappa(None, None, None, 0, None)
    same = sum(table[label][label] for label in classes)
    by_chance = sum(first[label] * second[label] for label in classes)
    if by_chance == pairs**2:
        return Kappa(None, None, None, pairs, same / pairs)
    # One division of whole numbers: a kappa that is exactly at a threshold is not missed by rounding.
    value = (same * pairs - by_chance) / (pairs**2 - by_chance)
    error = _Z * sqrt(_variance(table, first, second, value))
    return Kappa(value, max(value - error, -1.0), min(value + error, 1.0), pairs, same / pairs)


def _variance(table: Sequence[Sequence[int]], first: Sequence[int], second: Sequence[int], kappa: float) -> float:
    """The asymptotic variance, in three terms: (agreeing + differing - mean) / ((1 - chance)^2 pairs)."""
    classes, pairs = range(len(table)), sum(first)
    chance = sum(first[label] * second[label] for label in classes) / pairs**2
    agreeing = sum(
        table[label][label] / pairs * (1 - (first[label] + second[label]) / pairs * (1 - kappa)) ** 2
        for label in classes
    )
    differing = (1 - kappa) ** 2 * sum(
        table[row][column] / pairs * ((second[row] + first[column]) / pairs) ** 2
        for row in classes
        for column in classes
        if row != column
    )
    mean = (kappa - chance * (1 - kappa)) ** 2
    return max(agreeing + differing - mean, 0.0) / ((1 - chance) ** 2 * pairs)
