"""What is held back for questions, and what makes verdicts stale, by plan and judge."""

from pathlib import Path

import pytest

from sft_pipeline.clients.labelling.budget import BYTES_PER_TOKEN, PROMPT_TOKENS
from sft_pipeline.curation.judging import Question
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import Routers
from sft_pipeline.orchestration import judging
from sft_pipeline.orchestration.judge_settings import JudgeSettings
from sft_pipeline.orchestration.judging import judging_budget, judging_code_version
from sft_pipeline.plans import read_plan
from sft_pipeline.prompts import Canary, read_canaries, read_prompt

PLAN = read_plan("test")
ROUTERS = routers_of(PLAN)
MODEL = JudgeSettings(kind="openai", model="gpt-4.1-mini", mode="batch")
QUESTIONS = [Question(str(number), "why?", "", {}) for number in range(50_000)]


def with_judging(**knobs: object) -> Routers:
    return ROUTERS.model_copy(update={"judging": ROUTERS.judging.model_copy(update=knobs)})


def allowed(routers: Routers) -> int:
    return len(list(judging_budget(MODEL, routers, "session_router", spent=0.0).allowed(QUESTIONS)))


def test_a_long_prompt_of_ones_own_is_held_back_for(tmp_path: Path) -> None:
    own = tmp_path / "own.md"
    own.write_text(read_prompt("session_router_1").text.replace("## User", f"{'Be careful. ' * 2_000}\n\n## User"))
    knobs = ROUTERS.session_router.model_copy(update={"prompt": str(own)})
    longer = ROUTERS.model_copy(update={"session_router": knobs})
    budget = judging_budget(MODEL, longer, "session_router", spent=0.0)
    assert budget.prompt_tokens == own.stat().st_size / BYTES_PER_TOKEN > 5 * PROMPT_TOKENS
    assert 5 * allowed(longer) < allowed(ROUTERS) < len(QUESTIONS)


def test_the_thoughts_of_a_reasoning_model_are_held_back_for_and_not_told_as_the_estimate() -> None:
    thinking = with_judging(parameters={"max_completion_tokens": 2_000})
    budget = judging_budget(MODEL, thinking, "session_router", spent=0.0)
    at_most = (budget.prompt_tokens * 0.4 + 2_000 * 1.6) / 1e6 / 2
    assert allowed(thinking) * at_most <= ROUTERS.judging.max_cost < (allowed(thinking) + 2) * at_most
    assert budget.estimate(QUESTIONS[0]) < at_most / 5


@pytest.mark.parametrize("kind", ["heuristic", "stored"])
def test_who_asks_no_model_needs_no_prompt(kind: str) -> None:
    knobs = ROUTERS.session_router.model_copy(update={"prompt": "session_router_of_ours"})
    settings = JudgeSettings.model_validate({"kind": kind})
    routers = ROUTERS.model_copy(update={"session_router": knobs})
    assert not judging_budget(settings, routers, "session_router", spent=0.0).is_for_money


def test_another_canary_makes_verdicts_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    before = judging_code_version(PLAN, MODEL, "session_router")

    def fewer(router: str) -> list[Canary]:
        return [canary for canary in read_canaries() if canary.router in ("", router)][1:]

    monkeypatch.setattr(judging, "read_canaries", fewer)
    assert judging_code_version(PLAN, MODEL, "session_router") != before
