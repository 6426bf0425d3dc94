"""Draws from a counter-based generator, a column at a time.

Belongs here: distributions and random identifiers as columns.
Does not belong here: any rate or meaning.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

HEX_PAIRS = np.frombuffer(bytes(range(256)).hex().encode(), dtype=np.uint16)
UUID_GROUPS = ((0, 8, 0), (9, 13, 8), (14, 18, 12), (19, 23, 16), (24, 36, 20))
"""Where each group of hex digits stands in a UUID's text: from, to, first digit."""


def generator(seed: int, stream: int) -> np.random.Generator:
    """The generator of one stream of a seed; streams are independent of each other."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))


def chance(rng: np.random.Generator, size: int, share: float | Floats) -> Booleans:
    """True for about that share."""
    return rng.random(size) < share


def lognormal(rng: np.random.Generator, size: int, median: float | Floats, sigma: float | Floats) -> Floats:
    """Lognormal by its median and the spread of its logarithm."""
    return median * np.exp(sigma * rng.standard_normal(size))


def weighted(rng: np.random.Generator, size: int, weights: Sequence[float] | Floats) -> Integers:
    """Indices of the weights, each as often as its weight says."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn = rng.random(size) * float(bounds[-1])
    return np.minimum(np.searchsorted(bounds, drawn, side="right"), bounds.size - 1).astype(np.int64)


def between(rng: np.random.Generator, low: int | Integers, high: int | Integers, size: int) -> Integers:
    """Whole numbers from `low` to `high`, both included; `low` where the range is empty."""
    span = np.maximum(np.asarray(high, dtype=np.int64) - low + 1, 1)
    return (low + np.floor(rng.random(size) * span)).astype(np.int64)


def apportioned(total: int, weights: Sequence[float]) -> list[int]:
    """Parts of a total by weight; the parts add up exactly."""
    bounds = np.floor(np.cumsum(weights) / np.sum(weights) * total + 0.5).astype(np.int64)
    return [int(part) for part in np.diff(bounds, prepend=0)]


def picked(rng: np.random.Generator, size: int, shares: Mapping[str, float]) -> pl.Series:
    """Names, each as often as its share says."""
    return pl.Series(list(shares)).gather(weighted(rng, size, list(shares.values())))


def identifiers(rng: np.random.Generator, size: int) -> pl.Series:
    """Version 4 UUIDs as text."""
    drawn = rng.integers(0, 256, size=(size, 16), dtype=np.uint8)
    drawn[:, 6] = drawn[:, 6] & 0x0F | 0x40
    drawn[:, 8] = drawn[:, 8] & 0x3F | 0x80
    digits = HEX_PAIRS[drawn].view(np.uint8).reshape(size, 32)
    text = np.full((size, 36), ord("-"), dtype=np.uint8)
    for start, end, digit in UUID_GROUPS:
        text[:, start:end] = digits[:, digit : digit + end - start]
    return pl.Series("id", text.reshape(-1).view("S36"), dtype=pl.Binary()).cast(pl.String())
