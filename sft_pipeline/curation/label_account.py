"""The account of a split's labels: what was asked, what came of it, what it cost, how far it can be trusted.

Belongs here: the figures as values, read from and written to JSON, and adding them up over splits.
Does not belong here: statistics over them (agreement), whether they are good enough (label_claims).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Counts = dict[str, Count]


class Figures(BaseModel):
    """Frozen, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Pairs(Figures):
    """Requests labelled twice, by first and second label: `both1` is how many were 1 both times."""

    both0: Count = 0
    first0_second1: Count = 0
    first1_second0: Count = 0
    both1: Count = 0

    @property
    def total(self) -> int:
        """How many pairs there are."""
        return self.both0 + self.first0_second1 + self.first1_second0 + self.both1

    def __add__(self, other: "Pairs") -> "Pairs":
        """Pairs of two sets of requests."""
        mine, theirs = self.model_dump(), other.model_dump()
        return Pairs(**{name: mine[name] + theirs[name] for name in mine})


def pairs_of(labels: Iterable[tuple[int | None, int | None]]) -> Pairs:
    """Count pairs of labels; those of which one is missing are no pairs."""
    counts = Counter(labels)
    return Pairs(both0=counts[0, 0], first0_second1=counts[0, 1], first1_second0=counts[1, 0], both1=counts[1, 1])


class Who(Figures):
    """The judge as metadata.json tells it; `is_language_model` is False for proxies that only stand in for one."""

    judge: str
    prompt: str
    prompt_sha256: str
    parameters: str
    is_language_model: bool


class LabelAccount(Figures):
    """What became of all requests of a split of a router.

    `requests` = sum of `left_out` + `label0` + `label1` + `unlabelled` + `not_asked`.

    Args:
        judges: how many of the verdicts are of which judge (accepted labels of another one count too).
        served_models: how many verdicts each model gave, as the service names it.
        votes: labels against thumbs of people (first: label, second: 1 for a thumb up); weak evidence.
        canaries_missed: names of those that got another label than the known one, or none.
        cost: of all that this split's verdicts, retests and canaries ever cost, in `currency`.
    """

    router: str
    split: str
    who: Who
    second: Who
    requests: Count
    left_out: Counts
    label0: Count
    label1: Count
    unlabelled: Counts
    not_asked: Count
    judges: Counts
    served_models: Counts
    retest: Pairs = Pairs()
    second_opinion: Pairs = Pairs()
    human: Pairs = Pairs()
    votes: Pairs = Pairs()
    canaries: Count = 0
    canaries_missed: tuple[str, ...] = ()
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cost: Annotated[float, Field(ge=0)] = 0.0
    currency: str = "USD"

    @property
    def judged(self) -> int:
        """How many requests were judged, labelled or not."""
        return self.label0 + self.label1 + sum(self.unlabelled.values())

    @property
    def adds_up(self) -> bool:
        """Whether no request is lost and none counted twice."""
        return self.requests == sum(self.left_out.values()) + self.judged + self.not_asked


def summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by name, added up, names in order."""
    total = sum((Counter(one) for one in counts), Counter[str]())
    return {name: total[name] for name in sorted(total)}
