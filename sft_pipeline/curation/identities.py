"""Who stands in a run of released lines: ids and digests, without any text.

Belongs here: reading them at a fraction of what judging the records costs.
Does not belong here: whether the lines are records in every field (parsing), reading files (clients.released_lines).
"""

import json
from hashlib import sha256
from io import BytesIO
from typing import NamedTuple

import polars as pl

SCHEMA = pl.Schema({"conversationId": pl.String(), "digest": pl.Binary()})


class NoRecordError(Exception):
    """A line is no record.

    Args:
        number: of the line, from 1.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is no record")
        self.number = number


def identities(lines: bytes) -> pl.DataFrame:
    """One row per line, in order: conversationId and the SHA-256 of the line without its line feed.

    Raises:
        NoRecordError: a line is no JSON object with a conversationId, or the last one does not end.
    """
    *whole, rest = lines.split(b"\n")
    ids = _ids(lines, len(whole) + bool(rest))
    if rest:
        raise NoRecordError(len(whole) + 1)
    digests = pl.Series("digest", [sha256(line).digest() for line in whole], pl.Binary())
    return pl.DataFrame([ids.alias("conversationId"), digests], schema=SCHEMA)


class Sought(NamedTuple):
    """What a run of lines says of one conversation.

    Args:
        lines: how many there are.
        last: who stands on the last one.
        line: on which one it stands, from 1; 0 where it does not.
        turns: its turnCount, where it stands.
        bucket: its bucket, where it stands.
    """

    lines: int
    last: str
    line: int = 0
    turns: int = 0
    bucket: str = ""


def seek(conversation_id: str, lines: bytes) -> Sought:
    """Look for a conversation in a run of lines, one at least.

    Raises:
        NoRecordError: as `identities`, or its own line lacks turnCount or bucket.
    """
    ids = identities(lines)["conversationId"]
    at = ids.index_of(conversation_id)
    if at is None:
        return Sought(ids.len(), ids[-1])
    record = json.loads(lines.split(b"\n")[at])
    try:
        return Sought(ids.len(), ids[-1], at + 1, int(record["turnCount"]), str(record["bucket"]))
    except (KeyError, TypeError, ValueError):
        raise NoRecordError(at + 1) from None


def _ids(lines: bytes, count: int) -> pl.Series:
    try:
        ids = pl.read_ndjson(BytesIO(lines), schema={"conversationId": pl.String()})["conversationId"]
    except pl.exceptions.PolarsError:
        return _ids_one_by_one(lines)
    # Polars lets blank lines pass and answers other objects with null.
    return ids if ids.len() == count and not ids.has_nulls() else _ids_one_by_one(lines)


def _ids_one_by_one(lines: bytes) -> pl.Series:
    ids = [_id(number, line) for number, line in enumerate(lines.removesuffix(b"\n").split(b"\n"), start=1)]
    return pl.Series(ids, dtype=pl.String())


def _id(number: int, line: bytes) -> str:
    try:
        found = json.loads(line)["conversationId"]
        found.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NoRecordError(number) from None
    return found
