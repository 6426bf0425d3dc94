"""Training sets have exact ratios, nothing twice, strata as even as they can be, and depend on no order of rows."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.balancing import allocate, balance, largest_exact
from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.router_tables import TrainingRow
from sft_pipeline.curation.routers import ROUTERS as ROUTER_NAMES
from sft_pipeline.curation.routers import RouterName, Strategy
from sft_pipeline.curation.strata import stratum
from sft_pipeline.curation.variants import Variant, parse_ratio
from sft_pipeline_tests.curation.labels_world import (
    PLAN,
    ROUTERS,
    Row,
    judged,
    request,
    requests,
    variant,
    verdict,
    verdicts,
    with_routers,
    with_strategies,
)

Judged = tuple[list[Row], list[Row]]

fewer = settings(max_examples=50)
"""Each example makes and balances whole tables."""

ratios = st.integers(1, 99).map(lambda percent: parse_ratio(f"{percent}r{100 - percent}n"))
router_names = st.sampled_from(ROUTER_NAMES)
some_strategies = st.sets(st.sampled_from(get_args(Strategy)))
availability = st.dictionaries(st.text("abcdef", max_size=3), st.integers(0, 30), max_size=8)
variants = st.builds(
    variant, st.integers(0, 8).map(lambda times: times * 10), st.sampled_from(("70r30n", "50r50n", "10r90n"))
)


def balanced(of: Judged, plan: Plan, router: RouterName, total: int, ratio: str = "70r30n") -> pl.DataFrame:
    return balance(requests(of[0]), verdicts(of[1]), plan, router, variant(total, ratio))


def two_classes(zeros: int, ones: int) -> Judged:
    rows = [request(f"c-{number}") for number in range(zeros + ones)]
    return rows, [verdict(row, int(number >= zeros)) for number, row in enumerate(rows)]


def labels(training: pl.DataFrame) -> tuple[int, int]:
    return training.filter(label=0).height, training.filter(label=1).height


class TestLargestExact:
    @given(st.integers(0, 1000), ratios, st.integers(0, 1000), st.integers(0, 1000))
    def test_it_is_the_largest_of_all_that_are_exact(
        self, total: int, ratio: tuple[int, int], have0: int, have1: int
    ) -> None:
        exact = [
            (label0, label0 * ratio[1] // ratio[0])
            for label0 in range(have0 + 1)
            if label0 * ratio[1] % ratio[0] == 0
            and label0 * ratio[1] // ratio[0] <= have1
            and label0 + label0 * ratio[1] // ratio[0] <= total
        ]
        assert largest_exact(total, parse_ratio(f"{ratio[0]}r{ratio[1]}n"), have0, have1) == max(exact)

    def test_a_short_class_takes_the_other_down_with_it(self) -> None:
        assert largest_exact(100_000, parse_ratio("70r30n"), 90_000, 12_346) == (28_805, 12_345)


class TestAllocate:
    @given(st.integers(0, 200), availability)
    def test_it_adds_up_and_no_stratum_gives_more_than_it_has(self, total: int, available: dict[str, int]) -> None:
        quotas = allocate(total, available)
        assert quotas.keys() == available.keys()
        assert sum(quotas.values()) == min(total, sum(available.values()))
        assert all(0 <= quotas[name] <= have for name, have in available.items())

    @given(st.integers(0, 200), availability)
    def test_a_stratum_that_has_more_to_give_is_at_most_one_behind(self, total: int, available: dict[str, int]) -> None:
        quotas = allocate(total, available)
        rest = [quota for name, quota in quotas.items() if quota < available[name]]
        assert all(max(quotas.values()) <= quota + 1 for quota in rest)

    @given(availability)
    def test_every_further_one_is_added_to_those_before(self, available: dict[str, int]) -> None:
        steps = [allocate(total, available) for total in range(sum(available.values()) + 2)]
        for smaller, larger in pairwise(steps):
            assert all(smaller[name] <= larger[name] for name in available)

    @given(st.integers(0, 200), availability, st.randoms(use_true_random=False))
    def test_the_order_of_strata_does_not_matter(self, total: int, available: dict[str, int], order: Random) -> None:
        shuffled = dict(order.sample(sorted(available.items()), len(available)))
        assert allocate(total, shuffled) == allocate(total, available)

    def test_short_strata_give_all_and_others_share_the_rest(self) -> None:
        assert allocate(12, {"early": 2, "mid": 20, "late": 20}) == {"early": 2, "mid": 5, "late": 5}
        assert allocate(11, {"early": 2, "mid": 20, "late": 20}) == {"early": 2, "mid": 4, "late": 5}


class TestBalance:
    @fewer
    @given(judged(), router_names, some_strategies, variants)
    def test_the_ratio_is_exact_and_as_large_as_it_can_be(
        self, of: Judged, router: RouterName, strategies: set[Strategy], wanted: Variant
    ) -> None:
        training = balance(requests(of[0]), verdicts(of[1]), with_strategies(router, strategies), router, wanted)
        have = Counter(row["label"] for row in of[1])
        assert labels(training) == largest_exact(wanted.total, wanted.ratio, have[0], have[1])

    @fewer
    @given(judged(), router_names, some_strategies)
    def test_rows_are_labelled_requests_each_once_and_valid(
        self, of: Judged, router: RouterName, strategies: set[Strategy]
    ) -> None:
        training = balanced(of, with_strategies(router, strategies), router, 30)
        TrainingRow.validate(training)
        told = {row["requestId"]: row["label"] for row in of[1] if row["label"] is not None}
        found = list(training.select("requestId", "label").iter_rows())
        assert len(dict(found)) == len(found)
        assert set(found) <= set(told.items())

    @fewer
    @given(judged(), router_names, some_strategies, st.randoms(use_true_random=False))
    def test_the_order_of_rows_does_not_matter(
        self, of: Judged, router: RouterName, strategies: set[Strategy], order: Random
    ) -> None:
        plan = with_strategies(router, strategies)
        ordered = balanced(of, plan, router, 20)
        rows, told = (
            frame.sample(fraction=1, shuffle=True, seed=order.randrange(1000))
            for frame in (requests(of[0]), verdicts(of[1]))
        )
        assert balance(rows, told, plan, router, variant(20)).equals(ordered)

    @fewer
    @given(judged(), router_names, some_strategies, st.integers(0, 6), st.integers(0, 6))
    def test_a_larger_total_keeps_every_row(
        self, of: Judged, router: RouterName, strategies: set[Strategy], tens: int, more: int
    ) -> None:
        plan = with_strategies(router, strategies)
        smaller, larger = (balanced(of, plan, router, total * 10) for total in (tens, tens + more))
        assert smaller.join(larger, on=smaller.columns, how="anti", nulls_equal=True).is_empty()

    @fewer
    @given(judged(), router_names, some_strategies)
    def test_within_a_class_strata_are_as_even_as_they_can_be(
        self, of: Judged, router: RouterName, strategies: set[Strategy]
    ) -> None:
        training = balanced(of, with_strategies(router, strategies), router, 20)
        told = requests(of[0]).join(verdicts(of[1]), on="requestId").with_columns(stratum=stratum(strategies, router))
        for label in (0, 1):
            have = Counter(told.filter(label=label)["stratum"])
            taken = Counter(training.filter(label=label)["stratum"])
            short_by = [taken[name] for name in have if taken[name] < have[name]]
            assert all(max(taken.values(), default=0) <= count + 1 for count in short_by)

    @fewer
    @given(judged())
    def test_without_strategies_a_class_gives_its_lowest_priorities(self, of: Judged) -> None:
        training = balanced(of, PLAN, "session_router", 20, "50r50n")
        for label in (0, 1):
            mine = [row for row, told in zip(*of, strict=True) if told["label"] == label]
            lowest = sorted((row["priority"], row["requestId"]) for row in mine)
            found = sorted(training.filter(label=label).select("priority", "requestId").iter_rows())
            assert found == lowest[: len(found)]

    @fewer
    @given(judged(), st.integers(0, 60))
    def test_without_strategies_further_verdicts_take_nothing_away(self, of: Judged, asked: int) -> None:
        told = verdicts(of[1])
        smaller, larger = (
            balance(requests(of[0]), some, PLAN, "session_router", variant(1000)) for some in (told.head(asked), told)
        )
        assert smaller.select("requestId").join(larger, on="requestId", how="anti").is_empty()

    @fewer
    @given(judged(), router_names, some_strategies)
    def test_lines_stand_by_the_hash_of_their_text(
        self, of: Judged, router: RouterName, strategies: set[Strategy]
    ) -> None:
        rows = balanced(of, with_strategies(router, strategies), router, 30).select("contentKey", "requestId").rows()
        assert rows == sorted(rows, key=lambda row: (priority_of(row[0], salt="line:router"), row[1]))

    def test_the_labels_are_mixed_to_the_end_of_the_file(self) -> None:
        """The rarer class reaches further in the priority order; by it, a file's end would be of that class alone."""
        rows = [request(f"c-{number}") for number in range(2000)]
        told = [verdict(row, number % 10 and 1) for number, row in enumerate(sorted(rows, key=lambda r: r["priority"]))]
        labels = balanced((rows, told), PLAN, "session_router", 400, "50r50n")["label"].to_list()
        assert 20 < sum(labels[:100]) < 80
        assert 20 < sum(labels[-100:]) < 80

    def test_the_conversation_router_is_balanced_by_turn_position_in_each_class(self) -> None:
        rows = [request(f"c-{number}", turnPosition="early" if number % 10 else "late") for number in range(400)]
        told = [verdict(row, number // 200) for number, row in enumerate(rows)]
        training = balanced((rows, told), PLAN, "conversation_router", 80, "50r50n")
        assert Counter(training.select("label", "stratum").iter_rows()) == {
            (label, stratum): 20 for label in (0, 1) for stratum in ("early", "late")
        }

    def test_what_was_said_before_stands_in_the_content_where_the_plan_says_so(self) -> None:
        router = ROUTERS.conversation_router.model_copy(update={"content": "history_and_request"})
        row = request("c-1", history="User: a\nAssistant: b")
        other = request("c-2")
        training = balanced(
            ([row, other], [verdict(row, 0), verdict(other, 1)]),
            with_routers(conversation_router=router),
            "conversation_router",
            2,
            "50r50n",
        )
        found = dict(training.select("conversationId", "content").iter_rows())
        assert found == {"c-1": "User: a\nAssistant: b\n\nrequest of c-1", "c-2": "request of c-2"}

    def test_no_verdicts_make_an_empty_set(self) -> None:
        for router in ROUTER_NAMES:
            training = balanced(([], []), with_strategies(router, get_args(Strategy)), router, 10)
            assert training.is_empty()
            TrainingRow.validate(training)

    @pytest.mark.parametrize("twice", [False, True], ids=["of no request", "of one request twice"])
    def test_a_label_without_its_request_is_refused(self, *, twice: bool) -> None:
        rows, told = two_classes(7, 3)
        odd = told[0] if twice else verdict(request("stranger"), 0)
        with pytest.raises(Refused, match=r"11 labels are of 1[01] requests"):
            balanced((rows, [*told, odd]), PLAN, "session_router", 10)


class TestFault35:
    """A class has fewer rows than the total needs."""

    def test_fault_35_a_short_class_caps_the_total_at_the_exact_ratio_without_duplicates(self) -> None:
        training = balanced(two_classes(70, 25), PLAN, "session_router", 100)
        assert labels(training) == (56, 24)
        assert not training["requestId"].is_duplicated().any()

    def test_fault_35_or_is_refused_with_what_is_wanted_and_there(self) -> None:
        refusing = with_routers(training=ROUTERS.training.model_copy(update={"short_class": "refuse"}))
        told = (
            "session_router train-70r30n cannot have 100 rows: label 0 (want 70, have 70), label 1 (want 30, have 25)"
        )
        with pytest.raises(Refused) as refused:
            balanced(two_classes(70, 25), refusing, "session_router", 100)
        assert refused.value.what == told
        assert "--allow-shortfall" in refused.value.remedy

    def test_fault_35_classes_that_suffice_are_not_refused(self) -> None:
        refusing = with_routers(training=ROUTERS.training.model_copy(update={"short_class": "refuse"}))
        assert labels(balanced(two_classes(70, 30), refusing, "session_router", 100)) == (70, 30)
        allowed = refusing.with_shortfall()
        assert labels(balanced(two_classes(70, 25), allowed, "session_router", 100)) == (56, 24)


def taken_per_turn_count(strategies: Iterable[Strategy]) -> Counter[int]:
    """How many of each turn count are taken, 100 of 1,000 of which every tenth has 15 turns."""
    rows = [request(f"c-{number}", turnCount=3 if number % 10 else 15) for number in range(1000)]
    told = [verdict(row, number // 10 % 2) for number, row in enumerate(rows)]
    training = balanced((rows, told), with_strategies("session_router", strategies), "session_router", 100, "50r50n")
    return Counter(training["turnCount"])


class TestInverseFrequency:
    def test_weights_are_one_over_the_share_of_the_turn_count(self) -> None:
        rows = [request(f"c-{number}", turnCount=3 if number < 6 else 15) for number in range(8)]
        training = balanced(
            (rows, [verdict(row, n % 2) for n, row in enumerate(rows)]), PLAN, "session_router", 8, "50r50n"
        )
        assert dict(training.select("turnCount", "weight").iter_rows()) == {3: 8 / 6, 15: 4.0}

    def test_rare_turn_counts_are_taken_more_often_with_it_alone(self) -> None:
        plain, weighted = taken_per_turn_count(()), taken_per_turn_count(("inverse_frequency",))
        assert plain[15] < 20
        assert 35 <= weighted[15] <= 60
        assert plain.total() == weighted.total() == 100


@fewer
@given(judged(at_most=30), st.sampled_from(("70r30n", "50r50n")))
def test_every_strategy_at_once_still_is_exact(of: Judged, ratio: str) -> None:
    plan = with_strategies("conversation_router", get_args(Strategy))
    training = balanced(of, plan, "conversation_router", 10, ratio)
    part0, part1 = parse_ratio(ratio).parts
    label0, label1 = labels(training)
    assert label0 * part1 == label1 * part0
