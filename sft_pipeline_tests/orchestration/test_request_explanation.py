"""What is said of a request: judged or left out, the verdict, and the files that hold it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.orchestration.request_explanation import explain_requests, split_request_id
from sft_pipeline_tests.orchestration.labelled_world import TRAIN, LabelledWorld
from sft_pipeline_tests.orchestration.test_checks import rewrite
from sft_pipeline_tests.orchestration.walked_world import KEY

SESSION, CONVERSATION = "session_router", "conversation_router"


def told(world: LabelledWorld, request: dict[str, Any], router: str, *, turn: bool = True) -> dict[str, list[str]]:
    """What each table says of a request, or of all of its conversation; those of one router, and the release."""
    index = request["turnIndex"] if turn else None
    said: dict[str, list[str]] = {}
    for where, says in explain_requests(request["conversationId"], index, world.settings.plan, world.tables, KEY):
        if where.startswith((router, "sft_release")):
            said.setdefault(where.removeprefix(f"{router}/"), []).append(says)
    return said


def requests(world: LabelledWorld, router: str, split: str = "train") -> pl.DataFrame:
    return world.table(f"{router}/requests", split)


def verdicts(world: LabelledWorld, router: str, split: str = "train") -> pl.DataFrame:
    """The verdicts with their requests."""
    return requests(world, router, split).join(world.table(f"{router}/verdicts", split), on="requestId")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a-b#3", ("a-b", 3)),
        ("a-b", ("a-b", None)),
        ("a#b#12", ("a#b", 12)),
        ("a#", ("a#", None)),
        ("a#x", ("a#x", None)),
        ("a#\u0663", ("a#\u0663", None)),
        ("#1", ("", 1)),
    ],
)
def test_a_request_is_named_by_its_conversation_and_turn(text: str, parts: tuple[str, int | None]) -> None:
    assert split_request_id(text) == parts


@pytest.mark.parametrize("router", [SESSION, CONVERSATION])
def test_a_request_in_a_file_is_told_with_its_line_and_the_release(labelled: LabelledWorld, router: str) -> None:
    rows = labelled.table(f"{router}/training_sets", TRAIN).with_row_index("line", offset=1)
    request = rows.row(7, named=True)
    said = told(labelled, request, router)
    turn = f"turn {request['turnIndex']}"
    assert said["requests"] == [f"{turn}: can be judged, {request['turnPosition']}, complexity {request['complexity']}"]
    [verdict] = said["verdicts"]
    assert verdict.startswith(f"{turn}: label {request['label']} by heuristic/proxies_of_source_003, prompt ")
    assert f"{turn}: line 8 of {router}/datav3_train_70r_30n_sft.jsonl" in said["sft_artifacts"]
    assert said["sft_release"] == [labelled.table("sft_release")["url"][0]]


@pytest.mark.parametrize("router", [SESSION, CONVERSATION])
def test_a_labelled_request_that_no_file_took_is_in_no_release(labelled: LabelledWorld, router: str) -> None:
    """Regression: every labelled request was told to be in the release."""
    taken = pl.concat(
        [
            labelled.table(f"{router}/training_sets", f"train-{ratio}").select("requestId")
            for ratio in ("70r30n", "50r50n")
        ]
    )
    request = verdicts(labelled, router).join(taken, on="requestId", how="anti").row(0, named=True)
    said = told(labelled, request, router)
    assert {*said} == {"requests", "verdicts", "training_sets"}
    label = request["label"]
    for ratio, told_of_it in zip((70, 50), said["training_sets"], strict=True):
        others = 40 * (ratio if label == 0 else 100 - ratio) // 100
        assert told_of_it == (
            f"turn {request['turnIndex']}: not in train-{ratio}r{100 - ratio}n: "
            f"{others} others with label {label} come first"
        )


def test_a_request_beyond_what_was_needed_was_not_asked(labelled: LabelledWorld) -> None:
    judgeable = requests(labelled, SESSION).filter(pl.col("leftOut").is_null())
    said = told(labelled, judgeable.row(-1, named=True), SESSION)
    assert {*said} == {"requests", "verdicts"}
    assert said["verdicts"][0].startswith("turn 1: not asked: ")


@pytest.mark.parametrize(
    ("router", "reason", "why"),
    [
        (SESSION, "same_text", "the same text stands earlier in the priority order"),
        (SESSION, "same_text_in_test", "the same text stands in test"),
        (CONVERSATION, "same_text_in_val", "the same text stands in val"),
        (CONVERSATION, "continuation", "a button press, not a request"),
    ],
)
def test_what_is_left_out_is_told_with_the_reason(labelled: LabelledWorld, router: str, reason: str, why: str) -> None:
    request = requests(labelled, router).filter(leftOut=reason).row(0, named=True)
    expected = f"turn {request['turnIndex']}: not judged ({reason}): {why}"
    assert told(labelled, request, router)["requests"] == [expected]


def test_a_conversation_is_told_turn_by_turn(labelled: LabelledWorld) -> None:
    mine = requests(labelled, CONVERSATION).filter(turnCount=6)
    request = mine.row(0, named=True)
    said = told(labelled, request, CONVERSATION, turn=False)
    assert [line.partition(":")[0] for line in said["requests"]] == [f"turn {turn}" for turn in range(1, 7)]
    assert len(said.get("sft_release", [])) <= 1


def test_a_later_turn_is_none_of_the_session_router(labelled: LabelledWorld) -> None:
    request = requests(labelled, SESSION).row(0, named=True) | {"turnIndex": 2}
    [line] = told(labelled, request, SESSION)["requests"]
    assert line == "turn 2: not judged: this router looks at first requests alone"


def test_a_conversation_that_strategy_1_did_not_choose_is_told(labelled: LabelledWorld) -> None:
    chosen = requests(labelled, CONVERSATION)
    others = requests(labelled, SESSION).join(chosen, on="conversationId", how="anti")
    request = others.row(0, named=True)
    [line] = told(labelled, request, CONVERSATION)["requests"]
    assert line.startswith(f"not chosen: others of train-{request['bucket']} come first")


def test_a_split_that_nothing_is_trained_on_is_told(labelled: LabelledWorld) -> None:
    conversation = labelled.table("conversations").filter(split="test").row(0, named=True) | {"turnIndex": 1}
    assert told(labelled, conversation, SESSION) == {
        "requests": ["not judged: routers.training.totals has no split test"]
    }


def test_who_was_asked_again_said_what_and_why_there_is_no_label(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path)
    rewrite(
        world,
        TableKey("session_router/verdicts", KEY, "train"),
        lambda frame: frame.with_columns(
            label=pl.lit(None, pl.Int64),
            reason=pl.lit("malformed_answer"),
            retestLabel=pl.lit(1),
            secondLabel=pl.lit(0),
        ),
    )
    request = verdicts(world, SESSION).row(0, named=True)
    [verdict] = told(world, request, SESSION)["verdicts"]
    assert verdict.startswith("turn 1: unlabelled (malformed_answer) by heuristic/")
    assert verdict.endswith(", asked again: 1, second opinion: 0")


@pytest.mark.parametrize(("conversation", "turn"), [("nobody", 1), ("", None)])
def test_nothing_is_said_of_what_is_not_there(labelled: LabelledWorld, conversation: str, turn: int | None) -> None:
    assert [*explain_requests(conversation, turn, labelled.settings.plan, labelled.tables, KEY)] == []


@pytest.mark.parametrize("turn", [0, 21])
def test_nothing_is_said_of_a_turn_that_there_is_not(labelled: LabelledWorld, turn: int) -> None:
    request = requests(labelled, CONVERSATION).row(0, named=True) | {"turnIndex": turn}
    assert told(labelled, request, CONVERSATION) == {}


def test_what_was_only_sampled_has_no_requests(sampled: LabelledWorld) -> None:
    conversation_id = str(sampled.table("conversations").filter(split="train")["conversationId"][0])
    plan = sampled.settings.plan
    assert [*explain_requests(conversation_id, 1, plan, sampled.tables, KEY)] == []
    assert [*explain_requests(conversation_id, 1, plan.model_copy(update={"routers": None}), sampled.tables, KEY)] == []
