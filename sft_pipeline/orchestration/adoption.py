"""Chunks that lie in storage and that this instance does not know as they are: taken over, not asked for again.

Several machines may share one storage while each has an instance of its own, which knows what it made itself. An
instance may also have been removed, or its process killed between a table and the note that it was made.

Belongs here: which stored chunks count as made, and telling the instance.
Does not belong here: what a chunk must fulfil (checks), what is asked for (walk).
"""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg
import polars as pl

from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.curation.claims import Claim, Outcome
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.checked import CheckedAsset, Shelf
from sft_pipeline.orchestration.checks import checked_assets, evaluation
from sft_pipeline.orchestration.partitions import parts_of, table_key
from sft_pipeline.orchestration.pseudonym_key import settings_key_id
from sft_pipeline.orchestration.resources import extraction_code_version, open_releases, open_tables
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.orchestration.staleness import Target, report_made

SOURCE = "app_events"
CHUNKS, REJECTED = dg.AssetKey("conversation_chunks"), dg.AssetKey("rejected_conversations")

Notes = Mapping[dg.AssetKey, Mapping[str, str]]
"""What the files of a chunk's two tables say of themselves."""


def adopted(settings: Settings, instance: dg.DagsterInstance, source: str, partitions: Iterable[str]) -> Iterator[str]:
    """Take over those chunks that were made by this code from this telemetry and fulfil their checks.

    Args:
        settings: the plan and where tables lie.
        instance: is told what was made, so that Dagster counts it as fresh.
        source: the content version of the telemetry as it is now.
        partitions: of `conversation_chunks`.

    Yields:
        Each partition when it is taken over.
    """
    key_id = settings_key_id(settings)
    [checked] = [one for one in checked_assets(settings.plan, key_id) if one.asset == CHUNKS.to_user_string()]
    shelf = Shelf(open_tables(settings.storage), open_releases(settings.releases))
    made_by = {"codeVersion": extraction_code_version(settings.plan, key_id), "source": source}
    for partition in partitions:
        notes = _notes(shelf.tables, partition)
        if not all(made_by.items() <= told.items() for told in notes.values()):
            continue
        outcomes = _outcomes(checked, shelf, partition, notes)
        if outcomes and all(outcome.passed or claim.severity != "fatal" for claim, outcome in outcomes):
            _report(instance, shelf.tables, partition, notes, outcomes)
            yield partition


def _notes(tables: TableStore, partition: str) -> Notes:
    """The notes of both tables; none of a table that is not there or damaged."""
    keys = {asset: table_key(asset, partition) for asset in (CHUNKS, REJECTED)}
    return {asset: tables.notes(key) if tables.holds(key) else {} for asset, key in keys.items()}


def _outcomes(checked: CheckedAsset, shelf: Shelf, partition: str, notes: Notes) -> list[tuple[Claim, Outcome]]:
    """How the checks turn out on what is stored; none when that cannot be read or is not what was written."""
    try:
        rejected = shelf.tables.read(table_key(REJECTED, partition))
        if table_version(rejected) != notes[REJECTED]["version"]:
            return []
        return checked.outcomes(shelf, parts_of(partition))
    except (Refused, KeyError, pl.exceptions.PolarsError):
        return []


def _report(
    instance: dg.DagsterInstance,
    tables: TableStore,
    partition: str,
    notes: Notes,
    outcomes: list[tuple[Claim, Outcome]],
) -> None:
    """The rejected ones last: who is killed before them has not taken the chunk over."""
    chunk = _report_table(instance, tables, (CHUNKS, partition), notes[CHUNKS])
    for claim, outcome in outcomes:
        instance.report_runless_asset_event(evaluation(CHUNKS.to_user_string(), claim, outcome, partition, chunk))
    _report_table(instance, tables, (REJECTED, partition), notes[REJECTED])


def _report_table(
    instance: dg.DagsterInstance, tables: TableStore, what: tuple[dg.AssetKey, str], told: Mapping[str, str]
) -> Target:
    counts = {name: int(told[name]) for name in ("dagster/row_count", "conversations looked at") if name in told}
    path = dg.MetadataValue.path(tables.uri(table_key(*what)))
    versions = (told["version"], told["codeVersion"], {SOURCE: told["source"]})
    return report_made(instance, *what, versions, {**counts, "made elsewhere": True, "path": path})
