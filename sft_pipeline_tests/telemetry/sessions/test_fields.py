"""Broken bytes and odd values."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.telemetry.sessions.fields import (
    UnreadableError,
    clean,
    count,
    decode,
    instant,
    parse,
    parse_lines,
    text,
)


def test_a_byte_order_mark_and_invalid_utf_8_do_not_stop_parsing():
    assert parse(b'\xef\xbb\xbf{"a":"x\xffy"}') == {"a": "x�y"}
    assert decode(b"\xef\xbb\xbfa\xff") == "a�"


def test_lone_surrogates_are_replaced_and_pairs_joined():
    assert text(parse(rb'"a\ud800b"')) == "a�b"
    assert clean("\ud83d\ude00") == "\N{GRINNING FACE}"


def test_nul_is_replaced_escaped_or_raw():
    assert text(parse(rb'"a\u0000b"')) == "a�b"
    assert text(parse(b'"a\x00b"')) == "a�b"


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_can_be_stored_and_cleaning_again_changes_nothing(value: str):
    cleaned = clean(value)
    assert "\x00" not in cleaned.encode().decode()
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize("data", [b"", b"{", b"// comment\n{}", b"[" * 100_000])
def test_what_is_not_json_is_refused_with_a_reason_and_none_of_its_text(data: bytes):
    with pytest.raises(UnreadableError) as caught:
        parse(data)
    assert "JSON" in str(caught.value)
    assert "comment" not in str(caught.value)


def test_a_torn_last_line_is_left_out_and_a_broken_one_before_is_named():
    assert parse_lines(b'{"a":1}\n\n{"b":2}\n{"c":') == [{"a": 1}, {"b": 2}]
    with pytest.raises(UnreadableError, match="line 2 "):
        parse_lines(b'{"a":1}\n{"b\n{"c":3}\n')
    with pytest.raises(UnreadableError, match="no line"):
        parse_lines(b'{"a":')


def test_lines_are_cut_at_line_feeds_alone():
    assert parse_lines('"a\u2028b"\r\n"c"\r\n'.encode()) == ["a\u2028b", "c"]


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (7, 7), (7.0, 7), (-1, None), (0.5, None), (True, None), ("7", None)]
)
def test_counts_are_whole_and_not_negative(value: object, expected: int | None):
    assert count(value) == expected


def test_times_are_milliseconds_of_this_century():
    assert instant(1_750_000_000_123) == datetime(2025, 6, 15, 15, 6, 40, 123_000, UTC)
    assert instant(0) is None
    assert instant(1_750_000_000) is None
    assert instant(10**15) is None
