"""Labels over HTTP from a service of models: not to be trusted (43), killed in mid-labelling, out of money, throttled.

Belongs here: walks whose judge is the service. Does not belong here: the judge alone (clients.judges), the label loop
(clients.labelling).
"""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock
from typing import NamedTuple

import dagster as dg
import pytest

from sft_pipeline.clients.judges.retries import Retries
from sft_pipeline.curation import label_claims
from sft_pipeline.curation.claims import Claim
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.judging import open_labels
from sft_pipeline.orchestration.walk import ChecksFailedError
from sft_pipeline.prompts import read_canaries, read_prompt
from sft_pipeline_tests.judge_server import Asked, Fault, Said, Served, by_words, judge_server
from sft_pipeline_tests.judge_server.brain import Brain
from sft_pipeline_tests.judge_server.faults import throttled
from sft_pipeline_tests.orchestration.labelled_world import LabelledWorld
from sft_pipeline_tests.orchestration.test_router_assets import VERDICTS, native
from sft_pipeline_tests.orchestration.walked_world import KEY, World

COMMAND = str(Path(sys.executable).with_name("sft-pipeline"))
ASSET = "session_router/verdicts"
CANARIES = {canary.request for canary in read_canaries()}
SECOND = read_prompt("session_router_1b").parts["System"]
PATIENCE = 240
"""Seconds in which a process must be over, or have come so far; alone on a machine it takes five."""


@pytest.fixture(scope="module", autouse=True)
def quick_retries() -> Iterator[None]:
    """The judge that the walk opens is as patient as in production, in milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        quick = Retries(first_seconds=0.01, longest_seconds=0.02)
        patch.setattr("sft_pipeline.clients.judges.openai_judge.Retries", lambda: quick)
        yield


@pytest.fixture(scope="module")
def to_judge(walked: World, tmp_path_factory: pytest.TempPathFactory) -> LabelledWorld:
    """The requests of the session router; none of them is judged."""
    world = LabelledWorld(walked.copy(tmp_path_factory.mktemp("requests")).root)
    world.walk("session_router/requests")
    return world


@pytest.fixture
def world(to_judge: LabelledWorld, tmp_path: Path) -> LabelledWorld:
    """A copy that a test may judge."""
    return to_judge.copy(tmp_path)


@pytest.fixture
def served() -> Iterator[Served]:
    """A service that is well until a test says otherwise."""
    with judge_server() as running:
        yield running


def labels(world: LabelledWorld) -> dict[str, int | None]:
    """What every judged request was given."""
    return {
        request_id: label
        for split in ("train", "val")
        for request_id, label in world.table(ASSET, split).select("requestId", "label").iter_rows()
    }


UNDER_WAY = 2 * 8
"""Questions that may be under way when the quotas of the two splits are filled: they are paid for, too."""


class Usual(NamedTuple):
    """What a walk comes to when nothing goes wrong."""

    labels: dict[str, int | None]
    questions: int
    cost: float

    def is_about(self, world: LabelledWorld, served: Served) -> bool:
        """Whether the same was asked and paid for, but for what was under way at the end."""
        dearer = abs(spent(world) - self.cost)
        return abs(served.log.questions - self.questions) <= UNDER_WAY and dearer <= UNDER_WAY * 1.5


@pytest.fixture(scope="module")
def usual(to_judge: LabelledWorld, tmp_path_factory: pytest.TempPathFactory) -> Usual:
    with judge_server() as served:
        world = to_judge.copy(tmp_path_factory.mktemp("usual")).asking(served)
        world.walk(ASSET)
        assert times_asked(served) == 1
        return Usual(labels(world), served.log.questions, spent(world))


def times_asked(served: Served) -> int:
    """How often the question was asked that was asked most often; a re-ask is another question."""
    return max(Counter(served.log.asked).values())


def spent(world: LabelledWorld) -> float:
    """What the ledger says that all labels cost."""
    return float(open_labels(world.settings.labels, world.settings.judging).ledger()["cost"].sum())


@dataclass
class Fickle:
    """A model that answers a request otherwise when it is asked again; canaries come in every split."""

    _heard: Counter[str] = field(default_factory=Counter[str])
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, asked: Asked) -> Said:
        """The usual answer, then its opposite."""
        words = f"{asked.body['messages'][0]}{asked.request}"
        with self._lock:
            self._heard[words] += 1
            first = self._heard[words] == 1
        return by_words(asked) if first or asked.request in CANARIES else _opposite(asked)


def _opposite(asked: Asked) -> Said:
    return Said("1" if by_words(asked).content == "0" else "0")


def obedient(asked: Asked) -> Said:
    """A model that gets canaries wrong."""
    return _opposite(asked) if asked.request in CANARIES else by_words(asked)


def swayed(asked: Asked) -> Said:
    """A model whose answer turns with the wording of the prompt."""
    return _opposite(asked) if SECOND in str(asked.body["messages"][0]["content"]) else by_words(asked)


def evasive(asked: Asked) -> Said:
    """A model that often says neither 0 nor 1."""
    mute = int(sha256(asked.request.encode()).hexdigest(), 16) % 4 == 0 and asked.request not in CANARIES
    return Said("It depends.") if mute else by_words(asked)


@pytest.mark.parametrize(
    ("brain", "claim"),
    [
        (Fickle(), label_claims.RETEST),
        (swayed, label_claims.SECOND),
        (obedient, label_claims.CANARIES),
        (evasive, label_claims.FEW_UNLABELLED),
    ],
    ids=["retest", "second opinion", "canaries", "unlabelled"],
)
def test_fault_43_labels_that_cannot_be_trusted_stop_all_that_comes_after_them(
    world: LabelledWorld, served: Served, brain: Brain, claim: Claim
) -> None:
    """And walking again asks nobody again: the answers are kept, and they are no better."""
    served.brain = brain
    judged = world.asking(served)
    asked: list[int] = []
    for _ in range(2):
        with pytest.raises(ChecksFailedError, match=re.escape(claim.statement)) as refusal:
            judged.walk()
        assert f"{ASSET} train|{KEY}" in refusal.value.what
        assert "[routers.trust]" in refusal.value.remedy
        asked.append(len(served.log.asked))
    assert asked[0] == asked[1]
    assert times_asked(served) == 1
    for asset in ("session_router/training_sets", "session_router/sft_artifacts", "sft_release"):
        assert not list(judged.tables.keys(asset))
    assert not list(Path(judged.settings.releases).glob("*_sft_*"))


def test_fault_43_a_release_asked_for_by_hand_is_refused_too(
    labelled: LabelledWorld, tmp_path: Path, served: Served
) -> None:
    """What labels were before they lost their trust stands in files and tables still."""
    served.brain = obedient
    world = labelled.copy(tmp_path).asking(served)
    assert not native(world, [VERDICTS], f"val|{KEY}", raise_on_error=False).success
    before = sorted(Path(world.settings.releases).glob("*_sft_*"))
    refused = native(world, [dg.AssetKey("sft_release")], KEY, raise_on_error=False)
    assert not refused.success
    [event] = [event for event in refused.all_events if event.is_step_failure]
    told = str(event.step_failure_data.error)
    assert f"{ASSET} val|{KEY} (canaries_keep_their_labels)" in told
    assert sorted(Path(world.settings.releases).glob("*_sft_*")) == before


def test_the_same_labels_are_trusted_when_the_plan_wants_less(world: LabelledWorld, served: Served) -> None:
    served.brain = obedient
    world.planned(("min_canaries = 0.9", "min_canaries = 0")).asking(served).walk(ASSET)
    [step] = [step for step in [world.broken(ASSET, "val")] if step]
    assert "canaries_keep_their_labels" in step


@dataclass
class Stuck:
    """A model that answers so many questions, and then none until it may go on."""

    answers: int
    is_stuck: Event = field(default_factory=Event)
    go_on: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, asked: Asked) -> Said:
        """The usual answer, sooner or later."""
        with self._lock:
            self.answers -= 1
            waits = self.answers < 0
        if waits:
            self.is_stuck.set()
            self.go_on.wait(2 * PATIENCE)
        return by_words(asked)


def test_a_run_killed_in_mid_labelling_sends_only_what_has_no_label(
    world: LabelledWorld, served: Served, usual: Usual
) -> None:
    stuck = Stuck(answers=20)
    served.brain = stuck
    judged = world.asking(served, SFT_JUDGE_CONCURRENCY="2")
    command = [COMMAND, "run", "--window", KEY, "--until", ASSET]
    process = subprocess.Popen(
        command, env=judged.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        assert stuck.is_stuck.wait(PATIENCE)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        stuck.go_on.set()
    assert not list(judged.tables.keys(ASSET))
    first = {nonce for nonce, _, _ in served.log.asked}
    assert 21 <= len(first) <= 22
    again = subprocess.run(
        command, env=judged.environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert again.returncode == 0, again.stderr
    twice = {nonce for (nonce, _, _), times in Counter(served.log.asked).items() if times > 1}
    assert twice <= first
    assert len(twice) <= 2
    assert times_asked(served) <= 2
    assert labels(judged) == usual.labels
    assert usual.is_about(judged, served)


def test_max_cost_stops_with_exit_code_1_and_a_higher_one_pays_only_the_rest(
    world: LabelledWorld, served: Served, usual: Usual
) -> None:
    limited = world.planned(("max_cost = 0", "max_cost = 30")).asking(served)
    stopped = subprocess.run(
        [COMMAND, "run", "--window", KEY, "--until", ASSET],
        env=limited.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert stopped.returncode == 1
    assert "max_cost leaves no room for another question" in stopped.stderr
    assert "of 30.00 USD spent on this window" in stopped.stderr
    assert "raise routers.judging.max_cost" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    first = len(served.log.asked)
    assert 0 < first < usual.questions
    assert 15 < spent(limited) < 30 + 8 * 1.5
    with pytest.raises(Refused, match="max_cost leaves no room"):
        limited.walk(ASSET)
    assert len(served.log.asked) == first
    world.planned(("max_cost = 0", "max_cost = 3000")).asking(served).walk(ASSET)
    assert times_asked(served) == 1
    assert labels(world) == usual.labels
    assert usual.is_about(world, served)


def test_a_larger_total_asks_for_the_difference_alone(world: LabelledWorld, served: Served, usual: Usual) -> None:
    world.planned(("train = 40", "train = 20")).asking(served).walk(ASSET)
    before, fewer = labels(world), served.log.questions
    world.asking(served).walk(ASSET)
    assert times_asked(served) == 1
    assert labels(world) == usual.labels
    assert before.items() < usual.labels.items()
    assert fewer < usual.questions
    assert served.log.questions - fewer < usual.questions
    world.planned(("train = 40", "train = 30")).asking(served).walk(ASSET)
    assert before.items() < labels(world).items() < usual.labels.items()
    assert times_asked(served) == 1


PASSING = (throttled("0"), Fault("status", 503), Fault("reset"), Fault("no_json"), throttled("0.01"))


def now_and_then(asked: Asked) -> Fault | None:
    """Each fault for a share of the questions, once or twice."""
    number = int(asked.nonce, 16)
    troubled = number % 3 == 0 and asked.before < 1 + number % 2
    return PASSING[number // 3 % len(PASSING)] if troubled else None


def test_what_may_pass_in_mid_run_changes_no_label_and_is_paid_once(
    world: LabelledWorld, served: Served, usual: Usual
) -> None:
    served.faults = now_and_then
    judged = world.asking(served)
    judged.walk(ASSET)
    assert len(served.log.asked) > usual.questions * 1.2
    assert labels(judged) == usual.labels
    assert usual.is_about(judged, served)


def test_a_service_that_is_down_stops_the_run_and_loses_nothing(
    world: LabelledWorld, served: Served, usual: Usual
) -> None:
    well: list[str] = []

    def breaks_down(asked: Asked) -> Fault | None:
        with lock:
            if asked.nonce not in well and len(well) < 40:
                well.append(asked.nonce)
        return None if asked.nonce in well else Fault("status", 500)

    lock = Lock()
    served.faults = breaks_down
    judged = world.asking(served)
    with pytest.raises(Refused, match=r"judge openai/stand-in-model: .*after 10 attempts"):
        judged.walk(ASSET)
    served.faults = lambda _: None
    judged.walk(ASSET)
    asked = Counter(nonce for nonce, _, _ in served.log.asked)
    assert {asked[nonce] for nonce in well} == {1}
    assert labels(judged) == usual.labels
    assert usual.is_about(judged, served)
