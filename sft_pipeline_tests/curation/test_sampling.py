"""Samples are exact, the lowest by priority, and the same whatever the order and the chunks were."""

from collections.abc import Sequence
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.sampling import aggregate, cell_counts, choose, require_filled
from sft_pipeline.curation.tables import Candidate
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.conversations_world import PLAN, Row, candidate, light_rows

TURNS = {"short": 3, "medium": 6, "long": 11}
RANDOMS = st.randoms(use_true_random=False)


@st.composite
def light(draw: st.DrawFn) -> list[Row]:
    """Light rows of different conversations; priorities collide now and then."""
    names = draw(st.lists(st.integers(0, 999), max_size=40, unique=True))
    return [
        candidate(
            f"c-{name}",
            turns=draw(st.sampled_from(sorted(TURNS.values()))),
            priority=draw(st.integers(0, 30)),
            chunk=draw(st.sampled_from(PLAN.chunk_keys)),
        )
        for name in names
    ]


def ranked(rows: Sequence[Row]) -> pl.DataFrame:
    """The candidates without the chunk, which is where they lie and not what they are."""
    return aggregate(light_rows(*rows)).candidates.drop("chunk")


def with_target(cell: Cell, target: int) -> Cell:
    return cell._replace(target=target)


def of_cell(rows: Sequence[Row], cell: Cell) -> list[str]:
    """The ids of a cell by priority then id, once more in plain Python."""
    mine = [row for row in rows if (row["split"], row["bucket"]) == (cell.split, cell.bucket.name)]
    return [row["conversationId"] for row in sorted(mine, key=lambda row: (row["priority"], row["conversationId"]))]


cells = st.sampled_from(PLAN.cells)


class TestChoosing:
    @given(light(), cells, st.integers(1, 12))
    def test_a_sample_is_the_lowest_of_its_cell_in_order_and_exactly_as_many_as_wanted(
        self, rows: list[Row], cell: Cell, target: int
    ) -> None:
        chosen = choose(ranked(rows), with_target(cell, target))
        assert chosen["conversationId"].to_list() == of_cell(rows, cell)[:target]
        assert chosen["rank"].to_list() == list(range(chosen.height))

    @given(light(), RANDOMS)
    def test_the_order_of_rows_does_not_matter(self, rows: list[Row], order: Random) -> None:
        shuffled = order.sample(rows, len(rows))
        assert aggregate(light_rows(*shuffled)).candidates.equals(aggregate(light_rows(*rows)).candidates)

    @given(light(), RANDOMS)
    def test_the_chunks_do_not_matter(self, rows: list[Row], draw: Random) -> None:
        elsewhere = [{**row, "chunk": f"{draw.randrange(40):02d}-of-40"} for row in rows]
        assert ranked(elsewhere).equals(ranked(rows))

    @given(light(), cells, st.integers(1, 6), st.integers(0, 6))
    def test_a_larger_target_keeps_every_id(self, rows: list[Row], cell: Cell, target: int, more: int) -> None:
        candidates = ranked(rows)
        smaller, larger = (choose(candidates, with_target(cell, count)) for count in (target, target + more))
        assert larger.head(smaller.height).equals(smaller)

    @given(light(), cells, st.integers(1, 6), st.integers(0, 40))
    def test_more_candidates_keep_every_id_that_still_ranks(
        self, rows: list[Row], cell: Cell, target: int, known: int
    ) -> None:
        before, after = (choose(ranked(some), with_target(cell, target)) for some in (rows[:known], rows))
        kept, now = set(before["conversationId"]), set(after["conversationId"])
        newcomers = {row["conversationId"] for row in rows[known:]}
        assert now - kept <= newcomers
        assert len(kept - now) <= len(now & newcomers)
        lost = before.filter(pl.col("conversationId").is_in(list(kept - now)))["priority"]
        assert all(priority >= after["priority"].max() for priority in lost)

    @given(light())
    def test_no_conversation_is_in_two_samples(self, rows: list[Row]) -> None:
        candidates = ranked(rows)
        ids = [name for cell in PLAN.cells for name in choose(candidates, cell)["conversationId"]]
        assert len(ids) == len(set(ids))
        assert set(ids) <= {row["conversationId"] for row in rows}

    def test_equal_priorities_stand_by_id(self) -> None:
        rows = [candidate(name, split="train", priority=7) for name in ("b", "c", "a")]
        assert ranked(rows)["conversationId"].to_list() == ["a", "b", "c"]

    def test_an_empty_cell_has_an_empty_sample(self) -> None:
        chosen = choose(aggregate(light_rows()).candidates, PLAN.cells[0])
        assert chosen.is_empty()
        assert Candidate.is_valid(chosen)


class TestAggregating:
    @given(light())
    @settings(max_examples=30)
    def test_candidates_are_valid_ranked_by_cell_and_complete(self, rows: list[Row]) -> None:
        candidates, duplicates = aggregate(light_rows(*rows))
        assert Candidate.validate(candidates).height == len(rows)
        assert duplicates.is_empty()
        assert candidates.equals(candidates.sort("split", "bucket", "rank"))
        for _, cell in candidates.group_by("split", "bucket"):
            assert cell["rank"].to_list() == list(range(cell.height))

    @given(light(), st.data(), RANDOMS)
    def test_fault_19_what_a_second_chunk_holds_again_is_reported_and_one_copy_stays(
        self, rows: list[Row], data: st.DataObject, order: Random
    ) -> None:
        picked = st.lists(st.sampled_from(rows), unique_by=lambda row: row["conversationId"]) if rows else st.just([])
        again = data.draw(picked)
        copies = [{**row, "chunk": "9-of-10", "digest": "zzz"} for row in again]
        mixed = order.sample([*rows, *copies], len(rows) + len(copies))
        candidates, duplicates = aggregate(light_rows(*mixed))
        assert candidates.equals(aggregate(light_rows(*rows)).candidates)
        assert sorted(duplicates["conversationId"]) == sorted(row["conversationId"] for row in again)
        assert set(duplicates["chunk"]) <= {"9-of-10"}

    def test_the_copy_of_the_lowest_chunk_then_digest_stays(self) -> None:
        places = [("2-of-4", "a"), ("1-of-4", "c"), ("1-of-4", "b"), ("3-of-4", "a")]
        rows = [candidate("c-1", chunk=chunk, digest=digest) for chunk, digest in places]
        candidates, duplicates = aggregate(light_rows(*rows))
        assert candidates.select("chunk", "digest", "rank").rows() == [("1-of-4", "b", 0)]
        assert duplicates.height == 3

    def test_fault_18_the_same_chunk_twice_changes_no_sample(self) -> None:
        rows = [candidate(f"c-{number}", chunk=f"{number % 4}-of-4") for number in range(60)]
        candidates, duplicates = aggregate(light_rows(*rows, *rows[::4]))
        assert candidates.equals(aggregate(light_rows(*rows)).candidates)
        assert duplicates.height == 15

    def test_duplicates_take_no_rank(self) -> None:
        rows = [candidate(name, split="train", priority=number) for number, name in enumerate("aabbc")]
        assert ranked(rows).select("conversationId", "rank").rows() == [("a", 0), ("b", 1), ("c", 2)]

    def test_no_rows_are_no_candidates(self) -> None:
        candidates, duplicates = aggregate(light_rows())
        assert Candidate.is_valid(candidates)
        assert duplicates.is_empty()


def pool(plan: Plan, **have: int) -> pl.DataFrame:
    """As many candidates as wanted, but for the cells named (`val_long=3`)."""
    counts = {cell: have.get(cell.key.replace("-", "_"), cell.target) for cell in plan.cells}
    return pl.DataFrame(
        {
            "split": [cell.split for cell, count in counts.items() for _ in range(count)],
            "bucket": [cell.bucket.name for cell, count in counts.items() for _ in range(count)],
        },
        schema={"split": pl.String, "bucket": pl.String},
    )


class TestFilling:
    def test_counts_tell_of_every_cell_what_is_wanted_and_what_there_is(self) -> None:
        counts = cell_counts(pool(PLAN, train_short=80, val_long=0, test_medium=1), PLAN)
        assert counts.columns == ["cell", "split", "bucket", "want", "have", "candidates", "margin"]
        assert counts["cell"].to_list() == [cell.key for cell in PLAN.cells]
        told = {row["cell"]: (row["want"], row["have"], row["candidates"], row["margin"]) for row in counts.to_dicts()}
        assert told["train-short"] == (32, 32, 80, 2.5)
        assert told["train-long"] == (16, 16, 16, 1.0)
        assert told["val-long"] == (2, 0, 0, 0.0)
        assert told["test-medium"] == (4, 1, 1, 0.25)

    def test_candidates_of_no_cell_count_nowhere(self) -> None:
        strays = pl.DataFrame({"split": ["dev", "train"], "bucket": ["short", ""]})
        assert cell_counts(pl.concat([pool(PLAN), strays]), PLAN).equals(cell_counts(pool(PLAN), PLAN))

    def test_filled_cells_pass(self) -> None:
        for plan in (PLAN, read_plan("production")):
            assert require_filled(pool(plan), plan).is_empty()

    def test_fault_34_one_too_few_of_a_cell_refuses_the_release(self) -> None:
        plan = read_plan("production")
        with pytest.raises(Refused) as caught:
            require_filled(pool(plan, val_short=3_999), plan)
        assert caught.value.what == "1 of 9 cells cannot be filled: val-short (want 4,000, have 3,999)"
        assert "--allow-shortfall" in caught.value.remedy

    def test_every_short_cell_is_named(self) -> None:
        with pytest.raises(Refused) as caught:
            require_filled(pool(PLAN, train_long=15, test_short=0), PLAN)
        told = "2 of 9 cells cannot be filled: train-long (want 16, have 15), test-short (want 4, have 0)"
        assert caught.value.what == told

    def test_no_candidates_at_all_name_all_cells(self) -> None:
        with pytest.raises(Refused, match="9 of 9 cells cannot be filled"):
            require_filled(aggregate(light_rows()).candidates, PLAN)

    def test_fault_34_a_shortfall_that_is_allowed_is_told_and_takes_what_there_is(self) -> None:
        rows = [candidate(f"c-{number}", split="val", turns=11) for number in range(1)]
        candidates = aggregate(light_rows(*rows)).candidates
        short = require_filled(candidates, PLAN.with_shortfall())
        assert short.height == 9
        assert short.filter(cell="val-long").select("want", "have").rows() == [(2, 1)]
        assert choose(candidates, PLAN.cell("val-long")).height == 1
