"""How a release of any kind comes into being: data files first, `metadata.json` last, each created once.

Belongs here: the order of the steps, the registry of names, and what an earlier or interrupted run left.
Does not belong here: what the files say (curation.release, sft_release), how a store writes (release_store).
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.release_store import ReleaseConflict, ReleaseStore, StoredFile
from sft_pipeline.curation.invalid_records import invalid_records_reports
from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.publication import Origin, Publication
from sft_pipeline.curation.records import record_lines, record_slices
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import (
    METADATA,
    Curation,
    claimed_files,
    instant,
    metadata,
    release_name,
    release_version,
    require_whole,
    stamp_of,
)
from sft_pipeline.curation.sections import render
from sft_pipeline.curation.sft_release import Labelling, sft_publication
from sft_pipeline.curation.tables import Artifact, schema_of

AT_A_TIME = 2
"""Pieces of a file that are made, or files that are hashed, beside each other: one alone leaves cores idle."""

ARTIFACTS = "artifacts"
"""The folder of a store that holds data files by their content, and the registry of names."""


class Published(NamedTuple):
    """A release in a store; `already_there` when an earlier run had finished it."""

    name: str
    url: str
    files: tuple[StoredFile, ...]
    already_there: bool


def artifact_path(cell_key: str, sample_version: str) -> str:
    """Where the file of a sample lies: other content, other path."""
    return f"{ARTIFACTS}/{cell_key}-{sample_version[:32]}.json"


def upload_artifact(
    store: ReleaseStore, cell: Cell, sample: pl.LazyFrame | pl.DataFrame, sample_version: str
) -> pl.DataFrame:
    """Write a sample's records in pieces, in row order.

    Args:
        store: where to.
        cell: what the sample is of.
        sample: `Conversation` rows, valid ones.
        sample_version: the content version of the sample.

    Returns:
        One row of `Artifact`.
    """
    lines: list[int] = []
    pieces = counted_lines(in_order(record_lines, record_slices(sample), at_a_time=AT_A_TIME), lines)
    stored = store.put(artifact_path(cell.key, sample_version), pieces, records=lambda: sum(lines))
    row = {
        **stored._asdict(),
        "cell": cell.key,
        "path": cell.path,
        "records": sum(lines),
        "sampleVersion": sample_version,
    }
    schema = schema_of(Artifact)
    return pl.DataFrame([{name: row[name] for name in schema}], schema=schema)


def publish(store: ReleaseStore, made: Curation | Labelling, *, moment: datetime) -> Published:
    """Publish, or finish what an interrupted run began; a release that is there stays as it is.

    Args:
        store: where to; it holds the artifacts.
        made: what is released.
        moment: the time in the name of new content; content that was named before keeps its name.

    Raises:
        ReleaseConflict: the name belongs to other content, or the folder holds something else.
        Refused: files are missing or fall short, counts do not agree, or the store cannot be written to.
    """
    release = sft_publication(made) if isinstance(made, Labelling) else _sample_publication(made)
    moment = _registered(store, release, moment)
    claims = release.metadata(moment)
    name: str = claims["curation_info"]["curation_id"]
    there = {path.removeprefix(f"{name}/") for path in store.list(name)}
    if METADATA in there:
        published = _published(store, release, claims, there)
        if release.files(claims).keys() - there:  # somebody removed files: they come back as they were
            _write_files(store, release, name, moment)
        return published
    _require_no_others(store, name, there - {METADATA, *release.files(claims)})
    files = _write_files(store, release, name, moment)
    last = _commit(store, name, claims)
    return Published(name, f"{store.url}/{name}", (*files, last), already_there=False)


def counted_lines(pieces: Iterable[bytes], lines: list[int]) -> Iterator[bytes]:
    """The same pieces; `lines` gets the number of lines of each."""
    for piece in pieces:
        lines.append(piece.count(b"\n"))
        yield piece


def _sample_publication(curation: Curation) -> Publication:
    require_whole(curation)
    plan = curation.plan
    return Publication(
        plan=plan,
        run_id=curation.run_id,
        version=release_version(curation.artifacts, plan, curation.window),
        name=lambda stamp: release_name(plan, records=curation.records, stamp=stamp),
        origins=tuple(_sample_origin(plan, row) for row in curation.artifacts.iter_rows(named=True)),
        reports=lambda stamp: dict(invalid_records_reports(curation.left_out, stamp).values()),
        metadata=lambda moment: metadata(curation, moment=moment),
        files=claimed_files,
    )


def _sample_origin(plan: Plan, row: Mapping[str, Any]) -> Origin:
    lies_at = artifact_path(row["cell"], row["sampleVersion"])
    remedy = "move it away if it is there, and materialize sample_artifacts of this cell anew"
    return Origin(plan.cell(row["cell"]).path, lies_at, row["bytes"], row["md5"], row["sha256"], remedy)


def _write_files(store: ReleaseStore, release: Publication, name: str, moment: datetime) -> list[StoredFile]:
    """All files but the last one, each from what was written before; those that are there count as written."""
    _require_origins(store, release)
    copies = [store.copy(origin.lies_at, f"{name}/{origin.path}") for origin in release.origins]
    reports = release.reports(stamp_of(moment, release.plan))
    return [*copies, *(store.put(f"{name}/{path}", [content]) for path, content in reports.items())]


def _commit(store: ReleaseStore, name: str, claims: dict[str, Any]) -> StoredFile:
    """Make the files a release: of several publishers, one does, and the others are told which run it was."""
    try:
        return store.put(f"{name}/{METADATA}", [render(claims)])
    except ReleaseConflict:
        winner = _document(store, f"{name}/{METADATA}").get("curation_info", {}).get("run_id", "of another version")
        raise ReleaseConflict(
            f"{store.url}/{name} was published by run {winner} while run {claims['curation_info']['run_id']} was at it",
            remedy="the release is whole, `sft-pipeline verify` proves it; run again: it is found finished",
        ) from None


def _registered(store: ReleaseStore, release: Publication, moment: datetime) -> datetime:
    """When this content first got a name: now, unless the store knows better."""
    stamp = f"{ARTIFACTS}/stamps/{release.version}.json"
    if store.find(stamp) is None:
        _claim(store, release.name(stamp_of(moment, release.plan)), release.version)
        with suppress(ReleaseConflict):  # another run published the same content and was faster: its moment counts
            store.put(stamp, [render({"moment": instant(moment)})])
    try:
        named = datetime.fromisoformat(_document(store, stamp)["moment"])
        stamp_of(named, release.plan)
    except (ValueError, KeyError, TypeError):
        raise Refused(
            f"{store.url}/{stamp} does not say when a release got its name", remedy="move that file away"
        ) from None
    return named


def _claim(store: ReleaseStore, name: str, version: str) -> None:
    """Take a name for one content, before any file of that name exists."""
    try:
        store.put(f"{ARTIFACTS}/names/{name}.json", [render({"release": version})])
    except ReleaseConflict:
        raise ReleaseConflict(
            f"the release name {name} belongs to other content in {store.url}",
            remedy="publish again when the stamp in the name has moved on, or make release.stamp_format finer",
        ) from None


def _published(store: ReleaseStore, release: Publication, claims: dict[str, Any], there: Collection[str]) -> Published:
    """The release that is there, if it is of the same files; how it was curated is told as of then."""
    name: str = claims["curation_info"]["curation_id"]
    own: Mapping[str, Mapping[str, Any]] = {}
    try:
        told = _document(store, f"{name}/{METADATA}")
        same, own = told["output_files"] == claims["output_files"], release.files(told)
    except (ValueError, KeyError, TypeError, AttributeError):
        same = False
    if not same:
        raise ReleaseConflict(
            f"{store.url}/{name} is published with other files", remedy="run `sft-pipeline verify` on it"
        )
    _require_no_others(store, name, set(there) - {METADATA, *own})
    files = [
        StoredFile(f"{name}/{path}", f"{store.url}/{name}/{path}", file["bytes"], file["md5"], file["sha256"])
        for path, file in own.items()
    ]
    last = store.find(f"{name}/{METADATA}")
    return Published(name, f"{store.url}/{name}", (*files, *([last] if last else [])), already_there=True)


def _require_no_others(store: ReleaseStore, name: str, odd: Collection[str]) -> None:
    if odd:
        raise ReleaseConflict(
            f"{store.url}/{name} holds files that are not of this release: {', '.join(sorted(odd)[:5])}",
            remedy="move them away; a folder without metadata.json was never published and may be moved as a whole",
        )


def _require_origins(store: ReleaseStore, release: Publication) -> None:
    files = in_order(lambda origin: store.find(origin.lies_at), release.origins, at_a_time=AT_A_TIME)
    for origin, file in zip(release.origins, files, strict=True):
        if file is None or (file.bytes, file.md5, file.sha256) != (origin.bytes, origin.md5, origin.sha256):
            raise ReleaseConflict(
                f"{store.url}/{origin.lies_at} is {'missing' if file is None else 'no longer as it was written'}",
                remedy=origin.remade_by,
            )


def _document(store: ReleaseStore, path: str) -> dict[str, Any]:
    return json.loads(b"".join(store.read(path)))
