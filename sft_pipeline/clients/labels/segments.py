"""The Parquet files of the label store: added, never changed, a folder per judge, their notes telling whose they are.

Belongs here: names, writing, listing and reading them. Does not belong here: what several rows come to (asks, store).
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from uuid import uuid4

import polars as pl

from sft_pipeline.clients.blob.tables import LOCAL
from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.table_store import LOOKS, TableKey, TableStore
from sft_pipeline.curation.judging import Identity
from sft_pipeline.curation.refusal import Refused


def new_segment_name() -> str:
    """One that nobody else has; names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}"


@dataclass(frozen=True)
class Segments:
    """Tables at `<base>/<kind>/<key of the judge's identity>/<name>.parquet`.

    Args:
        tables: where they lie.
        kind: `asks`, or `records` of imported annotations.
    """

    tables: TableStore
    kind: str

    def write(self, identity: Identity, name: str, rows: pl.DataFrame, run: str) -> None:
        """Add a segment, whole or not at all; again under the same name it takes the place of its equal.

        Raises:
            Refused: the place cannot be written or is full.
        """
        self.tables.write(TableKey(self.kind, identity.key, name), rows, {**identity._asdict(), "run": run})

    def by_judge(self) -> dict[str, list[str]]:
        """The names of each identity's segments, by its key.

        Raises:
            Refused: the place cannot be listed.
        """
        keys = self.tables.keys(self.kind)
        return {judge: [key.part for key in group] for judge, group in groupby(keys, key=lambda key: key.window)}

    def names(self, identity_key: str) -> list[str]:
        """The segments of an identity, oldest first.

        Raises:
            Refused: the place cannot be listed.
        """
        return self.by_judge().get(identity_key, [])

    def identity(self, identity_key: str, name: str) -> Identity:
        """Whose segment it is.

        Raises:
            Refused: the notes do not tell.
        """
        key = TableKey(self.kind, identity_key, name)
        notes = self.tables.notes(key)
        if not notes.keys() >= {*Identity._fields}:
            raise _damaged(self.tables.uri(key))
        return Identity(*[notes[field] for field in Identity._fields])

    def read(
        self, identity_key: str, names: Iterable[str], columns: Iterable[str]
    ) -> Generator[tuple[str, pl.DataFrame]]:
        """Those columns of each segment with its name, several read at a time where that takes requests.

        Raises:
            Refused: one is damaged or gone; it is named.
        """
        remote = LOOKS if self.tables.blob else 1
        keys = (TableKey(self.kind, identity_key, name) for name in names)
        return in_order(lambda key: (key.part, self._read(key, columns)), keys, at_a_time=remote)

    def _read(self, key: TableKey, columns: Iterable[str]) -> pl.DataFrame:
        access = self.tables.blob.access if self.tables.blob else LOCAL
        try:
            with self.tables.refusing(key.path):
                return pl.scan_parquet(self.tables.uri(key), glob=False, **access).select(*columns).collect()
        except (FileNotFoundError, pl.exceptions.PolarsError) as error:
            raise _damaged(self.tables.uri(key)) from error


def _damaged(uri: str) -> Refused:
    return Refused(
        f"{uri} is damaged or gone",
        remedy="restore it from a copy, or move it away: what it holds is then asked for, and paid for, again",
    )
