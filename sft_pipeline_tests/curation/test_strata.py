"""Strategies combine to strata, and weighted drawing draws by weight, however few requests were judged."""

from collections import Counter
from statistics import fmean

import polars as pl
import pytest

from sft_pipeline.curation.routers import RouterName, Strategy
from sft_pipeline.curation.strata import draw_order, inverse_frequency, stratum
from sft_pipeline_tests.curation.labels_world import request, requests

ROWS = requests([request("c-1", bucket="long", complexity="high", modelClass="fast", turnPosition="mid")])


@pytest.mark.parametrize(
    ("strategies", "router", "expected"),
    [
        ((), "session_router", ""),
        ((), "conversation_router", "mid"),
        (("inverse_frequency",), "session_router", ""),
        (("turn_buckets",), "session_router", "long"),
        (("chosen_model", "turn_buckets"), "session_router", "long+fast"),
        (("complexity", "complexity"), "conversation_router", "high+mid"),
        (
            ("inverse_frequency", "chosen_model", "complexity", "turn_buckets"),
            "conversation_router",
            "long+high+fast+mid",
        ),
    ],
)
def test_strata_are_the_product_of_what_is_chosen_in_one_order(
    strategies: tuple[Strategy, ...], router: RouterName, expected: str
) -> None:
    assert ROWS.select(stratum=stratum(strategies, router))["stratum"].to_list() == [expected]


def test_weights_are_those_of_the_source() -> None:
    turn_counts = pl.DataFrame({"turnCount": [3] * 30 + [15] + [7] * 69})
    weights = dict(turn_counts.select("turnCount", weight=inverse_frequency()).iter_rows())
    assert weights == pytest.approx({3: 1 / 0.30, 15: 1 / 0.01, 7: 1 / 0.69})


def test_without_weights_the_draw_is_the_priority() -> None:
    rows = requests([request(f"c-{number}") for number in range(5)])
    assert draw_order(rows, ("turn_buckets",), "any").to_list() == rows["priority"].to_list()


def drawn(rows: pl.DataFrame, salt: str = "router") -> pl.DataFrame:
    return rows.with_columns(draw_order(rows, ("inverse_frequency",), salt)).sort("draw")


def test_the_first_is_drawn_as_often_as_its_share_of_the_weights() -> None:
    rows = requests([request("c-1"), request("c-2")]).with_columns(weight=pl.Series([3.0, 1.0]))
    heavy = rows.row(0, named=True)["requestId"]
    first = Counter(drawn(rows, f"salt {number}")["requestId"][0] for number in range(2000))
    assert first[heavy] / 2000 == pytest.approx(0.75, abs=0.03)


def test_the_draw_does_not_know_how_far_the_priority_order_was_judged() -> None:
    rows = requests([request(f"c-{number}") for number in range(20_000)]).with_columns(weight=pl.lit(1.0))
    first_judged = rows.head(2_000)
    # -ln(u) of an even u has mean 1; of u from the lowest tenth of priorities it would have 3.3.
    assert fmean(drawn(first_judged)["draw"]) == pytest.approx(1, abs=0.07)
    of_first = set(first_judged["requestId"])
    assert drawn(first_judged)["requestId"].to_list() == [name for name in drawn(rows)["requestId"] if name in of_first]


def test_another_salt_draws_others() -> None:
    rows = requests([request(f"c-{number}") for number in range(50)]).with_columns(weight=pl.lit(1.0))
    assert drawn(rows, "a")["requestId"].to_list() != drawn(rows, "b")["requestId"].to_list()
