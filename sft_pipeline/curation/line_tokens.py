"""How many tokens an SFT line is estimated to have, without any tokenizer's vocabulary.

Belongs here: the estimate, the same everywhere. Does not belong here: exact counts by a vocabulary (clients).
"""

import polars as pl

from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT

BYTES_PER_TOKEN = 3
"""English and code have about 4 bytes of UTF-8 to a token, others rarely fewer than 3: rather too many than too few."""

TOKENS_OF_SHAPE = 16
"""Three messages of 4 tokens each around their text, 3 that open the answer, and its digit."""


def _tokens_of(length: int) -> int:
    return -(-length // BYTES_PER_TOKEN)


TOKENS_BESIDE_CONTENT = _tokens_of(len(SYSTEM_PROMPT.encode())) + TOKENS_OF_SHAPE
"""What every line has, whatever its request."""


def estimated_tokens(content: str) -> int:
    """The tokens of the line with this content: its UTF-8 bytes / 3, rounded up, and `TOKENS_BESIDE_CONTENT`."""
    return _tokens_of(len(content.encode("utf-8", "surrogatepass"))) + TOKENS_BESIDE_CONTENT


def estimated_line_tokens(content: pl.Expr) -> pl.Expr:
    """`estimated_tokens` for a column."""
    length = content.str.len_bytes().cast(pl.Int64())
    return (length + BYTES_PER_TOKEN - 1) // BYTES_PER_TOKEN + TOKENS_BESIDE_CONTENT
