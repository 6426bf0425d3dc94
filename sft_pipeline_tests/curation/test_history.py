"""The history is what was said before, the newest of it, and nothing of any other conversation."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.history import CUT, histories
from sft_pipeline.curation.routers import History
from sft_pipeline.curation.rules import BLANK

Said = tuple[str | None, str | None]

texts = st.none() | st.sampled_from(["", "   ", "\u200b"]) | st.text(st.characters(codec="utf-8"), max_size=70)
talks = st.lists(st.lists(st.tuples(texts, texts), min_size=1, max_size=6), max_size=4)
limits = st.builds(History, turns=st.integers(1, 4), characters=st.integers(100, 250))


def histories_of(*conversations: list[Said], turns: int = 3, characters: int = 2_000) -> list[list[str]]:
    rows = [(f"c-{number}", *said) for number, conversation in enumerate(conversations) for said in conversation]
    schema = {"conversationId": pl.String, "userMessage": pl.String, "modelMessage": pl.String}
    found = iter(
        histories(
            pl.DataFrame(rows, schema=schema, orient="row"), History(turns=turns, characters=characters)
        ).to_list()
    )
    return [[next(found) for _ in conversation] for conversation in conversations]


def is_seen(text: str | None) -> bool:
    """Whether a person would see anything of it, by Polars as everywhere."""
    return text is not None and not pl.Series([text]).str.contains(BLANK).item()


def rendered(before: list[Said], turns: int, characters: int) -> str:
    """The history once more in plain Python."""
    told: list[str] = []
    for user, model in before[-turns:]:
        lines = [f"User: {user}"] * is_seen(user) + [f"Assistant: {model}"] * is_seen(model)
        told += ["\n".join(lines)] if lines else []
    whole = "\n\n".join(told)
    return whole if len(whole) <= characters else CUT + whole[-characters:]


def test_turns_stand_oldest_first_and_the_first_turn_has_no_history() -> None:
    assert histories_of([("a", "A"), ("b", "B"), ("c", "C")]) == [
        ["", "User: a\nAssistant: A", "User: a\nAssistant: A\n\nUser: b\nAssistant: B"]
    ]


def test_only_the_last_turns_are_told() -> None:
    [[*_, last]] = histories_of([("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")], turns=2)
    assert last == "User: b\nAssistant: B\n\nUser: c\nAssistant: C"


def test_who_said_nothing_has_no_line() -> None:
    said: list[Said] = [("a", ""), (None, "B"), ("\u200b", None), ("d", "D")]
    assert histories_of(said) == [["", "User: a", "User: a\n\nAssistant: B", "User: a\n\nAssistant: B"]]


@pytest.mark.parametrize(("length", "expected"), [(94, "User: " + 94 * "x"), (95, CUT + "ser: " + 95 * "x")])
def test_the_newest_characters_are_kept_and_a_mark_says_that_others_were_cut(length: int, expected: str) -> None:
    assert histories_of([("x" * length, None), ("b", "B")], characters=100)[0][1] == expected


def test_a_cut_falls_between_characters_of_any_width() -> None:
    [[_, last]] = histories_of([("\U0001f600" * 300, None), ("b", "B")], characters=100)
    assert last == CUT + "\U0001f600" * 100


@given(talks, limits)
def test_histories_are_those_of_plain_python(conversations: list[list[Said]], history: History) -> None:
    expected = [
        [rendered(conversation[:turn], history.turns, history.characters) for turn in range(len(conversation))]
        for conversation in conversations
    ]
    assert histories_of(*conversations, turns=history.turns, characters=history.characters) == expected
