"""Who goes into which split, and at what rank."""

import polars as pl
import pytest

from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.turns import assign, decode, expected_splits
from sft_pipeline.curation.validating import violations
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.conversations_world import (
    BY_USER,
    PLAN,
    query_row,
    query_rows,
    some_id,
    split_of,
)


class TestAssigning:
    def test_splits_and_priorities_are_hashes_of_the_id(self) -> None:
        ids = [some_id(split=split, chunk=0) for split in ("train", "val", "test")]
        assigned = assign(decode(query_rows(*map(query_row, ids))).candidates, PLAN)
        assert assigned["split"].to_list() == ["train", "val", "test"]
        assert assigned["priority"].is_between(0, 2**60, closed="left").all()
        assert assigned["priority"].n_unique() == 3

    def test_a_split_by_user_keeps_all_of_a_user_together(self) -> None:
        rows = query_rows(*(query_row(f"c-{number}", userName=f"u-{number % 7}") for number in range(140)))
        splits = rows.select("userName").with_columns(expected_splits(rows, BY_USER).alias("split"))
        assert splits.unique().height == 7
        by_conversation = rows.select("userName").with_columns(expected_splits(rows, PLAN).alias("split"))
        assert by_conversation.unique().height > 7

    def test_users_that_are_not_known_go_together_as_well(self) -> None:
        rows = query_rows(*(query_row(f"c-{number}", userName=None) for number in range(50)))
        assert expected_splits(rows, BY_USER).unique().to_list() == [split_of("", PLAN)]

    def test_a_plan_that_does_not_split_puts_everyone_into_one(self) -> None:
        rows = query_rows(query_row("c-1"), query_row("c-2"))
        assert expected_splits(rows, read_plan("production_100k")).to_list() == ["all", "all"]

    @pytest.mark.parametrize("name", ["test", "production_100k"])
    def test_no_rows_have_typed_empty_columns(self, name: str) -> None:
        assigned = assign(decode(query_rows()).candidates, read_plan(name))
        assert assigned.schema["split"] == pl.String()
        assert assigned.schema["priority"] == pl.Int64()

    def test_what_is_decoded_and_assigned_breaks_no_rule(self) -> None:
        rows = query_rows(*(query_row(f"c-{turns}", turns=turns) for turns in range(3, 21)))
        assert violations(assign(decode(rows).candidates, PLAN), conversation_rules(PLAN), PLAN).is_empty()

    def test_fault_18_the_same_rows_decode_to_the_same_frame(self) -> None:
        rows = query_rows(*(query_row(f"c-{number}", turns=3 + number) for number in range(10)))
        assert decode(rows).candidates.equals(decode(rows).candidates)
