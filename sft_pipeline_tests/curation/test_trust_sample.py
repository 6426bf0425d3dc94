"""What is looked at twice depends on ids and salt alone, and a larger share keeps a smaller one."""

from random import Random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.judge_knobs import Share
from sft_pipeline.curation.trust_sample import looked_at_twice
from sft_pipeline_tests.curation.labels_world import Row, judged, verdict, verdicts

tables = judged().map(lambda drawn: verdicts(drawn[1]))
shares = st.builds(Share, share=st.integers(0, 100).map(lambda percent: percent / 100), at_least=st.integers(0, 30))


def told(count: int, label: int | None = 1) -> list[Row]:
    return [verdict({"requestId": f"c-{number}#1", "priority": number}, label) for number in range(count)]


def chosen(table: pl.DataFrame, share: Share, salt: str = "salt") -> list[str]:
    return looked_at_twice(table, share, salt=salt).to_list()


def share(of: float, at_least: int = 0) -> Share:
    return Share(share=of, at_least=at_least)


@given(tables, shares)
def test_only_labelled_requests_are_looked_at_none_twice_and_as_many_as_wanted(
    table: pl.DataFrame, wanted: Share
) -> None:
    found = chosen(table, wanted)
    labelled = table.drop_nulls("label")
    assert len(set(found)) == len(found)
    assert set(found) <= set(labelled["requestId"])
    assert min(wanted.at_least, labelled.height) <= len(found) <= labelled.height
    assert len(found) >= wanted.share * labelled.height - 1e-9


@given(tables, shares, shares)
def test_a_larger_share_keeps_a_smaller_one(table: pl.DataFrame, one: Share, other: Share) -> None:
    small, large = sorted((chosen(table, one), chosen(table, other)), key=len)
    assert large[: len(small)] == small


@given(tables, shares, st.randoms(use_true_random=False))
def test_the_order_of_verdicts_does_not_matter(table: pl.DataFrame, wanted: Share, order: Random) -> None:
    shuffled = table[order.sample(range(table.height), table.height)]
    assert chosen(shuffled, wanted) == chosen(table, wanted)


def test_the_lowest_hashes_are_chosen() -> None:
    ids = [f"c-{number}#1" for number in range(50)]
    expected = sorted(ids, key=lambda name: (priority_of(name, salt="salt"), name))[:7]
    assert chosen(verdicts(told(50)), share(0, 7)) == expected


def test_a_share_is_taken_as_it_is_written() -> None:
    assert len(chosen(verdicts(told(100)), share(0.07))) == 7
    assert len(chosen(verdicts(told(101)), share(0.07))) == 8
    assert len(chosen(verdicts(told(10)), share(1.0))) == 10


def test_there_are_no_fewer_than_told_where_there_are_so_many() -> None:
    assert len(chosen(verdicts(told(100)), share(0.02, 30))) == 30
    assert len(chosen(verdicts(told(20)), share(0.02, 30))) == 20
    assert chosen(verdicts(told(20, None)), share(1.0, 30)) == []


def test_another_salt_chooses_independently() -> None:
    table = verdicts(told(200))
    retest, second = (set(chosen(table, share(0.5), salt)) for salt in ("retest", "second"))
    assert retest != second
    assert 25 < len(retest & second) < 75
