import random
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline_tests.live.comparing import first_difference

LOOSE = {"turns": "JSON array, in no order: the turns"}
TURNS: list[dict[str, Any]] = [
    {"turnIndex": 1, "text": "secret words", "calls": [{"n": 1}, {"n": 2}]},
    {"turnIndex": 2, "calls": []},
]
AT = datetime(2026, 10, 20, tzinfo=UTC)


def answer(**changes: object) -> pl.DataFrame:
    told = {"conversationId": "a", "count": 3, "rate": 1 / 3, "at": AT, "good": True, "turns": nested(TURNS)}
    schema = {"count": pl.Int64, "rate": pl.Float64}
    return pl.DataFrame([told | changes, told | {"conversationId": "b"}], schema_overrides=schema)


def nested(value: object) -> str:
    return orjson.dumps(value).decode()


def difference(other: pl.DataFrame) -> str:
    return first_difference(answer(), other, LOOSE)


SAME: dict[str, dict[str, Any]] = {
    "itself": {},
    "an array told to be in no order, in another": {"turns": nested(TURNS[::-1])},
    "arrays within such an array, in another order": {
        "turns": nested([{**TURNS[0], "calls": [{"n": 2}, {"n": 1}]}, TURNS[1]])
    },
    "objects as texts that hold them": {"turns": nested([nested(turn) for turn in TURNS])},
    "fields in another order": {"turns": nested([dict(reversed(turn.items())) for turn in TURNS])},
    "other blanks in JSON": {"turns": nested(TURNS).replace(",", " , ")},
    "a null field for a missing one": {"turns": nested([{**TURNS[0], "more": None}, TURNS[1]])},
    "a whole number with a fraction of nothing": {"turns": nested([{**TURNS[0], "turnIndex": 1.0}, TURNS[1]])},
    "a rate that was rounded otherwise": {"rate": 1 / 3 + 1e-15},
}
OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "a text": ({"conversationId": "c"}, "conversationId is a text of 1 characters"),
    "a count": ({"count": 4}, "count is 3 on the cluster, 4 embedded"),
    "a missing count": ({"count": None}, "count is 3 on the cluster, None embedded"),
    "a rate": ({"rate": 1 / 3 + 1e-6}, "rate is 0.333"),
    "a time": ({"at": datetime(2026, 10, 20, 1, tzinfo=UTC)}, "at is datetime"),
    "a truth": ({"good": False}, "good is True on the cluster, False embedded"),
    "a field far down": (
        {"turns": nested([{**TURNS[0], "calls": [{"n": 1}, {"n": 3}]}, TURNS[1]])},
        "].n is 2 on the cluster, 3 embedded",
    ),
    "a missing field": ({"turns": nested([{"turnIndex": 1, "calls": TURNS[0]["calls"]}, TURNS[1]])}, ".text is a text"),
    "a missing element": ({"turns": nested(TURNS[:1])}, "turns is a list of 2 on the cluster, a list of 1 embedded"),
    "a number as text": ({"turns": nested([{**TURNS[0], "turnIndex": "1"}, TURNS[1]])}, "].turnIndex is 1 on"),
    "true for one": ({"turns": nested([{**TURNS[0], "turnIndex": True}, TURNS[1]])}, "True embedded"),
    "broken JSON": ({"turns": nested(TURNS)[:-1]}, "turns is a list of 2 on the cluster, a text of"),
}


@pytest.mark.parametrize("case", SAME)
def test_answers_that_mean_the_same_are_the_same(case: str) -> None:
    assert difference(answer(**SAME[case])) == ""


@pytest.mark.parametrize("case", OTHER)
def test_another_answer_is_told_by_column_and_path(case: str) -> None:
    changes, told = OTHER[case]
    assert told in difference(answer(**changes))


def test_an_array_whose_order_counts_is_compared_in_order() -> None:
    turned = answer(turns=nested(TURNS[::-1]))
    assert first_difference(answer(), turned, {"turns": "JSON array of the turns, in order"}) != ""


def test_a_difference_names_the_conversation_and_shows_no_text() -> None:
    told = difference(answer(turns=nested([{**TURNS[0], "text": "other words!"}, TURNS[1]])))
    assert told.startswith("row 1 of 2 (conversationId 'a'): turns[")
    assert "words" not in told


@pytest.mark.parametrize(
    "other",
    [
        answer().rename({"count": "number"}),
        answer().select(reversed(answer().columns)),
        answer().with_columns(pl.col("count").cast(pl.Int32)),
        answer().drop("good"),
    ],
)
def test_columns_their_order_and_their_types_count(other: pl.DataFrame) -> None:
    assert difference(other).startswith("columns differ: ")


def test_the_number_of_rows_counts() -> None:
    assert difference(answer().head(1)) == "the cluster answers 2 rows, the embedded engine 1"
    assert first_difference(answer().clear(), answer().clear(), LOOSE) == ""


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(allow_nan=True), st.text(max_size=3))), st.randoms())
def test_the_order_of_rows_does_not_count(rows: list[tuple[int, float, str]], chance: random.Random) -> None:
    schema = {"n": pl.Int64, "x": pl.Float64, "text": pl.String}
    shuffled = chance.sample(rows, len(rows))
    one, other = (pl.DataFrame(some, schema=schema, orient="row") for some in (rows, shuffled))
    assert first_difference(one, other, {}) == ""
