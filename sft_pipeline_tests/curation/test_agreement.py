"""Kappa and its interval are those of published examples, and keep the symmetries that a measure of agreement has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.agreement import Kappa, cohen_kappa, kappa_of_table
from sft_pipeline.curation.label_account import Pairs

counts = st.integers(0, 200)
some = st.integers(40, 200)
"""So many that no interval is cut at its ends."""

pairs = st.builds(Pairs, both0=counts, first0_second1=counts, first1_second0=counts, both1=counts)


def of(both0: int, first0_second1: int, first1_second0: int, both1: int) -> Kappa:
    pairs = Pairs(both0=both0, first0_second1=first0_second1, first1_second0=first1_second0, both1=both1)
    return cohen_kappa(pairs)


def interval_width(pairs: Pairs) -> float:
    found = cohen_kappa(pairs)
    assert found.low is not None
    assert found.high is not None
    assert -1 < found.low < found.high < 1
    return found.high - found.low


class TestPublishedExamples:
    def test_ci_kappa_of_the_r_package_statpsych(self) -> None:
        """Bonett, statpsych, ci.kappa(.05, 31, 12, 4, 58): 0.6756757 (0.5317210, 0.8196303)."""
        assert of(31, 12, 4, 58)[:3] == pytest.approx((0.6756757, 0.5317210, 0.8196303), abs=1e-7)

    def test_lateral_shift(self) -> None:
        """Sim and Wright 2005, Physical Therapy 85, table 1: 39 patients, 22 and 11 agreed upon, kappa 0.67."""
        assert of(22, 2, 4, 11).value == pytest.approx(0.67, abs=0.005)

    @pytest.mark.parametrize(
        ("table", "published"),
        [
            # SAS/STAT, PROC FREQ, example "Agreement Study": two dermatologists and 88 patients.
            (((10, 4, 1, 0), (5, 10, 12, 2), (2, 4, 12, 5), (0, 2, 6, 13)), (0.3449, 0.2030, 0.4868)),
            # A printout of PROC FREQ that statsmodels tests its own with.
            (((0, 4, 1), (0, 8, 0), (0, 1, 5)), (0.4842, 0.2137, 0.7547)),
        ],
        ids=["dermatologists", "statsmodels"],
    )
    def test_tables_of_more_classes(self, table: tuple[tuple[int, ...], ...], published: tuple[float, ...]) -> None:
        assert kappa_of_table(table)[:3] == pytest.approx(published, abs=5e-5)

    def test_equal_agreement_is_worth_less_where_classes_are_uneven(self) -> None:
        """Both agree on 60 of 100: 0.1304 and 0.2593, as the common textbook comparison has it."""
        assert of(45, 15, 25, 15).value == pytest.approx(0.1304, abs=5e-5)
        assert of(25, 35, 5, 35).value == pytest.approx(0.2593, abs=5e-5)


class TestEnds:
    def test_without_pairs_nothing_is_known(self) -> None:
        assert of(0, 0, 0, 0) == Kappa(None, None, None, 0, None)
        assert of(0, 0, 0, 0).told == "no pairs"

    @pytest.mark.parametrize("found", [of(9, 0, 0, 0), of(0, 0, 0, 9)], ids=["all 0", "all 1"])
    def test_of_one_class_alone_it_is_undefined_and_not_perfect(self, found: Kappa) -> None:
        assert found == Kappa(None, None, None, 9, 1.0)
        assert found.told == "kappa is undefined, as all labels are of one class; 100.0% of 9 pairs agree"

    def test_a_judge_who_always_says_the_same_agrees_by_chance_alone(self) -> None:
        assert of(90, 0, 10, 0)[:3] == (0.0, 0.0, 0.0)

    def test_perfect_agreement_is_1_and_its_opposite_minus_1(self) -> None:
        assert of(6, 0, 0, 4)[:3] == (1.0, 1.0, 1.0)
        assert of(0, 5, 5, 0)[:3] == (-1.0, -1.0, -1.0)

    def test_an_interval_ends_where_kappa_does(self) -> None:
        assert of(0, 1, 2, 0)[:2] == (-0.8, -1.0)
        assert of(2, 1, 0, 2).high == 1.0

    def test_a_kappa_that_is_a_short_decimal_is_that_number(self) -> None:
        assert of(45, 5, 5, 45).value == 0.8
        assert of(35, 15, 15, 35).value == 0.4

    def test_it_is_told_with_its_interval(self) -> None:
        assert of(31, 12, 4, 58).told == "kappa 0.676 (95 % interval 0.532 to 0.820); 84.8% of 105 pairs agree"


class TestSymmetries:
    @given(pairs)
    def test_the_value_lies_in_its_interval_and_that_within_minus_1_and_1(self, pairs: Pairs) -> None:
        found = cohen_kappa(pairs)
        if found.value is not None and found.low is not None and found.high is not None:
            assert -1 <= found.low <= found.value <= found.high <= 1

    @given(pairs)
    def test_who_is_first_does_not_matter(self, pairs: Pairs) -> None:
        swapped = {"first0_second1": pairs.first1_second0, "first1_second0": pairs.first0_second1}
        assert cohen_kappa(pairs.model_copy(update=swapped)) == pytest.approx(cohen_kappa(pairs))

    @given(pairs)
    def test_what_the_labels_are_called_does_not_matter(self, pairs: Pairs) -> None:
        renamed = of(pairs.both1, pairs.first1_second0, pairs.first0_second1, pairs.both0)
        assert renamed == pytest.approx(cohen_kappa(pairs))

    @given(st.builds(Pairs, both0=some, first0_second1=some, first1_second0=some, both1=some))
    def test_four_times_the_pairs_halve_the_interval(self, pairs: Pairs) -> None:
        width, narrower = interval_width(pairs), interval_width(pairs + pairs + pairs + pairs)
        assert narrower == pytest.approx(width / 2)
