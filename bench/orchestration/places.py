"""Where a side works, and what it leaves there: content versions of tables, hashes of a release's files.

Belongs here: an empty home, and reading what sides are held against. Does not belong here: comparing it (benchmark).
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.inputs import END
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.orchestration.settings import Settings, read_settings

WINDOW = END.isoformat()


def in_an_empty_home() -> Settings:
    """The settings of the environment; what an earlier run left in its home is removed."""
    settings = read_settings()
    shutil.rmtree(settings.home, ignore_errors=True)
    return settings


def left(settings: Settings) -> dict[str, object]:
    """What a side made of all chunks: their versions, and the hashes of its last release's files."""
    tables = TableStore(settings.storage)
    last = "sft_release" if settings.judge.kind else "sample_release"
    row = tables.read(TableKey(last, WINDOW)).row(0, named=True)
    return {"release": release_files(row["url"]), "chunks": chunk_versions(tables, settings.plan.chunk_keys)}


def chunk_versions(tables: TableStore, parts: Sequence[str]) -> dict[str, str]:
    """The content versions of chunks, as their files note them."""
    return {part: tables.notes(TableKey("conversation_chunks", WINDOW, part))["version"] for part in parts}


def release_files(url: str) -> list[str]:
    """The SHA-256 of each file that a release's metadata.json names; names hold the moment, and differ."""
    found: list[str] = []

    def look(told: dict[str, Any]) -> None:
        if {"path", "sha256"} <= told.keys():
            found.append(told["sha256"])

    text = (Path(url.removeprefix("file://")) / "metadata.json").read_text(encoding="utf-8")
    json.loads(text, object_hook=lambda told: look(told) or told)
    return sorted(found)
