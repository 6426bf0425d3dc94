"""Valid rows, rejected rows, and refusing to go on: nothing is lost and nothing private is told."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.rules import Rule, conversation_rules
from sft_pipeline.curation.tables import RejectedConversation, schema_of
from sft_pipeline.curation.validating import InvalidRecordsError, judge, require_valid
from sft_pipeline_tests.conversations_world import (
    PLAN,
    Row,
    conversation,
    conversations,
    turn,
)
from sft_pipeline_tests.curation.counter_examples import (
    COUNTER_EXAMPLES,
    FATAL,
    GOOD,
    PRIVATE,
    RULES,
    good,
    with_turn_2,
)

FAULTS: dict[str, Callable[[Row], Row]] = {
    "none": lambda row: row,
    "blank message": lambda row: {**row, "turnsArray": with_turn_2(userMessage="\u200b")},
    "gap": lambda row: {**row, "turnsArray": [turn(1), turn(3)]},
    "no turns": lambda row: {**row, "turnsArray": None},
    "no id": lambda row: {**row, "conversationId": None},
    "no bucket": lambda row: {**row, "bucket": None},
    "other split": lambda row: {**row, "split": "elsewhere"},
    "no tokens": lambda row: {**row, "promptTokens": None},
    "incomplete": lambda row: {**row, "maxTurnIndex": 9},
}
HARMLESS = {"none", "no tokens"}


class TestJudging:
    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(sorted(FAULTS))), max_size=12))
    def test_every_row_is_either_valid_or_rejected(self, drawn: list[tuple[int, str]]) -> None:
        rows = [FAULTS[fault](conversation(f"c-{number}")) for number, fault in drawn]
        frame = conversations(*rows)
        valid, rejected = judge(frame, conversation_rules(PLAN), PLAN)
        assert valid.height + rejected.height == frame.height
        numbers = [number for number, _ in drawn]
        good_rows = [
            f"c-{number}"
            for number, fault in drawn
            if fault in HARMLESS and sum(row["conversationId"] == f"c-{number}" for row in rows) == 1
        ]
        assert len(numbers) == frame.height
        assert valid["conversationId"].to_list() == good_rows
        assert valid.schema == frame.schema
        assert RejectedConversation.validate(rejected).height == rejected.height
        assert rejected["errors"].list.len().min() != 0

    def test_valid_rows_keep_their_order_and_all_their_fields(self) -> None:
        frame = conversations(*(conversation(f"c-{number}") for number in (3, 1, 2)))
        assert judge(frame, conversation_rules(PLAN), PLAN).valid.equals(frame)

    def test_a_rejected_row_tells_all_its_errors_in_the_order_of_the_rules(self) -> None:
        row = good(turnCount=6, turnsArray=[turn(2), turn(3, userMessage="")], maxTurnIndex=4, promptTokens=0)
        (rejected,) = judge(conversations(row), RULES, PLAN).rejected.rows(named=True)
        assert rejected == {
            "conversationId": GOOD,
            "split": "train",
            "bucket": "short",
            "turnCount": 6,
            "dropReason": "invalid",
            "errors": [
                "Incomplete: 3 of 4 turns captured",
                "First turn has index 2",
                "Turn indices are not sequential",
                "Turn count mismatch: turnCount is 6, turnsArray has 2 turns",
                "Bucket mismatch: short bucket has 6 turns",
                "Empty userMessage in 1 turns",
            ],
        }

    def test_rejected_rows_carry_neither_text_nor_user(self) -> None:
        frame = conversations(good(turnsArray=with_turn_2(userMessage=" "), bucket="long"))
        rejected = judge(frame, RULES, PLAN).rejected
        assert rejected.schema == schema_of(RejectedConversation)
        assert not any(word in rejected.write_json() for word in PRIVATE)

    def test_both_copies_of_an_id_are_rejected(self) -> None:
        assert judge(conversations(good(), good(turnCount=4)), RULES, PLAN).rejected.height == 2

    def test_no_rows_make_two_typed_empty_frames(self) -> None:
        valid, rejected = judge(conversations(), RULES, PLAN)
        assert valid.schema == conversations().schema
        assert rejected.schema == schema_of(RejectedConversation)

    def test_warnings_alone_reject_nothing(self) -> None:
        frame = conversations(good(promptTokens=0))
        warnings = [rule for rule in RULES if rule.severity == "warning"]
        assert judge(frame, warnings, PLAN).valid.equals(frame)


class TestRequiring:
    def test_valid_records_and_no_records_pass(self) -> None:
        for frame in (conversations(good()), conversations()):
            require_valid(frame, RULES, PLAN, name="the sample")

    def test_warnings_pass(self) -> None:
        require_valid(conversations(good(promptTokens=0)), RULES, PLAN, name="the sample")

    def test_each_broken_rule_is_named_with_its_count_and_at_most_five_ids(self) -> None:
        rows = [conversation(f"c-{number}", bucket="long") for number in range(7)]
        rows[6]["minTurnIndex"] = 2
        with pytest.raises(InvalidRecordsError) as caught:
            require_valid(conversations(*rows), conversation_rules(PLAN), PLAN, name="train-short")
        assert str(caught.value) == (
            "train-short holds records that must not be published: "
            "conversation_is_complete: 1 records, e.g. c-6; "
            "bucket_matches_turn_count: 7 records, e.g. c-0, c-1, c-2, c-3, c-4"
        )

    def test_a_record_without_an_id_is_told_as_null(self) -> None:
        with pytest.raises(InvalidRecordsError, match=r"required_fields_are_present: 1 records, e\.g\. null"):
            require_valid(conversations(good(conversationId=None)), RULES, PLAN, name="x")

    @pytest.mark.parametrize("rule", FATAL, ids=lambda rule: rule.name)
    def test_no_message_text_and_no_user_is_told(self, rule: Rule) -> None:
        rows, _ = COUNTER_EXAMPLES[rule.name]
        with pytest.raises(InvalidRecordsError, match=rule.name) as caught:
            require_valid(conversations(*rows), RULES, PLAN, name="x")
        assert not any(word in str(caught.value) for word in PRIVATE)
