"""Names, versions and metadata.json of a release."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.invalid_records import invalid_records, invalid_records_name, invalid_records_reports
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import (
    Curation,
    claimed_files,
    instant,
    metadata,
    release_name,
    release_version,
    require_whole,
    stamp_of,
)
from sft_pipeline.curation.sections import render, splits, validation_counts
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.records_world import (
    MOMENT,
    NAME,
    REJECTED,
    SMALL,
    curation_of,
    rejected_rows,
    samples_of,
    with_targets,
    with_turns,
)

WINDOW = (datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 8, 16, tzinfo=UTC))
PRODUCTION = read_plan("production")


@pytest.fixture(scope="module")
def curation(tmp_path_factory: pytest.TempPathFactory) -> Curation:
    return curation_of(LocalReleaseStore(tmp_path_factory.mktemp("releases")))


@pytest.fixture(scope="module")
def document(curation: Curation) -> dict[str, Any]:
    return metadata(curation, moment=MOMENT)


def with_stamp_format(plan: Plan, stamp_format: str) -> Plan:
    return plan.model_copy(update={"release": plan.release.model_copy(update={"stamp_format": stamp_format})})


@pytest.mark.parametrize(
    ("records", "thousands"),
    [(120_000, "120k"), (100_000, "100k"), (360, "0.36k"), (100, "0.1k"), (1, "0.001k"), (119_999, "119.999k")],
)
def test_a_name_says_how_many_thousand_records_there_are(records: int, thousands: str):
    name = release_name(PRODUCTION, records=records, stamp="20241209_143052")
    assert name == f"vscodedata_{thousands}_complete_stratified_deduped_15d_20241209_143052"


@given(st.integers(0, 10**9))
def test_no_two_counts_share_a_name(records: int):
    thousands = release_name(PRODUCTION, records=records, stamp="s").split("_")[1].removesuffix("k")
    whole, _, part = thousands.partition(".")
    assert int(whole) * 1000 + int(part.ljust(3, "0")) == records
    assert not part.endswith("0")


def test_the_name_of_the_first_layout_has_days_and_a_date():
    plan = read_plan("production_100k")
    name = release_name(plan, records=100_000, stamp=stamp_of(datetime(2024, 12, 8, 23, tzinfo=UTC), plan))
    assert name == "vscodedata_100k_complete_stratified_deduped_60d_20241208"


@given(st.datetimes(timezones=st.timezones()))
def test_a_stamp_is_the_same_whatever_the_time_zone(moment: datetime):
    assert stamp_of(moment, PRODUCTION) == stamp_of(moment.astimezone(UTC), PRODUCTION)


def test_a_stamp_is_in_utc():
    assert (
        stamp_of(datetime(2024, 12, 9, 1, 30, 52, tzinfo=timezone(timedelta(hours=2))), PRODUCTION) == "20241208_233052"
    )


def test_a_moment_without_time_zone_is_a_mistake():
    with pytest.raises(ValueError, match="without time zone"):
        stamp_of(datetime(2024, 12, 9), PRODUCTION)  # noqa: DTZ001
    with pytest.raises(ValueError, match="without time zone"):
        instant(datetime(2024, 12, 9))  # noqa: DTZ001


@pytest.mark.parametrize("stamp_format", ["%Y/%m/%d", "%H:%M", "", "../x", "%Y %m"])
def test_a_stamp_that_cannot_stand_in_a_folders_name_is_refused(stamp_format: str):
    with pytest.raises(Refused, match="stamp_format"):
        stamp_of(MOMENT, with_stamp_format(PRODUCTION, stamp_format))


def test_an_instant_is_iso_8601_with_z():
    assert instant(MOMENT) == "2025-08-16T12:00:00Z"
    assert instant(datetime(2025, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == "2025-01-01T00:00:00Z"


def test_the_version_of_a_release_is_its_files_and_its_plan(curation: Curation):
    artifacts = curation.artifacts
    version = release_version(artifacts, SMALL, WINDOW)
    assert release_version(artifacts.reverse().with_columns(url=pl.lit("elsewhere")), SMALL, WINDOW) == version
    others = [
        release_version(artifacts.head(8), SMALL, WINDOW),
        release_version(artifacts, SMALL, (WINDOW[0], WINDOW[1] + timedelta(days=1))),
        release_version(artifacts.with_columns(sha256=pl.lit("0" * 64)), SMALL, WINDOW),
        release_version(artifacts.with_columns(path=pl.col("path") + "x"), SMALL, WINDOW),
        release_version(artifacts, with_stamp_format(SMALL, "%Y"), WINDOW),
    ]
    assert len({version, *others}) == 6


def test_metadata_has_every_field_of_the_first_layout(document: dict[str, Any]):
    wanted = {
        "curation_info": {"curation_date", "curation_id", "query_file", "data_source"},
        "query_parameters": {"time_window", "cluster", "database"},
        "completeness_criteria": {"minTurnIndex_equals", "capturedTurnCount_equals_maxTurnIndex", "mode"},
        "deduplication": {"method", "description"},
        "stratification": {"short_3_to_5_turns", "medium_6_to_10_turns", "long_11_to_20_turns", "total_target"},
        "actual_counts": {"short_3_to_5_turns", "medium_6_to_10_turns", "long_11_to_20_turns", "total"},
        "output_files": set[str](),
    }
    assert {section: fields & set(document[section]) for section, fields in wanted.items()} == wanted
    assert set(document["stratification"]["short_3_to_5_turns"]) == {"turn_range", "target_count"}


def test_metadata_of_an_unsplit_release_has_the_values_of_the_first_layout(tmp_path: Path):
    plan = with_targets(read_plan("production_100k"), {"all": {"short": 2, "medium": 1, "long": 1}})
    document = metadata(curation_of(LocalReleaseStore(tmp_path), plan, rejected=rejected_rows()), moment=MOMENT)
    labels = ("short_3_to_5_turns", "medium_6_to_10_turns", "long_11_to_20_turns")
    assert [document["actual_counts"][label] for label in (*labels, "total")] == [2, 1, 1, 4]
    assert document["stratification"]["long_11_to_20_turns"] == {"turn_range": [11, 20], "target_count": 1}
    assert {label: document["output_files"][label]["path"] for label in labels} == {
        label: f"{label}.json" for label in labels
    }
    assert document["completeness_criteria"] == {
        "minTurnIndex_equals": 1,
        "capturedTurnCount_equals_maxTurnIndex": True,
        "mode": "agent",
    }


def test_metadata_says_what_was_curated_by_what(document: dict[str, Any]):
    info = document["curation_info"]
    assert (info["curation_id"], info["curation_date"]) == (NAME, "2025-08-16T12:00:00Z")
    assert Plan.model_validate(info["plan"]) == SMALL
    compact = json.dumps(info["plan"], separators=(",", ":"), ensure_ascii=False)
    assert info["plan_sha256"] == sha256(compact.encode()).hexdigest()
    assert document["query_parameters"]["time_window"] == {
        "start": "2025-08-15T00:00:00Z",
        "end": "2025-08-16T00:00:00Z",
    }
    assert document["splits"]["shares"] == {"train": 83, "val": 9, "test": 8}


def test_counts_are_told_per_split_and_bucket_and_never_null(document: dict[str, Any]):
    counts = document["actual_counts"]
    assert counts["splits"]["train"] == {
        "short_3_to_5_turns": 4,
        "medium_6_to_10_turns": 2,
        "long_11_to_20_turns": 2,
        "total": 8,
    }
    assert (counts["short_3_to_5_turns"], counts["total"]) == (7, 15)
    assert document["stratification"]["splits"]["val"]["total"] == 4
    assert "null" not in render(document).decode()


def test_the_split_key_is_told(document: dict[str, Any]):
    assert "split:<conversationId>" in document["splits"]["method"]
    by_user = SMALL.model_copy(update={"split": SMALL.split.model_copy(update={"by": "user"})})
    assert "split:<userName>" in splits(by_user)["method"]
    assert splits(read_plan("production_100k"))["method"] == "no split"


def test_every_rule_is_told_with_its_count(tmp_path: Path):
    samples = samples_of(SMALL)
    samples["val-short"] = with_turns(samples["val-short"], 0, modelMessage="")
    document = metadata(curation_of(LocalReleaseStore(tmp_path), samples=samples), moment=MOMENT)
    rule = document["validation"]["every_turn_has_a_model_message"]
    assert (rule["severity"], rule["checked"], rule["broken"]) == ("warning", 15, 1)
    assert rule["statement"].startswith("Every turn has a modelMessage")
    assert document["validation"]["first_turn_is_1"]["broken"] == 0


def test_what_was_rejected_is_told_by_reason(document: dict[str, Any]):
    rejected = document["rejected"]
    assert rejected["total"] == 5
    assert rejected["by_reason"] == {"invalid": 3, "no_conversation_id": 1, "too_few_turns": 1}
    report = invalid_records_reports(REJECTED, "20250816_120000")["train"][1]
    assert rejected["invalid_records_files"]["train"]["path"] == "invalid_records_train_20250816_120000.json"
    assert rejected["invalid_records_files"]["train"]["sha256"] == sha256(report).hexdigest()
    assert list(rejected["invalid_records_files"]) == ["train", "val"]


def test_metadata_speaks_of_every_file(document: dict[str, Any]):
    files = claimed_files(document)
    assert set(files) == {
        *(cell.path for cell in SMALL.cells),
        "invalid_records_train_20250816_120000.json",
        "invalid_records_val_20250816_120000.json",
    }
    assert {"bytes", "md5", "sha256", "records"} <= set.intersection(*(set(file) for file in files.values()))


def test_metadata_is_the_same_bytes_for_the_same_curation(curation: Curation, document: dict[str, Any]):
    shuffled = replace(
        curation,
        artifacts=curation.artifacts.reverse(),
        rejected=curation.rejected.reverse(),
        validation=curation.validation.reverse(),
        repairs=dict(sorted(curation.repairs.items())),
    )
    assert render(metadata(shuffled, moment=MOMENT)) == render(document)
    assert render(document).endswith(b"\n}\n")


def test_the_report_on_invalid_records_has_the_known_shape():
    assert invalid_records(REJECTED, "train") == {
        "summary": {
            "total_invalid": 2,
            "error_summary": {"Bucket mismatch: short bucket has 6 turns": 2, "Empty userMessage in 1 turns": 1},
        },
        "invalid_records": [
            {
                "conversationId": "a",
                "bucket": "short",
                "turnCount": 6,
                "errors": ["Bucket mismatch: short bucket has 6 turns", "Empty userMessage in 1 turns"],
            },
            {
                "conversationId": "b",
                "bucket": "short",
                "turnCount": 6,
                "errors": ["Bucket mismatch: short bucket has 6 turns"],
            },
        ],
    }
    assert invalid_records_name("train", "20241209_143052") == "invalid_records_train_20241209_143052.json"


def test_errors_are_told_most_frequent_first_then_by_message():
    rows = [
        (str(n), "val", "short", 3, "invalid", errors) for n, errors in enumerate([["z"], ["b"], ["a"], ["z", "a"]])
    ]
    summary = invalid_records(rejected_rows(*rows), "val")["summary"]["error_summary"]
    assert list(summary.items()) == [("a", 2), ("z", 2), ("b", 1)]


@given(st.permutations(list(range(5))))
def test_the_report_does_not_depend_on_the_order_of_rows(order: list[int]):
    rows = rejected_rows(
        *[("", "val", bucket, 3, "invalid", [error]) for bucket, error in zip("aabbb", "xyxyx", strict=True)]
    )
    assert render(invalid_records(rows[order], "val")) == render(invalid_records(rows, "val"))


def test_splits_without_invalid_records_have_no_report():
    assert list(invalid_records_reports(REJECTED, "s")) == ["train", "val"]
    assert invalid_records_reports(rejected_rows(), "s") == {}


def test_validation_counts_are_those_of_the_whole_sample_read_in_pieces():
    sample = pl.concat([samples_of(SMALL)["train-short"]] * 300)  # 1,200 rows: more than a piece
    broken = with_turns(sample.tail(8), 0, userMessage="\u200b")
    counts = validation_counts(pl.concat([sample, broken]).lazy(), SMALL)
    of_rule = dict(counts.select("rule", "broken").iter_rows())
    assert counts["checked"].unique().to_list() == [1208]
    assert of_rule["every_turn_has_a_user_message"] == 1
    assert of_rule["first_turn_is_1"] == 0


def test_a_whole_curation_may_be_released(curation: Curation):
    require_whole(curation)


def changed_artifacts(curation: Curation, *columns: pl.Expr) -> Curation:
    first = pl.int_range(pl.len()) == 0
    changes = [
        pl.when(first).then(column).otherwise(column.meta.output_name()).alias(column.meta.output_name())
        for column in columns
    ]
    return replace(curation, artifacts=curation.artifacts.with_columns(changes))


NOT_WHOLE: dict[str, tuple[Callable[[Curation], Curation], str]] = {
    "a missing file": (lambda c: replace(c, artifacts=c.artifacts.tail(8)), "train-short"),
    "a missing count": (lambda c: replace(c, counts=c.counts.tail(8)), "train-short"),
    "another number of records": (
        lambda c: changed_artifacts(c, pl.lit(3, pl.Int64).alias("records")),
        "differ in: train-short",
    ),
    "a cell of another plan": (
        lambda c: changed_artifacts(c, pl.lit("train-tiny").alias("cell")),
        "differ in: train-short, train-tiny",
    ),
    "a shortfall that the plan does not allow": (
        lambda c: replace(
            c,
            artifacts=c.artifacts.with_columns(records=pl.lit(1, pl.Int64)),
            counts=c.counts.with_columns(have=pl.lit(1, pl.Int64)),
        ),
        "cells fall short: train-short, train-medium, train-long, val-short$",
    ),
    "no record at all": (
        lambda c: replace(
            c,
            plan=c.plan.with_shortfall(),
            artifacts=c.artifacts.with_columns(records=pl.lit(0, pl.Int64)),
            counts=c.counts.with_columns(have=pl.lit(0, pl.Int64)),
        ),
        "every cell is empty",
    ),
    "rules that were not checked on every record": (
        lambda c: replace(c, validation=c.validation.head(12)),
        "required_fields_are_present was checked on 4 of 15 records",
    ),
    "a rule that was not checked": (
        lambda c: replace(c, validation=c.validation.filter(pl.col("rule") != "ids_are_unique")),
        "ids_are_unique was checked on 0 of 15 records",
    ),
    "a broken fatal rule": (
        lambda c: replace(c, validation=c.validation.with_columns(broken=pl.lit(1, pl.Int64))),
        "9 records break required_fields_are_present",
    ),
}


@pytest.mark.parametrize("case", NOT_WHOLE)
def test_what_is_not_whole_is_refused(curation: Curation, case: str):
    change, told = NOT_WHOLE[case]
    with pytest.raises(Refused) as refusal:
        require_whole(change(curation))
    assert pl.Series([refusal.value.what]).str.contains(told).item()


def test_broken_warnings_may_be_released(curation: Curation):
    warning = pl.col("rule") == "prompt_tokens_are_positive"
    counts = curation.validation.with_columns(broken=pl.when(warning).then(1).otherwise(0).cast(pl.Int64))
    require_whole(replace(curation, validation=counts))
