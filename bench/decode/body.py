"""The body that is decoded: what a cluster would send for the production query, all rows told apart.

Belongs here: making it, once. Does not belong here: sending it (service).
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from bench.inputs import END, QUERY, telemetry
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.queries.catalog import load_query

DAYS = 15
CONVERSATIONS_PER_MEGABYTE = 92
"""Of synthetic telemetry: a candidate's row is 10 kB on average, and two rows without turns come with it."""

_KINDS = {"String": "string", "Int64": "long", "Datetime(time_unit='us', time_zone='UTC')": "datetime"}


def response_body(work: Path, megabytes: int) -> Path:
    """A file with a body of about that size."""
    path = work / "decode" / f"{megabytes}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(_body(_rows(work, megabytes * CONVERSATIONS_PER_MEGABYTE)))
        unfinished.rename(path)
    return path


def _rows(work: Path, conversations: int) -> pl.DataFrame:
    """What the query answers for the whole window: candidates with their turns, the rest with why they are none."""
    kusto = EmbeddedKusto(telemetry(work, conversations), store=work / "decode" / "store", staged_chunks=1)
    until = datetime.combine(END, datetime.min.time(), UTC)
    window = {"windowStart": until - timedelta(days=DAYS), "windowEnd": until, "chunk": 0, "chunkCount": 1}
    return kusto.execute(load_query(QUERY), window)


def _body(rows: pl.DataFrame) -> bytes:
    """These rows as a response of the v2 protocol, in one table, as services send it where progress is off."""
    columns = [{"ColumnName": name, "ColumnType": _KINDS[str(kind)]} for name, kind in rows.schema.items()]
    table = {"FrameType": "DataTable", "TableId": 1, "TableKind": "PrimaryResult", "TableName": "PrimaryResult"}
    frames = [
        {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"},
        {**table, "Columns": columns, "Rows": [[_told(value) for value in row] for row in rows.rows()]},
        {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False},
    ]
    return json.dumps(frames, ensure_ascii=False, separators=(",", ":")).encode()


def _told(value: object) -> object:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f0Z") if isinstance(value, datetime) else value
