"""The plan's knobs of judging: what may be spent, what is asked twice, and when labels are good enough.

Belongs here: those knobs and their limits. Does not belong here: what is judged and trained on (routers).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]


class Knobs(BaseModel):
    """A table of the plan: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(Knobs):
    """What a million tokens cost, in one currency."""

    currency: str = "USD"
    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    batch_discount: Fraction = 0.5


class Judging(Knobs):
    """How requests get their labels.

    Args:
        default: the judge where the environment names none; empty: no judge.
        stop_when_filled: judge only as many as the totals need.
        max_cost: the run stops before it spends more; 0 is no limit.
        parameters: handed to the model as they are, and part of what a verdict is known by.
    """

    default: Literal["", "heuristic"] = ""
    stop_when_filled: bool
    max_cost: Annotated[float, Field(ge=0)]
    price: Price
    parameters: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _a_limit_needs_a_price(self) -> "Judging":
        if self.max_cost and not (self.price.input or self.price.output):
            msg = "max_cost limits nothing where price is 0"
            raise ValueError(msg)
        return self


class Share(Knobs):
    """A share of the labelled requests, but no fewer than `at_least` where there are so many."""

    share: Fraction
    at_least: Annotated[int, Field(ge=0)]


class Trust(Knobs):
    """When labels are good enough to be released; agreement is Cohen's kappa.

    Args:
        retest: asked a second time.
        second: asked of a second judge or with a second prompt.
        pairs_needed: with fewer pairs than this a kappa says nothing and stops nothing.
        max_drift: how far the share of label 0 may move from the last release before that is told.
        max_unlabelled: how large a share of those judged may get no label.
    """

    retest: Share
    second: Share
    pairs_needed: Annotated[int, Field(ge=2)]
    min_retest_kappa: Annotated[float, Field(ge=-1, le=1)]
    min_second_kappa: Annotated[float, Field(ge=-1, le=1)]
    min_human_kappa: Annotated[float, Field(ge=-1, le=1)]
    min_canaries: Fraction
    max_drift: Fraction
    max_unlabelled: Fraction
