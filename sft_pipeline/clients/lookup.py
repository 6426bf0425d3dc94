"""Where a conversation stands in a published release, from its files alone.

Belongs here: looking through reports and data files, one block at a time, until it is found.
Does not belong here: the sentences that follow without files (curation.standing), printing.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from sft_pipeline.clients.blocks import Progress
from sft_pipeline.clients.released_lines import Release, cell_key, line_blocks
from sft_pipeline.curation.claimed import File, OutputFile
from sft_pipeline.curation.identities import seek
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.standing import Standing, Taken, chunk_told, split_of, split_told, why_not


class FileEnd(NamedTuple):
    """How many lines a file has, and who stands on the last one."""

    lines: int
    last: str


def look_up(conversation_id: str, release: Release, progress: Progress) -> Iterator[Standing]:
    """What a release says of a conversation: where it stands, or why it does not.

    Raises:
        Refused: a file is missing, or holds what no release's file holds.
    """
    plan = release.claimed.plan
    yield Standing("chunk", chunk_told(conversation_id, plan))
    yield Standing("split", split_told(conversation_id, plan))
    invalid = _reported(conversation_id, release)
    if invalid:
        yield invalid
        return
    yield from _in_files(conversation_id, release, progress)


def _reported(conversation_id: str, release: Release) -> Standing | None:
    for file in release.claimed.rejected.invalid_records_files.values():
        for row in _report(release, file):
            if row["conversationId"] == conversation_id:
                kind = f"{row['turnCount']} turns, bucket {row['bucket'] or 'none'}"
                return Standing(file.path, f"left out as invalid ({kind}): {'; '.join(row['errors'])}")
    return None


def _report(release: Release, file: File) -> list[Mapping[str, Any]]:
    content = b"".join(release.pieces(file))
    try:
        rows = json.loads(content)["invalid_records"]
        return [{name: row[name] for name in ("conversationId", "bucket", "turnCount", "errors")} for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refused(f"{release.store.url}/{file.path} is no report", remedy=release.verify) from None


def _in_files(conversation_id: str, release: Release, progress: Progress) -> Iterator[Standing]:
    """Files of its own split come first; all are looked through, for a record may lie where it does not belong."""
    plan, own = release.claimed.plan, split_of(conversation_id, release.claimed.plan)
    files = sorted(release.claimed.output_files.values(), key=lambda file: file.split != own)
    ends: dict[str, FileEnd] = {}
    for file in files:
        before = sum(end.lines for end in ends.values())
        found = _looked_through(conversation_id, release, file, partial(_tell, progress, before, release.records))
        if isinstance(found, Standing):
            yield found
            return
        ends[cell_key(file)] = found
    yield Standing("data files", f"not among the {release.records:,} records")
    if own and own not in {file.split for file in files}:
        yield Standing(own, "this split is not part of the release")
    for cell in plan.cells:
        if cell.split == (own or cell.split) and cell.key in ends:
            yield Standing(cell.key, why_not(conversation_id, plan, Taken(cell, *ends[cell.key])))


def _looked_through(
    conversation_id: str, release: Release, file: OutputFile, tell: Callable[[int], None]
) -> Standing | FileEnd:
    end = FileEnd(0, "")
    for before, sought in line_blocks(release, file, release.pieces(file), partial(seek, conversation_id)):
        if sought.line:
            place = f"line {before + sought.line:,} of {file.records:,}"
            return Standing(file.path, f"{place}: {sought.turns} turns, bucket {sought.bucket}")
        end = FileEnd(before + sought.lines, sought.last)
        tell(end.lines)
    return end


def _tell(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)
