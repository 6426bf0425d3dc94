"""The stand-in says what the proxies say, knows when it knows nothing, and never passes for a model."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation import heuristic
from sft_pipeline.curation.heuristic import (
    HEURISTIC,
    NO_SIGNALS,
    heuristic_ask,
    heuristic_identity,
    heuristic_label,
    heuristic_text,
)
from sft_pipeline.curation.judging import Ask, Identity, Question, question_key
from sft_pipeline.curation.router_tables import SIGNALS
from sft_pipeline.curation.routers import NON_REASONING, REASONING, ROUTERS
from sft_pipeline.curation.signals import PROXIES, Proxy

AT = datetime(2025, 8, 16, 12, tzinfo=UTC)
FIRST = heuristic_identity("session_router", second=False)
SECOND = heuristic_identity("session_router", second=True)
HEARD = tuple(proxy.signal for proxy in PROXIES)
NOTHING: dict[str, int | None] = dict.fromkeys(SIGNALS)

told = st.fixed_dictionaries({name: st.none() | st.integers(-10, 70_000) for name in SIGNALS})
ways = st.booleans()


def ask(identity: Identity, **signals: int | None) -> Ask:
    known = {**NOTHING, **signals}
    question = Question(question_key(identity, heuristic_text(known)), "request", "history", known)
    return heuristic_ask(question, identity, at=AT, run="run-1")


class TestLabels:
    @pytest.mark.parametrize(
        ("signals", "majority", "strict"),
        [
            ({"numRequests": 14, "toolDiversity": 5}, REASONING, REASONING),
            ({"numRequests": 1, "toolDiversity": 0, "turnDurationMs": 4_000}, NON_REASONING, NON_REASONING),
            ({"numRequests": 12, "toolDiversity": 1, "turnDurationMs": 4_000}, NON_REASONING, REASONING),
            ({"promptTokenDelta": 5_000, "numRequests": 2, "toolDiversity": 1}, NON_REASONING, REASONING),
            ({"toolDiversity": 2}, REASONING, NON_REASONING),
            ({"turnDurationMs": 900_000}, REASONING, NON_REASONING),
            ({"numRequests": 5}, REASONING, NON_REASONING),
            ({"numRequests": 2, "toolDiversity": 2}, REASONING, NON_REASONING),
        ],
    )
    def test_the_majority_counts_or_a_strong_sign(
        self, signals: dict[str, int | None], majority: int, strict: int
    ) -> None:
        assert (heuristic_label(signals, strict=False), heuristic_label(signals, strict=True)) == (majority, strict)

    @pytest.mark.parametrize("strict", [False, True])
    @pytest.mark.parametrize("signals", [{}, NOTHING, {"toolCalls": 7}, {"promptTokenDelta": -5}])
    def test_without_any_signal_there_is_no_label(self, signals: dict[str, int | None], *, strict: bool) -> None:
        assert heuristic_label(signals, strict=strict) is None

    @given(told, ways)
    def test_what_it_goes_by_is_all_that_it_goes_by(self, signals: dict[str, int | None], strict: bool) -> None:
        again = json.loads(heuristic_text(signals))
        assert heuristic_label(again, strict=strict) == heuristic_label(signals, strict=strict)

    @given(told, ways, st.sampled_from(HEARD), st.integers(0, 70_000), st.integers(1, 50_000))
    def test_more_work_never_speaks_for_less_reasoning(
        self, signals: dict[str, int | None], strict: bool, name: str, least: int, more: int
    ) -> None:
        labels = [heuristic_label({**signals, name: value}, strict=strict) for value in (least, least + more)]
        assert labels in ([0, 0], [1, 1], [1, 0])


class TestText:
    def test_it_holds_every_signal_in_one_order(self) -> None:
        text = heuristic_text({"promptTokenDelta": 5, "numRequests": 1})
        assert text == (
            '{"numRequests":1,"turnDurationMs":null,"toolDiversity":null,"toolCalls":null,"promptTokenDelta":5}'
        )

    @given(told, told)
    def test_other_signals_are_another_text(self, one: dict[str, int | None], other: dict[str, int | None]) -> None:
        assert (heuristic_text(one) == heuristic_text(other)) == (one == other)


class TestIdentity:
    def test_it_says_that_it_is_no_model(self) -> None:
        assert (FIRST.kind, FIRST.name) == (HEURISTIC, "heuristic/proxies_of_source_003")

    def test_each_router_and_way_is_one_of_its_own(self) -> None:
        found = {heuristic_identity(router, second=second).key for router in ROUTERS for second in (False, True)}
        assert len(found) == 4

    def test_the_prompt_names_router_and_way(self) -> None:
        assert FIRST.prompt.partition("@")[0] == "session_router_proxies"
        assert SECOND.prompt.partition("@")[0] == "session_router_proxies_strict"
        assert len(SECOND.prompt.partition("@")[2]) == 12

    def test_another_threshold_is_another_judge(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heuristic, "PROXIES", (Proxy("numRequests", low=1, high=5),))
        assert heuristic_identity("session_router", second=False).key != FIRST.key

    def test_another_strong_sign_is_another_judge(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heuristic, "_STRONG", {"numRequests": 11})
        assert heuristic_identity("session_router", second=True).key != SECOND.key


class TestAsk:
    def test_it_costs_nothing_and_decides(self) -> None:
        found = ask(FIRST, numRequests=12, toolDiversity=3)
        assert (found.label, found.reason, found.attempt, found.mode) == (REASONING, None, 1, "local")
        assert (found.cost, found.prompt_tokens, found.completion_tokens) == (0.0, 0, 0)
        assert (found.probability, found.served_model, found.at, found.run) == (None, None, AT, "run-1")
        assert found.decides

    def test_the_identity_says_which_way(self) -> None:
        signals = {"toolDiversity": 2, "numRequests": 3}
        assert (ask(FIRST, **signals).label, ask(SECOND, **signals).label) == (REASONING, NON_REASONING)

    def test_no_signals_are_no_label_and_asking_again_would_change_nothing(self) -> None:
        found = ask(FIRST)
        assert (found.label, found.reason) == (None, NO_SIGNALS)
        assert found.decides
