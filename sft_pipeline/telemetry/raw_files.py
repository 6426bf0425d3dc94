"""The Parquet files of a telemetry folder: which there are, whether they can be read, which content they have.

Belongs here: finding and checking files by their footers, and the fingerprint of their content.
Does not belong here: reading their rows (staging).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest, sha256
from pathlib import Path
from uuid import uuid4

import orjson
import polars as pl

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import RAW_SCHEMA, TABLE, events_folder

REQUIRED = ("TimeGenerated", "Name", "Properties", "Measurements")
"""Without these columns no query has anything to say; the others of the table may be missing."""

_MAKE_SOME = "make some with `sft-pipeline telemetry generate` or `sft-pipeline telemetry import`"


def raw_paths(telemetry: Path) -> list[Path]:
    """The Parquet files of a telemetry folder, sorted.

    Raises:
        Refused: there is no such folder, or no file in it.
    """
    folder = events_folder(telemetry)
    if not folder.is_dir():
        raise Refused(f"the telemetry folder {telemetry} holds no folder {TABLE}", remedy=_MAKE_SOME)
    paths = sorted(path for path in folder.rglob("*.parquet") if path.is_file())
    if not paths:
        raise Refused(f"the folder {folder} holds no Parquet file", remedy=_MAKE_SOME)
    return paths


def readable_columns(path: Path) -> frozenset[str]:
    """The columns of a file, told by its footer.

    Raises:
        Refused: it is not readable Parquet, or a column is missing or has another type; file and column are named.
    """
    try:
        schema = pl.read_parquet_schema(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise Refused(
            f"{path} is not readable Parquet ({type(error).__name__})", remedy="remove the file, or write it again"
        ) from None
    remedy = f"write it with the columns {', '.join(RAW_SCHEMA.names())} of the raw event schema, or remove the file"
    for name in REQUIRED:
        if name not in schema:
            raise Refused(f"{path} lacks the column {name}", remedy=remedy)
        if not isinstance(schema[name], type(RAW_SCHEMA[name])):
            raise Refused(f"{path} has the column {name} as {schema[name]}, not {RAW_SCHEMA[name]}", remedy=remedy)
    return frozenset(schema)


def content_fingerprint(paths: Sequence[Path], cache: Path) -> str:
    """SHA-256 over the contents of the files, whatever their names, places and order.

    Args:
        paths: the files.
        cache: a JSON file of digests by path, size and modification time, so that a file is read once.
    """
    seen = _read_cache(cache)
    stats = {path: path.stat() for path in paths}
    keys = {path: f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}" for path, stat in stats.items()}
    unseen = [path for path in paths if keys[path] not in seen]
    with ThreadPoolExecutor() as pool:
        digests = dict(zip(unseen, pool.map(_digest, unseen), strict=True))
    told = {key: digests.get(path) or seen[key] for path, key in keys.items()}
    if unseen:
        _write_cache(cache, told)
    return sha256("\n".join(sorted(told.values())).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _read_cache(cache: Path) -> dict[str, str]:
    try:
        return orjson.loads(cache.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}


def _write_cache(cache: Path, digests: dict[str, str]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_name(f".{cache.name}.{uuid4().hex}")
    partial.write_bytes(orjson.dumps(digests, option=orjson.OPT_SORT_KEYS))
    partial.replace(cache)
