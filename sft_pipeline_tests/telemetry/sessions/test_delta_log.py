"""Replay of session logs."""

import copy
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.telemetry.sessions.delta_log import is_log, replay
from sft_pipeline.telemetry.sessions.fields import UnreadableError

START = {"kind": 0, "v": {"requests": [{"id": 1, "response": ["a", "b"]}], "title": "x"}}


def replayed(*entries: object) -> object:
    return replay([copy.deepcopy(START), *entries])


def test_a_log_begins_with_a_whole_object():
    assert is_log([START])
    assert not is_log([{"kind": 1, "k": ["a"], "v": 1}])
    assert not is_log([{"type": "session.start"}])
    assert not is_log(["x"])


def test_set_replaces_what_lies_under_a_path():
    assert replayed({"kind": 1, "k": ["requests", 0, "id"], "v": 2}, {"kind": 1, "k": ["new"], "v": 3}) == {
        "requests": [{"id": 2, "response": ["a", "b"]}],
        "title": "x",
        "new": 3,
    }


def test_push_appends_and_with_an_index_cuts_first():
    path = ["requests", 0, "response"]
    state = replayed({"kind": 2, "k": path, "v": ["c"]}, {"kind": 2, "k": path, "v": ["B", "C"], "i": 1})
    assert state == {"requests": [{"id": 1, "response": ["a", "B", "C"]}], "title": "x"}


def test_push_without_items_only_cuts():
    assert replayed({"kind": 2, "k": ["requests"], "i": 0}) == {"requests": [], "title": "x"}


def test_push_makes_the_array_that_is_not_there():
    state = replayed({"kind": 2, "k": ["requests", 0, "followups"], "v": [1]})
    assert state == {"requests": [{"id": 1, "response": ["a", "b"], "followups": [1]}], "title": "x"}


def test_delete_leaves_nothing_under_the_path():
    assert replayed({"kind": 3, "k": ["title"]}) == {"requests": [{"id": 1, "response": ["a", "b"]}], "title": None}


def test_a_later_initial_entry_starts_over():
    assert replayed({"kind": 0, "v": {"requests": []}}) == {"requests": []}


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": 1, "k": ["requests", 5, "id"], "v": 1},
        {"kind": 1, "k": ["requests", 9], "v": 1},
        {"kind": 1, "k": ["title", "deeper"], "v": 1},
        {"kind": 2, "k": ["nothing", "here"], "v": [1]},
        {"kind": 4, "k": ["title"], "v": 1},
        {"kind": 1, "k": ["requests", -1, "id"], "v": 1},
        {"k": ["title"]},
    ],
)
def test_an_entry_that_does_not_fit_makes_the_log_unreadable_and_is_named(entry: object):
    with pytest.raises(UnreadableError, match="entry 2 "):
        replayed(entry)


@given(st.lists(st.lists(st.integers(), max_size=6), min_size=1, max_size=6))
def test_the_state_is_the_last_one_however_it_was_written(states: list[list[int]]):
    log: list[object] = [{"kind": 0, "v": {"items": list(states[0])}}]
    for before, after in pairwise(states):
        same = next(
            (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
        )
        log.append({"kind": 2, "k": ["items"], "v": after[same:], "i": same})
    assert replay(log) == {"items": states[-1]}
