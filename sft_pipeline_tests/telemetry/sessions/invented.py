"""Small invented sessions: one request per schema generation, and how to put them into files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import polars as pl

from sft_pipeline.telemetry.events import TABLE

_EXPORT_KEYS = {"responderUsername": "GitHub Copilot", "initialLocation": "panel"}
MS = 1_750_000_000_000
"""2025-06-15T15:06:40Z."""

Json = dict[str, object]


def request_a(ask: str = "What does this do?", answer: str = "It adds.") -> Json:
    """No id, no time, no model."""
    return {
        "message": {"text": ask, "parts": [{"kind": "text", "text": ask}]},
        "response": [{"value": answer}],
        "agent": {"id": "", "metadata": {}},
        "result": {"timings": {"firstProgress": 100, "totalElapsed": 2000}, "metadata": {}},
        "isCanceled": False,
    }


def request_b(number: int, **changes: object) -> Json:
    """With ids and a time, no model."""
    return {
        "requestId": f"request_b{number}",
        "responseId": f"response_b{number}",
        "timestamp": MS + number * 60_000,
        "message": {"text": f"Do step {number}", "parts": []},
        "response": [{"value": f"Did step {number}."}],
        "agent": {"id": "github.copilot.editsAgent"},
        "result": {"timings": {"totalElapsed": 3000}, "metadata": {"sessionId": "extension-b"}},
        **changes,
    }


def rounds(*names: Sequence[str]) -> list[Json]:
    """One round per argument, with calls of these tools."""
    return [{"response": "", "toolCalls": [{"name": name, "arguments": "{}"} for name in called]} for called in names]


def request_c(number: int, **changes: object) -> Json:
    """With a model, rounds, and the same call as a response part under another name."""
    return {
        **request_b(number),
        "requestId": f"request_c{number}",
        "modelId": "copilot/gpt-4.1",
        "response": [
            {"value": "Reading "},
            {"kind": "inlineReference", "inlineReference": {"path": "/home/x/app.py", "scheme": "file"}},
            {"kind": "toolInvocationSerialized", "toolId": "copilot_readFile"},
            {"value": ". Done."},
        ],
        "result": {
            "details": "GPT-4.1 • 0x",
            "timings": {"totalElapsed": 4000},
            "metadata": {"sessionId": "extension-c", "toolCallRounds": rounds(["read_file"], [])},
        },
        **changes,
    }


def request_d(number: int, **changes: object) -> Json:
    """With a state and a mode, without timings."""
    timestamp = MS + number * 60_000
    return {
        **request_c(number),
        "requestId": f"request_d{number}",
        "modelState": {"value": 1, "completedAt": timestamp + 5000},
        "timeSpentWaiting": 1000,
        "modeInfo": {"kind": "agent", "isBuiltin": True, "modeId": "agent"},
        "agent": {"id": "github.copilot.editsAgent"},
        "result": {"metadata": {"toolCallRounds": rounds(["read_file", "read_file"], ["grep_search"], [])}},
        **changes,
    }


def request_e(number: int, **changes: object) -> Json:
    """With token counts of the last round."""
    metadata = {
        "promptTokens": 1500,
        "outputTokens": 60,
        "resolvedModel": "claude-sonnet-4.5",
        "toolCallRounds": rounds([]),
    }
    return {
        **request_d(number),
        "requestId": f"request_e{number}",
        "modelId": "copilot/auto",
        "elapsedMs": 7000,
        "response": [{"kind": "thinking", "value": ["secret ", "thought"]}, {"value": "Fine."}],
        "result": {"metadata": metadata},
        **changes,
    }


def request_f(number: int, **changes: object) -> Json:
    """With token counts of the whole turn on the request."""
    return {
        **request_d(number),
        "requestId": f"request_f{number}",
        "promptTokens": 20_000,
        "completionTokens": 900,
        "copilotCredits": 1,
        "result": {
            "metadata": {
                "promptTokens": 20_000,
                "outputTokens": 61,
                "toolCallRounds": rounds(["create_file"], ["create_file"], []),
            }
        },
        **changes,
    }


def request_cli(number: int, **changes: object) -> Json:
    """Of an agent outside the editor: a bare id, no rounds, tools as parts alone."""
    return {
        "requestId": f"0000000{number}-0000-4000-8000-000000000000",
        "timestamp": MS + number * 60_000,
        "message": {"text": f"Ship part {number}"},
        "modelId": "agent-host-copilotcli:claude-haiku-4.5",
        "agent": {"id": "agent-host-copilotcli"},
        "modelState": {"value": 1, "completedAt": MS + number * 60_000 + 9000},
        "response": [
            {"kind": "toolInvocationSerialized", "toolId": "view"},
            {"kind": "toolInvocationSerialized", "toolId": "edit"},
            {"kind": "toolInvocationSerialized", "toolId": "view"},
            {"kind": "toolInvocationSerialized", "toolId": "grep", "subAgentInvocationId": "s"},
            {"value": "Shipped."},
        ],
        "completionTokens": 700,
        **changes,
    }


def export(*requests: object, **changes: object) -> Json:
    """What the export command writes."""
    return {**_EXPORT_KEYS, "requests": list(requests), **changes}


def session(*requests: object, session_id: str = "session-1", **changes: object) -> Json:
    """A session file of version 3."""
    return {
        **export(*requests),
        "version": 3,
        "sessionId": session_id,
        "creationDate": MS,
        "requesterUsername": "octo-user",
        **changes,
    }


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(value))
    return path


def write_lines(path: Path, *values: object, tail: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(value) + b"\n" for value in values) + tail)
    return path


def stored_events(out: Path) -> list[Json]:
    """The raw events of a telemetry folder in order of time, properties and measurements as objects."""
    frame = pl.read_parquet(out / TABLE / "*.parquet").sort("TimeGenerated")
    return [
        {**row, "Properties": orjson.loads(row["Properties"]), "Measurements": orjson.loads(row["Measurements"])}
        for row in frame.iter_rows(named=True)
    ]


def properties(event: Mapping[str, object]) -> dict[str, str]:
    found = event["Properties"]
    assert isinstance(found, dict)
    return found  # pyright: ignore[reportUnknownVariableType]


def measurements(event: Mapping[str, object]) -> dict[str, int]:
    found = event["Measurements"]
    assert isinstance(found, dict)
    return found  # pyright: ignore[reportUnknownVariableType]
