"""Quotas fill up exactly when every class and position has its share, and rounds never ask for much too much."""

from math import isclose
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.filling import Quotas, rows_to_fill, share_interval, wilson
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.requests import POSITIONS
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.curation.labels_world import PLAN

takes = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(POSITIONS)), max_size=150)


def session(plan: Plan = PLAN, split: str = "train") -> Quotas:
    return Quotas.of(plan, "session_router", split)


def conversation(plan: Plan = PLAN, split: str = "train") -> Quotas:
    return Quotas.of(plan, "conversation_router", split)


def with_taken(quotas: Quotas, label: int, position: str, count: int) -> Quotas:
    for _ in range(count):
        quotas.take(label, position)
    return quotas


class TestQuotas:
    def test_a_class_needs_what_its_largest_ratio_needs(self) -> None:
        assert session().missing == {"label 0": 56, "label 1": 40}
        assert session(read_plan("production")).missing == {"label 0": 70_000, "label 1": 50_000}

    def test_positions_of_a_class_have_even_shares(self) -> None:
        assert conversation().missing == {
            "label 0 early": 19,
            "label 0 late": 19,
            "label 0 mid": 18,
            "label 1 early": 14,
            "label 1 late": 13,
            "label 1 mid": 13,
        }

    def test_the_session_router_fills_by_class_alone(self) -> None:
        quotas = with_taken(with_taken(session(split="val"), 0, "early", 7), 1, "early", 4)
        assert (quotas.filled, quotas.missing) == (False, {"label 1": 1})
        quotas.take(1, "late")
        assert (quotas.filled, quotas.missing) == (True, {})

    def test_what_a_position_has_beyond_its_share_fills_no_other(self) -> None:
        quotas = with_taken(with_taken(conversation(split="val"), 0, "early", 100), 1, "mid", 100)
        assert quotas.missing == {"label 0 late": 2, "label 0 mid": 2, "label 1 early": 2, "label 1 late": 2}
        assert quotas.told() == "label 0: 3/7, label 1: 1/5"

    def test_progress_tells_what_is_of_use(self) -> None:
        quotas = with_taken(with_taken(session(), 0, "early", 57), 1, "late", 9)
        assert quotas.told() == "label 0: 56/56, label 1: 9/40"

    @pytest.mark.parametrize("router", ["session_router", "conversation_router"])
    def test_a_plan_without_routers_needs_nothing_that_could_be_counted(self, router: str) -> None:
        with pytest.raises(Refused, match=r"has no \[routers\]"):
            (session if router == "session_router" else conversation)(PLAN.model_copy(update={"routers": None}))

    @given(takes, st.booleans())
    def test_missing_and_taken_add_up_to_the_quota_and_filled_is_nothing_missing(
        self, taken: list[tuple[int, str]], by_position: bool
    ) -> None:
        quotas = conversation(split="val") if by_position else session(split="val")
        for label, position in taken:
            quotas.take(label, position)
        useful = {int(part[6]): part.split()[2].split("/") for part in quotas.told().split(", ")}
        for label, (has, of) in useful.items():
            missing = sum(less for name, less in quotas.missing.items() if name.startswith(f"label {label}"))
            assert int(has) + missing == int(of) == {0: 7, 1: 5}[label]
        assert quotas.filled == (not quotas.missing)

    @given(takes)
    def test_the_order_of_takes_does_not_matter(self, taken: list[tuple[int, str]]) -> None:
        one, other = conversation(split="val"), conversation(split="val")
        for label, position in taken:
            one.take(label, position)
        for label, position in sorted(taken):
            other.take(label, position)
        assert one.missing == other.missing


class TestShares:
    @pytest.mark.parametrize(
        ("hits", "total", "low", "high"),
        [
            (81, 263, 0.2553, 0.3662),  # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_the_interval_is_that_of_published_examples(self, hits: int, total: int, low: float, high: float) -> None:
        found = wilson(hits, total)
        assert found.share == hits / total
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)

    def test_of_nothing_the_share_may_be_any(self) -> None:
        assert share_interval(0, 0) == (None, 0.0, 1.0)

    def test_the_share_is_that_of_label_0(self) -> None:
        assert share_interval(81, 182) == wilson(81, 263)

    @given(st.integers(0, 500), st.integers(0, 500))
    def test_the_interval_holds_the_share_and_mirrors_that_of_the_other_label(self, label0: int, label1: int) -> None:
        share, low, high = share_interval(label0, label1)
        mirrored = share_interval(label1, label0)
        assert 0 <= low < high <= 1
        assert share is None or low - 1e-12 <= share <= high + 1e-12
        assert isclose(low, 1 - mirrored.high, abs_tol=1e-9)
        assert isclose(high, 1 - mirrored.low, abs_tol=1e-9)


class TestRounds:
    def test_before_anything_is_known_a_round_asks_for_what_is_missing(self) -> None:
        assert rows_to_fill(session(), 0, 0) == 96

    def test_the_rarer_class_decides(self) -> None:
        quotas = with_taken(with_taken(session(), 0, "early", 56), 1, "early", 10)
        assert rows_to_fill(quotas, 190, 10) == -(-30 // wilson(10, 200).high)

    def test_a_class_that_was_never_seen_makes_a_round_that_ends(self) -> None:
        quotas = with_taken(session(), 0, "early", 1_000)
        assert 40 < rows_to_fill(quotas, 1_000, 0) < 20_000

    def test_a_full_quota_has_rounds_of_one(self) -> None:
        quotas = with_taken(with_taken(session(), 0, "early", 56), 1, "early", 40)
        assert rows_to_fill(quotas, 56, 40) == 1

    @given(st.integers(0, 2**32), st.floats(0.03, 0.97))
    @settings(max_examples=30)
    def test_rounds_fill_the_quotas_and_ask_hardly_more_than_is_needed(self, seed: int, share: float) -> None:
        draw = Random(seed)
        order = [(int(draw.random() > share), draw.choice(POSITIONS)) for _ in range(20_000)]
        quotas, asked, needed, rounds, seen = conversation(), 0, 0, 0, [0, 0]
        while not quotas.filled:
            rounds += 1
            round_of = order[asked : asked + rows_to_fill(quotas, *seen)]
            assert round_of
            for label, position in round_of:
                needed += not quotas.filled
                quotas.take(label, position)
                seen[label] += 1
            asked += len(round_of)
        assert asked <= 1.35 * needed
        assert rounds <= 25
