import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.telemetry.events import STORE_A_LIMIT
from sft_pipeline.telemetry.synthesis.requests import BUTTONS, SECRET_MARKS, SECRETS
from sft_pipeline.telemetry.synthesis.texts import Pools, Texts, near_length, pools_of


@pytest.fixture(scope="module")
def pools() -> Pools:
    return pools_of(7)


def plain(escaped: pl.Series) -> list[str]:
    return [json.loads(f'"{text}"') for text in escaped]


@pytest.mark.parametrize(
    "name", ["requests", "details", "secrets", "buttons", "blanks", "openings", "bodies", "narrations"]
)
def test_units_are_those_that_the_client_counts(pools: Pools, name: str) -> None:
    pool: Texts = getattr(pools, name)
    units = [len(text.encode("utf-16-le")) // 2 for text in plain(pool.escaped)]
    assert pool.units.tolist() == units


def test_no_slot_is_left_open(pools: Pools) -> None:
    for pool in (pools.requests, pools.details, pools.secrets, pools.openings, pools.bodies, pools.narrations):
        assert not pool.escaped.str.contains(r"\{(symbol|file|folder|word|number|secret\d+|upper16|event|error)").any()


def test_the_usual_texts_never_reach_the_limit_of_store_a(pools: Pools) -> None:
    asked = max(pools.requests.units) + max(pools.details.units) + max(pools.secrets.units)
    assert asked < STORE_A_LIMIT
    assert max(pools.openings.units) + max(pools.bodies.units) < STORE_A_LIMIT


def test_long_texts_are_cut_at_the_limit_or_sent_in_parts_that_join(pools: Pools) -> None:
    for long in (pools.long_requests, pools.long_answers):
        wholes = plain(long.whole)
        assert [text[:STORE_A_LIMIT] for text in wholes] == plain(long.cut)
        sent = [json.loads(f'{{"messageText":"{text}"}}') for text in long.sent_whole]
        assert ["".join(parts.values()) for parts in sent] == wholes
        assert 0 < sum(len(parts) > 1 for parts in sent) < len(sent)
        cut = [json.loads(f'{{"messageText":"{text}"}}') for text in long.sent_cut]
        assert {len(part) for parts in cut for part in parts.values() if len(part) > STORE_A_LIMIT} == set()


def test_difficulties_are_ranges_of_the_requests(pools: Pools) -> None:
    lengths = {
        name: float(np.median(pools.requests.units[slice(*bounds)])) for name, bounds in pools.request_bounds.items()
    }
    assert lengths["followUp"] < lengths["simple"] < lengths["moderate"] < lengths["hard"]


def test_every_secret_has_a_mark(pools: Pools) -> None:
    assert pools.secrets.escaped.str.contains_any([json.dumps(mark)[1:-1] for mark in SECRET_MARKS]).all()
    assert len(SECRET_MARKS) == len(SECRETS)


def test_pools_follow_from_the_seed(pools: Pools) -> None:
    assert pools_of(8).requests.escaped.to_list() != pools.requests.escaped.to_list()
    assert pools.buttons.units.tolist() == [len(text) for text in BUTTONS]


@given(wanted=st.integers(0, 10_000))
def test_a_wanted_length_is_met_or_just_exceeded(wanted: int) -> None:
    pool = pools_of(7).details
    found = pool.units[near_length(pool, np.array([wanted]))[0]]
    assert found >= wanted - STORE_A_LIMIT * (wanted > max(pool.units))
