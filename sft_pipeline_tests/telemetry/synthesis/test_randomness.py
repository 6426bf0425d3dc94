import re
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.telemetry.synthesis.randomness import (
    apportioned,
    between,
    chance,
    generator,
    identifiers,
    lognormal,
    picked,
    weighted,
)

SIZE = 20_000


def test_streams_of_a_seed_are_repeatable_and_differ() -> None:
    draws = [generator(7, stream).random(4).tolist() for stream in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert generator(8, 0).random(4).tolist() != draws[0]


def test_identifiers_are_distinct_version_4_uuids() -> None:
    ids = identifiers(generator(7, 0), SIZE)
    assert ids.n_unique() == SIZE
    assert all(str(UUID(text)) == text and UUID(text).version == 4 for text in ids.head(500))
    assert ids.str.contains(re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").pattern).all()


def test_no_identifiers_are_none() -> None:
    assert identifiers(generator(7, 0), 0).to_list() == []


def test_weights_are_met_and_zero_is_never() -> None:
    drawn = weighted(generator(7, 0), SIZE, [1, 0, 3])
    assert np.bincount(drawn, minlength=3) / SIZE == pytest.approx([0.25, 0, 0.75], abs=0.02)
    names = picked(generator(7, 0), SIZE, {"a": 0.9, "b": 0.1})
    assert (names == "b").mean() == pytest.approx(0.1, abs=0.01)


def test_a_lognormal_has_its_median() -> None:
    assert np.median(lognormal(generator(7, 0), SIZE, 45.0, 1.57)) == pytest.approx(45, rel=0.05)
    assert chance(generator(7, 0), SIZE, 0.3).mean() == pytest.approx(0.3, abs=0.02)


@given(low=st.integers(-50, 50), span=st.integers(-3, 50))
def test_whole_numbers_lie_between_their_bounds(low: int, span: int) -> None:
    drawn = between(generator(7, 0), low, low + span, 200)
    assert drawn.min() >= low
    assert drawn.max() <= max(low, low + span)


@given(total=st.integers(0, 10_000), weights=st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_parts_add_up_and_keep_their_weight(total: int, weights: list[int]) -> None:
    parts = apportioned(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert part == pytest.approx(total * weight / sum(weights), abs=1)
