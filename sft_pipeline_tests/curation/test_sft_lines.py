"""Lines are byte for byte what fine-tuning takes, and anything else is found."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT, parse_sft_lines, sft_lines, sft_pieces

PROMPT_AS_IN_THE_SOURCE = (
    r"Assess whether the user request requires a reasoning-capable LLM.\n\tOutput 1 if a non-reasoning model is "
    r"sufficient.\n\tOutput 0 if a reasoning model is required.\n\tRespond with a single digit: 0 or 1."
)
"""Of source 000, as JSON writes it."""

texts = st.text(st.characters(exclude_categories=("Cs",)))
rows = st.lists(st.tuples(texts, st.integers(0, 1)), max_size=20)


def training(*pairs: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"content": pl.String, "label": pl.Int64}, orient="row")


def line(content: object = "hello", label: object = "1", **outer: object) -> dict[str, Any]:
    """A line that is right, as an object."""
    roles = (("system", SYSTEM_PROMPT), ("user", content), ("assistant", label))
    return {"messages": [{"role": role, "content": said} for role, said in roles], **outer}


def changed(message: int, **fields: object) -> dict[str, Any]:
    """A line of which one message has other fields."""
    right = line()
    right["messages"][message] |= fields
    return right


class TestWriting:
    def test_a_line_is_the_one_of_the_source(self) -> None:
        assert sft_lines(training(("fix the typo", 1))).decode() == (
            f'{{"messages":[{{"role":"system","content":"{PROMPT_AS_IN_THE_SOURCE}"}},'
            '{"role":"user","content":"fix the typo"},{"role":"assistant","content":"1"}]}\n'
        )

    def test_label_0_is_a_text_too(self) -> None:
        assert sft_lines(training(("design a scheduler", 0))).endswith(b'{"role":"assistant","content":"0"}]}\n')

    @given(rows)
    def test_what_is_written_is_read_again(self, pairs: list[tuple[str, int]]) -> None:
        read = parse_sft_lines(sft_lines(training(*pairs)))
        assert read.rows.rows() == pairs
        assert read.odd == []

    @given(rows)
    def test_any_reader_of_json_reads_it(self, pairs: list[tuple[str, int]]) -> None:
        found = [json.loads(each) for each in sft_lines(training(*pairs)).splitlines()]
        assert found == [line(content, str(label)) for content, label in pairs]

    @given(rows)
    def test_a_line_is_one_line_to_every_reader_of_lines(self, pairs: list[tuple[str, int]]) -> None:
        assert len(sft_lines(training(*pairs)).decode().splitlines()) == len(pairs)

    def test_line_breaks_of_unicode_stay_on_one_line(self) -> None:
        every = "a\u2028b\u2029c\x85d\ne\rf\x0bg\x0ch\x1ci\x1dj\x1e"
        lines = sft_lines(training((every, 0)))
        assert len(lines.decode().splitlines()) == 1
        assert parse_sft_lines(lines).rows["content"].to_list() == [every]

    @given(rows, st.integers(1, 7))
    def test_pieces_are_the_whole(self, pairs: list[tuple[str, int]], size: int) -> None:
        pieces = list(sft_pieces(training(*pairs).lazy(), rows=size))
        assert b"".join(pieces) == sft_lines(training(*pairs))
        assert [piece.count(b"\n") for piece in pieces[:-1]] == [size] * (len(pieces) - 1)

    def test_a_label_that_is_none_is_not_written(self) -> None:
        with pytest.raises(pl.exceptions.InvalidOperationError):
            sft_lines(training(("fix", 2)))


ODD_OBJECTS = {
    "another key beside": line(weight=1),
    "no messages": {},
    "other messages": {"messages": line()["messages"][:2]},
    "one message more": {"messages": [*line()["messages"], {"role": "user", "content": "more"}]},
    "roles out of order": {"messages": line()["messages"][::-1]},
    "another role": changed(0, role="developer"),
    "another prompt": changed(0, content=SYSTEM_PROMPT.replace("\t", "")),
    "a key in a message": changed(1, name="x"),
    "content that is no text": changed(1, content=["hello"]),
    "no content": changed(1, content=None),
    "a number for a label": changed(2, content=1),
    "a label with a full stop": changed(2, content="1."),
    "another digit": changed(2, content="2"),
    "arrays for objects": [["messages", [list(message.items()) for message in line()["messages"]]]],
    "content before role": {"messages": [dict(reversed(message.items())) for message in line()["messages"]]},
}

RIGHT = json.dumps(line()).encode()

ODD_BYTES = {
    "nothing": b"",
    "no JSON": b"hello",
    "cut off": RIGHT[:-2],
    "two objects": RIGHT + RIGHT,
    "a key twice": RIGHT.replace(b'"role": "user"', b'"role": "system", "role": "user"'),
    "not UTF-8": RIGHT.replace(b"hello", b"\xff"),
    "half a surrogate pair": RIGHT.replace(b"hello", b"\\ud800"),
    "a byte order mark": b"\xef\xbb\xbf" + RIGHT,
    "deeper than one can read": b"[" * 100_000,
    "a number without end": b"1" * 10_000,
}


class TestReading:
    def test_spaces_between_tokens_do_not_matter(self) -> None:
        assert parse_sft_lines(RIGHT).rows.rows() == [("hello", 1)]

    @pytest.mark.parametrize("odd", ODD_OBJECTS.values(), ids=ODD_OBJECTS.keys())
    def test_an_object_of_another_shape_is_odd(self, odd: object) -> None:
        read = parse_sft_lines(b"\n".join((RIGHT, json.dumps(odd).encode(), RIGHT)))
        assert (read.rows.height, read.odd) == (2, [2])

    @pytest.mark.parametrize("odd", ODD_BYTES.values(), ids=ODD_BYTES.keys())
    def test_what_is_no_object_is_odd(self, odd: bytes) -> None:
        read = parse_sft_lines(b"\n".join((odd, RIGHT, odd, b"")))
        assert (read.rows.rows(), read.odd) == ([("hello", 1)], [1, 3])

    def test_nothing_has_no_lines(self) -> None:
        assert parse_sft_lines(b"").odd == []
