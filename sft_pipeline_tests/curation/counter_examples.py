"""A row for every rule that breaks it, and as far as possible no other.

Belongs here: rules, the rows that break them, and what is told of them. Plain values and functions.
"""

from typing import Any

from sft_pipeline.curation.rules import Rule, chunk_rule, conversation_rules, split_rule
from sft_pipeline.curation.validating import violations
from sft_pipeline_tests.conversations_world import (
    PLAN,
    PSEUDONYMOUS,
    Row,
    conversation,
    conversations,
    some_id,
    turn,
)

CHUNKS = PLAN.chunks.count
GOOD = some_id(split="train", chunk=2)
RULES: tuple[Rule, ...] = (*conversation_rules(PSEUDONYMOUS), chunk_rule(2, CHUNKS), split_rule("train"))
FATAL = tuple(rule for rule in RULES if rule.severity == "fatal")


def good(**fields: Any) -> Row:
    """A conversation that breaks no rule of `RULES`, but for these fields."""
    return {**conversation(GOOD), **fields}


def with_turn_2(**fields: Any) -> list[Row]:
    """Three turns, the second with these fields."""
    return [turn(1), turn(2, **fields), turn(3)]


def broken_rules(*rows: Row) -> list[str]:
    """The names of the rules that these rows break, in the order of the rules."""
    return violations(conversations(*rows), RULES, PLAN)["rule"].unique(maintain_order=True).to_list()


def messages(*rows: Row) -> list[str]:
    """What is told of these rows."""
    return violations(conversations(*rows), RULES, PLAN)["message"].to_list()


COUNTER_EXAMPLES: dict[str, tuple[list[Row], list[str]]] = {
    "required_fields_are_present": ([good(userName="\u200b")], []),
    "ids_are_unique": ([good(), good()], []),
    "split_matches_hash": ([conversation(some_id(split="val", chunk=2), split="train")], []),
    "conversation_is_complete": ([good(capturedTurnCount=3, maxTurnIndex=4)], []),
    "first_turn_is_1": ([good(turnsArray=[turn(2), turn(3), turn(4)])], ["turns_are_sequential"]),
    "turns_are_sequential": ([good(turnsArray=[turn(1), turn(3), turn(4)])], []),
    "turn_count_matches_turns": ([good(turnCount=4)], []),
    "bucket_matches_turn_count": ([good(bucket="medium")], []),
    "every_turn_has_a_user_message": ([good(turnsArray=with_turn_2(userMessage="\u3164"))], []),
    "user_names_are_pseudonyms": ([good(userName="octocat")], []),
    "no_secrets": ([good(turnsArray=with_turn_2(modelMessage="it is AKIAIOSFODNN7EXAMPLE"))], []),
    "every_turn_has_a_model_message": ([good(turnsArray=with_turn_2(modelMessage=""))], []),
    "prompt_tokens_are_positive": ([good(promptTokens=0)], []),
    "completion_tokens_are_not_negative": ([good(completionTokens=-1)], []),
    "chunk_matches_hash": ([conversation(some_id(split="train", chunk=1))], []),
    "sample_is_of_its_split": ([conversation(some_id(split="val", chunk=2))], []),
}
"""Rule -> rows that break it, and the other rules that no such rows can keep."""

PRIVATE = ("question", "answer", "user-", "AKIA")
"""Words of every message text and user name of these rows."""
