"""Texts that a reader cannot tell apart have one key, others do not."""

import sys
from hashlib import sha256
from unicodedata import category

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.requests import content_key, normalised

texts = st.text(st.characters(codec="utf-8"), max_size=40)
EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Fix it", "fix it"),
        (" fix \n\t it ", "fix it"),
        ("fix\u00a0it", "fix it"),
        ("f\u200bix it\ufeff", "fix it"),
        ("ﬁx it", "fix it"),
        ("STRASSE", "straße"),
        ("e\u0301te\u0301", "été"),
        ("\uff21\uff22\uff23", "abc"),
        ("✔\ufe0f", "✔"),
        ("\u00ad", ""),
    ],
)
def test_what_reads_the_same_has_one_key(one: str, other: str) -> None:
    assert content_key(one) == content_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("fix it", "fixit"), ("a.b", "a b"), ("x = 1", "x = 2"), ("été", "ete"), ("", "."), ("I", "l"), ("解决", "解決")],
)
def test_what_reads_otherwise_has_another(one: str, other: str) -> None:
    assert content_key(one) != content_key(other)


def test_a_key_is_the_hash_of_the_normalised_text() -> None:
    assert content_key(" Grüße  AN\nalle ") == sha256("grüsse an alle".encode()).hexdigest()


def test_half_a_character_has_a_key_too() -> None:
    assert len(content_key("a\ud800")) == 64


@given(texts)
def test_a_normalised_text_stays_as_it_is(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_every_character_alone_normalises_for_good() -> None:
    assigned = [text for text in EVERY_CHARACTER if category(text) not in {"Cn", "Co"}]
    once = {normalised(text) for text in assigned}
    assert len(once) > 100_000
    assert [text for text in once if normalised(text) != text] == []


def test_every_character_that_shows_as_nothing_is_dropped() -> None:
    ignorable = pl.Series(EVERY_CHARACTER).str.contains(r"\p{Default_Ignorable_Code_Point}")
    dropped = [f"a{text}b" for text in pl.Series(EVERY_CHARACTER).filter(ignorable)]
    assert len(dropped) > 4_000
    assert {normalised(text) for text in dropped} == {"ab"}


@given(texts, st.sampled_from([" ", "\n", "\u3000", "\u2028"]), texts)
def test_white_space_of_any_kind_is_one_space(left: str, space: str, right: str) -> None:
    assert normalised(f"{left}{space}{right}") == normalised(f"{left} \t{right}")


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_the_short_way_of_ascii_is_the_long_one(text: str) -> None:
    assert normalised(text) == normalised(f"{text}é").removesuffix("é").rstrip()
