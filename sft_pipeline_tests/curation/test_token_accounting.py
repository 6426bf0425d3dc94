"""Each account against examples by hand, and all figures against a second computation over random conversations."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.tables import Conversation, schema_of
from sft_pipeline.curation.token_accounting import delta_accuracy, requests_formula, token_accumulation, tool_calls
from sft_pipeline.curation.turns import decode
from sft_pipeline_tests.conversations_world import (
    Row,
    call_json,
    conversation,
    conversations,
    nested_as_objects,
    query_row,
    query_rows,
    turn_json,
)

Tokens = Sequence[Sequence[int | None]]
"""promptTokens of the calls of each turn."""

EMPTY = pl.DataFrame(schema=schema_of(Conversation))


def last_of(turns: Tokens) -> int | None:
    """The conversation's promptTokens as the query tells them: those of the last call that tells."""
    return next((tokens for calls in reversed(turns) for tokens in reversed(calls) if tokens is not None), None)


def with_tokens(*turns: Sequence[int | None], name: str = "c-1") -> Row:
    """A queried conversation whose calls have these promptTokens."""
    numbers = iter(range(1, 60))
    told = [
        turn_json(index, llmCalls=[call_json(next(numbers), promptTokens=tokens) for tokens in calls])
        for index, calls in enumerate(turns, 1)
    ]
    return query_row(name, promptTokens=last_of(turns), turnsArray=nested_as_objects(told))


def curated(*rows: Row) -> pl.DataFrame:
    return decode(query_rows(*rows)).candidates


def with_requests(*turns: tuple[int | None, str | None, str | None]) -> pl.DataFrame:
    """A conversation with a turn per numRequests, toolCounts and responseType."""
    told = [
        turn_json(index, numRequests=requests, toolCounts=counts, responseType=ending)
        for index, (requests, counts, ending) in enumerate(turns, 1)
    ]
    return curated(query_row("c-1", turnsArray=nested_as_objects(told)))


class TestTokenAccumulation:
    def test_steps_go_over_calls_and_turns_and_not_over_conversations(self) -> None:
        rows = curated(with_tokens([900, 950], [960], name="a"), with_tokens([100, 100], [90], name="b"))
        account = token_accumulation(rows)
        expected = {"conversations": 2, "calls": 6, "checked": 4, "grows": 2, "stays": 1, "falls": 1, "rate": 0.5}
        assert account.figures == expected
        assert (account.broken, account.conversations.to_list()) == (2, ["b"])

    def test_a_call_that_does_not_tell_is_in_no_step(self) -> None:
        account = token_accumulation(curated(with_tokens([100, None, 90], [None])))
        assert (account.checked, account.figures["calls"], account.figures["rate"]) == (0, 4, None)

    def test_a_conversation_without_calls_is_not_counted(self) -> None:
        account = token_accumulation(curated(with_tokens([], []), with_tokens([1, 2], name="c-2")))
        assert (account.figures["conversations"], account.checked) == (1, 1)


class TestRequestsFormula:
    def test_turns_above_and_below_the_formula_are_told_apart(self) -> None:
        account = requests_formula(
            with_requests(
                (3, '{"read_file":1,"edit":1}', "success"),
                (2, '{"read_file":3}', "success"),
                (4, '{"read_file":1}', "success"),
                (4, '{"read_file":1}', "failed"),
                (None, '{"read_file":1}', "success"),
                (1, None, None),
            )
        )
        assert account.figures == {
            "turns": 6,
            "checked": 5,
            "holds": 2,
            "above": 2,
            "below": 1,
            "rate": 0.4,
            "successes": 3,
            "roundsHold": 2,
            "roundsRate": 2 / 3,
        }
        assert (account.broken, account.conversations.to_list()) == (3, ["c-1"])

    def test_without_a_success_there_is_no_rate_of_rounds(self) -> None:
        assert requests_formula(with_requests((1, "{}", "failed"))).figures["roundsRate"] is None


class TestDeltaAccuracy:
    def test_deltas_add_up_also_over_a_reset(self) -> None:
        account = delta_accuracy(curated(with_tokens([100, 500], [80, 90]), with_tokens([7], name="c-2")))
        assert account.figures == {
            "conversations": 2,
            "checked": 2,
            "addUp": 2,
            "rate": 1.0,
            "uncheckable": 0,
            "deltas": 5,
            "contextResets": 1,
            "resetShare": 0.2,
        }
        assert (account.broken, account.conversations.to_list()) == (0, [])

    def test_conversations_with_a_call_that_does_not_tell_or_without_calls_are_not_checked(self) -> None:
        account = delta_accuracy(curated(with_tokens([100, None, 90]), with_tokens([], name="c-2")))
        assert (account.checked, account.figures["uncheckable"], account.figures["rate"]) == (0, 2, None)
        assert (account.figures["deltas"], account.figures["resetShare"]) == (1, 0.0)

    @pytest.mark.parametrize(("delta", "tokens"), [(7, 300), (None, 300), (100, 301)])
    def test_a_stored_delta_or_token_count_that_was_changed_is_found(self, delta: int | None, tokens: int) -> None:
        bad = conversation("bad", promptTokens=tokens)
        bad["turnsArray"][2]["llmCalls"][0]["promptTokenDelta"] = delta
        account = delta_accuracy(conversations(conversation("good"), bad))
        assert (account.checked, account.broken, account.conversations.to_list()) == (2, 1, ["bad"])


@pytest.mark.parametrize("account", [token_accumulation, requests_formula, delta_accuracy])
def test_an_empty_table_has_nothing_to_check_and_no_rate(account: Any) -> None:
    found = account(EMPTY)
    assert (found.checked, found.broken, found.conversations.to_list()) == (0, 0, [])
    assert {figure for name, figure in found.figures.items() if not name.lower().endswith(("rate", "share"))} == {0}
    assert found.figures["rate"] is None


NAMES = st.text(st.characters(codec="utf-8"), min_size=1)
COUNTS = st.dictionaries(NAMES, st.integers(0, 10_000) | st.integers(0, 99).map(str), max_size=5)


@given(COUNTS, st.booleans(), st.booleans())
def test_calls_of_tools_of_any_name_are_summed(counts: dict[str, int | str], ascii_only: bool, spaced: bool) -> None:
    text = json.dumps(counts, ensure_ascii=ascii_only, separators=(" , ", " : ") if spaced else (",", ":"))
    assert sum_of(text) == sum(int(count) for count in counts.values())


@pytest.mark.parametrize("text", [None, "", "{}", "read_file", '["read_file"]', "[1,2]", '{"read_file":null}', "12"])
def test_what_counts_no_calls_is_none(text: str | None) -> None:
    assert sum_of(text) == 0


def test_a_count_beyond_all_numbers_is_left_out() -> None:
    assert sum_of('{"read_file":99999999999999999999,"edit":2}') == 2


def sum_of(text: str | None) -> int:
    return pl.DataFrame({"counts": [text]}, {"counts": pl.String()}).select(tool_calls(pl.col("counts"))).item()


@given(st.lists(st.lists(st.lists(st.integers(1, 9) | st.none(), max_size=3), min_size=1, max_size=4), max_size=4))
def test_all_figures_agree_with_a_computation_by_conversation(tokens: list[list[list[int | None]]]) -> None:
    table = curated(*[with_tokens(*turns, name=f"c-{number}") for number, turns in enumerate(tokens)])
    flat = [[call for calls in turns for call in calls] for turns in tokens]
    steps = [(a, b) for calls in flat for a, b in pairwise(calls) if a is not None and b is not None]
    resets = sum(b < a for a, b in steps)
    whole = [calls for calls in flat if calls and None not in calls]
    accumulation, accuracy = token_accumulation(table), delta_accuracy(table)
    assert accumulation.checked == len(steps)
    assert accumulation.figures["calls"] == sum(map(len, flat))
    assert accumulation.figures["grows"] == sum(b > a for a, b in steps)
    assert accumulation.figures["falls"] == accuracy.figures["contextResets"] == resets
    assert accuracy.figures["deltas"] == len(steps) + sum(calls[0] is not None for calls in flat if calls)
    assert accuracy.figures["checked"] == accuracy.figures["addUp"] == len(whole)
