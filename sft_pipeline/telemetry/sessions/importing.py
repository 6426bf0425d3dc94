"""Import of chat sessions: files and folders in, raw events and a summary out.

Belongs here: finding files, the order of steps, outcomes.
Does not belong here: formats (carriers), events (emission), printing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import events_folder, write_events
from sft_pipeline.telemetry.sessions.carriers import SUFFIXES, Carried, read_carrier
from sft_pipeline.telemetry.sessions.conversations import kept_copies
from sft_pipeline.telemetry.sessions.emission import frame_of
from sft_pipeline.telemetry.sessions.fields import UnreadableError
from sft_pipeline.telemetry.sessions.summary import (
    DUPLICATE,
    EMPTY,
    IMPORTED,
    NOT_A_SESSION,
    UNREADABLE,
    FileOutcome,
    ImportSummary,
)


def import_sessions(
    paths: Sequence[Path], out: Path, *, progress: Callable[[int, int], None] | None = None
) -> ImportSummary:
    """Write the sessions found under paths as raw events; of several copies of a conversation the longest.

    Args:
        paths: session files, and folders in which `.json`, `.jsonl` and `.md` files are looked for.
        out: telemetry folder without raw events; the bytes written do not depend on the order of paths.
        progress: told how many files of how many have been read.

    Raises:
        Refused: a path does not exist, or out holds raw events already.
    """
    _require_empty(out)
    files = session_files(paths)
    read: list[Carried | FileOutcome] = []
    for done, path in enumerate(files, start=1):
        read.append(_read(path))
        if progress:
            progress(done, len(files))
    return _write(files, read, out)


def session_files(paths: Sequence[Path]) -> list[Path]:
    """The files to read, each once, ordered by path; a file that is named is read whatever its suffix.

    Raises:
        Refused: a path does not exist.
    """
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise Refused(f"there is no {missing[0]}", remedy="name files or folders that hold chat sessions")
    found = {path.resolve() for path in paths if path.is_file()}
    for folder in (path for path in paths if path.is_dir()):
        found.update(path.resolve() for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(found)


def _require_empty(out: Path) -> None:
    folder = events_folder(out)
    if out.exists() and not out.is_dir():
        raise Refused(f"{out} is a file, events need a folder", remedy="name another folder with --out")
    if folder.is_dir() and any(folder.iterdir()):
        raise Refused(
            f"{folder} holds raw events already, an import would mix with them",
            remedy=f"delete {folder}, or name another folder with --out",
        )


def _read(path: Path) -> Carried | FileOutcome:
    try:
        carried = read_carrier(path)
    except UnreadableError as error:
        return FileOutcome(path, "", 0, 0, UNREADABLE, str(error))
    return carried or FileOutcome(path, "", 0, 0, NOT_A_SESSION, "neither a VS Code chat session nor SpecStory")


def _write(files: Sequence[Path], read: Sequence[Carried | FileOutcome], out: Path) -> ImportSummary:
    filled = {
        number: item.conversation
        for number, item in enumerate(read)
        if isinstance(item, Carried) and item.conversation.turns
    }
    numbers, conversations = list(filled), list(filled.values())
    keepers = {numbers[place]: numbers[kept] for place, kept in enumerate(kept_copies(conversations))}
    kept = [filled[number] for number in sorted(set(keepers.values()))]
    written = write_events(frame_of(kept), out, part=0)
    outcomes = (
        _outcome(files, number, item, keepers.get(number)) if isinstance(item, Carried) else item
        for number, item in enumerate(read)
    )
    return ImportSummary(tuple(outcomes), tuple(written))


def _outcome(files: Sequence[Path], number: int, carried: Carried, keeper: int | None) -> FileOutcome:
    conversation = carried.conversation
    dropped = dict(conversation.droppedTurns)
    turns = len(conversation.turns) + sum(dropped.values())
    outcome, reason = IMPORTED, ""
    if keeper is None:
        outcome, reason = EMPTY, "no turns"
    elif keeper != number:
        outcome, reason = DUPLICATE, f"the same conversation as {files[keeper].name}, which is longer or equal"
        dropped[DUPLICATE] = len(conversation.turns)
    return FileOutcome(
        files[number],
        carried.carrier,
        1,
        turns,
        outcome,
        reason,
        dropped,
        withoutTimestamp=not conversation.has_time,
        withoutAgent=all(turn.mode != "agent" for turn in conversation.turns),
    )
