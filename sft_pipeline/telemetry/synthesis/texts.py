"""Pools of invented texts, already escaped for JSON, to be picked and joined a column at a time.

Belongs here: filling templates, growing texts to a length, escaping, measuring, cutting.
Does not belong here: wording (requests, answers, slots), which turn gets which text (wording of turns).
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl

from sft_pipeline.telemetry.events import STORE_A_LIMIT
from sft_pipeline.telemetry.synthesis import answers, rates, requests
from sft_pipeline.telemetry.synthesis.randomness import Integers, chance, generator
from sft_pipeline.telemetry.synthesis.slots import INVENTED, SLOTS

SLOT = re.compile(r"\{(" + "|".join([*SLOTS, *INVENTED]) + r")\}")
POOL_STREAM = 2**63
"""The stream of a seed that no batch uses."""
SENTENCES = 2_000
GROWN = 2_000
SHORTEST, LONGEST_GROWN = 12, 6_500
LONG_TEXTS, LONGEST = 100, 18_000
ASCII_ONE_IN = 8
"""Every so many texts are escaped to pure ASCII, the others keep their characters."""
POOL_SIZES = {"simple": 4_000, "moderate": 4_000, "hard": 3_000, "followUp": 3_000}
REQUESTS = {
    "simple": requests.SIMPLE,
    "moderate": requests.MODERATE,
    "hard": requests.HARD,
    "followUp": requests.FOLLOW_UPS,
}


class Texts(NamedTuple):
    """Texts as they stand between the quotes of a JSON string, and their lengths in UTF-16 units."""

    escaped: pl.Series
    units: Integers


class LongTexts(NamedTuple):
    """Texts over the limit of store A: cut there, whole, and as messages send them (some in several properties)."""

    cut: pl.Series
    whole: pl.Series
    sent_cut: pl.Series
    sent_whole: pl.Series
    units: Integers


class Pools(NamedTuple):
    """All texts that a seed's conversations are made of.

    Args:
        request_bounds: where each difficulty of `requests` begins and ends.
    """

    requests: Texts
    request_bounds: dict[str, tuple[int, int]]
    details: Texts
    secrets: Texts
    buttons: Texts
    blanks: Texts
    long_requests: LongTexts
    openings: Texts
    bodies: Texts
    narrations: Texts
    long_answers: LongTexts


@lru_cache(maxsize=2)
def pools_of(seed: int) -> Pools:
    """The pools of a seed."""
    rng = generator(seed, POOL_STREAM)
    sizes = list(POOL_SIZES.values())
    ends = np.cumsum(sizes).tolist()
    details = _filled(rng, requests.DETAILS, SENTENCES)
    bodies = _filled(rng, answers.BODIES, SENTENCES)
    return Pools(
        requests=_texts([text for name, size in POOL_SIZES.items() for text in _filled(rng, REQUESTS[name], size)]),
        request_bounds={name: (end - size, end) for name, size, end in zip(POOL_SIZES, sizes, ends, strict=True)},
        details=_texts(sorted(_grown(rng, details, GROWN, SHORTEST, LONGEST_GROWN), key=len)),
        secrets=_texts(_filled(rng, requests.SECRETS, 200)),
        buttons=_texts(requests.BUTTONS),
        blanks=_texts(requests.BLANKS),
        long_requests=_long_texts(rng, _grown(rng, details, LONG_TEXTS, STORE_A_LIMIT + 60, LONGEST)),
        openings=_texts(_filled(rng, answers.OPENINGS, SENTENCES)),
        bodies=_texts(sorted(_grown(rng, bodies, GROWN, SHORTEST, LONGEST_GROWN), key=len)),
        narrations=_texts(_filled(rng, answers.NARRATIONS, SENTENCES)),
        long_answers=_long_texts(rng, _grown(rng, bodies, LONG_TEXTS, STORE_A_LIMIT + 60, LONGEST)),
    )


def near_length(pool: Texts, wanted: Integers) -> Integers:
    """For each wanted length the index of a text about that long; the pool is sorted by length."""
    found = np.searchsorted(np.maximum.accumulate(pool.units), wanted)
    return np.minimum(found, pool.units.size - 1).astype(np.int64)


def _filled(rng: np.random.Generator, templates: Sequence[str], count: int) -> list[str]:
    """The templates in turn, each time with other words."""
    numbers = _endless(rng)
    return [
        SLOT.sub(lambda found: _word(found.group(1), numbers), templates[index % len(templates)])
        for index in range(count)
    ]


def _endless(rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from rng.integers(0, 2**31, size=10_000).tolist()


def _word(slot: str, numbers: Iterator[int]) -> str:
    if slot in SLOTS:
        words = SLOTS[slot]
        return words[next(numbers) % len(words)]
    alphabet, length = INVENTED[slot]
    return "".join(alphabet[next(numbers) % len(alphabet)] for _ in range(length))


def _grown(rng: np.random.Generator, sentences: Sequence[str], count: int, low: int, high: int) -> list[str]:
    """Texts of joined sentences, their lengths log-uniform between the bounds."""
    lengths = np.exp(rng.uniform(np.log(low), np.log(high), size=count))
    numbers = _endless(rng)
    return [_joined(sentences, numbers, int(length), low) for length in lengths]


def _joined(sentences: Sequence[str], numbers: Iterator[int], length: int, low: int) -> str:
    parts: list[str] = []
    size = 0
    while size < min(length, max(low, length - 40)) or not parts:
        sentence = sentences[next(numbers) % len(sentences)]
        parts.append(sentence if sentence[0] in " \n" else f" {sentence}")
        size += len(parts[-1])
    return "".join(parts)


def _texts(texts: Sequence[str]) -> Texts:
    escaped = [_escaped(text, ascii_only=index % ASCII_ONE_IN == 0) for index, text in enumerate(texts)]
    return Texts(pl.Series(escaped, dtype=pl.String()), np.array([_units(text) for text in texts], dtype=np.int64))


def _escaped(text: str, *, ascii_only: bool = False) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _long_texts(rng: np.random.Generator, texts: Sequence[str]) -> LongTexts:
    split = chance(rng, len(texts), rates.SPLIT_OF_LONG_TEXTS)
    cut = [_escaped(text[:STORE_A_LIMIT]) for text in texts]
    whole = [_escaped(text) for text in texts]
    parts = [_in_parts(text) for text in texts]
    return LongTexts(
        pl.Series(cut),
        pl.Series(whole),
        pl.Series([part if many else text for part, text, many in zip(parts, cut, split, strict=True)]),
        pl.Series([part if many else text for part, text, many in zip(parts, whole, split, strict=True)]),
        np.array([_units(text) for text in texts], dtype=np.int64),
    )


def _in_parts(text: str) -> str:
    """The text over several properties: all between the first one's opening and the last one's closing quote."""
    pieces = [text[start : start + STORE_A_LIMIT] for start in range(0, len(text), STORE_A_LIMIT)]
    joined = _escaped(pieces[0])
    for number, piece in enumerate(pieces[1:], start=2):
        joined += f'","messageText_{number:02d}":"{_escaped(piece)}'
    return joined
