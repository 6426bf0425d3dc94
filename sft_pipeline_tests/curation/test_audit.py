"""Statements that no small release can break: ties of priorities, ids that are missing."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.audit import records_are_in_priority_order, records_lie_in_the_file_of_their_cell
from sft_pipeline.curation.claimed import read_claimed
from sft_pipeline.curation.evidence import Evidence
from sft_pipeline.curation.release import metadata
from sft_pipeline.curation.sections import render
from sft_pipeline.curation.survey import Survey, join_surveys
from sft_pipeline_tests.records_world import MOMENT, NAME, SMALL, curation_of

EMPTY = join_surveys([], SMALL)


def held(*rows: tuple[str | None, int]) -> Survey:
    """Short train records by id and priority."""
    ids, numbers = [row[0] for row in rows], [row[1] for row in rows]
    columns = {"conversationId": ids, "split": "train", "bucket": "short", "priority": numbers}
    return replace(EMPTY, records=pl.DataFrame(columns, schema=EMPTY.records.schema))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder: Path = tmp_path_factory.mktemp("releases")
    claimed = read_claimed(render(metadata(curation_of(LocalReleaseStore(folder)), moment=MOMENT)))
    return Evidence(claimed=claimed, folder=NAME, paths=[], facts={}, surveys={}, reports={})


def test_records_of_equal_priority_stand_in_the_order_of_their_ids(nothing: Evidence):
    def odd(*rows: tuple[str | None, int]) -> list[str]:
        return list(records_are_in_priority_order(replace(nothing, surveys={"train-short": held(*rows)})))

    assert odd(("a", 1), ("b", 1), ("c", 2)) == []
    assert odd(("b", 1), ("a", 1), ("c", 2)) == ["a"]
    assert odd(("b", 2), ("c", 1)) == ["c"]


def test_each_file_has_an_order_of_its_own(nothing: Evidence):
    surveys = {"train-short": held(("a", 9)), "val-short": held(("b", 1))}
    assert list(records_are_in_priority_order(replace(nothing, surveys=surveys))) == []


def test_a_record_without_an_id_can_be_told(nothing: Evidence):
    evidence = replace(nothing, surveys={"val-short": held((None, 1))})
    assert list(records_lie_in_the_file_of_their_cell(evidence)) == ["null"]
