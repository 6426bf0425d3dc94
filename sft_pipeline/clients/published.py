"""What is published in a store, by a look that reads no data file.

Belongs here: the releases of a store and their state, as folders and metadata.json tell.
Does not belong here: proving what they claim (verification), what the publisher does (publishing).
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast
from urllib.parse import quote

from sft_pipeline.clients.blocks import Progress
from sft_pipeline.clients.publishing import ARTIFACTS
from sft_pipeline.clients.release_store import ReleaseStore
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.claimed import Claimed, MalformedMetadataError, read_claimed
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.sft_claimed import SftClaimed, is_sft, read_sft_claimed
from sft_pipeline.curation.sft_release import SFT
from sft_pipeline.curation.validating import IDS_SHOWN

READERS = 8
"""How many metadata.json are asked for at a time: a distant store answers each in tens of milliseconds."""

SFT_IN_NAME = "_sft_datav"
"""Stands in the name of every SFT release (curation.sft_release): the others need not be read."""

State = Literal["complete", "damaged", "unfinished", "verified", "broken"]

INTERRUPTED = "its publication was interrupted: run again with the same plan and window, it goes on from here"
UNKNOWN = "it has no metadata.json, and nothing was published here by this name: a broken-off copy, or no release"


@dataclass(frozen=True)
class Listed:
    """A folder of a store. What its metadata.json does not say is None or empty.

    Args:
        name: of the folder.
        url: of the folder.
        state: how it stands.
        detail: what is odd about it, and what to do.
        kind: whether it holds samples or SFT files.
        curated: when its content was first curated.
        plan: the plan's name.
        window: first day in, first day out.
        records: how many it claims: conversations, or SFT lines of both routers at all ratios.
        splits: records per split.
        short: what it says of each cell that falls short.
    """

    name: str
    url: str
    state: State
    detail: str = ""
    kind: Literal["samples", "sft"] = "samples"
    curated: datetime | None = None
    plan: str = ""
    window: tuple[datetime, datetime] | None = None
    records: int | None = None
    splits: Mapping[str, int] = field(default_factory=dict[str, int])
    short: Mapping[str, object] = field(default_factory=dict[str, object])


def list_published(store: ReleaseStore) -> list[Listed]:
    """The releases of a store, newest first, then what is none.

    Raises:
        Refused: the store cannot be read, or is itself a release.
    """
    paths = store.list("")
    folders: dict[str, list[str]] = {}
    for folder, _, rest in (path.partition("/") for path in paths):
        if rest and folder != ARTIFACTS:
            folders.setdefault(folder, []).append(rest)
    if METADATA in paths and not any(METADATA in files for files in folders.values()):
        raise Refused(
            f"{store.url} is a release itself, not a place that holds releases",
            remedy="name the folder above it; `sft-pipeline verify` tells how it stands",
        )
    begun = {path.removeprefix(f"{ARTIFACTS}/names/").removesuffix(".json") for path in paths}
    with ThreadPoolExecutor(READERS) as pool:
        listed = pool.map(partial(_listed, store, begun), folders.keys(), folders.values())
        return sorted(listed, key=_newest_first)


def last_sft_release(
    store: ReleaseStore, plan_name: str, *, other_than: tuple[datetime, datetime] | None = None
) -> SftClaimed | None:
    """What the metadata.json of the newest SFT release of a plan claims; None where there is no such release.

    Args:
        store: where releases lie.
        plan_name: of the plan, whatever its knobs were then.
        other_than: a window whose releases do not count.

    Raises:
        Refused: the store cannot be read.
    """
    paths = store.list("")
    names = [
        path.removesuffix(f"/{METADATA}") for path in paths if path.endswith(f"/{METADATA}") and SFT_IN_NAME in path
    ]
    with ThreadPoolExecutor(READERS) as pool:
        read = [claimed for claimed in pool.map(partial(_sft_claimed, store), names) if claimed]
    windows = [(claimed, claimed.query_parameters.time_window) for claimed in read if claimed.plan.name == plan_name]
    others = [claimed for claimed, window in windows if (window.start, window.end) != other_than]
    return max(others, key=_when_curated, default=None)


def prove(one: Listed, release: ReleaseStore, progress: Progress) -> Listed:
    """The same release, verified or broken; a folder without metadata.json stays what it is.

    Args:
        one: as it is listed.
        release: the store of its folder.
        progress: told how the reading goes on.
    """
    if one.state == "unfinished":
        return one
    try:
        findings = verify_release(release, progress).findings
    except Refused as refused:
        return replace(one, state="broken", detail=refused.what)
    broken = next((finding for finding in findings if not finding.passed), None)
    if broken is None:
        return replace(one, state="verified", detail="")
    return replace(one, state="broken", detail=printable(f"{broken.statement}: {broken.detail}"))


def printable(text: str) -> str:
    """A text of another's making as one line that a terminal shows and does not obey."""
    return text if text.isprintable() else ascii(text)


def _sft_claimed(store: ReleaseStore, name: str) -> SftClaimed | None:
    """What a release claims; None where it is none of SFT files, or of another form."""
    content = b"".join(store.read(f"{name}/{METADATA}"))
    try:
        return read_sft_claimed(content) if is_sft(content) else None
    except MalformedMetadataError:
        return None


def _when_curated(claimed: SftClaimed) -> tuple[datetime, str]:
    return claimed.curation_info.curation_date, claimed.curation_info.curation_id


def _newest_first(one: Listed) -> tuple[float, str]:
    return (-one.curated.timestamp() if one.curated else 0.0, one.name)


def _listed(store: ReleaseStore, begun: Collection[str], name: str, files: Collection[str]) -> Listed:
    listed = Listed(printable(name), f"{store.url}/{quote(name, errors='surrogateescape')}", "complete")
    if METADATA not in files:
        return replace(listed, state="unfinished", detail=INTERRUPTED if name in begun else UNKNOWN)
    try:
        content = b"".join(store.read(f"{name}/{METADATA}"))
    except Refused as refused:
        return replace(listed, state="damaged", detail=printable(refused.what))
    odd = "; ".join(_oddities(name, files, content))
    return replace(listed, state="damaged" if odd else "complete", detail=printable(odd), **_facts(content))


def _oddities(name: str, files: Collection[str], content: bytes) -> Iterator[str]:
    try:
        claimed = read_sft_claimed(content) if is_sft(content) else read_claimed(content)
    except MalformedMetadataError as error:
        yield f"{METADATA} is not of the form that this version writes: {error}"
        return
    reports = claimed.rejected.invalid_records_files.values() if isinstance(claimed, Claimed) else ()
    own = {METADATA, *(file.path for file in (*claimed.output_files.values(), *reports))}
    if missing := sorted(own - {*files}):
        yield f"lacks {_first(missing)}"
    if others := sorted({*files} - own):
        yield f"holds what is not its own: {_first(others)}"
    if (told := claimed.curation_info.curation_id) != name:
        yield f"was published as {told}"


def _first(paths: Sequence[str]) -> str:
    more = len(paths) - IDS_SHOWN
    return ", ".join(paths[:IDS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _facts(content: bytes) -> dict[str, Any]:
    """What can be read of a metadata.json, of whatever form it is."""
    try:
        document = _object(json.loads(content))
    except (ValueError, RecursionError):
        return {}
    info = _object(document.get("curation_info"))
    window = _object(_object(document.get("query_parameters")).get("time_window"))
    start, end = _instant(window.get("start")), _instant(window.get("end"))
    plan = _object(info.get("plan")).get("name")
    splits: dict[str, int] = {}
    for file in map(_object, _object(document.get("output_files")).values()):
        split, records = file.get("split"), file.get("records")
        if isinstance(split, str) and isinstance(records, int) and file.get("kind") != "labels":
            splits[printable(split)] = splits.get(printable(split), 0) + records
    return {
        "kind": "sft" if document.get("release_kind") == SFT else "samples",
        "curated": _instant(info.get("curation_date")),
        "plan": printable(plan) if isinstance(plan, str) else "",
        "window": (start, end) if start and end else None,
        "records": sum(splits.values()) if splits else None,
        "splits": splits,
        "short": {printable(cell): counts for cell, counts in _object(document.get("shortfall")).items()},
    }


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _instant(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
