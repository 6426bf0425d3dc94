"""A plan that changes in a home where its former self was walked, and a judge that is looked at before any work."""

from pathlib import Path

import pytest

from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.judge_server import judge_server
from sft_pipeline_tests.orchestration.labelled_world import LabelledWorld
from sft_pipeline_tests.orchestration.walked_world import KEY
from sft_pipeline_tests.test_cli_labels import sft

CONTENT = (
    "history = { turns = 3, characters = 2000 }",
    'content = "history_and_request"\nhistory = { turns = 3, characters = 2000 }',
)


def test_what_other_content_replaces_is_in_nobody_s_way(labelled: LabelledWorld, tmp_path: Path) -> None:
    """Regression: training sets of the plan as it was counted as siblings, and a walk refused for ever."""
    world = labelled.copy(tmp_path).planned(CONTENT, ("train = 40", "train = 60"), ('"refuse"', '"cap"'))
    made = world.made()
    assert made["conversation_router/training_sets"] == 4
    assert made["sft_release"] == 1
    assert set(world.made().values()) == {0}


def test_a_judge_that_cannot_be_reached_is_told_before_any_work(labelled: LabelledWorld, tmp_path: Path) -> None:
    away = {"SFT_JUDGE": "openai", "SFT_JUDGE_MODEL": "m", "SFT_JUDGE_BASE_URL": "http://127.0.0.1:9/v1"}
    world = labelled.copy(tmp_path).judged(**away)
    with pytest.raises(Refused, match=r"openai at http://127\.0\.0\.1:9.*\n.*compare the address"):
        world.walk()
    assert world.made("sample_release")["sample_release"] == 0


def test_a_model_that_the_service_does_not_have_is_told_before_any_work(
    labelled: LabelledWorld, tmp_path: Path
) -> None:
    with judge_server(models=("another",)) as served:
        world = labelled.copy(tmp_path).asking(served)
        with pytest.raises(Refused, match="has no model stand-in-model"):
            world.walk()
        assert not served.log.asked


def test_a_finished_walk_needs_no_judge(labelled: LabelledWorld, tmp_path: Path) -> None:
    with judge_server() as served:
        world = labelled.copy(tmp_path).asking(served)
        assert world.made("session_router/verdicts")["session_router/verdicts"] == 2
    assert set(world.made("session_router/verdicts").values()) == {0}


def test_a_prompt_that_is_not_there_is_found_by_doctor(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path).planned(
        ('second_prompt = "conversation_router_1b"', 'second_prompt = "no/such.md"')
    )
    told = sft(world.judged(SFT_JUDGE="openai", SFT_JUDGE_MODEL="m"), "doctor", "--window", KEY)
    assert told.returncode == 1
    assert "problem  judge: " in told.stdout
    assert "no/such.md" in told.stdout
