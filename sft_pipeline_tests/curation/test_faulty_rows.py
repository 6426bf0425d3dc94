"""Bad rows by the number of the fault: rejected, counted, or kept as they are."""

import polars as pl
import pytest

from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.curation.rules import chunk_rule, conversation_rules
from sft_pipeline.curation.validating import judge, violations
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.conversations_world import (
    BY_USER,
    PLAN,
    conversation,
    conversations,
    some_id,
    split_of,
    turn,
    with_names,
)
from sft_pipeline_tests.curation.counter_examples import GOOD, RULES, broken_rules, good


class TestFaultyRows:
    @pytest.mark.parametrize("conversation_id", ["../../x", "o'brien\"; drop table", "a|b", "x" * 10_000, "a\u2028b"])
    def test_fault_32_an_odd_id_is_an_id(self, conversation_id: str) -> None:
        assert violations(conversations(conversation(conversation_id)), conversation_rules(PLAN), PLAN).is_empty()

    @pytest.mark.parametrize("indices", [(1, 2, 4), (1, 2, 2), (0, 1, 2), (2, 1, 3), (1, 3, 2)])
    def test_fault_24_gap_repeat_0_based_and_out_of_order_indices_are_rejected(self, indices: tuple[int, ...]) -> None:
        rows = conversations(good(turnsArray=[turn(index) for index in indices]))
        assert judge(rows, RULES, PLAN).rejected["conversationId"].to_list() == [GOOD]

    @pytest.mark.parametrize("turns", [2, 21])
    @pytest.mark.parametrize("bucket", ["short", "long", "", "huge"])
    def test_fault_25_no_bucket_takes_2_or_21_turns(self, turns: int, bucket: str) -> None:
        assert broken_rules({**conversation(GOOD, turns=turns), "bucket": bucket})[-1] == "bucket_matches_turn_count"

    @pytest.mark.parametrize("turns", range(3, 21))
    def test_fault_25_every_number_of_turns_has_one_bucket(self, turns: int) -> None:
        fitting = [
            bucket
            for bucket in ("short", "medium", "long")
            if not broken_rules({**conversation(GOOD, turns=turns), "bucket": bucket})
        ]
        assert fitting == ["short" if turns <= 5 else "medium" if turns <= 10 else "long"]

    def test_fault_27_tokens_that_make_no_sense_are_counted_and_kept(self) -> None:
        frame = conversations(good(promptTokens=0, completionTokens=-5))
        assert judge(frame, RULES, PLAN).valid.equals(frame)
        assert violations(frame, RULES, PLAN)["severity"].to_list() == ["warning", "warning"]

    def test_fault_19_a_chunk_cut_by_another_count_is_rejected(self) -> None:
        rows = conversations(*(conversation(f"c-{number}") for number in range(200)))
        for chunk in range(5):
            mine = rows.filter(pl.Series([chunk_of(text, 5) == chunk for text in rows["conversationId"]]))
            assert violations(mine, [chunk_rule(chunk, 5)], PLAN).is_empty()
            assert violations(mine, [chunk_rule(chunk, 4)], PLAN).height > mine.height / 2

    def test_chunk_rules_share_out_every_conversation_once(self) -> None:
        rows = conversations(*(conversation(f"c-{number}") for number in range(50)))
        valid = [judge(rows, [chunk_rule(chunk, 3)], PLAN).valid for chunk in range(3)]
        assert sum(frame.height for frame in valid) == 50

    @pytest.mark.parametrize("chunk", range(4))
    def test_fault_32_no_id_belongs_to_no_chunk(self, chunk: int) -> None:
        """Regression: a missing id was hashed as `None` and found a chunk."""
        assert violations(conversations(good(conversationId=None)), [chunk_rule(chunk, 4)], PLAN).height == 1

    def test_fault_37_a_user_in_a_second_split_breaks_the_split_rule_of_a_plan_by_user(self) -> None:
        rows = conversations(*(conversation(f"c-{n}", userName="one", split=split_of("one", PLAN)) for n in range(3)))
        strays = rows.with_columns(split=pl.Series(["train", "val", "test"]))
        found = [violations(frame, conversation_rules(BY_USER), BY_USER) for frame in (rows, strays)]
        assert [frame.height for frame in found] == [0, 2]
        assert found[1]["rule"].unique().to_list() == ["split_matches_hash"]

    def test_a_plan_that_does_not_split_expects_all(self) -> None:
        plan = with_names(read_plan("production_100k"))
        frame = conversations(conversation(GOOD, plan=plan), conversation(some_id(split="train", chunk=1)))
        assert violations(frame, conversation_rules(plan), plan)["message"].to_list() == [
            "Split mismatch: all by hash is in train"
        ]
