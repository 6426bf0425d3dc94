"""The released record: one JSON object per line, the same bytes for the same conversation everywhere.

Belongs here: which fields a record has, in which order, and its digest.
Does not belong here: files and uploads (clients.release_store), names and metadata.json (release).
"""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO

import polars as pl

from sft_pipeline.curation.tables import RECORD_FIELDS

ROWS_PER_PIECE = 1000
ROWS_PER_VERSIONED_PIECE = 20_000


def record_lines(conversations: pl.DataFrame) -> bytes:
    """The records of a `Conversation` frame as JSON lines, in row order; times as ISO 8601 in UTC."""
    times = [pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for name in ("firstTime", "lastTime")]
    buffer = BytesIO()
    conversations.with_columns(times).select(RECORD_FIELDS).write_ndjson(buffer)
    return buffer.getvalue()


def record_pieces(conversations: pl.LazyFrame | pl.DataFrame, *, rows: int = ROWS_PER_PIECE) -> Iterator[bytes]:
    """The same bytes as `record_lines`, in pieces, so that a large sample is never whole in memory as text."""
    return map(record_lines, record_slices(conversations, rows=rows))


def record_slices(conversations: pl.LazyFrame | pl.DataFrame, *, rows: int = ROWS_PER_PIECE) -> Iterator[pl.DataFrame]:
    """What `record_pieces` makes its pieces of."""
    frame = conversations.lazy()
    height = frame.select(pl.len()).collect().item()
    for offset in range(0, height, rows):
        yield frame.slice(offset, rows).collect()


def with_digests(conversations: pl.DataFrame) -> pl.DataFrame:
    """Add `digest`, the SHA-256 of each record's line: equal digests mean equal records."""
    digests = [sha256(line).hexdigest() for piece in record_pieces(conversations) for line in piece.splitlines()]
    return conversations.with_columns(pl.Series("digest", digests, pl.String()))


def table_version(table: pl.DataFrame) -> str:
    """The content version of a stored table: equal versions mean equal rows in equal order.

    `digest` stands for `turnsArray`, so that a version costs little beside the text it covers.
    """
    light, digest = table.drop("turnsArray", strict=False), sha256()
    for piece in light.iter_slices(ROWS_PER_VERSIONED_PIECE):
        buffer = BytesIO()
        piece.write_ndjson(buffer)
        digest.update(buffer.getbuffer())
    return digest.hexdigest()
