"""Annotated records (source 000) as rows: the verdict and the thumb of each, and the record itself as JSON.

Belongs here: what makes a line a record, what is kept of it, secrets redacted in it, and its thumb.
Does not belong here: files of records (importing, exporting).
"""

from collections.abc import Generator, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, cast

import orjson
import polars as pl

from sft_pipeline.clients.labels.segments import Segments
from sft_pipeline.curation.judging import Identity, input_text, question_key
from sft_pipeline.curation.secrets import holds_secret, redacted

RECORD_COLUMNS: dict[str, pl.DataType] = {
    "recordId": pl.String(),
    "key": pl.String(),
    "label": pl.Int64(),
    "vote": pl.Int64(),
    "record": pl.String(),
}
"""`recordId` is of the record as it came, `record` is what is kept of it."""

NO_JSON = "not_json"
NO_OBJECT = "not_an_object"
NO_REQUEST = "no_request"
NO_LABEL = "llm_vote_is_not_0_or_1"
TOO_DEEP = "nested_too_deep"

_LABELS: dict[object, int] = {0: 0, 1: 1, "0": 0, "1": 1}
_THUMBS: dict[object, int] = {**_LABELS, -1: 0, "-1": 0, True: 1, False: 0}


class Annotated(NamedTuple):
    """A record as it came, and what it is known by."""

    record_id: str
    label: int
    record: dict[str, Any]


def read_annotated(line: bytes) -> Annotated | str:
    """The record of a line, or why it is none."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return NO_JSON
    if not isinstance(record, dict):
        return NO_OBJECT
    fields = cast("dict[str, Any]", record)
    request, label = fields.get("request"), _number(fields.get("llm_vote"), _LABELS)
    if not isinstance(request, str):
        return NO_REQUEST
    if label is None or isinstance(fields["llm_vote"], bool):
        return NO_LABEL
    try:
        canonical = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return TOO_DEEP
    return Annotated(sha256(canonical).hexdigest()[:32], label, fields)


def records_table(found: Sequence[Annotated], identity: Identity, left_out: frozenset[str]) -> pl.DataFrame:
    """A row per record, without some of its fields, and with secrets redacted in all texts."""
    records = [{name: value for name, value in one.record.items() if name not in left_out} for one in found]
    rows = [
        (
            one.record_id,
            question_key(identity, input_text(record["request"], "")),
            one.label,
            _number(record.get("vote"), _THUMBS),
            orjson.dumps(record).decode(),
        )
        for one, record in zip(found, _without_secrets(records), strict=True)
    ]
    return pl.DataFrame(rows, schema=RECORD_COLUMNS, orient="row")


def votes_among(records: Segments, identity: Identity, keys: Sequence[str]) -> list[tuple[int, int]]:
    """The label and the thumb of each record of those keys that has a thumb."""
    names = records.names(identity.key)
    columns = ("recordId", "key", "label", "vote")
    wanted = pl.DataFrame({"key": keys}, schema={"key": pl.String()})
    found = [
        rows.drop_nulls("vote").join(wanted, on="key", how="semi")
        for _, rows in records.read(identity.key, names, columns)
    ]
    if not found:
        return []
    return list(pl.concat(found).unique("recordId").sort("recordId").select("label", "vote").iter_rows())


def _without_secrets(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = pl.Series("texts", ["\n".join(_texts(record)) for record in records], pl.String())
    holding = told.to_frame().select(holds_secret(pl.col("texts"))).to_series()
    return [_redacted(record) if holds else record for record, holds in zip(records, holding, strict=True)]


def _redacted(record: dict[str, Any]) -> dict[str, Any]:
    texts = pl.Series("text", list(_texts(record)), pl.String()).to_frame()
    return _with_texts(record, iter(texts.select(redacted(pl.col("text"))).to_series()))


def _texts(value: object) -> Generator[str]:
    """Every text in a JSON value, in order; names of fields are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in cast("dict[str, object]", value).values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _texts(one)


def _with_texts(value: Any, texts: Iterator[str]) -> Any:  # noqa: ANN401 - any JSON value
    """The same JSON value with other texts, in the order of `_texts`."""
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, dict):
        return {name: _with_texts(one, texts) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_with_texts(one, texts) for one in cast("list[Any]", value)]
    return value


def _number(value: object, meanings: dict[object, int]) -> int | None:
    return meanings.get(value) if isinstance(value, (int, float, str)) else None
