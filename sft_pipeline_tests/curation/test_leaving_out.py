"""What is not judged has one reason, the first that holds, and no text is judged twice."""

import polars as pl
import pytest
from hypothesis import given, settings

from sft_pipeline.curation.line_tokens import TOKENS_BESIDE_CONTENT
from sft_pipeline.curation.requests import content_key, content_keys, higher_splits, requests_of, routers_of
from sft_pipeline.curation.router_tables import Request
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline_tests.conversations_world import Row, conversations
from sft_pipeline_tests.curation.labels_world import PLAN
from sft_pipeline_tests.curation.requests_world import (
    HISTORY_IN_CONTENT,
    LIMIT,
    STRICT,
    asked,
    named,
    only,
    reasons,
    routers,
    said,
    talk,
    talks,
)

SPLITS = ("train", "val", "test")


class TestLeavingOut:
    def test_a_button_press_is_left_out_whatever_it_says(self) -> None:
        table = asked(talk("c-1", [{}, {"isContinuation": True, "userMessage": ""}]))
        assert reasons(table)["c-1#2"] == "continuation"

    @pytest.mark.parametrize("blank", [None, "", " \n\t", "\u200b\ufeff", "\u2800"])
    def test_nothing_to_see_is_left_out(self, blank: str | None) -> None:
        table = asked(said("c-1", "a", blank))
        assert reasons(table)["c-1#2"] == "empty"
        assert only(table, "c-1#2")["request"] == (blank or "")

    def test_a_line_above_the_limit_is_left_out_and_one_at_it_is_not(self) -> None:
        room = 3 * (LIMIT - TOKENS_BESIDE_CONTENT)
        table = asked(said("c-1", "x" * room, "y" * (room + 1)), plan=STRICT)
        assert reasons(table) == {"c-1#1": None, "c-1#2": "too_long"}

    def test_a_history_that_stands_in_the_line_counts_for_its_length(self) -> None:
        knobs = {"training": routers_of(STRICT).training}
        plan = HISTORY_IN_CONTENT.model_copy(
            update={"routers": routers_of(HISTORY_IN_CONTENT).model_copy(update=knobs)}
        )
        texts = ("x" * 400, "y" * 100)
        assert reasons(asked(said("c-1", *texts), plan=plan)) == {"c-1#1": None, "c-1#2": "too_long"}
        assert reasons(asked(said("c-1", *texts), plan=STRICT)) == {"c-1#1": None, "c-1#2": None}

    def test_a_text_of_a_higher_split_is_left_out_and_the_split_named(self) -> None:
        taken = {content_key("fix IT"): "test", content_key("other"): "val"}
        table = asked(said("c-1", "Fix  it", "other", "free"), taken=taken)
        assert reasons(table) == {"c-1#1": "same_text_in_test", "c-1#2": "same_text_in_val", "c-1#3": None}

    def test_of_one_text_the_first_by_priority_stays(self) -> None:
        table = asked(*[said(f"c-{number}", "Fix it", f"b {number}", "fix\tit\u200b") for number in range(5)])
        same = table.filter(pl.col("turnIndex") != 2)
        assert same["leftOut"].to_list() == [None, *["same_text"] * 9]
        assert table.filter(turnIndex=2)["leftOut"].null_count() == 5

    def test_what_is_left_out_takes_no_text_from_others(self) -> None:
        rows = [talk(f"c-{number}", [{"userMessage": "go on", "isContinuation": number < 9}]) for number in range(10)]
        table = asked(*rows)
        assert reasons(table)["c-9#1"] is None
        assert table["leftOut"].drop_nulls().to_list() == ["continuation"] * 9

    @given(talks, talks, talks, routers)
    @settings(max_examples=50)
    def test_fault_36_no_text_is_judged_in_two_splits_or_twice_in_one(
        self,
        train: list[list[Row]],
        val: list[list[Row]],
        test: list[list[Row]],
        router: RouterName,
    ) -> None:
        frames = {
            split: conversations(*[{**row, "conversationId": f"{split}-{row['conversationId']}"} for row in named(of)])
            for split, of in zip(SPLITS, (train, val, test), strict=True)
        }
        keys = {split: content_keys(frame, STRICT, router) for split, frame in frames.items()}
        judged: list[str] = []
        for split, frame in frames.items():
            lowest_first = reversed(higher_splits(STRICT, split))
            taken = {key: higher for higher in lowest_first for key in keys[higher]}
            table = requests_of(frame, STRICT, router, split, taken)
            judged += table.filter(pl.col("leftOut").is_null())["contentKey"].to_list()
            told = table["leftOut"].drop_nulls().str.strip_prefix("same_text_in_")
            assert set(told) <= {"continuation", "empty", "too_long", "same_text", *higher_splits(STRICT, split)}
        assert len(judged) == len(set(judged))
        assert set(judged) == {key for of_split in keys.values() for key in of_split}

    def test_no_conversations_are_no_requests(self) -> None:
        for router in ROUTERS:
            table = asked(router=router)
            assert Request.is_valid(table)
            assert table.is_empty()
            assert content_keys(conversations(), PLAN, router).is_empty()
