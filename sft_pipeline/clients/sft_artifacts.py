"""Uploading the SFT files of a variant: the lines, and the table of labels beside them, each by its content.

Belongs here: where they lie and how they are written.
Does not belong here: what a line says (curation.sft_lines), making a release of them (publishing).
"""

from hashlib import sha256
from io import BytesIO

import polars as pl

from sft_pipeline.clients.publishing import ARTIFACTS, counted_lines
from sft_pipeline.clients.release_store import PIECE_BYTES, ReleaseStore, StoredFile
from sft_pipeline.curation.router_tables import TRAINING_TABLE_FIELDS, SftArtifact
from sft_pipeline.curation.routers import NON_REASONING, REASONING, RouterName
from sft_pipeline.curation.sft_lines import sft_pieces
from sft_pipeline.curation.sft_sections import Slot
from sft_pipeline.curation.tables import schema_of
from sft_pipeline.curation.variants import Variant

ROWS_PER_GROUP = 20_000


def upload_sft(
    store: ReleaseStore, router: RouterName, variant: Variant, rows: pl.DataFrame, training_version: str
) -> pl.DataFrame:
    """Write the SFT lines of a training set, in row order, and the table of labels whose row n is of line n.

    Args:
        store: where to.
        router: whose training set it is.
        variant: of it.
        rows: `TrainingRow` rows.
        training_version: the content version of the training set.

    Returns:
        Two rows of `SftArtifact`.
    """
    slot = Slot(router, variant)
    stored = {"sft": _put_lines(store, slot, rows, training_version), "labels": _put_table(store, slot, rows)}
    told = {
        "variant": variant.key,
        "records": rows.height,
        "label0": rows.filter(label=REASONING).height,
        "label1": rows.filter(label=NON_REASONING).height,
        "trainingVersion": training_version,
    }
    files = [
        {**file._asdict(), **told, "kind": kind, "path": slot.paths[kind], "origin": file.path}
        for kind, file in stored.items()
    ]
    schema = schema_of(SftArtifact)
    return pl.DataFrame([{name: file[name] for name in schema} for file in files], schema=schema)


def _put_lines(store: ReleaseStore, slot: Slot, rows: pl.DataFrame, training_version: str) -> StoredFile:
    lines: list[int] = []
    path = f"{ARTIFACTS}/{slot.router}-{slot.variant.key}-{training_version[:32]}.jsonl"
    return store.put(path, counted_lines(sft_pieces(rows), lines), records=lambda: sum(lines))


def _put_table(store: ReleaseStore, slot: Slot, rows: pl.DataFrame) -> StoredFile:
    """Its name is of its bytes: another version of Polars may write the same rows otherwise."""
    buffer = BytesIO()
    rows.select(TRAINING_TABLE_FIELDS).write_parquet(buffer, row_group_size=ROWS_PER_GROUP)
    content = buffer.getbuffer()
    path = f"{ARTIFACTS}/{slot.router}-{slot.variant.key}-{sha256(content).hexdigest()[:32]}.parquet"
    starts = range(0, len(content), PIECE_BYTES)
    return store.put(path, (bytes(content[start : start + PIECE_BYTES]) for start in starts))
