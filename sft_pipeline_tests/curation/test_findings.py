"""What a finding tells of two JSON values that differ, and of many oddities."""

from collections.abc import Iterator

import pytest

from sft_pipeline.curation.findings import Finding, differences, enumerated, finding


@pytest.mark.parametrize(
    ("claimed", "found", "told"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["at.a.b says 1, is 2"]),
        ({"a": 1}, {}, ["at.a says 1, is '(absent)'"]),
        ({}, {"a": None}, ["at.a says '(absent)', is None"]),
        (1, True, ["at says 1, is True"]),
        (1.0, 1, ["at says 1.0, is 1"]),
        ([1, 2], [1], ["at says [1, 2], is [1]"]),
        ({"a": 1}, [1], ["at says {'a': 1}, is [1]"]),
    ],
)
def test_differences_are_told_by_path(claimed: object, found: object, told: list[str]):
    assert list(differences("at", claimed, found)) == told


def test_a_long_value_is_cut():
    (told,) = differences("at", "x" * 1000, "")
    assert len(told) < 150


def test_five_oddities_are_named_and_the_others_counted():
    assert enumerated(["a", "b"], 2) == "a, b"
    assert enumerated(list("abcdef"), 6) == "a, b, c, d, e and more, 6 in all"


def it_is_so(oddities: list[str]) -> Iterator[str]:
    """It is so."""
    yield from oddities


def test_a_finding_is_named_as_its_function_and_says_its_sentence():
    none = list[str]()
    assert finding(it_is_so, none) == Finding("it_is_so", "It is so")
    assert finding(it_is_so, none).passed
    assert not finding(it_is_so, ["not here"]).passed
