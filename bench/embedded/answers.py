"""What a chunk's answer says, in few bytes, in whatever order its rows, turns and calls come.

Belongs here: the digest that sides tell. Does not belong here: asking (the sides).
"""

from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any

import orjson
import polars as pl


def told(answer: pl.DataFrame) -> dict[str, int | str]:
    """How many rows there are, and a digest over all that they say."""
    total = sum(int.from_bytes(sha256(_row(row)).digest()) for row in answer.iter_rows(named=True))
    return {"rows": answer.height, "digest": f"{total % 2**256:064x}"}


def _row(row: dict[str, Any]) -> bytes:
    plain = {name: _plain(value) for name, value in row.items() if name != "turnsArray"}
    turns = sorted(orjson.loads(row["turnsArray"]), key=itemgetter("turnIndex"))
    for turn in turns:
        (turn["llmCalls"] or []).sort(key=itemgetter("time", "modelCallId"))
    return orjson.dumps([plain, turns], option=orjson.OPT_SORT_KEYS)


def _plain(value: object) -> str | int:
    """Counts as integers, times in UTC without a zone, and nothing as an empty text, whatever types an engine has."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return value if isinstance(value, str) else "" if value is None else int(str(value))
