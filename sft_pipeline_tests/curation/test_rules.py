"""Every rule has a row that breaks it; what is told of it says what is wrong and nothing private."""

import re
from dataclasses import replace

import polars as pl
import pytest

from sft_pipeline.curation.rules import Rule, chunk_rule
from sft_pipeline.curation.validating import INVALID, judge, violations
from sft_pipeline_tests.conversations_world import (
    PLAN,
    Row,
    conversation,
    conversations,
    some_id,
    turn,
    turns_up_to,
)
from sft_pipeline_tests.curation.counter_examples import (
    CHUNKS,
    COUNTER_EXAMPLES,
    GOOD,
    PRIVATE,
    RULES,
    broken_rules,
    good,
    messages,
    with_turn_2,
)


def test_the_good_conversation_breaks_no_rule() -> None:
    assert broken_rules(good()) == []


def test_there_is_a_counter_example_for_every_rule_and_none_too_many() -> None:
    assert set(COUNTER_EXAMPLES) == {rule.name for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
class TestEveryRule:
    def test_its_counter_example_breaks_it_and_no_other(self, rule: Rule) -> None:
        rows, inevitable = COUNTER_EXAMPLES[rule.name]
        assert set(broken_rules(*rows)) == {rule.name, *inevitable}

    def test_only_a_fatal_one_keeps_the_record_out(self, rule: Rule) -> None:
        rows, inevitable = COUNTER_EXAMPLES[rule.name]
        alone = [other for other in RULES if other.name not in inevitable]
        valid, rejected = judge(conversations(*rows), alone, PLAN)
        kept = rule.severity == "warning"
        assert (valid.height, rejected.height) == ((len(rows), 0) if kept else (0, len(rows)))

    def test_it_keeps_quiet_about_text_and_user(self, rule: Rule) -> None:
        rows, _ = COUNTER_EXAMPLES[rule.name]
        told = " ".join(messages(*rows))
        assert told
        assert not any(word in told for word in PRIVATE)

    def test_its_name_is_its_own_and_fit_for_a_check(self, rule: Rule) -> None:
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", rule.name)
        assert [other.name for other in RULES].count(rule.name) == 1

    def test_null_in_all_it_reads_breaks_it(self, rule: Rule) -> None:
        row = good(**dict.fromkeys(rule.broken.meta.root_names() & conversation(GOOD).keys()))
        rows = [row, row] if rule.name == "ids_are_unique" else [row]
        assert rule.name in broken_rules(*rows)

    def test_it_holds_in_an_empty_frame(self, rule: Rule) -> None:
        assert violations(conversations(), [rule], PLAN).is_empty()

    def test_a_message_stands_in_for_one_that_cannot_be_put_together(self, rule: Rule) -> None:
        silent = replace(rule, message=pl.lit(None, pl.String()))
        rows, _ = COUNTER_EXAMPLES[rule.name]
        assert violations(conversations(*rows), [silent], PLAN)["message"].unique().to_list() == [rule.statement]


def test_severities_are_those_of_the_requirements() -> None:
    assert [rule.name for rule in RULES if rule.severity == "warning"] == [
        "every_turn_has_a_model_message",
        "prompt_tokens_are_positive",
        "completion_tokens_are_not_negative",
    ]


class TestMessages:
    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"turnCount": 6, "turnsArray": turns_up_to(6)}, ["Bucket mismatch: short bucket has 6 turns"]),
            ({"userName": ""}, ["Missing required fields: userName"]),
            ({"userName": None}, ["Missing required fields: userName", "userName is no pseudonym"]),
            ({"userName": "user-0123"}, ["userName is no pseudonym"]),
            (
                {"turnsArray": with_turn_2(userMessage="ghp_" + 36 * "a", modelMessage="sk-" + 48 * "b")},
                ["Secrets in 1 turns"],
            ),
            ({"minTurnIndex": 2}, ["Incomplete: 3 of 3 turns captured"]),
            ({"maxTurnIndex": 5}, ["Incomplete: 3 of 5 turns captured"]),
            (
                {"turnsArray": [turn(0), turn(1), turn(2)]},
                ["First turn has index 0", "Turn indices are not sequential"],
            ),
            ({"turnsArray": [turn(1), turn(2), turn(2)]}, ["Turn indices are not sequential"]),
            (
                {"turnsArray": turns_up_to(4)},
                ["Turn count mismatch: turnCount is 3, turnsArray has 4 turns"],
            ),
            ({"turnsArray": [turn(index, userMessage=" ") for index in (1, 2, 3)]}, ["Empty userMessage in 3 turns"]),
            ({"turnsArray": with_turn_2(modelMessage=None)}, ["Empty modelMessage in 1 turns"]),
            ({"promptTokens": 0}, ["promptTokens is 0"]),
            ({"promptTokens": None}, ["promptTokens is unknown"]),
            ({"completionTokens": -3}, ["completionTokens is -3"]),
            ({"completionTokens": 0}, []),
            ({"split": "val"}, ["Split mismatch: train by hash is in val", "val conversation in a sample of train"]),
        ],
    )
    def test_they_say_what_is_wrong(self, fields: Row, told: list[str]) -> None:
        assert messages(good(**fields)) == told

    def test_all_missing_fields_are_named_in_order(self) -> None:
        row = good(conversationId="", userName=" ", bucket=None, turnsArray=[])
        assert messages(row)[0] == "Missing required fields: conversationId, userName, bucket, turnsArray"

    def test_a_foreign_conversation_is_told_with_the_chunk(self) -> None:
        frame = conversations(conversation(some_id(split="train", chunk=1)))
        found = violations(frame, [chunk_rule(2, CHUNKS)], PLAN)["message"].to_list()
        assert found == ["Not of chunk 2 of 4 by hash"]

    def test_violations_stand_by_rule_then_row(self) -> None:
        rows = [good(promptTokens=0), good(completionTokens=-1), good(promptTokens=0, completionTokens=-1)]
        found = violations(conversations(*rows), RULES, PLAN).filter(pl.col("severity") == "warning")
        assert found.select("rule", "row").rows() == [
            ("prompt_tokens_are_positive", 0),
            ("prompt_tokens_are_positive", 2),
            ("completion_tokens_are_not_negative", 1),
            ("completion_tokens_are_not_negative", 2),
        ]

    def test_no_rules_find_nothing_in_the_same_columns(self) -> None:
        """Regression: Polars cannot concatenate no frames."""
        none = violations(conversations(good()), [], PLAN)
        assert none.schema == violations(conversations(good(promptTokens=0)), RULES, PLAN).schema
        assert none.is_empty()


class TestNulls:
    def test_fault_24_a_turn_without_an_index_is_not_sequential(self) -> None:
        """Regression: null differs from nothing, and `any` passes over it."""
        assert broken_rules(good(turnsArray=with_turn_2(turnIndex=None))) == ["turns_are_sequential"]

    def test_no_list_of_turns_breaks_every_rule_about_turns(self) -> None:
        assert set(broken_rules(good(turnsArray=None))) == {
            "required_fields_are_present",
            "first_turn_is_1",
            "turns_are_sequential",
            "turn_count_matches_turns",
            "every_turn_has_a_user_message",
            "every_turn_has_a_model_message",
            "no_secrets",
        }

    def test_an_empty_list_of_turns_has_no_first_turn(self) -> None:
        assert broken_rules(good(turnsArray=[])) == [
            "required_fields_are_present",
            "first_turn_is_1",
            "turn_count_matches_turns",
        ]

    @pytest.mark.parametrize("row", [{"turnIndex": None}, {"userMessage": None}, None])
    def test_a_turn_of_nulls_is_fatal(self, row: Row | None) -> None:
        turns = [turn(1), None if row is None else {**turn(2), **row}, turn(3)]
        assert judge(conversations(good(turnsArray=turns)), RULES, PLAN).valid.is_empty()

    def test_a_row_of_nulls_is_rejected_with_all_its_errors(self) -> None:
        row = {**dict.fromkeys(conversation(GOOD)), "split": "train", "turnCount": 0}
        (rejected,) = judge(conversations(row), RULES, PLAN).rejected.rows(named=True)
        assert (rejected["conversationId"], rejected["bucket"], rejected["dropReason"]) == ("", "", INVALID)
        assert rejected["errors"][0] == "Missing required fields: conversationId, userName, bucket, turnsArray"
        assert all(rejected["errors"])
