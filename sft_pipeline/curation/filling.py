"""How many labelled requests a split needs, and when there are enough.

Belongs here: quotas by class and turn position, what is missing, how many more requests that may take.
Does not belong here: which of the labelled are trained on (balancing), asking for labels (clients.labelling).
"""

from collections import Counter
from collections.abc import Mapping
from math import ceil, sqrt
from typing import NamedTuple

from sft_pipeline.curation.balancing import allocate
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import POSITIONS, routers_of
from sft_pipeline.curation.routers import NON_REASONING, REASONING, RouterName

LABELS: tuple[int, ...] = (REASONING, NON_REASONING)

_Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


class Gap(NamedTuple):
    """A class, or a turn position of it, that has less than its share."""

    has: int
    missing: int


class Quotas:
    """What a split needs of each class, and what it has of it, as labels come in.

    In the conversation router every turn position of a class has its even share, as in balancing; what one has beyond
    its share fills no other. When the requests run out, balancing takes what there is.
    """

    def __init__(self, wanted: Mapping[tuple[int, str], int]) -> None:
        """Nothing is taken yet.

        Args:
            wanted: how many by label and position; the position is empty where positions do not count.
        """
        self._wanted = dict(wanted)
        self._has: Counter[tuple[int, str]] = Counter()
        self._by_position = any(position for _, position in wanted)

    @classmethod
    def of(cls, plan: Plan, router: RouterName, split: str) -> "Quotas":
        """What the variants of a split need at most."""
        totals = routers_of(plan).quotas(split)
        positions = POSITIONS if router == "conversation_router" else ("",)
        return cls(
            {
                (label, position): share
                for label, total in totals.items()
                for position, share in allocate(total, dict.fromkeys(positions, total)).items()
            }
        )

    def take(self, label: int, position: str) -> None:
        """Count a labelled request."""
        self._has[label, position if self._by_position else ""] += 1

    @property
    def filled(self) -> bool:
        """Whether nothing is missing."""
        return not self.gaps

    @property
    def gaps(self) -> dict[tuple[int, str], Gap]:
        """What lacks, by label and position; without those that are full."""
        has = {key: self._has[key] for key in self._wanted}
        return {key: Gap(has[key], want - has[key]) for key, want in self._wanted.items() if has[key] < want}

    @property
    def missing(self) -> dict[str, int]:
        """How many are missing, by `label 0`, or `label 0 early` where positions count; without those that are full."""
        return {f"label {label} {position}".rstrip(): gap.missing for (label, position), gap in self.gaps.items()}

    def told(self) -> str:
        """How far it is: `label 0: 210/210, label 1: 96/150`, without what is beyond a share."""
        return ", ".join(f"label {label}: {self._useful(label)}/{self._total(label)}" for label in LABELS)

    def _useful(self, label: int) -> int:
        return sum(min(self._has[key], want) for key, want in self._wanted.items() if key[0] == label)

    def _total(self, label: int) -> int:
        return sum(want for key, want in self._wanted.items() if key[0] == label)


class Interval(NamedTuple):
    """A share and its 95 % interval; of nothing there is no share, and it may be any."""

    share: float | None
    low: float
    high: float


def share_interval(label0: int, label1: int) -> Interval:
    """The share of label 0 among the labelled."""
    return wilson(label0, label0 + label1)


def wilson(hits: int, total: int) -> Interval:
    """The score interval of a share (E. B. Wilson, 1927): never outside 0 to 1, and of use where hits are few.

    (p + z²/2n ± z·sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)
    """
    if not total:
        return Interval(None, 0.0, 1.0)
    share, scale = hits / total, _Z**2 / total
    middle, half = share + scale / 2, _Z * sqrt(share * (1 - share) / total + scale / (4 * total))
    return Interval(share, max(0.0, (middle - half) / (1 + scale)), min(1.0, (middle + half) / (1 + scale)))


def rows_to_fill(quotas: Quotas, label0: int, label1: int) -> int:
    """How many more requests are surely needed to fill what is missing, at least 1: the size of a batch round.

    Each class and position is taken to be as frequent as the upper end of its interval allows, so that a round hardly
    ever asks more than is needed; the next one asks for the little that still lacks.

    Args:
        quotas: what is missing.
        label0: how many of the labelled so far have label 0.
        label1: how many have label 1.
    """
    gaps = quotas.gaps.values()
    each = (ceil(gap.missing / wilson(gap.has, label0 + label1).high) for gap in gaps)
    return max(1, sum(gap.missing for gap in gaps), *each)
