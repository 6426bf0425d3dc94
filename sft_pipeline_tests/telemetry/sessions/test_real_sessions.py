"""The import on a folder of real sessions, named by the environment; nothing of it is kept here."""

import os
from pathlib import Path

import pytest

from sft_pipeline.telemetry.sessions.importing import import_sessions
from sft_pipeline_tests.telemetry.sessions.invented import properties, stored_events

FOLDER = os.environ.get("SFT_REAL_SESSIONS", "")


@pytest.mark.skipif(not FOLDER, reason="SFT_REAL_SESSIONS names no folder of real chat sessions")
def test_every_real_session_comes_in_whole(tmp_path: Path):
    summary = import_sessions([Path(FOLDER)], tmp_path)
    totals = summary.totals()
    assert totals["files: unreadable"] == 0
    assert totals["files: imported"] > 0
    assert totals["turns read"] == totals["turns"] + sum(summary.dropped().values())
    indices: dict[str, list[int]] = {}
    for event in stored_events(tmp_path):
        fields = properties(event)
        if fields.get("source") == "user":
            indices.setdefault(fields["conversationId"], []).append(int(fields["turnIndex"]))
        assert "<tool-use " not in fields.get("messageText", "") or fields["source"] == "user"
    assert len(indices) == totals["conversations"]
    assert all(found == list(range(len(found))) for found in indices.values())
