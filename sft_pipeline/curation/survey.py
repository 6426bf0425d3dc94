"""What a run of released lines holds: light facts that add up over a file, without any text.

Belongs here: taking the facts, and joining those of consecutive runs.
Does not belong here: what must be true of them (audit).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.hashing import priorities
from sft_pipeline.curation.parsing import parse_records
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.secrets import redaction_counts
from sft_pipeline.curation.validating import IDS_SHOWN, violations

UNIQUE = "ids_are_unique"
"""The one rule that no run of lines can answer for the whole."""


class Broken(NamedTuple):
    """How many records break a rule, and the first few of them."""

    total: int = 0
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """The facts of a run of lines.

    Args:
        lines: how many line ends there are.
        odd: the numbers, from 1, of the first lines that are no records.
        records: conversationId, split, bucket and priority of each record, in order.
        broken: by rule, those that nothing breaks included.
        redacted: how many secrets of each kind stand redacted.
    """

    lines: int
    odd: tuple[int, ...]
    records: pl.DataFrame
    broken: Mapping[str, Broken]
    redacted: Mapping[str, int]


def survey_lines(lines: bytes, plan: Plan) -> Survey:
    """Read lines and judge the records by the plan's rules."""
    records, odd = parse_records(lines)
    rules = [rule for rule in conversation_rules(plan) if rule.name != UNIQUE]
    found = violations(records, rules, plan).with_columns(pl.col("conversationId").fill_null("null"))
    broken = {rule.name: found.filter(rule=rule.name)["conversationId"] for rule in rules}
    return Survey(
        lines=lines.count(b"\n"),
        odd=tuple(number + 1 for number in odd),
        records=records.select(
            "conversationId", "split", "bucket", priority=priorities(records["conversationId"], salt=plan.sample.salt)
        ),
        broken={name: Broken(ids.len(), tuple(ids.head(IDS_SHOWN))) for name, ids in broken.items()},
        redacted=redaction_counts(records),
    )


def join_surveys(surveys: Iterable[Survey], plan: Plan) -> Survey:
    """The facts of consecutive runs as those of one."""
    lines, odd = 0, list[int]()
    records = [survey_lines(b"", plan).records]
    broken = {rule.name: Broken() for rule in conversation_rules(plan) if rule.name != UNIQUE}
    redacted = Counter[str]()
    for survey in surveys:
        odd += [lines + number for number in survey.odd]
        lines += survey.lines
        records.append(survey.records)
        redacted.update(survey.redacted)
        for name, (total, ids) in survey.broken.items():
            before = broken[name]
            broken[name] = Broken(before.total + total, (*before.ids, *ids)[:IDS_SHOWN])
    return Survey(lines, tuple(odd[:IDS_SHOWN]), pl.concat(records, rechunk=True), broken, redacted)
