"""The sections of metadata.json, each computed from what it tells about: the plan, the files, the counts.

Belongs here: what a release's verification computes a second time from the files alone.
Does not belong here: names and the whole of metadata.json (release).
"""

import json
from collections.abc import Mapping
from hashlib import md5, sha256
from typing import Any

import polars as pl

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.secrets import SECRET_KINDS
from sft_pipeline.curation.validating import violations

FORMAT = "one JSON object per line, UTF-8, newline-terminated"
ROWS_PER_PIECE = 1000

COMPLETENESS: dict[str, Any] = {
    "minTurnIndex_equals": 1,
    "capturedTurnCount_equals_maxTurnIndex": True,
    "mode": "agent",
}

DEDUPLICATION: dict[str, Any] = {
    "method": "longest messageText by conversationId, messageId, source; ties: earliest, then greatest text",
    "description": (
        "A message that was delivered more than once counts once, as its longest copy. "
        "A conversation stands in the release at most once, by conversationId."
    ),
}


def splits(plan: Plan) -> dict[str, Any]:
    """Who went into which split."""
    key = {"conversation": "conversationId", "user": "userName", "none": ""}[plan.split.by]
    hashed = f"first 8 hex digits of SHA-256 of `split:<{key}>` modulo 100, against the running sum of the shares"
    method = hashed if key else "no split"
    return {"by": plan.split.by, "shares": plan.split.shares, "method": method}


def stratification(plan: Plan) -> dict[str, Any]:
    """Which buckets there are, and how many conversations of each were wanted."""
    wanted = _by_split_and_bucket(plan, {cell.key: cell.target for cell in plan.cells})
    buckets = {
        bucket.label: {"turn_range": list(bucket.turns), "target_count": wanted[bucket.label]}
        for bucket in plan.buckets
    }
    method = (
        "the target_count conversations of each split and bucket with the lowest first 15 hex digits of SHA-256 of "
        f"`sample:{plan.sample.salt}:<conversationId>`, in this order"
    )
    return {**buckets, "total_target": wanted["total"], "splits": wanted["splits"], "method": method}


def actual_counts(plan: Plan, records: Mapping[str, int]) -> dict[str, Any]:
    """How many records there are of each bucket, per split and in all; `records` is keyed by cell."""
    return _by_split_and_bucket(plan, records)


def shortfall(plan: Plan, records: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The cells that hold fewer records than wanted."""
    return {
        cell.key: {"want": cell.target, "have": records.get(cell.key, 0)}
        for cell in plan.cells
        if records.get(cell.key, 0) < cell.target
    }


def output_files(plan: Plan, artifacts: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The data files, keyed by path without the ending, in the order of the plan's cells."""
    rows = {row["cell"]: row for row in artifacts.iter_rows(named=True)}
    return {
        cell.path.removesuffix(".json"): {
            "path": cell.path,
            "split": cell.split,
            "bucket": cell.bucket.name,
            **{name: rows[cell.key][name] for name in ("records", "bytes", "md5", "sha256")},
        }
        for cell in plan.cells
        if cell.key in rows
    }


def validation_counts(sample: pl.DataFrame | pl.LazyFrame, plan: Plan) -> pl.DataFrame:
    """Per rule, how many records of a sample were checked and how many break it: rule, checked, broken.

    Read in pieces: whether an id stands twice in a sample is `require_valid`'s business.
    """
    frame, rules = sample.lazy(), conversation_rules(plan)
    checked = int(frame.select(pl.len()).collect().item())
    pieces = (frame.slice(offset, ROWS_PER_PIECE).collect().rechunk() for offset in range(0, checked, ROWS_PER_PIECE))
    broken = dict.fromkeys((rule.name for rule in rules), 0)
    for piece in pieces:
        for name, count in violations(piece, rules, plan)["rule"].value_counts().iter_rows():
            broken[name] += count
    return pl.DataFrame(
        [(name, checked, count) for name, count in broken.items()],
        schema={"rule": pl.String, "checked": pl.Int64, "broken": pl.Int64},
        orient="row",
    )


def validation(plan: Plan, counts: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """What each rule says and how many of the released records break it."""
    sums = {
        name: (checked, broken)
        for name, checked, broken in counts.group_by("rule").agg(pl.col("checked", "broken").sum()).iter_rows()
    }
    return {
        rule.name: {
            "statement": rule.statement,
            "severity": rule.severity,
            "checked": sums.get(rule.name, (0, 0))[0],
            "broken": sums.get(rule.name, (0, 0))[1],
        }
        for rule in conversation_rules(plan)
    }


def render(document: Mapping[str, Any]) -> bytes:
    """A document as JSON text: the same bytes for the same document."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def file_facts(content: bytes) -> dict[str, Any]:
    """What metadata.json says of a file's bytes."""
    return {
        "bytes": len(content),
        "md5": md5(content, usedforsecurity=False).hexdigest(),
        "sha256": sha256(content).hexdigest(),
    }


def plan_sha256(plan: Plan) -> str:
    """The SHA-256 of the plan as compact JSON, without the sections that it does not have."""
    return sha256(plan.model_dump_json(exclude_none=True).encode()).hexdigest()


def privacy(plan: Plan, redacted: Mapping[str, int]) -> dict[str, Any]:
    """What became of user names and secrets, and how many placeholders of each kind stand in the released texts."""
    kinds = [kind.name for kind in SECRET_KINDS] if plan.privacy.secrets == "redact" else []
    return {**plan.privacy.model_dump(mode="json"), "redacted": {kind: redacted.get(kind, 0) for kind in kinds}}


def _by_split_and_bucket(plan: Plan, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Numbers of cells, summed over splits, in all, and split by split."""
    table = {
        split: {cell.bucket.label: numbers.get(cell.key, 0) for cell in plan.cells if cell.split == split}
        for split in dict.fromkeys(cell.split for cell in plan.cells)
    }
    return {
        **{bucket.label: sum(row[bucket.label] for row in table.values()) for bucket in plan.buckets},
        "total": sum(sum(row.values()) for row in table.values()),
        "splits": {split: {**row, "total": sum(row.values())} for split, row in table.items()},
    }
