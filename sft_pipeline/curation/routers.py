"""The plan's knobs of the two routers: what is judged, how the judge is trusted, what is trained on.

Belongs here: the knobs, their limits, and what follows from them alone.
Does not belong here: which judge is asked and how it is reached (orchestration.settings); the rest of the plan (plan).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.judge_knobs import Judging, Knobs, Trust
from sft_pipeline.curation.variants import Ratio, Variant, parse_ratio

RouterName = Literal["session_router", "conversation_router"]
ROUTERS: tuple[RouterName, ...] = ("session_router", "conversation_router")

REASONING = 0
"""The label of a request that needs a reasoning model."""

NON_REASONING = 1
"""The label of a request for which a fast model will do."""

Strategy = Literal["turn_buckets", "complexity", "chosen_model", "inverse_frequency"]
"""Strategies 1 to 4 of balancing beside the classes (curation.balancing)."""


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


class History(Knobs):
    """How much of what was said before the judge sees: the last turns, and of them the last characters."""

    turns: Annotated[int, Field(ge=1)]
    characters: Annotated[int, Field(ge=100)]


class RouterKnobs(Knobs):
    """What both routers have.

    Args:
        prompt: a name of sft_pipeline/prompts, or a path.
        second_prompt: gives the second opinion, unless another model does.
        strategies: of balancing beside the classes.
    """

    prompt: str
    second_prompt: str
    strategies: tuple[Strategy, ...] = ()

    @model_validator(mode="after")
    def _second_is_another(self) -> Self:
        if self.prompt == self.second_prompt:
            msg = "second_prompt is the prompt: a judge that is asked the same twice agrees with itself"
            raise ValueError(msg)
        return self


class SessionRouter(RouterKnobs):
    """The router that looks at first requests alone."""


class ConversationRouter(RouterKnobs):
    """The router that looks at any request with what was said before it.

    Args:
        conversations: how many of each split and bucket are judged, turn by turn (strategy 1).
        content: what stands as the user's message in SFT lines.
    """

    conversations: dict[str, dict[str, Annotated[int, Field(ge=1)]]]
    history: History
    content: Literal["request", "history_and_request"] = "request"


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
        """The version of all knobs but those of money and of who judges unasked: they change no file."""
        money = {"judging": {"max_cost", "price", "default"}}
        return content_version([self.model_dump_json(exclude=money)])

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
