"""What a side read, to be held against what the others read: every row, in a form that no library has of its own."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256


def answer(rows: Iterable[tuple[str, int, datetime, str]]) -> dict[str, int | str]:
    """The number of rows, and the SHA-256 of their conversationId, turnCount, firstTime and turnsArray, in order."""
    count, digest = 0, sha256()
    for identity, turns, moment, text in rows:
        count += 1
        digest.update(f"{identity}\n{turns}\n{moment.isoformat(timespec='microseconds')}\n{text}\n".encode())
    return {"rows": count, "sha256": digest.hexdigest()}
