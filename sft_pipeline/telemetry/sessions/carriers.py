"""The carriers of sessions: which kind of file it is, and the conversation in it.

Belongs here: telling files apart by content. Does not belong here: any format itself, finding files (importing).
"""

from pathlib import Path
from typing import NamedTuple

from sft_pipeline.telemetry.sessions import delta_log, transcript, vscode
from sft_pipeline.telemetry.sessions.conversations import Conversation
from sft_pipeline.telemetry.sessions.fields import UnreadableError, decode, parse, parse_lines
from sft_pipeline.telemetry.sessions.specstory import read_specstory

EXPORT, SESSION, LOG, TRANSCRIPT, SPECSTORY = "export", "session", "delta log", "transcript", "specstory"
SUFFIXES = (".json", ".jsonl", ".md")


class Carried(NamedTuple):
    """A conversation and the kind of file it came in."""

    carrier: str
    conversation: Conversation


def read_carrier(path: Path) -> Carried | None:
    """The conversation of a file, or None where the file is no session.

    Raises:
        UnreadableError: the file cannot be opened, or is neither JSON nor Markdown although its name says so.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"cannot be opened ({type(error).__name__})") from None
    if not data.strip():
        raise UnreadableError("the file is empty")
    match path.suffix.lower():
        case ".md":
            conversation = read_specstory(decode(data), name=path.name)
            return Carried(SPECSTORY, conversation) if conversation else None
        case ".jsonl":
            return _of_lines(parse_lines(data))
        case _:
            return _of_value(parse(data))


def _of_lines(values: list[object]) -> Carried | None:
    if delta_log.is_log(values):
        state = delta_log.replay(values)
        return Carried(LOG, vscode.read_session(state)) if vscode.is_session(state) else None
    if transcript.is_transcript(values):
        return Carried(TRANSCRIPT, transcript.read_transcript(values))
    return None


def _of_value(value: object) -> Carried | None:
    if not vscode.is_session(value):
        return None
    return Carried(EXPORT if vscode.is_export(value) else SESSION, vscode.read_session(value))
