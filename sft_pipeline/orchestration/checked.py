"""An asset's claims, and what their evaluation may read.

Belongs here: the shape of checks. Does not belong here: which claims hold for which asset (checks, router_checks).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import dagster as dg
import polars as pl

from sft_pipeline.clients.release_store import ReleaseStore
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.claims import Claim, Outcome
from sft_pipeline.orchestration.partitions import PartitionParts


@dataclass(frozen=True)
class Shelf:
    """What a check may read: the tables and the releases."""

    tables: TableStore
    releases: ReleaseStore

    def read(self, asset: str, window: str, part: str = "") -> pl.DataFrame:
        """A whole table."""
        return self.tables.read(TableKey(asset, window, part))

    def scan(self, asset: str, window: str, parts: Iterable[str]) -> pl.LazyFrame:
        """Several partitions of a table."""
        return self.tables.scan([TableKey(asset, window, part) for part in parts])

    def notes(self, asset: str, window: str, part: str = "") -> dict[str, str]:
        """What a table's file says of itself."""
        return self.tables.notes(TableKey(asset, window, part))


Evaluate = Callable[[Shelf, PartitionParts], Iterable[Outcome]]


@dataclass(frozen=True)
class CheckedAsset:
    """An asset's claims and the function that evaluates all of them for one partition."""

    asset: str
    claims: tuple[Claim, ...]
    evaluate: Evaluate
    partitions: dg.PartitionsDefinition[str]

    def outcomes(self, shelf: Shelf, parts: PartitionParts) -> list[tuple[Claim, Outcome]]:
        """Each claim with its outcome.

        Raises:
            ValueError: an outcome is missing or has no claim (a defect of this module).
        """
        by_name = {outcome.name: outcome for outcome in self.evaluate(shelf, parts)}
        if set(by_name) != {claim.name for claim in self.claims}:
            msg = f"{self.asset}: outcomes {sorted(by_name)} are not those of its claims"
            raise ValueError(msg)
        return [(claim, by_name[claim.name]) for claim in self.claims]
