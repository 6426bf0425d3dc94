"""The comparison of two releases against one made with sets and dictionaries, and what it says of two metadata.json."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.claimed import Claimed, read_claimed
from sft_pipeline.curation.comparison import (
    COUNTS,
    PLACED,
    Difference,
    cell_changes,
    compare,
    metadata_differences,
)
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.release import metadata
from sft_pipeline.curation.sections import render
from sft_pipeline_tests.records_world import MOMENT, SMALL, curation_of, samples_of

CELLS = ("train-short", "train-long", "val-short")
SAMPLES = samples_of(SMALL)
Placed = dict[str, tuple[str, bytes]]
placed = st.dictionaries(
    st.text("abcd\u00e9\U0001f600", max_size=2), st.tuples(st.sampled_from(CELLS), st.sampled_from([b"1", b"2"]))
)


def frame(rows: Placed) -> pl.DataFrame:
    return pl.DataFrame([(name, *place) for name, place in rows.items()], schema=PLACED, orient="row")


def change(before: tuple[str, bytes] | None, after: tuple[str, bytes] | None) -> str:
    if before is None or after is None:
        return "came" if after else "went"
    if before[0] != after[0]:
        return "moved"
    return "same" if before == after else "changed"


@given(placed, placed)
def test_every_conversation_of_either_release_has_one_change(before: Placed, after: Placed):
    rows = compare(frame(before), frame(after))
    expected = [
        (name, change(before.get(name), after.get(name)), *(side.get(name, (None,))[0] for side in (before, after)))
        for name in sorted({*before, *after}, key=str.encode)
    ]
    assert rows.columns == ["conversationId", "change", "cellBefore", "cellAfter"]
    assert rows.rows() == expected


@given(placed, placed)
def test_the_counts_of_cells_add_up_on_both_sides(before: Placed, after: Placed):
    counted = cell_changes(compare(frame(before), frame(after)), [*CELLS, *CELLS])
    assert counted.columns == ["cell", *COUNTS]
    assert counted["cell"].to_list() == list(CELLS)
    for row in counted.iter_rows(named=True):
        assert row["before"] == sum(cell == row["cell"] for cell, _ in before.values())
        assert row["after"] == sum(cell == row["cell"] for cell, _ in after.values())
        assert row["before"] == row["stayed"] + row["went"] + row["movedOut"]
        assert row["after"] == row["stayed"] + row["came"] + row["movedIn"]
        assert row["stayed"] == row["same"] + row["changed"]
    assert counted["movedIn"].sum() == counted["movedOut"].sum()


def test_each_kind_of_change_is_counted_in_its_cell():
    before: Placed = {
        "s": ("train-short", b"1"),
        "c": ("train-short", b"1"),
        "m": ("train-short", b"1"),
        "w": ("val-short", b"1"),
    }
    after: Placed = {
        "s": ("train-short", b"1"),
        "c": ("train-short", b"2"),
        "m": ("train-long", b"1"),
        "n": ("val-short", b"1"),
    }
    counted = cell_changes(compare(frame(before), frame(after)), CELLS)
    assert counted.rows() == [
        ("train-short", 3, 2, 2, 1, 1, 0, 0, 0, 1),
        ("train-long", 0, 1, 0, 0, 0, 0, 0, 1, 0),
        ("val-short", 1, 1, 0, 0, 0, 1, 1, 0, 0),
    ]


def claimed_of(folder: Path, plan: Plan = SMALL, **changes: Any) -> Claimed:
    curation = curation_of(LocalReleaseStore(folder), plan, SAMPLES, **changes)
    return read_claimed(render(metadata(curation, moment=MOMENT)))


def test_releases_of_one_plan_and_window_differ_in_nothing(tmp_path: Path):
    assert metadata_differences(claimed_of(tmp_path), claimed_of(tmp_path)) == ()


def test_what_differs_is_told_by_its_path(tmp_path: Path):
    plan = Plan.model_validate({**SMALL.model_dump(mode="json"), "chunks": {"count": 9}}).with_shortfall()
    before, after = claimed_of(tmp_path), claimed_of(tmp_path, plan, versions={"polars": "9", "kusto": "1"})
    told = {one.what: one for one in metadata_differences(before, after)}
    assert told.pop("version of polars") == Difference("version of polars", pl.__version__, "9")
    assert told.pop("version of kusto") == Difference("version of kusto", "", "1")
    assert told.pop("version of sft_pipeline").after == ""
    assert told.pop("plan.chunks.count") == Difference("plan.chunks.count", "4", "9")
    assert told.pop("plan.sample.allow_shortfall") == Difference("plan.sample.allow_shortfall", "False", "True")
    assert told == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"window": SMALL.bounds(date(2025, 9, 1))}, ["window"]),
        (
            {"source": ("https://other.invalid", "d", "q.kql", "cd" * 32)},
            ["query file", "query SHA-256", "cluster", "database"],
        ),
    ],
    ids=["window", "source"],
)
def test_another_window_and_another_source_are_told(tmp_path: Path, changes: dict[str, Any], told: list[str]):
    before = json.loads(render(metadata(curation_of(LocalReleaseStore(tmp_path), SMALL, SAMPLES), moment=MOMENT)))
    after = json.loads(json.dumps(before))
    if "window" in changes:
        start, end = (moment.isoformat() for moment in changes["window"])
        after["query_parameters"]["time_window"] = {"start": start, "end": end}
    else:
        cluster, database, file, digest = changes["source"]
        after["curation_info"] |= {"query_file": file, "query_sha256": digest}
        after["query_parameters"] |= {"cluster": cluster, "database": database}
    found = metadata_differences(*(read_claimed(json.dumps(one).encode()) for one in (before, after)))
    assert [one.what for one in found] == told
