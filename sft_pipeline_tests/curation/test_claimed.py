"""Reading metadata.json back: what has another shape is told by field, without its values."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.claimed import MalformedMetadataError, read_claimed
from sft_pipeline.curation.release import metadata
from sft_pipeline.curation.sections import render
from sft_pipeline_tests.records_world import MOMENT, SMALL, curation_of

SECTIONS = (
    "curation_info",
    "query_parameters",
    "completeness_criteria",
    "deduplication",
    "splits",
    "stratification",
    "actual_counts",
    "output_files",
    "validation",
    "privacy",
    "rejected",
    "repairs",
    "shortfall",
    "format",
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("releases")
    return metadata(curation_of(LocalReleaseStore(folder)), moment=MOMENT)


def test_what_a_release_writes_is_read_back(document: dict[str, Any]):
    claimed = read_claimed(render(document))
    assert tuple(document) == SECTIONS
    assert claimed.plan == SMALL
    assert claimed.curation_info.curation_date == MOMENT
    assert claimed.model_dump(mode="json", exclude={"curation_info", "query_parameters"}) == {
        name: document[name] for name in SECTIONS[2:]
    }


@pytest.mark.parametrize("section", SECTIONS)
def test_no_section_may_be_missing(document: dict[str, Any], section: str):
    with pytest.raises(MalformedMetadataError, match=rf"{section} \(missing\)"):
        read_claimed(render({name: value for name, value in document.items() if name != section}))


Change = Callable[[dict[str, Any]], object]

MALFORMED: dict[str, tuple[Change, str]] = {
    "an unknown section": (lambda d: d.update(notes="private"), "notes (extra_forbidden)"),
    "a date without time zone": (
        lambda d: d["curation_info"].update(curation_date="2025-08-16T12:00:00"),
        "curation_info.curation_date (timezone_aware)",
    ),
    "a hash that is none": (
        lambda d: d["curation_info"].update(query_sha256="private"),
        "curation_info.query_sha256 (string_pattern_mismatch)",
    ),
    "a plan with an unknown knob": (
        lambda d: d["curation_info"]["plan"].update(private=1),
        "curation_info.plan.private (extra_forbidden)",
    ),
    "a plan that cannot be": (
        lambda d: d["curation_info"]["plan"]["split"]["shares"].update(train=99),
        "curation_info.plan.split",
    ),
    "another plan than was hashed": (
        lambda d: d["curation_info"]["plan"]["sample"].update(salt="private"),
        "curation_info.plan_sha256 is of another plan",
    ),
    "a count that is null": (lambda d: d["repairs"].update(retriedTurns=None), "repairs.retriedTurns (int_type)"),
    "a count below 0": (lambda d: d["rejected"].update(total=-1), "rejected.total (greater_than_equal)"),
    "a count of secrets below 0": (
        lambda d: d["privacy"]["redacted"].update(jwt=-1),
        "privacy.redacted.jwt (greater_than_equal)",
    ),
    "a count as text": (
        lambda d: d["rejected"]["by_reason"].update(invalid="3"),
        "rejected.by_reason.invalid (int_type)",
    ),
    "a file without hash": (
        lambda d: d["output_files"]["val/long_11_to_20_turns"].pop("md5"),
        "output_files.val/long_11_to_20_turns.md5 (missing)",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_has_another_shape_is_told_without_its_value(document: dict[str, Any], case: str):
    change, told = MALFORMED[case]
    changed = deepcopy(document)
    change(changed)
    with pytest.raises(MalformedMetadataError) as error:
        read_claimed(render(changed))
    assert told in str(error.value)
    assert "private" not in str(error.value).replace("plan.private (extra", "")
