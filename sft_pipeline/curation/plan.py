"""The plan: every knob that changes the dataset, read from TOML, checked once.

Belongs here: the knobs, their limits, and what follows from them alone (cells, chunk keys, window bounds).
Does not belong here: where data lies or how a cluster is reached (orchestration.resources).
"""

import tomllib
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.routers import Routers

ALL = "all"
"""The one split of a plan that does not split."""


SplitName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
"""It becomes a folder and part of a partition key."""


class Section(BaseModel):
    """A table of the plan: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(Section):
    """The time window [day - days, day) of a partition key `day`, in UTC."""

    days: Annotated[int, Field(ge=1, le=3660)]
    first_day: date


class Chunks(Section):
    """Into how many hash chunks a window is cut."""

    count: Annotated[int, Field(ge=1, le=99)]


class Split(Section):
    """Who goes into which split: shares of 100, in order; `by = "none"` puts everyone into one."""

    by: Literal["conversation", "user", "none"]
    shares: dict[SplitName, Annotated[int, Field(ge=1, le=100)]]

    @model_validator(mode="after")
    def _shares_make_100(self) -> "Split":
        if sum(self.shares.values()) != 100:
            msg = f"split.shares add up to {sum(self.shares.values())}, not 100"
            raise ValueError(msg)
        if self.by == "none" and list(self.shares) != [ALL]:
            msg = f'split.by = "none" needs split.shares = {{ {ALL} = 100 }}'
            raise ValueError(msg)
        return self


class Bucket(Section):
    """A range of turn counts, both ends included."""

    name: Annotated[str, Field(pattern=r"^[a-z]+$")]
    turns: tuple[int, int]

    @property
    def label(self) -> str:
        """The bucket's name in file names, e.g. `short_3_to_5_turns`."""
        return f"{self.name}_{self.turns[0]}_to_{self.turns[1]}_turns"


class Sample(Section):
    """How many conversations of each cell are wanted, and by which salt they are ranked."""

    salt: Annotated[str, Field(min_length=1)]
    allow_shortfall: bool
    targets: dict[str, dict[str, Annotated[int, Field(ge=1)]]]


class Privacy(Section):
    """What of the people behind the telemetry leaves; a plan that says nothing lets the least leave."""

    user_names: Literal["pseudonym", "as_is"] = "pseudonym"
    secrets: Literal["redact", "keep"] = "redact"


class Release(Section):
    """What the published folder is called and what its metadata.json says of the source."""

    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
    stamp_format: str
    data_source: str


class Places(Section):
    """Where a team's telemetry lies and its releases go; they count where the environment says `plan`."""

    cluster: str = ""
    database: str = ""
    releases: str = ""

    @field_validator("cluster", "releases")
    @classmethod
    def _holds_no_secret(cls, place: str) -> str:
        """A release's metadata.json tells its plan to everyone."""
        if "?" in place or "@" in place:
            msg = "a place holds no signature and no password: they belong in the environment"
            raise ValueError(msg)
        return place


class Cell(NamedTuple):
    """A split x bucket; its key is the partition key."""

    split: str
    bucket: Bucket
    target: int

    @property
    def key(self) -> str:
        """`train-short` and the like."""
        return f"{self.split}-{self.bucket.name}"

    @property
    def path(self) -> str:
        """The cell's file, relative to the release folder."""
        folder = "" if self.split == ALL else f"{self.split}/"
        return f"{folder}{self.bucket.label}.json"


class Plan(Section):
    """Every knob that changes the dataset."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    query: str
    window: Window
    chunks: Chunks
    split: Split
    buckets: Annotated[tuple[Bucket, ...], Field(min_length=1)]
    privacy: Privacy = Privacy()
    sample: Sample
    release: Release
    places: Places = Places()
    routers: Routers | None = None

    @model_validator(mode="after")
    def _buckets_do_not_overlap(self) -> "Plan":
        for bucket in self.buckets:
            if not 1 <= bucket.turns[0] <= bucket.turns[1]:
                msg = f"bucket {bucket.name!r}: turns {list(bucket.turns)} is no range"
                raise ValueError(msg)
        names = [bucket.name for bucket in self.buckets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"buckets: {', '.join(twice)} stands twice"
            raise ValueError(msg)
        for lower, upper in pairwise(self.buckets):
            if upper.turns[0] <= lower.turns[1]:
                msg = f"buckets {lower.name!r} and {upper.name!r} overlap or are out of order"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _every_cell_has_a_target(self) -> "Plan":
        unknown = [split for split in self.sample.targets if split not in self.split.shares]
        if unknown or not self.sample.targets:
            msg = f"sample.targets name other splits than split.shares: {', '.join(unknown) or 'none'}"
            raise ValueError(msg)
        names = {bucket.name for bucket in self.buckets}
        for split, targets in self.sample.targets.items():
            if odd := names ^ set(targets):
                msg = f"sample.targets.{split} and the buckets differ in: {', '.join(sorted(odd))}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _routers_fit(self) -> "Plan":
        if self.routers:
            self.routers.require_fitting(self.split.shares, tuple(bucket.name for bucket in self.buckets))
        return self

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits in the order of their shares."""
        return tuple(self.split.shares)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that have a target, by split then bucket."""
        return tuple(
            Cell(split, bucket, self.sample.targets[split][bucket.name])
            for split in self.splits
            if split in self.sample.targets
            for bucket in self.buckets
        )

    @property
    def turn_range(self) -> tuple[int, int]:
        """The fewest and the most turns that any bucket takes."""
        return self.buckets[0].turns[0], self.buckets[-1].turns[1]

    @property
    def chunk_keys(self) -> tuple[str, ...]:
        """`00-of-40` ...: the count is in the key, so that changing it cannot mix old and new."""
        width = len(str(self.chunks.count))
        return tuple(f"{number:0{width}d}-of-{self.chunks.count}" for number in range(self.chunks.count))

    def cell(self, key: str) -> Cell:
        """The cell of a partition key."""
        return {cell.key: cell for cell in self.cells}[key]

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """The window of a partition key: first instant in, first instant out."""
        end = datetime.combine(day, time(), UTC)
        return end - timedelta(days=self.window.days), end

    def only(self, split: str) -> "Plan":
        """The same plan, sampling and publishing one split alone; splits stay what they are.

        Raises:
            Refused: the plan has no such split.
        """
        if split not in self.sample.targets:
            raise Refused(f"plan {self.name} has no split {split!r}", remedy=f"name one of {', '.join(self.splits)}")
        routers = self.routers.only(split) if self.routers else None
        return self._with_sample(targets={split: self.sample.targets[split]}).model_copy(update={"routers": routers})

    def with_shortfall(self) -> "Plan":
        """The same plan, taking what there is where a cell or a class falls short."""
        routers = self.routers.with_shortfall() if self.routers else None
        return self._with_sample(allow_shortfall=True).model_copy(update={"routers": routers})

    def _with_sample(self, **knobs: object) -> "Plan":
        return self.model_copy(update={"sample": self.sample.model_copy(update=knobs)})

    def extraction_version(self) -> str:
        """The version of those knobs that change what a chunk holds; targets and names do not."""
        knobs = self.model_dump_json(include={"query", "window", "chunks", "split", "buckets", "privacy"})
        return content_version([knobs, self.sample.salt])

    def version(self) -> str:
        """The version of all that decides about conversations and samples; places change no file, routers others."""
        return content_version([self.model_dump_json(exclude={"places", "routers"})])


def parse_plan(text: str, *, source: str) -> Plan:
    """Read a plan from TOML text.

    Args:
        text: the TOML document.
        source: the file's name, for the message.

    Raises:
        Refused: not TOML, an unknown or missing key, a value out of its limits, a split without targets.
    """
    try:
        plan = Plan.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"plan {source} is not TOML: {error}", remedy="compare it with plans/production.toml") from error
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors(include_input=False, include_url=False))
        raise Refused(f"plan {source}: {problems}", remedy="every knob is explained in plans/production.toml") from None
    forgotten = [split for split in plan.splits if split not in plan.sample.targets]
    if forgotten:
        what = f"plan {source}: sample.targets lacks {', '.join(forgotten)}"
        raise Refused(what, remedy="give every split its targets; --split publishes one split alone")
    return plan


def _problem(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    what = {"extra_forbidden": "unknown key", "missing": "missing key"}.get(
        error["type"], error["msg"].removeprefix("Value error, ")
    )
    return f"{where}: {what}" if where else what
