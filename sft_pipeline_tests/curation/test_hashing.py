"""The persisted decisions: fixed vectors, so that no release of this project ever decides otherwise."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.hashing import (
    chunk_of,
    chunks_of,
    content_version,
    leading_digits,
    priorities,
    priority_of,
    split_percent,
    split_percents,
)

ODD_IDS = ["", "c-1", "naïve-😀", "o'brien\"|1", "../../etc", "a:b", " ", "x" * 10_000, "\u2028", "\x00"]
ANY_ID = st.text(st.characters(exclude_categories=[]), max_size=40)
"""Lone surrogates too."""


# `printf 'chunk:c-1' | sha256sum` begins with c8051c8e: 0xc8051c8e mod 40 is 30. The others likewise.
@pytest.mark.parametrize(
    ("conversation_id", "chunk", "percent", "priority"),
    [
        ("c-1", 0xC8051C8E % 40, 0x9FFBD76F % 100, 0xD3A08F85B954BBE),
        ("", 0xDF813086 % 40, 0xB4FEE06E % 100, 0xAF04B362F5AE7EC),
        ("naïve-😀", 0xBFF822D1 % 40, 0x5AE24FAA % 100, 0xA482D1D4792D29E),
        ("o'brien\"|1", 0x806300CB % 40, 0x5F52889F % 100, 0x7A1463DDC26F4AC),
    ],
)
def test_decisions_are_those_of_sha256_of_salt_and_id(
    conversation_id: str, chunk: int, percent: int, priority: int
) -> None:
    assert chunk_of(conversation_id, 40) == chunk
    assert split_percent(conversation_id) == percent
    assert priority_of(conversation_id, salt="v4") == priority


def test_one_vector_in_plain_decimal() -> None:
    assert (chunk_of("c-1", 40), split_percent("c-1"), priority_of("c-1", salt="v4")) == (30, 31, 953084133923703742)


def test_columns_decide_as_single_ids_do() -> None:
    ids = pl.Series(ODD_IDS)
    assert chunks_of(ids, count=7).to_list() == [chunk_of(text, 7) for text in ODD_IDS]
    assert split_percents(ids).to_list() == [split_percent(text) for text in ODD_IDS]
    assert priorities(ids, salt="s").to_list() == [priority_of(text, salt="s") for text in ODD_IDS]


def test_columns_of_no_ids_are_typed_and_named() -> None:
    empty = pl.Series([], dtype=pl.String())
    columns = [chunks_of(empty, count=3), split_percents(empty), priorities(empty, salt="s")]
    assert [(column.name, column.dtype) for column in columns] == [
        ("chunk", pl.Int64()),
        ("splitPercent", pl.Int64()),
        ("priority", pl.Int64()),
    ]


@given(ANY_ID, st.integers(1, 99))
def test_fault_32_any_id_has_a_chunk_a_percent_and_a_priority_in_range(conversation_id: str, count: int) -> None:
    assert 0 <= chunk_of(conversation_id, count) < count
    assert 0 <= split_percent(conversation_id) < 100
    assert 0 <= priority_of(conversation_id, salt="v4") < 2**60


@given(ANY_ID, st.integers(1, 60))
def test_chunk_k_of_n_is_chunks_k_and_k_plus_n_of_twice_as_many(conversation_id: str, count: int) -> None:
    assert chunk_of(conversation_id, 2 * count) in {
        chunk_of(conversation_id, count),
        chunk_of(conversation_id, count) + count,
    }


@given(st.text(max_size=10), st.text(max_size=10))
def test_salts_make_independent_texts(salt: str, key: str) -> None:
    assert leading_digits("chunk", key, 15) != leading_digits("split", key, 15)
    assert priority_of(key, salt=salt) != priority_of(key, salt=f"{salt}+")


IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(20_000)]


def test_every_chunk_holds_its_share_of_every_split() -> None:
    """Regression: one shared hash for chunk and split leaves 22 of 40 chunks without a val conversation."""
    found = Counter((chunk_of(text, 40), split_percent(text) < 83, split_percent(text) >= 92) for text in IDS)
    for chunk in range(40):
        train, val, test = (found[chunk, *split] for split in ((True, False), (False, False), (False, True)))
        assert 0.76 < train / (train + val + test) < 0.90
        assert 0.04 < val / (train + val + test) < 0.15
        assert 0.03 < test / (train + val + test) < 0.14


def test_shares_are_those_of_the_plan() -> None:
    percents = Counter(split_percent(text) for text in IDS)
    assert sum(percents[percent] for percent in range(83)) / len(IDS) == pytest.approx(0.83, abs=0.01)
    assert sum(percents[percent] for percent in range(83, 92)) / len(IDS) == pytest.approx(0.09, abs=0.01)


def test_priorities_favour_no_chunk_and_no_split() -> None:
    ranks = {text: priority_of(text, salt="v4") / 2**60 for text in IDS}
    groups: dict[tuple[str, int], list[float]] = {}
    for text, rank in ranks.items():
        groups.setdefault(("chunk", chunk_of(text, 10)), []).append(rank)
        groups.setdefault(("val", int(split_percent(text) in range(83, 92))), []).append(rank)
        groups.setdefault(("test", int(split_percent(text) >= 92)), []).append(rank)
    for members in groups.values():
        assert sum(members) / len(members) == pytest.approx(0.5, abs=0.03)


def test_another_salt_draws_another_sample() -> None:
    drawn = [set(sorted(IDS, key=lambda text: priority_of(text, salt=salt))[:2000]) for salt in ("v4", "v5")]
    assert 100 < len(drawn[0] & drawn[1]) < 300  # 200 by chance


@given(st.lists(ANY_ID, max_size=5), st.lists(ANY_ID, max_size=5))
def test_content_versions_are_equal_only_for_equal_sequences(one: list[str], other: list[str]) -> None:
    assert (content_version(one) == content_version(other)) == (one == other)


def test_content_versions_tell_where_a_part_ends() -> None:
    versions = [content_version(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [])]
    assert len(set(versions)) == len(versions)


def test_a_content_version_is_sha256_of_lengths_and_texts() -> None:
    # printf '\0\0\0\0\0\0\0\2ab' | sha256sum
    assert content_version(["ab"]) == "9caccc24b5d7e06c21c0277b6530d66664273e11f326515c58eaa3691afccfff"
