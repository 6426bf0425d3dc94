"""The plan's knobs of the two routers: what is judged, how the judge is trusted, what is trained on.

Belongs here: the knobs, their limits, and what follows from them alone (ratios, variants, file names).
Does not belong here: which judge is asked and how it is reached (orchestration.settings); the rest of the plan (plan).
"""

from collections.abc import Mapping
from math import gcd
from typing import Annotated, Literal, NamedTuple

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sft_pipeline.curation.hashing import content_version

RouterName = Literal["session_router", "conversation_router"]
ROUTERS: tuple[RouterName, ...] = ("session_router", "conversation_router")

REASONING = 0
"""The label of a request that needs a reasoning model."""

NON_REASONING = 1
"""The label of a request for which a fast model will do."""

Strategy = Literal["turn_buckets", "complexity", "chosen_model", "inverse_frequency"]
"""Strategies 1 to 4 of balancing beside the classes (curation.balancing)."""

Fraction = Annotated[float, Field(ge=0, le=1)]


def _is_pattern(told: str) -> str:
    """Polars is who looks for it, and its patterns differ from Python's."""
    try:
        pl.select(pl.lit("").str.contains(told))
    except pl.exceptions.ComputeError:
        msg = f"{told!r} is no regular expression"
        raise ValueError(msg) from None
    return told


Pattern = Annotated[str, AfterValidator(_is_pattern)]
"""A regular expression as Polars reads it."""


class Knobs(BaseModel):
    """A table of the plan: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ratio(NamedTuple):
    """Percent of label 0 and percent of label 1."""

    reasoning: int
    non_reasoning: int

    @property
    def key(self) -> str:
        """`70r30n`."""
        return f"{self.reasoning}r{self.non_reasoning}n"

    @property
    def parts(self) -> tuple[int, int]:
        """The smallest whole numbers of label 0 and label 1 that are in this ratio, e.g. 7 and 3."""
        common = gcd(self.reasoning, self.non_reasoning)
        return self.reasoning // common, self.non_reasoning // common


def parse_ratio(key: str) -> Ratio:
    """The inverse of `Ratio.key`.

    Raises:
        ValueError: it does not read like `70r30n`, or does not add up to 100.
    """
    reasoning, _, rest = key.partition("r")
    if not (reasoning.isdigit() and rest.endswith("n") and rest[:-1].isdigit()):
        msg = f"{key!r} is no ratio: write 70r30n for 70 % label 0 and 30 % label 1"
        raise ValueError(msg)
    ratio = Ratio(int(reasoning), int(rest[:-1]))
    if sum(ratio) != 100 or 0 in ratio:
        msg = f"ratio {key!r} has two shares above 0 that add up to 100, or is none"
        raise ValueError(msg)
    return ratio


class Variant(NamedTuple):
    """A split at a ratio; its key is the partition key."""

    split: str
    ratio: Ratio
    total: int
    version: int

    @property
    def key(self) -> str:
        """`train-70r30n` and the like."""
        return f"{self.split}-{self.ratio.key}"

    @property
    def file_name(self) -> str:
        """The name of its SFT file, e.g. `datav3_train_70r_30n_sft.jsonl`."""
        return f"{self._stem}_sft.jsonl"

    @property
    def labels_name(self) -> str:
        """The name of the table beside it, for those who want soft labels."""
        return f"{self._stem}_labels.parquet"

    @property
    def _stem(self) -> str:
        return f"datav{self.version}_{self.split}_{self.ratio.reasoning}r_{self.ratio.non_reasoning}n"


class History(Knobs):
    """How much of what was said before the judge sees: the last turns, and of them the last characters."""

    turns: Annotated[int, Field(ge=1)]
    characters: Annotated[int, Field(ge=100)]


class SessionRouter(Knobs):
    """The router that looks at first requests alone."""

    prompt: str
    second_prompt: str
    strategies: tuple[Strategy, ...] = ()


class ConversationRouter(Knobs):
    """The router that looks at any request with what was said before it.

    Args:
        conversations: how many of each split and bucket are judged, turn by turn (strategy 1).
        content: what stands as the user's message in SFT lines.
    """

    prompt: str
    second_prompt: str
    strategies: tuple[Strategy, ...] = ()
    conversations: dict[str, dict[str, Annotated[int, Field(ge=1)]]]
    history: History
    content: Literal["request", "history_and_request"] = "request"


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


class Training(Knobs):
    """What is trained on: exact ratios, totals per split.

    Args:
        version: of the data, as file names have it.
        short_class: whether too few of a class lower the total, at the exact ratio, or stop.
        max_line_tokens: the longest line that the model to be trained takes.
    """

    version: Annotated[int, Field(ge=1)]
    ratios: Annotated[tuple[str, ...], Field(min_length=1)]
    totals: dict[str, Annotated[int, Field(ge=1)]]
    short_class: Literal["cap", "refuse"]
    max_line_tokens: Annotated[int, Field(ge=200)]

    @model_validator(mode="after")
    def _totals_can_be_exact(self) -> "Training":
        for key in self.ratios:
            ratio = parse_ratio(key)
            step = sum(ratio.parts)
            for split, total in self.totals.items():
                if total % step:
                    msg = f"totals.{split} = {total} cannot be divided {key}: take a multiple of {step}"
                    raise ValueError(msg)
        if len(set(self.ratios)) != len(self.ratios):
            msg = "a ratio stands twice"
            raise ValueError(msg)
        return self


class Routers(Knobs):
    """All knobs of both routers.

    Args:
        salt: ranks requests, and the conversations of the conversation router; independent of the samples.
        reasoning_models: patterns (regular expressions) of models that people choose for hard requests.
        fast_models: patterns of models that they choose for easy ones; they are looked at first.
    """

    salt: Annotated[str, Field(min_length=1)]
    reasoning_models: tuple[Pattern, ...]
    fast_models: tuple[Pattern, ...]
    judging: Judging
    trust: Trust
    training: Training
    session_router: SessionRouter
    conversation_router: ConversationRouter

    def router(self, name: RouterName) -> SessionRouter | ConversationRouter:
        """One router's knobs."""
        return self.session_router if name == "session_router" else self.conversation_router

    @property
    def ratios(self) -> tuple[Ratio, ...]:
        """The ratios in the plan's order."""
        return tuple(parse_ratio(key) for key in self.training.ratios)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that are trained, validated or tested on."""
        return tuple(self.training.totals)

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Every split at every ratio, by split then ratio."""
        return tuple(
            Variant(split, ratio, total, self.training.version)
            for split, total in self.training.totals.items()
            for ratio in self.ratios
        )

    def variant(self, key: str) -> Variant:
        """The variant of a partition key."""
        return {variant.key: variant for variant in self.variants}[key]

    def quotas(self, split: str) -> dict[int, int]:
        """How many requests of each label the variants of a split need at most."""
        total = self.training.totals[split]
        return {
            REASONING: max(total * ratio.reasoning // 100 for ratio in self.ratios),
            NON_REASONING: max(total * ratio.non_reasoning // 100 for ratio in self.ratios),
        }

    def version(self) -> str:
        """The version of all knobs."""
        return content_version([self.model_dump_json()])

    def only(self, split: str) -> "Routers | None":
        """The same knobs for one split alone; None where it is not trained, validated or tested on."""
        if split not in self.training.totals:
            return None
        return self._with_training(totals={split: self.training.totals[split]})

    def with_shortfall(self) -> "Routers":
        """The same knobs, taking what there is where a class falls short."""
        return self._with_training(short_class="cap")

    def _with_training(self, **knobs: object) -> "Routers":
        return self.model_copy(update={"training": self.training.model_copy(update=knobs)})

    def require_fitting(self, splits: Mapping[str, int], buckets: tuple[str, ...]) -> None:
        """Refuse splits and buckets that the plan does not have.

        Raises:
            ValueError: names them.
        """
        odd = sorted({*self.training.totals, *self.conversation_router.conversations} - {*splits})
        if odd:
            msg = f"routers name splits that split.shares does not: {', '.join(odd)}"
            raise ValueError(msg)
        if missing := sorted({*self.training.totals} - {*self.conversation_router.conversations}):
            msg = f"routers.conversation_router.conversations lacks {', '.join(missing)}"
            raise ValueError(msg)
        for split, wanted in self.conversation_router.conversations.items():
            if differing := sorted(set(wanted) ^ set(buckets)):
                msg = f"conversations.{split} and the buckets differ in: {', '.join(differing)}"
                raise ValueError(msg)
