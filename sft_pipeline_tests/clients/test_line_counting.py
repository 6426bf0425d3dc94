"""Tokens are exact where a vocabulary is at hand, else an estimate; lines that are too long are refused by id."""

from hashlib import sha1
from pathlib import Path

import polars as pl
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.clients import line_counting
from sft_pipeline.clients.line_counting import VOCABULARY_URL, count_lines, counter, exact
from sft_pipeline.curation.line_tokens import TOKENS_OF_SHAPE, estimated_tokens
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT
from sft_pipeline_tests.curation.labels_world import training, training_row

MERGES = (b"th", b"the", b" the", b"re")
RANKS = {bytes([byte]): byte for byte in range(256)} | {merge: 256 + rank for rank, merge in enumerate(MERGES)}
SPECIAL = {"<|endoftext|>": 256 + len(MERGES)}
BYTES = tiktoken.Encoding("bytes", pat_str=r"\S+|\s+\S*", mergeable_ranks=RANKS, special_tokens=SPECIAL)
"""A vocabulary of single bytes and four merges."""

PLAIN = tiktoken.Encoding(
    "plain", pat_str=r"[\s\S]", mergeable_ranks={bytes([byte]): byte for byte in range(256)}, special_tokens={}
)
FILE = sha1(VOCABULARY_URL.encode(), usedforsecurity=False).hexdigest()
BESIDE = len(SYSTEM_PROMPT.encode()) + TOKENS_OF_SHAPE
"""What every line has by `PLAIN`, whatever its request."""


def lines(*contents: str) -> pl.DataFrame:
    return training([training_row(f"c-{number}", 1, request=text) for number, text in enumerate(contents)])


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=8))
def test_a_vocabulary_of_bytes_counts_bytes(contents: list[str]) -> None:
    assert exact(PLAIN).tokens(contents) == [len(text.encode()) + BESIDE for text in contents]


def test_merges_of_the_vocabulary_count_as_one() -> None:
    beside = len(BYTES.encode_ordinary(SYSTEM_PROMPT)) + TOKENS_OF_SHAPE
    assert exact(BYTES).tokens(["the there", "xyz", ""]) == [beside + 3, beside + 3, beside]


def test_what_reads_like_a_special_token_is_text() -> None:
    beside = len(BYTES.encode_ordinary(SYSTEM_PROMPT)) + TOKENS_OF_SHAPE
    assert exact(BYTES).tokens(["<|endoftext|>"]) == [beside + 13]


def test_the_lines_of_a_file_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_counting, "ROWS_AT_ONCE", 2)
    counted = count_lines(lines("a", "bb", "ccc", "dddd", "e"), exact(PLAIN), limit=10_000)
    assert counted == (11 + 5 * BESIDE, 4 + BESIDE, "plain")


def test_no_lines_have_no_tokens() -> None:
    assert count_lines(lines(), exact(PLAIN), limit=1) == (0, 0, "plain")


class TestLimit:
    def test_a_line_may_have_as_many_tokens_as_the_limit(self) -> None:
        assert count_lines(lines("x" * 10), exact(PLAIN), limit=10 + BESIDE).longest == 10 + BESIDE

    def test_longer_ones_are_refused_by_their_ids(self) -> None:
        contents = ["short", *["x" * 50] * 7]
        with pytest.raises(Refused) as refused:
            count_lines(lines(*contents), exact(PLAIN), limit=49 + BESIDE)
        assert refused.value.what == (
            f"7 lines have more than {49 + BESIDE:,} tokens by plain: c-1#1, c-2#1, c-3#1, c-4#1, c-5#1"
        )
        assert "max_line_tokens" in refused.value.remedy
        assert "xxx" not in str(refused.value)

    def test_the_estimate_refuses_nothing_that_was_not_left_out_for_it(self, tmp_path: Path) -> None:
        estimate = counter({"TIKTOKEN_CACHE_DIR": str(tmp_path)})
        longest = estimated_tokens("漢" * 20)
        assert count_lines(lines("漢" * 20), estimate, limit=longest).longest == longest
        with pytest.raises(Refused, match="by estimate: c-0#1"):
            count_lines(lines("漢" * 20), estimate, limit=longest - 1)


class TestWithoutVocabulary:
    def test_the_estimate_counts_where_none_is_at_hand(self, tmp_path: Path) -> None:
        by = counter({"TIKTOKEN_CACHE_DIR": str(tmp_path / "none")})
        assert by.name == "estimate"
        assert by.tokens(["", "xyz", "漢字"]) == [estimated_tokens(text) for text in ("", "xyz", "漢字")]

    @pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
    def test_a_file_that_is_another_one_is_left_as_it_is_and_not_counted_by(
        self, tmp_path: Path, variable: str
    ) -> None:
        """Tiktoken would remove it and download its own."""
        (tmp_path / FILE).write_bytes(b"dGhl 0\n")
        assert counter({variable: str(tmp_path)}).name == "estimate"
        assert (tmp_path / FILE).read_bytes() == b"dGhl 0\n"

    def test_an_empty_variable_has_tiktoken_look_nowhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would download the vocabulary whatever lies in other folders."""
        _pretend_vocabulary(tmp_path, monkeypatch)
        monkeypatch.chdir(tmp_path)
        told = {"DATA_GYM_CACHE_DIR": str(tmp_path)}
        assert counter(told).name == "plain"
        assert counter({"TIKTOKEN_CACHE_DIR": "", **told}).name == "estimate"

    def test_a_folder_in_the_place_of_the_file_is_none(self, tmp_path: Path) -> None:
        (tmp_path / FILE).mkdir()
        assert counter({"TIKTOKEN_CACHE_DIR": str(tmp_path)}).name == "estimate"


def _pretend_vocabulary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the place of the vocabulary, as large as nobody needs it, that passes for it."""
    content = b"".join(b"%d\n" % rank for rank in range(3))
    (folder / FILE).write_bytes(content)
    monkeypatch.setattr(line_counting, "VOCABULARY_SHA256", line_counting.sha256(content).hexdigest())
    monkeypatch.setattr(line_counting.tiktoken, "get_encoding", {line_counting.VOCABULARY: PLAIN}.__getitem__)
