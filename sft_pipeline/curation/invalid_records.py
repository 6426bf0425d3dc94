"""The reports on records that broke a fatal rule: ids and errors, no text, no user.

Belongs here: one report per split and what metadata.json says of all that was left out.
Does not belong here: the rules and their messages (rules).
"""

from typing import Any

import polars as pl

from sft_pipeline.curation.sections import file_facts, render
from sft_pipeline.curation.validating import INVALID


def invalid_records_name(split: str, stamp: str) -> str:
    """The file of a split's invalid records."""
    return f"invalid_records_{split}_{stamp}.json"


def invalid_records(rejected: pl.DataFrame, split: str) -> dict[str, Any]:
    """The report on a split's records that broke a fatal rule: ids and errors, no text, no user."""
    invalid = rejected.filter(dropReason=INVALID, split=split).sort(
        "conversationId", "bucket", "turnCount", pl.col("errors").list.join("\n")
    )
    errors = (
        invalid["errors"]
        .explode()
        .drop_nulls()
        .value_counts(name="count")
        .sort("count", "errors", descending=[True, False])
    )
    return {
        "summary": {"total_invalid": invalid.height, "error_summary": dict(errors.iter_rows())},
        "invalid_records": invalid.select("conversationId", "bucket", "turnCount", "errors").to_dicts(),
    }


def invalid_records_reports(rejected: pl.DataFrame, stamp: str) -> dict[str, tuple[str, bytes]]:
    """Split -> path and bytes of its report, for the splits that have invalid records."""
    splits = rejected.filter(dropReason=INVALID)["split"].unique().sort()
    return {split: (invalid_records_name(split, stamp), render(invalid_records(rejected, split))) for split in splits}


def rejected(conversations: pl.DataFrame, stamp: str) -> dict[str, Any]:
    """How many conversations were left out for which reason, and where the invalid ones are told."""
    reports = invalid_records_reports(conversations, stamp)
    totals = dict(conversations.filter(dropReason=INVALID)["split"].value_counts().iter_rows())
    return {
        "total": conversations.height,
        "by_reason": dict(conversations["dropReason"].value_counts().sort("dropReason").iter_rows()),
        "invalid_records_files": {
            split: {"path": path, "records": totals[split], **file_facts(content)}
            for split, (path, content) in reports.items()
        },
    }
