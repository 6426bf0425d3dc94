import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from sft_pipeline.curation.json_texts import ROWS_AT_A_TIME, decoded

TURNS = pl.List(pl.Struct({"turnIndex": pl.Int64(), "userMessage": pl.String()}))
turn = st.fixed_dictionaries({"turnIndex": st.integers(0, 99), "userMessage": st.none() | st.text(max_size=5)})


@given(st.lists(st.none() | st.lists(turn, max_size=3), max_size=20), st.integers(0, 2 * ROWS_AT_A_TIME))
def test_every_row_is_its_own_text_decoded(values: list[list[dict[str, object]] | None], before: int) -> None:
    values = [None] * before + values
    texts = pl.Series("turnsArray", [None if one is None else json.dumps(one) for one in values], pl.String())
    assert_series_equal(decoded(texts, TURNS), pl.Series("turnsArray", values, TURNS))


def test_a_text_of_another_shape_is_refused_wherever_it_stands() -> None:
    texts = pl.Series("turnsArray", ["[]"] * (ROWS_AT_A_TIME + 1) + ['{"turnIndex": "one"}'])
    with pytest.raises(pl.exceptions.ComputeError):
        decoded(texts, TURNS)
