"""Names leave as pseudonyms, the same for the same name and key, before anything is decided by them."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.extraction import CuratedChunk, curate_chunk
from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.privacy import pseudonyms
from sft_pipeline.curation.records import record_lines
from sft_pipeline.curation.rules import PSEUDONYM
from sft_pipeline_tests.conversations_world import (
    BY_USER,
    PLAN,
    PSEUDONYMOUS,
    nested_as_objects,
    query_row,
    query_rows,
    turn_json,
)
from sft_pipeline_tests.records_world import with_targets
from sft_pipeline_tests.secret_texts import ALL_IN_ONE, GIVEAWAYS, SECRETS

KEY, OTHER = b"0123456789abcdef", b"0123456789abcdeg"
CHUNK = 0
IDS = [text for text in (f"c-{number}" for number in range(400)) if chunk_of(text, PLAN.chunks.count) == CHUNK]
BY_PSEUDONYM = PSEUDONYMOUS.model_copy(update={"split": BY_USER.split})
NAMES = ["octocat", "Grace Hopper", "undefined", "ünïcode"]


def renamed(*names: str | None, key: bytes = KEY) -> list[str | None]:
    return pseudonyms(pl.Series("userName", names, pl.String()), key).to_list()


def chunk_of_names(plan: Plan, key: bytes | None = KEY) -> CuratedChunk:
    """Ten conversations of each name, the last of each dropped by the query."""
    rows = [
        query_row(IDS[number], userName=NAMES[number % 4], dropReason="turn_missing" if number >= 36 else "")
        for number in range(40)
    ]
    return curate_chunk(query_rows(*rows), plan, chunk=CHUNK, key=key)


class TestPseudonyms:
    @given(st.text(min_size=1).filter(lambda text: text.isprintable() and text.strip()))
    def test_all_have_one_shape(self, name: str) -> None:
        assert re.fullmatch(r"user-[0-9a-f]{24}", str(renamed(name)[0]))

    def test_they_are_the_start_of_an_hmac(self) -> None:
        """By `printf octocat | openssl dgst -sha256 -hmac 0123456789abcdef`."""
        assert renamed("octocat") == ["user-fea46685ca0cda5288b7c7ac"]

    def test_the_same_key_gives_the_same_and_another_key_another(self) -> None:
        assert renamed(*NAMES) == renamed(*NAMES)
        assert not {*renamed(*NAMES)} & {*renamed(*NAMES, key=OTHER)}

    def test_different_names_stay_different_and_equal_ones_equal(self) -> None:
        found = renamed(*NAMES, *NAMES)
        assert found[:4] == found[4:]
        assert len({*found}) == 4

    def test_missing_names_stay_missing(self) -> None:
        assert renamed(None, "", " ", "\u200b", "x")[:4] == [None, "", " ", "\u200b"]


class TestChunks:
    def test_no_name_is_in_any_table_of_a_chunk(self) -> None:
        chunk = chunk_of_names(PSEUDONYMOUS)
        told = (
            f"{chunk.conversations.to_dicts()} {chunk.rejected.to_dicts()} {record_lines(chunk.conversations).decode()}"
        )
        assert [name for name in NAMES if name in told] == []
        assert chunk.conversations["userName"].str.contains(PSEUDONYM).all()

    def test_names_that_a_plan_keeps_are_as_they_were(self) -> None:
        assert {*chunk_of_names(PLAN, key=None).conversations["userName"]} == {*NAMES}

    def test_a_plan_that_wants_pseudonyms_makes_nothing_without_a_key(self) -> None:
        with pytest.raises(ValueError, match="no key"):
            chunk_of_names(PSEUDONYMOUS, key=None)

    def test_a_split_by_user_is_that_of_the_pseudonym_for_dropped_conversations_too(self) -> None:
        chunk = chunk_of_names(BY_PSEUDONYM)
        splits = {
            name: pl.Series(
                [row["split"] for row in chunk.conversations.to_dicts() if row["userName"] == name]
            ).unique()
            for name in renamed(*NAMES)
        }
        assert [found.len() for found in splits.values()] == [1, 1, 1, 1]
        dropped = chunk.rejected.sort("conversationId")
        expected = {IDS[36 + number]: splits[name].item() for number, name in enumerate(renamed(*NAMES))}
        assert dict(dropped.select("conversationId", "split").iter_rows()) == expected

    def test_another_key_moves_users_and_other_targets_move_nobody(self) -> None:
        placed = chunk_of_names(BY_PSEUDONYM).conversations.select("conversationId", "split")
        more = with_targets(
            BY_PSEUDONYM, {split: {"short": 1, "medium": 2, "long": 3} for split in BY_PSEUDONYM.splits}
        )
        assert chunk_of_names(more).conversations.select("conversationId", "split").equals(placed)
        keys = [f"another key, number {number}".encode() for number in range(8)]
        elsewhere = [
            chunk_of_names(BY_PSEUDONYM, key=key).conversations.select("conversationId", "split") for key in keys
        ]
        assert not all(other.sort("conversationId").equals(placed.sort("conversationId")) for other in elsewhere)

    def test_a_blank_name_is_rejected_by_one_rule(self) -> None:
        chunk = curate_chunk(query_rows(query_row(IDS[0], userName=" ")), PSEUDONYMOUS, chunk=CHUNK, key=KEY)
        assert chunk.rejected["errors"].to_list() == [["Missing required fields: userName"]]


class TestFault49:
    TURNS = (turn_json(1, userMessage=ALL_IN_ONE), turn_json(2, modelMessage=ALL_IN_ONE), turn_json(3))

    def chunk(self, plan: Plan) -> CuratedChunk:
        kept = query_row(IDS[0], turnsArray=nested_as_objects(self.TURNS))
        invalid = query_row(IDS[1], turnsArray=nested_as_objects(self.TURNS), turnCount=4)
        return curate_chunk(query_rows(kept, invalid), plan, chunk=CHUNK, key=KEY)

    def test_fault_49_secrets_of_every_kind_are_gone_from_a_chunk_and_counted(self) -> None:
        chunk = self.chunk(PSEUDONYMOUS)
        told = f"{chunk.conversations.to_dicts()} {chunk.rejected.to_dicts()}"
        assert [secret for secret in GIVEAWAYS if secret in told] == []
        assert chunk.redacted == {kind: 2 * len(secrets) for kind, secrets in SECRETS.items()}
        assert chunk.rejected["conversationId"].to_list() == [IDS[1]]

    def test_a_plan_that_keeps_secrets_keeps_them(self) -> None:
        keeping = PLAN.model_copy(update={"privacy": PLAN.privacy.model_copy(update={"secrets": "keep"})})
        (turns,) = self.chunk(keeping).conversations["turnsArray"]
        assert turns[0]["userMessage"] == ALL_IN_ONE
