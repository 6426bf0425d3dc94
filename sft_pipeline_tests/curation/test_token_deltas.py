"""What is computed over the calls and turns of a conversation, and a second computation of all of it."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.tables import CALL_SCHEMA, TURN_SCHEMA
from sft_pipeline.curation.turns import decode
from sft_pipeline_tests.conversations_world import (
    Row,
    call_json,
    nested_as_objects,
    nested_as_strings,
    query_row,
    query_rows,
    turn_json,
)
from sft_pipeline_tests.curation.decoding import calls_of, decoded_turns


class TestDeltas:
    @staticmethod
    def of_calls(*tokens_of_turns: Sequence[int | None]) -> list[tuple[int | None, bool]]:
        """Delta and reset of every call, for turns with calls of these promptTokens."""
        numbers = iter(range(1, 60))
        turns = [
            turn_json(index, llmCalls=[call_json(next(numbers), promptTokens=count) for count in tokens])
            for index, tokens in enumerate(tokens_of_turns, 1)
        ]
        return [
            (call["promptTokenDelta"], call["contextReset"])
            for call in calls_of(decoded_turns(nested_as_objects(turns)))
        ]

    def test_the_first_call_counts_all_its_tokens(self) -> None:
        assert self.of_calls([700]) == [(700, False)]

    def test_deltas_go_over_calls_and_turns(self) -> None:
        assert self.of_calls([100, 150], [400], [], [410]) == [(100, False), (50, False), (250, False), (10, False)]

    def test_a_smaller_context_is_a_reset_and_stays_negative(self) -> None:
        assert self.of_calls([100, 500], [80, 90]) == [(100, False), (400, False), (-420, True), (10, False)]

    def test_an_equal_context_is_no_reset(self) -> None:
        assert self.of_calls([100, 100]) == [(100, False), (0, False)]

    def test_an_unknown_context_leaves_two_deltas_unknown(self) -> None:
        found = self.of_calls([100, None], [300, 350])
        assert found == [(100, False), (None, False), (None, False), (50, False)]

    def test_an_unknown_first_context_is_unknown(self) -> None:
        assert self.of_calls([None, 50]) == [(None, False), (None, False)]

    def test_turns_differ_from_the_turn_before(self) -> None:
        turns = [turn_json(index, promptTokens=count) for index, count in enumerate([100, 250, 80, None, 90, 95], 1)]
        deltas = [turn["promptTokenDelta"] for turn in decoded_turns(nested_as_objects(turns))]
        assert deltas == [100, 150, -170, None, None, 5]

    def test_conversations_do_not_run_into_each_other(self) -> None:
        rows = query_rows(query_row("c-1"), query_row("c-2", turnsArray="[]"), query_row("c-3"))
        for turns in decode(rows).candidates["turnsArray"].to_list():
            assert [turn["promptTokenDelta"] for turn in turns] == [100] * len(turns)
            assert [call["promptTokenDelta"] for call in calls_of(turns)] == [100] * len(turns)

    def test_deltas_add_up_to_the_last_context(self) -> None:
        deltas = [delta for delta, _ in self.of_calls([10, 400], [30], [35, 36])]
        assert sum(delta for delta in deltas if delta is not None) == 36


TOKENS = st.none() | st.integers(0, 2_000_000)
TEXT = st.text(max_size=30)
CALLS = st.lists(
    st.fixed_dictionaries({"model": st.none() | TEXT, "promptTokens": TOKENS, "completionTokens": TOKENS}), max_size=4
)
TURNS = st.lists(
    st.fixed_dictionaries(
        {
            "messageId": TEXT,
            "userMessage": st.none() | TEXT,
            "modelMessage": st.none() | TEXT,
            "model": st.none() | TEXT,
            "responseType": st.none() | TEXT,
            "numRequests": TOKENS,
            "toolCounts": TEXT,
            "turnDurationMs": TOKENS,
            "isContinuation": st.booleans(),
            "llmCallCount": st.integers(0, 50),
            "promptTokens": TOKENS,
            "completionTokens": TOKENS,
            "llmCalls": CALLS,
        }
    ),
    max_size=5,
)


def with_deltas(rows: Sequence[Row]) -> list[int | None]:
    """The deltas of promptTokens once more, in plain Python."""
    counts: list[int | None] = [row["promptTokens"] for row in rows]
    later = [None if one is None or other is None else other - one for one, other in pairwise(counts)]
    return [*counts[:1], *later]


def numbered(turns: Sequence[Row]) -> list[Row]:
    """Turns as the query packs them: indices, call ids and times in order."""
    calls = iter(range(1000))
    return [
        {
            **turn,
            "turnIndex": index,
            "llmCalls": [
                {**call, "modelCallId": f"id {n}", "time": f"{n:04d}"}
                for call, n in zip(turn["llmCalls"], calls, strict=False)
            ],
        }
        for index, turn in enumerate(turns, 1)
    ]


def as_curated(turns: Sequence[Row]) -> list[Row]:
    """What must become of them."""
    call_deltas = iter(with_deltas([call for turn in turns for call in turn["llmCalls"]]))
    curated: list[Row] = []
    for turn, delta in zip(turns, with_deltas(turns), strict=True):
        calls: list[Row] = []
        for index, call in enumerate(turn["llmCalls"], 1):
            added = next(call_deltas)
            own = {"callIndex": index, "promptTokenDelta": added, "contextReset": added is not None and added < 0}
            calls.append({name: {**call, **own}[name] for name in CALL_SCHEMA})
        curated.append({name: {**turn, "promptTokenDelta": delta, "llmCalls": calls}[name] for name in TURN_SCHEMA})
    return curated


@settings(max_examples=60)
@given(st.lists(TURNS, max_size=3), st.booleans(), st.booleans(), st.randoms(use_true_random=False))
def test_turns_survive_either_nesting_in_any_order(
    packed: list[list[Row]], strings: bool, ascii_only: bool, order: Random
) -> None:
    conversations = [numbered(turns) for turns in packed]
    nest: Callable[..., str] = nested_as_strings if strings else nested_as_objects
    texts: list[str] = []
    for turns in conversations:
        shuffled: list[Any] = [
            {**turn, "llmCalls": order.sample(turn["llmCalls"], len(turn["llmCalls"]))} for turn in turns
        ]
        order.shuffle(shuffled)
        texts.append(nest(shuffled, ascii_only=ascii_only))
    rows = query_rows(*(query_row(f"c-{number}", turnsArray=text) for number, text in enumerate(texts)))
    assert decode(rows).candidates["turnsArray"].to_list() == [as_curated(turns) for turns in conversations]
