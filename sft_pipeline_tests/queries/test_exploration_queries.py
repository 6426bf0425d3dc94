"""The exploration queries against plain computations over raw events and over the reference's turns."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import orjson
import polars as pl
import pytest

from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.telemetry.events import ENGINE_MESSAGES, MESSAGE_TEXT, TOOL_CALL_DETAILS
from sft_pipeline_tests.cases.emission import Turn, conversation
from sft_pipeline_tests.queries.catalog_world import Source, source_in
from sft_pipeline_tests.queries.nested import expected_nested
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, raw_events, world_events

EVENTS = "exploration/discover_events"
MESSAGES = "exploration/message_schema"
TOKENS = "exploration/token_schema"
TOOLS = "exploration/tool_schema"
TOOL_TOKENS = "exploration/exact_tool_tokens"
SWITCHES = "exploration/model_switching"

Row = dict[str, Any]
WHOLE_AND_PART = pytest.mark.parametrize(("chunk", "count"), [(0, 1), (1, 2)])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The hand-written world, and tools at work alone."""
    tools = conversation(
        "tools-alone",
        Turn(1, rounds=("", "", "Ok."), prompt_tokens=(100, 150, 400), tool_counts='{"a \\"b\\"":3}'),
        Turn(2, rounds=("", "Ok."), prompt_tokens=(500, 520), tool_counts='{"a \\"b\\"": 2}'),
        Turn(3, rounds=("", "Ok."), prompt_tokens=(500, 450), tool_counts='{"grep":1}'),
        Turn(4, rounds=("", "Ok."), prompt_tokens=(500, None), tool_counts='{"grep":1}'),
        Turn(5, rounds=("", "Ok."), prompt_tokens=(500, 600), tool_counts='{"grep":1,"read":1}'),
        Turn(6, rounds=("", "Ok."), prompt_tokens=(500, 600), tool_counts='{"grep":0}'),
    )
    events = pl.concat([world_events(), raw_events(tools)])
    return source_in(tmp_path_factory.mktemp("world"), events)


@pytest.fixture(params=["world", "lossy_telemetry"])
def source(request: pytest.FixtureRequest) -> Source:
    return request.getfixturevalue(request.param)


def asked(source: Source, name: str, chunk: int, count: int) -> list[Row]:
    return source.ask(name, chunk=chunk, chunkCount=count).to_dicts()


def seen(source: Source, chunk: int, count: int, event: str | None = None) -> Iterator[Row]:
    """The events of a chunk of the window, their properties and measurements as objects."""
    in_window = pl.col("TimeGenerated").is_between(WINDOW_START, WINDOW_END, closed="left")
    named = [] if event is None else [pl.col("Name") == event]
    for row in source.events.filter(in_window, *named).iter_rows(named=True):
        properties, measurements = orjson.loads(row["Properties"]), orjson.loads(row["Measurements"])
        if chunk_of(properties.get("conversationId", ""), count) == chunk:
            yield {**row, "Properties": properties, "Measurements": measurements}


def turns_of_conversations(source: Source, chunk: int, count: int) -> Iterator[list[Row]]:
    """The turns of every conversation looked at, with their calls, in order."""
    nested = expected_nested(source.events, window_start=WINDOW_START, window_end=WINDOW_END)
    for row in nested.iter_rows(named=True):
        if chunk_of(row["conversationId"], count) == chunk:
            yield row["turnsArray"]


def percentile(numbers: Sequence[float], percent: int) -> float:
    """The nearest rank."""
    return sorted(numbers)[-(-percent * len(numbers) // 100) - 1]


def ordered(rows: Iterable[Row], *names: str) -> list[Row]:
    """By these columns; a minus sorts from the largest."""
    return sorted(rows, key=lambda row: [-row[name[1:]] if name.startswith("-") else row[name] for name in names])


def characters(event: Row) -> int:
    """The length of the properties as JSON that escapes no more than it must."""
    return len(orjson.dumps(event["Properties"]).decode())


@WHOLE_AND_PART
def test_events_are_counted_by_name(source: Source, chunk: int, count: int) -> None:
    by_name = defaultdict[str, list[Row]](list)
    for event in seen(source, chunk, count):
        by_name[event["Name"]].append(event)
    expected = [
        {
            "Name": name,
            "events": len(events),
            "conversations": len({event["Properties"].get("conversationId", "") for event in events} - {""}),
            "firstTime": min(event["TimeGenerated"] for event in events),
            "lastTime": max(event["TimeGenerated"] for event in events),
            "meanPropertyCharacters": sum(map(characters, events)) / len(events),
        }
        for name, events in by_name.items()
    ]
    assert asked(source, EVENTS, chunk, count) == ordered(expected, "-events", "Name")


def keys_of(events: Iterable[Row], groups: Sequence[str]) -> tuple[Counter[Any], dict[Any, list[Any]]]:
    """Events by group, and the values of every property and measurement by group, bag and key."""
    totals, values = Counter[Any](), defaultdict[Any, list[Any]](list)
    for event in events:
        group = tuple(event["Properties"].get(name, "") for name in groups)
        totals[group] += 1
        for bag in ("Properties", "Measurements"):
            for key, value in event[bag].items():
                values[*group, bag, key].append(value)
    return totals, values


@WHOLE_AND_PART
def test_messages_tell_their_keys_and_how_their_turns_count(source: Source, chunk: int, count: int) -> None:
    totals, values = keys_of(seen(source, chunk, count, MESSAGE_TEXT), ["source"])
    expected = [
        {
            "source": speaker,
            "bag": bag,
            "key": key,
            "events": len(told),
            "share": len(told) / totals[speaker,],
            **{name: bound(numbers) if numbers else None for name, bound in (("lowest", min), ("highest", max))},
        }
        for (speaker, bag, key), told in values.items()
        for numbers in [
            [float(value) for value in told if str(value).isdecimal() and (bag == "Measurements" or key == "turnIndex")]
        ]
    ]
    assert asked(source, MESSAGES, chunk, count) == ordered(expected, "source", "bag", "-events", "key")


def test_user_messages_count_turns_from_0_and_model_messages_from_1(lossy_telemetry: Source) -> None:
    lowest = {
        row["source"]: row["lowest"] for row in asked(lossy_telemetry, MESSAGES, 0, 1) if row["key"] == "turnIndex"
    }
    assert lowest == {"user": 0.0, "model": 1.0}


@WHOLE_AND_PART
def test_model_calls_tell_their_keys_and_numbers(source: Source, chunk: int, count: int) -> None:
    groups = ["message_direction", "messageSource"]
    totals, values = keys_of(seen(source, chunk, count, ENGINE_MESSAGES), groups)
    expected = [
        {
            **dict(zip(groups, group, strict=True)),
            "bag": bag,
            "key": key,
            "events": len(told),
            "share": len(told) / totals[tuple(group)],
            "lowest": min(told) if bag == "Measurements" else None,
            "median": percentile(told, 50) if bag == "Measurements" else None,
            "highest": max(told) if bag == "Measurements" else None,
        }
        for (*group, bag, key), told in values.items()
    ]
    assert asked(source, TOKENS, chunk, count) == ordered(expected, *groups, "bag", "-events", "key")


def tools_of(event: Row) -> dict[str, int]:
    return orjson.loads(event["Properties"].get("toolCounts") or "{}")


@WHOLE_AND_PART
def test_tool_call_details_tell_their_keys_and_their_tools(source: Source, chunk: int, count: int) -> None:
    events = list(seen(source, chunk, count, TOOL_CALL_DETAILS))
    by_key = defaultdict[tuple[str, str], list[tuple[Any, int]]](list)
    for event in events:
        turn = (event["Properties"].get("conversationId", ""), event["Properties"].get("messageId", ""))
        for bag in ("Properties", "Measurements"):
            for key in event[bag]:
                by_key[bag, key].append((turn, 0))
        for tool, calls in tools_of(event).items():
            by_key["toolCounts", tool].append((turn, calls))
    expected = [
        {
            "bag": bag,
            "key": key,
            "events": len(told),
            "share": len(told) / len(events),
            "turns": len(dict(told)),
            "calls": sum(dict(sorted(told)).values()) if bag == "toolCounts" else None,
        }
        for (bag, key), told in by_key.items()
    ]
    assert asked(source, TOOLS, chunk, count) == ordered(expected, "bag", "-events", "key")


def test_a_tool_of_any_name_is_named_as_the_model_named_it(world: Source) -> None:
    keys = {row["key"] for row in asked(world, TOOLS, 0, 1)}
    assert {'invented "tool"', 'a "b"', "activate_git", "mcp_files_read"} <= keys


@WHOLE_AND_PART
def test_tokens_per_call_are_told_of_tools_at_work_alone(source: Source, chunk: int, count: int) -> None:
    by_tool = defaultdict[str, list[tuple[int, float]]](list)
    for turns in turns_of_conversations(source, chunk, count):
        for turn in turns:
            tools, tokens = json.loads(turn["toolCounts"]), [call["promptTokens"] for call in turn["llmCalls"]]
            if len(tools) == 1 and len(tokens) > 1 and None not in (tokens[0], tokens[-1]):
                [(tool, calls)] = tools.items()
                if calls:
                    by_tool[tool].append((calls, (tokens[-1] - tokens[0]) / calls))
    expected = [
        {
            "tool": tool,
            "turns": len(told),
            "calls": sum(calls for calls, _ in told),
            **{f"p{percent}": percentile([added for _, added in told], percent) for percent in (10, 50, 90)},
        }
        for tool, told in by_tool.items()
    ]
    assert asked(source, TOOL_TOKENS, chunk, count) == ordered(expected, "-turns", "tool")


def test_a_turn_with_two_tools_or_a_silent_call_or_no_tool_call_tells_nothing(world: Source) -> None:
    rows = {row["tool"]: row for row in asked(world, TOOL_TOKENS, 0, 1)}
    assert rows['a "b"'] == {"tool": 'a "b"', "turns": 2, "calls": 5, "p10": 10.0, "p50": 10.0, "p90": 100.0}
    assert rows["grep"] == {"tool": "grep", "turns": 1, "calls": 1, "p10": -50.0, "p50": -50.0, "p90": -50.0}
    assert "read" not in rows


@WHOLE_AND_PART
def test_switches_are_counted_between_consecutive_turns(source: Source, chunk: int, count: int) -> None:
    steps, switches, conversations = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for turns in turns_of_conversations(source, chunk, count):
        pairs = [(a["model"], b["model"]) for a, b in pairwise(turns) if b["turnIndex"] == a["turnIndex"] + 1]
        known = [(before, after) for before, after in pairs if before and after]
        switched = [pair for pair in known if pair[0] != pair[1]]
        steps.update(before for before, _ in known)
        switches.update(switched)
        conversations.update(set(switched))
    expected = [
        {
            "fromModel": before,
            "toModel": after,
            "switches": number,
            "conversations": conversations[before, after],
            "steps": steps[before],
            "share": number / steps[before],
        }
        for (before, after), number in switches.items()
    ]
    assert asked(source, SWITCHES, chunk, count) == ordered(expected, "-switches", "fromModel", "toModel")


@pytest.mark.parametrize("name", [EVENTS, MESSAGES, TOKENS, TOOLS, TOOL_TOKENS, SWITCHES])
def test_no_answer_holds_a_text_or_the_name_of_a_user(world: Source, name: str) -> None:
    told = world.ask(name)
    values = {str(value) for column in told.iter_columns() for value in column.unique()}
    assert values.isdisjoint({"ada", "Question 1", "Answer 1"})
    assert not any(len(value) > 80 for value in values)
