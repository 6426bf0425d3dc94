"""Judges, asks and annotated records that the tests of the label store share."""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.judging import MALFORMED, Ask, Identity

JUDGE = Identity("openai", "gpt-4.1-mini", "session_router_1@0123456789ab", '{"temperature":0}')
OTHER_JUDGE = JUDGE._replace(model="gpt-4.1")
MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def key_of(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()[:32]


def ask(number: int, label: int | None = 0, **fields: Any) -> Ask:
    """An answer to a question of its own."""
    told: dict[str, Any] = {
        "key": key_of(number),
        "attempt": 1,
        "label": label,
        "probability": 0.25 if label is not None else None,
        "reason": None if label is not None else MALFORMED,
        "served_model": "gpt-4.1-mini-2025-04-14",
        "prompt_tokens": 300,
        "completion_tokens": 1,
        "cost": 0.0005,
        "mode": "sync",
        "at": MOMENT,
        "run": "demo 2026-11-01",
    }
    return Ask(**{**told, **fields})


def store_in(folder: Path) -> LabelStore:
    """A store as a process opens it."""
    return LabelStore(str(folder / "label-store"), folder / "judging")


def kept(store: LabelStore, *asks: Ask, judge: Identity = JUDGE) -> None:
    with store.writing(judge, "demo 2026-11-01") as writer:
        for one in asks:
            writer.keep(one)


def journals(folder: Path) -> list[Path]:
    return sorted((folder / "judging").rglob("*.jsonl"))


def segments(folder: Path, kind: str = "asks") -> list[Path]:
    return sorted((folder / "label-store" / kind).rglob("*.parquet"))


def record(request: str, llm_vote: object = 0, **fields: object) -> dict[str, object]:
    """An annotated record as source 000 has it."""
    return {
        "Name": "GitHub.copilot-chat/interactiveSessionResponse",
        "request": request,
        "response": "what the model said",
        "llm_vote": llm_vote,
        "vote": 1,
        "model": "gpt-5",
        "latency": 408,
        "turnNumber": 1,
        "userName": "somebody",
        **fields,
    }


def write_records(path: Path, records: Iterable[dict[str, object] | bytes]) -> Path:
    """A line each; bytes stand for themselves."""
    lines = [one if isinstance(one, bytes) else orjson.dumps(one) for one in records]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path
