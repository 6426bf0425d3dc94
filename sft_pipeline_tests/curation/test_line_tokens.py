"""The estimate of a line's tokens is the same for a text and a column."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.line_tokens import TOKENS_BESIDE_CONTENT, estimated_line_tokens, estimated_tokens


def test_three_bytes_are_a_token_beside_what_every_line_has() -> None:
    lengths = [0, 1, 3, 4, 300]
    found = [estimated_tokens("x" * length) - TOKENS_BESIDE_CONTENT for length in lengths]
    assert found == [0, 1, 1, 2, 100]


def test_bytes_are_counted_and_not_characters() -> None:
    assert estimated_tokens("語" * 10) - TOKENS_BESIDE_CONTENT == 10


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)))))
def test_a_column_has_the_estimates_of_its_texts(texts: list[str]) -> None:
    frame = pl.DataFrame({"content": texts}, schema={"content": pl.String})
    assert frame.select(estimated_line_tokens(pl.col("content"))).to_series().to_list() == [
        estimated_tokens(text) for text in texts
    ]
