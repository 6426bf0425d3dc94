"""What clients told becomes signals, and signals say high, low or nothing."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.router_tables import SIGNALS
from sft_pipeline.curation.signals import PROXIES, complexity, model_class, signals, votes
from sft_pipeline.curation.tables import TURN_SCHEMA
from sft_pipeline_tests.conversations_world import Row, call_json, turn
from sft_pipeline_tests.curation.labels_world import ROUTERS

Told = dict[str, int | None]

told = st.fixed_dictionaries({name: st.none() | st.integers(-1_000, 100_000) for name in SIGNALS})
near = st.fixed_dictionaries(
    {
        proxy.signal: st.none() | st.sampled_from([-1, 0, proxy.low, proxy.low + 1, proxy.high - 1, proxy.high])
        for proxy in PROXIES
    }
)


def signals_of(index: int = 2, **fields: Any) -> Told:
    """The signals of one turn."""
    turns = pl.DataFrame([turn(index, **fields)], schema=TURN_SCHEMA)
    return turns.select(signals()).row(0, named=True)


def complexities(*rows: Told) -> list[str]:
    empty = dict.fromkeys(SIGNALS)
    frame = pl.DataFrame([{**empty, **row} for row in rows], schema=dict.fromkeys(SIGNALS, pl.Int64))
    return frame.select(complexity())["complexity"].to_list()


class TestSignals:
    def test_they_are_the_columns_of_a_request(self) -> None:
        assert tuple(signals_of()) == SIGNALS

    @pytest.mark.parametrize(
        ("tool_counts", "kinds", "calls"),
        [
            ('{"read_file":3,"grep_search":1}', 2, 4),
            ('{"read_file": "3", "mcp_x\\"y": 12}', 2, 15),
            ('{"read_file":0,"grep_search":10}', 1, 10),
            ('{"read_file":007}', 1, 7),
            ("{}", 0, 0),
            (" { } ", 0, 0),
            ("", None, None),
            ("[1]", None, None),
            (None, None, None),
        ],
    )
    def test_tools_are_counted_by_kind_and_call(
        self, tool_counts: str | None, kinds: int | None, calls: int | None
    ) -> None:
        found = signals_of(toolCounts=tool_counts)
        assert (found["toolDiversity"], found["toolCalls"]) == (kinds, calls)

    def test_what_the_client_did_not_tell_is_null(self) -> None:
        silent: Row = dict.fromkeys(("numRequests", "turnDurationMs", "toolCounts", "promptTokenDelta"))
        assert set(signals_of(**silent).values()) == {None}

    def test_growth_is_the_delta_to_the_turn_before(self) -> None:
        assert signals_of(2, promptTokens=9_000, promptTokenDelta=700)["promptTokenDelta"] == 700

    def test_growth_of_the_first_turn_leaves_out_what_its_first_call_began_with(self) -> None:
        calls = [{**turn(1)["llmCalls"][0], "promptTokens": tokens} for tokens in (17_000, 19_500)]
        first = signals_of(1, promptTokens=19_500, promptTokenDelta=19_500, llmCalls=calls)
        assert first["promptTokenDelta"] == 2_500

    @pytest.mark.parametrize("calls", [[], [{**call_json(1), "promptTokens": None}]])
    def test_growth_of_a_first_turn_with_mute_calls_is_not_known(self, calls: list[Row]) -> None:
        numbered = [{**call, "callIndex": 1, "promptTokenDelta": None, "contextReset": False} for call in calls]
        mute = [{name: value for name, value in call.items() if name != "time"} for call in numbered]
        assert signals_of(1, promptTokens=100, llmCalls=mute)["promptTokenDelta"] is None


class TestProxies:
    def test_thresholds_are_those_of_source_003(self) -> None:
        assert votes({"numRequests": 10, "turnDurationMs": 60_001, "toolDiversity": 2}) == {
            "numRequests": 1,
            "turnDurationMs": 1,
            "toolDiversity": 1,
        }
        assert set(votes({"numRequests": 2, "turnDurationMs": 9_999, "toolDiversity": 1}).values()) == {-1}
        assert set(votes({"numRequests": 3, "turnDurationMs": 60_000}).values()) == {0}
        assert set(votes({"numRequests": 9, "turnDurationMs": 10_000}).values()) == {0}

    def test_a_context_that_was_cut_is_no_growth(self) -> None:
        assert votes({"promptTokenDelta": -1}) == {}
        assert votes({"promptTokenDelta": 0}) == {"promptTokenDelta": -1}

    def test_unknown_signals_say_nothing(self) -> None:
        assert votes(dict.fromkeys(SIGNALS)) == {}
        assert votes({"toolCalls": 90}) == {}

    @given(near | told)
    def test_the_column_says_what_the_votes_say(self, row: Told) -> None:
        balance = sum(votes(row).values())
        assert complexities(row) == ["high" if balance > 0 else "low" if balance < 0 else "unclear"]


class TestComplexity:
    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            ({"numRequests": 12, "toolDiversity": 4, "turnDurationMs": 5_000}, "high"),
            ({"numRequests": 1, "toolDiversity": 0, "promptTokenDelta": 50_000}, "low"),
            ({"numRequests": 12, "toolDiversity": 1}, "unclear"),
            ({"numRequests": 5}, "unclear"),
            ({}, "unclear"),
        ],
    )
    def test_the_majority_of_those_that_speak_counts(self, row: Told, expected: str) -> None:
        assert complexities(row) == [expected]


class TestModelClass:
    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("gpt-5", "reasoning"),
            ("gpt-5-mini", "fast"),
            ("gpt-5.1-codex", "reasoning"),
            ("gpt-4.1", "fast"),
            ("claude-sonnet-4.5", "reasoning"),
            ("claude-haiku-4.5", "fast"),
            ("gemini-2.5-pro", "reasoning"),
            ("grok-code-fast-1", "fast"),
            ("o3", "reasoning"),
            ("of-our-own", "unknown"),
            ("", "unknown"),
            (None, "unknown"),
        ],
    )
    def test_fast_patterns_are_looked_at_first(self, model: str | None, expected: str) -> None:
        frame = pl.DataFrame({"model": [model]}, schema={"model": pl.String})
        assert frame.select(model_class(ROUTERS))["modelClass"].to_list() == [expected]

    def test_a_plan_without_patterns_knows_no_class(self) -> None:
        knobs = ROUTERS.model_copy(update={"fast_models": (), "reasoning_models": ()})
        assert pl.DataFrame({"model": ["gpt-5"]}).select(model_class(knobs))["modelClass"].to_list() == ["unknown"]

    def test_patterns_of_a_list_do_not_run_into_each_other(self) -> None:
        knobs = ROUTERS.model_copy(update={"fast_models": ("(?i)^a|b", "c$"), "reasoning_models": ("^d",)})
        models = ["XB", "xc", "xC", "dx", "xd"]
        found = pl.DataFrame({"model": models}).select(model_class(knobs))["modelClass"].to_list()
        assert found == ["fast", "fast", "unknown", "reasoning", "unknown"]
