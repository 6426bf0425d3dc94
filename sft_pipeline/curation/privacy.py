"""User names leave as pseudonyms: keyed hashes, the same for the same name and key, meaningless without the key.

Belongs here: making them. Where the key comes from is orchestration.pseudonym_key's business.
Does not belong here: secrets in texts (secrets), the shape that records must show (rules).
"""

import hmac

import polars as pl

from sft_pipeline.curation.rules import BLANK

PSEUDONYM_DIGITS = 24
"""96 bits: two of a billion users share a pseudonym with a chance below one in 10^10."""


def pseudonyms(user_names: pl.Series, key: bytes) -> pl.Series:
    """`user-` and the first 24 hex digits of HMAC-SHA256, each name hashed once.

    Args:
        user_names: null and blank ones stay: a rule rejects them.
        key: the secret without which nobody can tell whose pseudonym it is.
    """
    named = pl.col("name").str.contains(BLANK).not_()
    names = pl.DataFrame({"name": user_names}).unique().filter(named)["name"]
    hashed = pl.Series([_pseudonym(name, key) for name in names], dtype=pl.String())
    return user_names.replace(names, hashed)


def _pseudonym(name: str, key: bytes) -> str:
    return f"user-{hmac.digest(key, name.encode(), 'sha256').hex()[:PSEUDONYM_DIGITS]}"
