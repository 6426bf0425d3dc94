from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.clients.labels.asks import ask_line, asks_by_key, asks_table, decided, read_ask_lines
from sft_pipeline.curation.judging import CONFLICT, Ask
from sft_pipeline_tests.clients.labels.label_world import MOMENT, ask, key_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
ASKS = st.builds(
    Ask,
    key=TEXTS,
    attempt=st.integers(1, 2),
    label=st.sampled_from([0, 1, None]),
    probability=st.none() | st.floats(0, 1),
    reason=st.none() | TEXTS,
    served_model=st.none() | TEXTS,
    prompt_tokens=st.integers(0, 2**40),
    completion_tokens=st.integers(0, 2**40),
    cost=st.floats(0, 1e6),
    mode=st.sampled_from(["sync", "batch", "local", "import"]),
    at=MOMENTS,
    run=TEXTS,
)


class TestLines:
    @settings(derandomize=True, deadline=None)
    @given(st.lists(ASKS, max_size=5))
    def test_asks_are_read_from_lines_as_from_a_table(self, asks: list[Ask]) -> None:
        lines = [ask_line(one) for one in asks]
        assert all(line.count(b"\n") == 1 for line in lines)
        assert [Ask(*row) for row in read_ask_lines(b"".join(lines)).iter_rows()] == asks
        assert [Ask(*row) for row in asks_table(asks).iter_rows()] == asks


class TestByKey:
    def test_asks_are_told_by_key_in_order_of_attempts(self) -> None:
        again, first, other = ask(1, 1, attempt=2), ask(1, None), ask(2, 0)
        assert asks_by_key(asks_table([again, other, first])) == {key_of(1): [first, again], key_of(2): [other]}

    def test_equal_answers_to_one_attempt_are_one_the_earliest(self) -> None:
        early, late = ask(1, 0), ask(1, 0, at=MOMENT + timedelta(seconds=1), run="another")
        assert asks_by_key(asks_table([late, early])) == {key_of(1): [early]}

    @pytest.mark.parametrize("none_too", [False, True])
    def test_two_labels_of_one_attempt_are_a_conflict_in_whatever_order(self, none_too: bool) -> None:
        asks = [ask(1, 0), ask(1, 1, at=MOMENT + timedelta(seconds=1))] + ([ask(1, None)] if none_too else [])
        for order in permutations(asks):
            [found] = asks_by_key(asks_table(order))[key_of(1)]
            assert (found.label, found.probability, found.reason) == (None, None, CONFLICT)

    def test_a_label_goes_before_an_earlier_answer_that_is_none(self) -> None:
        none, label = ask(1, None), ask(1, 1, at=MOMENT + timedelta(seconds=1))
        assert asks_by_key(asks_table([none, label])) == {key_of(1): [label]}

    def test_what_another_process_was_told_after_the_decision_is_left_out(self) -> None:
        mine, theirs = ask(1, 0), ask(1, 1, attempt=2)
        assert asks_by_key(asks_table([mine, theirs])) == {key_of(1): [mine]}


class TestDecided:
    def test_a_label_decides(self) -> None:
        assert decided([ask(1, 1)]) == ask(1, 1)
        assert decided([ask(1, None), ask(1, 0, attempt=2)]) == ask(1, 0, attempt=2)

    def test_a_second_answer_that_is_none_decides(self) -> None:
        assert decided([ask(1, None), ask(1, None, attempt=2)]) == ask(1, None, attempt=2)

    def test_a_conflict_decides(self) -> None:
        conflict = ask(1, None, reason=CONFLICT)
        assert decided([conflict]) == conflict

    def test_one_answer_that_is_none_does_not(self) -> None:
        assert decided([ask(1, None)]) is None
        assert decided([]) is None
