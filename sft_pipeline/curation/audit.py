"""What must be true of a release: what its files say against what its metadata.json claims.

Belongs here: one function per statement, named as the statement; it tells what is odd, ids at most.
Does not belong here: reading files (clients.verification), the shape of metadata.json (claimed).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC

import polars as pl

from sft_pipeline.curation.claimed import File, ReleaseDocument
from sft_pipeline.curation.evidence import Evidence
from sft_pipeline.curation.findings import Finding, differences, enumerated, finding
from sft_pipeline.curation.invalid_records import invalid_records, invalid_records_name
from sft_pipeline.curation.release import METADATA, release_name
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.sections import (
    COMPLETENESS,
    DEDUPLICATION,
    FORMAT,
    actual_counts,
    privacy,
    render,
    shortfall,
    splits,
    stratification,
    validation,
)
from sft_pipeline.curation.tables import REPAIRS
from sft_pipeline.curation.validating import INVALID


def audit(evidence: Evidence) -> tuple[Finding, ...]:
    """Every statement about the release, and every fatal rule about its records, with what speaks against it."""
    about_release = [finding(check, evidence) for check in STATEMENTS]
    return (*about_release, *_rule_findings(evidence))


def metadata_follows_the_plan(evidence: Evidence) -> Iterator[str]:
    """What metadata.json says of query, window, rules of curation, splits and strata is what the plan says."""
    claimed, plan = evidence.claimed, evidence.plan
    yield from asked_as_planned(claimed)
    yield from differences("completeness_criteria", claimed.completeness_criteria, COMPLETENESS)
    yield from differences("deduplication", claimed.deduplication, DEDUPLICATION)
    yield from differences("splits", claimed.splits, splits(plan))
    yield from differences("stratification", claimed.stratification, stratification(plan))
    yield from differences("repairs", sorted(claimed.repairs), sorted(REPAIRS))
    yield from differences("format", claimed.format, FORMAT)


def asked_as_planned(claimed: ReleaseDocument) -> Iterator[str]:
    """What differs from the plan in the source, the chunks and the window of any kind of release."""
    plan, asked = claimed.plan, claimed.query_parameters
    yield from differences("data_source", claimed.curation_info.data_source, plan.release.data_source)
    yield from differences("num_hash_chunks", asked.num_hash_chunks, plan.chunks.count)
    window = asked.time_window
    if (window.start, window.end) != plan.bounds(window.end.astimezone(UTC).date()):
        yield f"time_window is not one of {plan.window.days} whole days"


def name_tells_what_is_inside(evidence: Evidence) -> Iterator[str]:
    """curation_id and the folder's name follow from the plan, the number of records and curation_date."""
    name = release_name(evidence.plan, records=sum(evidence.counts.values()), stamp=evidence.stamp)
    yield from differences("curation_id", evidence.claimed.curation_info.curation_id, name)
    yield from differences("the folder", evidence.folder, name)


def files_are_all_there_and_no_others(evidence: Evidence) -> Iterator[str]:
    """The folder holds the file of every cell, the reports on invalid records and metadata.json, and nothing else."""
    reports = {invalid_records_name(split, evidence.stamp) for split in evidence.claimed.rejected.invalid_records_files}
    expected = {METADATA, *(cell.path for cell in evidence.plan.cells), *reports}
    yield from (f"{path} is missing" for path in sorted(expected - {*evidence.paths}))
    yield from (f"{path} does not belong" for path in sorted({*evidence.paths} - expected))
    yield from (f"{path} is not claimed" for path in sorted(expected - {METADATA, *evidence.claimed_files}))


def files_have_their_hashes(evidence: Evidence) -> Iterator[str]:
    """Every file has the bytes, the MD5 and the SHA-256 that metadata.json claims."""
    for path, file in evidence.claimed_files.items():
        facts = evidence.facts.get(path, {})
        yield from differences(path, file.model_dump(include={*facts}), facts)


def lines_are_records(evidence: Evidence) -> Iterator[str]:
    """Every line is a JSON object with exactly the fields and types of a record, and ends with a line feed."""
    for cell in evidence.plan.cells:
        if cell.key in evidence.surveys:
            yield from (f"{cell.path} line {number}" for number in evidence.surveys[cell.key].odd)


def counts_are_true(evidence: Evidence) -> Iterator[str]:
    """output_files and actual_counts have as many records as there are lines."""
    claimed = evidence.claimed
    yield from differences("actual_counts", claimed.actual_counts, actual_counts(evidence.plan, evidence.counts))
    told = {"path", "split", "bucket", "records"}
    files = {key: file.model_dump(include=told) for key, file in claimed.output_files.items()}
    found = {
        cell.path.removesuffix(".json"): {
            "path": cell.path,
            "split": cell.split,
            "bucket": cell.bucket.name,
            "records": evidence.counts.get(cell.key, 0),
        }
        for cell in evidence.plan.cells
    }
    yield from differences("output_files", files, found)


def cells_hold_what_is_wanted(evidence: Evidence) -> Iterator[str]:
    """No cell holds more than the plan wants; those that hold less are told, and the plan allows it."""
    found = shortfall(evidence.plan, evidence.counts)
    yield from differences("shortfall", evidence.claimed.shortfall, found)
    over = [cell for cell in evidence.plan.cells if evidence.counts.get(cell.key, 0) > cell.target]
    yield from (f"{cell.key} holds more than {cell.target:,}" for cell in over)
    if found and not evidence.plan.sample.allow_shortfall:
        yield "the plan does not allow a shortfall"


def records_lie_in_the_file_of_their_cell(evidence: Evidence) -> Iterator[str]:
    """The split and the bucket of every record are those of its file."""
    cell = pl.concat_str("split", pl.lit("-"), "bucket").fill_null("")
    yield from _ids(evidence.records.filter(cell != pl.col("cell")))


def records_are_in_priority_order(evidence: Evidence) -> Iterator[str]:
    """In every file the records stand in the order of their sampling priority, then of their ids."""
    before = evidence.records.select(pl.col("priority", "conversationId").shift(1).over("cell").name.suffix("Before"))
    same = pl.col("priority") == pl.col("priorityBefore")
    odd = (pl.col("priority") < pl.col("priorityBefore")) | (
        same & (pl.col("conversationId") < pl.col("conversationIdBefore"))
    )
    yield from _ids(pl.concat([evidence.records, before], how="horizontal").filter(odd))


def splits_do_not_share_conversations(evidence: Evidence) -> Iterator[str]:
    """No conversation lies in the files of two splits."""
    by_cell = {cell.key: cell.split for cell in evidence.plan.cells}
    placed = evidence.duplicates.with_columns(lies=pl.col("cell").replace_strict(by_cell, return_dtype=pl.String()))
    ids = placed.group_by("conversationId", maintain_order=True).agg(pl.col("lies").n_unique())
    yield from _ids(ids.filter(pl.col("lies") > 1))


def validation_is_true(evidence: Evidence) -> Iterator[str]:
    """Every rule, counted again over all records, gives what metadata.json claims, warnings included."""
    rows = [
        (rule.name, evidence.records.height, evidence.broken(rule.name).total)
        for rule in conversation_rules(evidence.plan)
    ]
    counts = pl.DataFrame(rows, schema={"rule": pl.String, "checked": pl.Int64, "broken": pl.Int64}, orient="row")
    yield from differences("validation", evidence.claimed.validation, validation(evidence.plan, counts))


def privacy_is_told(evidence: Evidence) -> Iterator[str]:
    """What metadata.json says of user names and secrets is what the plan says, and as many stand redacted."""
    claimed = evidence.claimed.privacy.model_dump()
    yield from differences("privacy", claimed, privacy(evidence.plan, evidence.redacted))


def invalid_records_are_told(evidence: Evidence) -> Iterator[str]:
    """The reports on invalid records hold together, add up to what was rejected, and none of theirs is released."""
    rejected = evidence.claimed.rejected
    yield from differences("rejected.total", rejected.total, sum(rejected.by_reason.values()))
    told = sum(file.records for file in evidence.claimed.rejected.invalid_records_files.values())
    yield from differences("rejected.by_reason.invalid", rejected.by_reason.get(INVALID, 0), told)
    for split, file in evidence.claimed.rejected.invalid_records_files.items():
        if file.path in evidence.reports:
            yield from _report_oddities(evidence, split, file)


STATEMENTS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    metadata_follows_the_plan,
    name_tells_what_is_inside,
    files_are_all_there_and_no_others,
    files_have_their_hashes,
    lines_are_records,
    counts_are_true,
    cells_hold_what_is_wanted,
    records_lie_in_the_file_of_their_cell,
    records_are_in_priority_order,
    splits_do_not_share_conversations,
    validation_is_true,
    privacy_is_told,
    invalid_records_are_told,
)


def _rule_findings(evidence: Evidence) -> Iterator[Finding]:
    for rule in conversation_rules(evidence.plan):
        if rule.severity == "fatal":
            broken = evidence.broken(rule.name)
            yield Finding(rule.name, rule.statement, enumerated(broken.ids, broken.total))


def _report_oddities(evidence: Evidence, split: str, file: File) -> Iterator[str]:
    content = evidence.reports[file.path]
    try:
        rows = json.loads(content)["invalid_records"]
        schema = {"conversationId": pl.String, "bucket": pl.String, "turnCount": pl.Int64, "errors": pl.List(pl.String)}
        invalid = pl.DataFrame(rows, schema=schema).with_columns(split=pl.lit(split), dropReason=pl.lit(INVALID))
    except (ValueError, KeyError, TypeError, RecursionError, pl.exceptions.PolarsError):
        yield f"{file.path} is no report"
        return
    if render(invalid_records(invalid, split)) != content:
        yield f"{file.path} does not follow from its own records"
    yield from differences(f"{file.path} records", file.records, invalid.height)
    released = evidence.records.join(invalid, on="conversationId", how="semi")
    yield from (f"{conversation_id} is released and invalid" for conversation_id in _ids(released))


def _ids(frame: pl.DataFrame) -> Iterable[str]:
    return frame["conversationId"].fill_null("null")
