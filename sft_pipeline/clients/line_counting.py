"""Tokens of SFT lines, by tiktoken where its vocabulary is on this machine, else by the estimate.

Belongs here: counting and refusing lines that are too long. Does not belong here: the estimate (curation.line_tokens).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1, sha256
from pathlib import Path
from tempfile import gettempdir
from typing import NamedTuple

import polars as pl
import tiktoken

from sft_pipeline.curation.line_tokens import TOKENS_OF_SHAPE, estimated_tokens
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT

VOCABULARY = "o200k_base"
VOCABULARY_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
VOCABULARY_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""What tiktoken downloads once, and again where the file is another one; a run never does: it counts by the vocabulary
only when it is there as it should be."""

ROWS_AT_ONCE = 10_000


class Counter(NamedTuple):
    """How tokens are counted, and what that is called."""

    name: str
    tokens: Callable[[Sequence[str]], list[int]]


class LineTokens(NamedTuple):
    """The tokens of a file's lines."""

    total: int
    longest: int
    counter: str


def counter(environment: Mapping[str, str] = os.environ) -> Counter:
    """The exact counter where tiktoken's vocabulary is at hand, else the estimate."""
    if _is_at_hand(environment):
        return exact(tiktoken.get_encoding(VOCABULARY))
    return Counter("estimate", _estimated)


def _is_at_hand(environment: Mapping[str, str]) -> bool:
    """Whether tiktoken would find the vocabulary where it looks for it; an empty variable has it look nowhere."""
    known = (environment.get(name) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
    folder = next((told for told in known if told is not None), str(Path(gettempdir(), "data-gym-cache")))
    path = Path(folder, sha1(VOCABULARY_URL.encode(), usedforsecurity=False).hexdigest())
    try:
        return bool(folder) and sha256(path.read_bytes()).hexdigest() == VOCABULARY_SHA256
    except OSError:
        return False


def _estimated(contents: Sequence[str]) -> list[int]:
    return [estimated_tokens(content) for content in contents]


def exact(encoding: tiktoken.Encoding) -> Counter:
    """Counts by a vocabulary."""
    beside = len(encoding.encode_ordinary(SYSTEM_PROMPT)) + TOKENS_OF_SHAPE

    def count(contents: Sequence[str]) -> list[int]:
        return [len(tokens) + beside for tokens in encoding.encode_ordinary_batch(list(contents))]

    return Counter(encoding.name, count)


def count_lines(rows: pl.DataFrame, by: Counter, *, limit: int) -> LineTokens:
    """Count the tokens of the lines that training rows become.

    Args:
        rows: of `TrainingRow`.
        by: how.
        limit: the most that a line may have.

    Raises:
        Refused: lines are longer; their requests are named.
    """
    counts = [
        count
        for piece in rows["content"].to_frame().iter_slices(ROWS_AT_ONCE)
        for count in by.tokens(piece["content"].to_list())
    ]
    tokens = pl.Series("tokens", counts, pl.Int64())
    if longer := rows["requestId"].filter(tokens > limit).to_list():
        raise Refused(
            f"{len(longer)} lines have more than {limit:,} tokens by {by.name}: {', '.join(longer[:5])}",
            remedy="raise routers.training.max_line_tokens if the model to be trained takes them, else lower it: "
            "longer requests are then left out",
        )
    return LineTokens(int(tokens.sum()), int(tokens.max() or 0) if counts else 0, by.name)  # pyright: ignore[reportArgumentType]
