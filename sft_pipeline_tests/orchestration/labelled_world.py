"""The finished walk of `walked_world` walked on to an SFT release, once per session, and copied by tests.

Belongs here: values that tests of the routers' assets start from. Does not belong here: assertions.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.orchestration.checked import CheckedAsset, Shelf
from sft_pipeline.orchestration.checks import checked_assets
from sft_pipeline.orchestration.partitions import PartitionParts
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline_tests.judge_server import Served
from sft_pipeline_tests.judge_server.brain import MODEL
from sft_pipeline_tests.orchestration.walked_world import KEY, SMALL_PLAN, World

LABELLED_PLAN = f"""{SMALL_PLAN}
[routers]
salt = "t2"
reasoning_models = ["^o[134]", "^gpt-5", "codex", "claude-.*(opus|sonnet)", "gemini-.*pro"]
fast_models = ["-mini", "-nano", "^gpt-4", "haiku", "flash", "fast"]

[routers.judging]
default = "heuristic"
stop_when_filled = true
max_cost = 0
price = {{ input = 1000, output = 1000 }}
parameters = {{ temperature = 0, logprobs = true, top_logprobs = 5 }}

[routers.trust]
retest = {{ share = 0.02, at_least = 12 }}
second = {{ share = 0.05, at_least = 12 }}
pairs_needed = 10
min_retest_kappa = 0.8
min_second_kappa = 0.1
min_human_kappa = 0.4
min_canaries = 0.9
max_drift = 0.1
max_unlabelled = 0.05

[routers.training]
version = 3
ratios = ["70r30n", "50r50n"]
totals = {{ train = 40, val = 10 }}
short_class = "refuse"
max_line_tokens = 16000

[routers.session_router]
prompt = "session_router_1"
second_prompt = "session_router_1b"

[routers.conversation_router]
prompt = "conversation_router_1"
second_prompt = "conversation_router_1b"
history = {{ turns = 3, characters = 2000 }}

[routers.conversation_router.conversations]
train = {{ short = 20, medium = 20, long = 20 }}
val = {{ short = 8, medium = 8, long = 8 }}
"""
"""Two splits at two ratios: small, and everything that depends on there being several of each is there."""

TRAIN, VAL = "train-70r30n", "val-50r50n"


@dataclass(frozen=True)
class LabelledWorld(World):
    """A world whose plan has routers.

    Args:
        plan_text: the plan's.
        judge: variables beside those of the folders.
    """

    plan_text: str = LABELLED_PLAN
    judge: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def variables(self) -> dict[str, str]:
        """What a user of this world would have set."""
        home = {"SFT_HOME": str(self.root / "home"), "SFT_TELEMETRY": str(self.telemetry)}
        return {**home, **self.judge, "SFT_PLAN": str(self.plan_path)}

    @property
    def plan_path(self) -> Path:
        """The plan's file."""
        path = self.root / "small.toml"
        path.write_text(self.plan_text, encoding="utf-8")
        return path

    @property
    def environment(self) -> dict[str, str]:
        """The same for another process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SFT_", "DAGSTER_"))}
        return {**kept, "COLUMNS": "200", **self.variables}

    @property
    def settings(self) -> Settings:
        """The settings that a user of this world would have."""
        return read_settings(self.variables)

    def copy(self, root: Path) -> "LabelledWorld":
        """The same world elsewhere, home included."""
        return LabelledWorld(super().copy(root).root, self.plan_text, self.judge)

    def planned(self, *changes: tuple[str, str]) -> "LabelledWorld":
        """The same world with other words in its plan."""
        text = self.plan_text
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        return replace(self, plan_text=text)

    def judged(self, **variables: str) -> "LabelledWorld":
        """The same world with another judge."""
        return replace(self, judge=variables)

    def asking(self, served: Served, **variables: str) -> "LabelledWorld":
        """The same world with a model of a service for a judge."""
        base = {"SFT_JUDGE": "openai", "SFT_JUDGE_MODEL": MODEL, "SFT_JUDGE_BASE_URL": served.url}
        return self.judged(**base, **variables)

    @property
    def shelf(self) -> Shelf:
        """What checks read."""
        return Shelf(self.tables, open_release_store(self.settings.releases))

    @property
    def checked(self) -> tuple[CheckedAsset, ...]:
        """The assets with their claims."""
        return checked_assets(self.settings.plan)

    def broken(self, asset: str, part: str = "") -> set[str]:
        """The claims about a partition that do not hold, fatal or not."""
        checked = next(one for one in self.checked if one.asset == asset)
        outcomes = checked.outcomes(self.shelf, PartitionParts(KEY, part))
        return {claim.name for claim, outcome in outcomes if not outcome.passed}


@pytest.fixture(scope="session")
def labelled(walked: World, tmp_path_factory: pytest.TempPathFactory) -> LabelledWorld:
    """One finished walk to an SFT release; tests that change anything copy it first."""
    world = LabelledWorld(walked.copy(tmp_path_factory.mktemp("labelled")).root)
    world.walk()
    return world


@pytest.fixture
def sampled(walked: World, tmp_path: Path) -> LabelledWorld:
    """A walk that ended with the samples: nothing is labelled yet."""
    return LabelledWorld(walked.copy(tmp_path).root)
