"""Small queries that tell whether a table can feed the large ones: its columns, the window's events, the newest.

Belongs here: the queries, and what their answers mean. Does not belong here: reaching the table (doctor, diagnosis).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import polars as pl

from sft_pipeline.clients.doctor.findings import Finding, ok, problem
from sft_pipeline.clients.kusto.protocol import Kusto
from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.telemetry.events import ENGINE_MESSAGES, KUSTO_SCHEMA, MESSAGE_TEXT, TABLE, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.raw_files import REQUIRED

NAMES = {"messages": MESSAGE_TEXT, "calls": ENGINE_MESSAGES, "details": TOOL_CALL_DETAILS}
"""The events that the queries read."""

WITHOUT = {
    "messages": "no conversation can be made: the client may not send message texts, or sends them to another table",
    "calls": "model calls and their tokens will be missing",
    "details": "models, response types, numbers of requests and tool counts will be missing",
}

_SHOWN = 6
_NAMES = ", ".join(f'"{name}"' for name in NAMES.values())


def _query(name: str, text: str, parameters: Mapping[str, str] | None = None) -> Query:
    return Query(f"doctor/{name}", f"doctor/{name}", text, sha256(text.encode()).hexdigest(), parameters or {})


ANSWER = _query("answer", "print answer = 1")
COLUMNS = _query("columns", f"{TABLE}\n| getschema\n| project ColumnName, ColumnType")
EVENTS = _query(
    "events",
    "declare query_parameters(windowStart:datetime, windowEnd:datetime);\n"
    f"{TABLE}\n"
    "| where TimeGenerated >= windowStart and TimeGenerated < windowEnd\n"
    "| summarize "
    + ", ".join(f'{short} = countif(Name == "{name}")' for short, name in NAMES.items())
    + ", everything = count()",
    {"windowStart": "datetime", "windowEnd": "datetime"},
)
SPAN = _query(
    "span",
    "declare query_parameters(since:datetime);\n"
    f"{TABLE}\n"
    f"| where TimeGenerated >= since and Name in ({_NAMES})\n"
    "| summarize oldest = min(TimeGenerated), newest = max(TimeGenerated)",
    {"since": "datetime"},
)
LOOKED_BACK = timedelta(days=90)
"""Before the window: far enough to say where the events are, and no scan of years."""


class Counted(NamedTuple):
    """Events of the window by short name, those of any name, and the span of time that the three names cover."""

    events: Mapping[str, int]
    everything: int
    oldest: datetime | None
    newest: datetime | None


def counted_by_queries(kusto: Kusto, start: datetime, end: datetime) -> Counted:
    """Count where the events lie.

    Raises:
        KustoQueryFailed: one of the two queries failed.
    """
    events = kusto.execute(EVENTS, {"windowStart": start, "windowEnd": end}).row(0, named=True)
    span = kusto.execute(SPAN, {"since": start - LOOKED_BACK}).row(0, named=True)
    return Counted({name: events[name] for name in NAMES}, events["everything"], span["oldest"], span["newest"])


def counted_in_files(paths: Sequence[Path], start: datetime, end: datetime) -> Counted:
    """The same count from raw Parquet files."""
    events = pl.scan_parquet(list(paths), missing_columns="insert", extra_columns="ignore")
    time, known = pl.col("TimeGenerated"), pl.col("Name").is_in(list(NAMES.values()))
    inside = (time >= start) & (time < end)
    row = (
        events.select(
            *(((pl.col("Name") == name) & inside).sum().alias(short) for short, name in NAMES.items()),
            inside.sum().alias("everything"),
            time.filter(known).min().alias("oldest"),
            time.filter(known).max().alias("newest"),
        )
        .collect()
        .row(0, named=True)
    )
    return Counted({name: row[name] for name in NAMES}, row["everything"], row["oldest"], row["newest"])


def columns_finding(columns: Mapping[str, str], remedy: str) -> Finding:
    """Whether the table has the columns that the queries read, of their types; others may be there or not."""
    needed = {name: KUSTO_SCHEMA[name] for name in REQUIRED}
    missing = [name for name in needed if name not in columns]
    odd = [f"{name} is {columns[name]}, not {kind}" for name, kind in needed.items() if columns.get(name, kind) != kind]
    if missing or odd:
        lacking = [f"{name} is missing" for name in missing]
        return problem("table", f"{TABLE} does not fit the queries: {', '.join([*lacking, *odd])}", remedy)
    extra = [name for name in columns if name not in KUSTO_SCHEMA]
    absent = [name for name in KUSTO_SCHEMA if name not in columns]
    notes = [f"{what}: {_some(names)}" for what, names in (("extra", extra), ("absent", absent)) if names]
    told = f"{TABLE} has {', '.join(f'{name}:{kind}' for name, kind in needed.items())}"
    return ok("table", f"{told}; fine either way: {'; '.join(notes)}" if notes else told)


def event_findings(counted: Counted, start: datetime, end: datetime) -> Iterator[Finding]:
    """The counts of the window, and how fresh the events are."""
    for short, name in NAMES.items():
        title = f"events {name.rpartition('/')[2]}"
        if counted.events[short]:
            yield ok(title, f"{counted.events[short]:,} in the window")
        else:
            yield problem(title, f"none in the window: {WITHOUT[short]}", _why_none(counted, start, end))
    yield _freshness(counted, end)


def _why_none(counted: Counted, start: datetime, end: datetime) -> str:
    """The likeliest cause first."""
    if counted.newest is None or counted.oldest is None:
        return f"none at any time either: does the assistant's telemetry go to this {TABLE}?"
    if counted.newest < start or counted.oldest >= end:
        last = counted.newest.date() + timedelta(days=1)
        return f"the events lie outside: {_span(counted)}; choose another window, such as --window {last}"
    if counted.everything and any(counted.events.values()):
        return f"others are there: has the client's version or a telemetry setting changed? Events: {_span(counted)}"
    return f"there are events before and after: {_span(counted)}; was the export interrupted? Choose another window"


def _freshness(counted: Counted, end: datetime) -> Finding:
    if counted.newest is None:
        return problem("newest event", "there is none", "mend what the lines above say")
    told = f"{counted.newest:%Y-%m-%d %H:%M} UTC"
    behind = end - counted.newest
    if behind > timedelta(days=1):
        told += f", {behind.days} days before the window ends"
    return ok("newest event", told)


def _span(counted: Counted) -> str:
    first: date | None = counted.oldest.date() if counted.oldest else None
    last: date | None = counted.newest.date() if counted.newest else None
    return f"{first} to {last}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
