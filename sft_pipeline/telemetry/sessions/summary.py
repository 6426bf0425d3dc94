"""What an import did, file by file and in total, so that nothing is lost without a word.

Belongs here: outcomes and their sums. Does not belong here: printing them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

IMPORTED = "imported"
DUPLICATE = "duplicate"
EMPTY = "empty"
NOT_A_SESSION = "not a session"
UNREADABLE = "unreadable"
OUTCOMES = (IMPORTED, DUPLICATE, EMPTY, NOT_A_SESSION, UNREADABLE)


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Args:
        carrier: the kind of session file, empty where it is none or unreadable.
        conversations: 1 for every session, also an empty one.
        turns: those the file holds.
        droppedTurns: those of them that were not written, by reason.
        outcome: one of `OUTCOMES`.
        reason: why it was not imported; never text of the file.
        withoutAgent: no turn of it was in agent mode, so the candidates query will not look at it.
    """

    path: Path
    carrier: str
    conversations: int
    turns: int
    outcome: str
    reason: str = ""
    droppedTurns: Mapping[str, int] = field(default_factory=dict[str, int])
    withoutTimestamp: bool = False
    withoutAgent: bool = False

    @property
    def written(self) -> int:
        """Turns that became events."""
        return self.turns - sum(self.droppedTurns.values())


@dataclass(frozen=True)
class ImportSummary:
    """What became of all files, ordered by path, and where the events lie."""

    files: tuple[FileOutcome, ...]
    written: tuple[Path, ...] = ()

    def of(self, outcome: str) -> list[FileOutcome]:
        """The files with one outcome."""
        return [file for file in self.files if file.outcome == outcome]

    @property
    def conversations(self) -> int:
        """Conversations that became events."""
        return len(self.of(IMPORTED))

    @property
    def turns(self) -> int:
        """Turns that became events."""
        return sum(file.written for file in self.files)

    def dropped(self) -> dict[str, int]:
        """Turns that did not become events, by reason."""
        reasons = sorted({reason for file in self.files for reason in file.droppedTurns})
        return {reason: sum(file.droppedTurns.get(reason, 0) for file in self.files) for reason in reasons}

    def totals(self) -> dict[str, int]:
        """The sums as a table: files are the sum of their outcomes, turns read of those written and dropped."""
        return {
            "files": len(self.files),
            **{f"files: {outcome}": len(self.of(outcome)) for outcome in OUTCOMES},
            "conversations": self.conversations,
            "conversations without a time": sum(file.withoutTimestamp for file in self.of(IMPORTED)),
            "conversations without an agent turn": sum(file.withoutAgent for file in self.of(IMPORTED)),
            "turns read": sum(file.turns for file in self.files),
            "turns": self.turns,
            **{f"turns dropped: {reason}": number for reason, number in self.dropped().items()},
        }
