"""Persisted decisions as SHA-256 of `<salt>:<id>`: which chunk, which split, which rank. The same in KQL and Python.

Belongs here: the three hashes. Each decision has its own salt, so chunk, split and sample are independent.
Does not belong here: what the numbers mean (plan, sampling).
"""

from collections.abc import Iterable
from hashlib import sha256

import polars as pl

CHUNK_DIGITS = 8
SPLIT_DIGITS = 8
PRIORITY_DIGITS = 15
"""15 hex digits are 60 bits: they fit a signed 64-bit integer with room to spare."""


def leading_digits(salt: str, key: str, digits: int) -> int:
    """The first hex digits of SHA-256 of the UTF-8 text `<salt>:<key>`, as a number."""
    return int(sha256(f"{salt}:{key}".encode("utf-8", "surrogatepass")).hexdigest()[:digits], 16)


def chunk_of(conversation_id: str, count: int) -> int:
    """The chunk a conversation belongs to, 0 <= chunk < count."""
    return leading_digits("chunk", conversation_id, CHUNK_DIGITS) % count


def split_percent(key: str) -> int:
    """Where a split key falls on the scale 0..99 that the plan's shares divide."""
    return leading_digits("split", key, SPLIT_DIGITS) % 100


def priority_of(conversation_id: str, *, salt: str) -> int:
    """The rank key of a conversation in sampling: lower comes first."""
    return leading_digits(f"sample:{salt}", conversation_id, PRIORITY_DIGITS)


def chunks_of(ids: Iterable[str], *, count: int) -> pl.Series:
    """`chunk_of` for a column."""
    return pl.Series("chunk", [chunk_of(conversation_id, count) for conversation_id in ids], pl.Int64)


def split_percents(keys: Iterable[str]) -> pl.Series:
    """`split_percent` for a column."""
    return pl.Series("splitPercent", [split_percent(key) for key in keys], pl.Int64)


def priorities(ids: Iterable[str], *, salt: str) -> pl.Series:
    """`priority_of` for a column."""
    return pl.Series("priority", [priority_of(conversation_id, salt=salt) for conversation_id in ids], pl.Int64)


def content_version(parts: Iterable[str]) -> str:
    """One SHA-256 over a sequence of texts, unambiguous about where one ends: the version of a stored table."""
    digest = sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()
