"""Verifying a published release from its files alone, in bounded memory.

Belongs here: reading each file once, hashing and surveying it on the way.
Does not belong here: what must be true of a release (curation.audit).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.release_store import Measuring, ReleaseStore, StoredFile, measured
from sft_pipeline.curation.audit import Finding, audit
from sft_pipeline.curation.claimed import Claimed, MalformedMetadataError, read_claimed
from sft_pipeline.curation.evidence import Evidence
from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.survey import Survey, join_surveys, survey_lines

BLOCK_BYTES = 16 * 1024 * 1024
LONGEST_LINE_BYTES = 128 * 1024 * 1024
"""No record is longer: a cluster answers a whole query with 64 MB at most. What is longer is cut, and no record."""

WORKERS = 2

WELL_FORMED = (
    "metadata_is_well_formed",
    "metadata.json has every field of a release's metadata, each of its type, and no other",
)

Progress = Callable[[int, int], None]
"""Told how many records were read so far, and of how many."""


@dataclass(frozen=True)
class Verification:
    """What a verification came to: one finding per statement."""

    url: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether all that metadata.json claims is true."""
        return all(finding.passed for finding in self.findings)


def verify_release(store: ReleaseStore, progress: Progress | None = None) -> Verification:
    """Recompute what the metadata.json of a release claims.

    Args:
        store: the release's folder.
        progress: told how the reading goes on.

    Raises:
        Refused: there is no metadata.json, or a file cannot be read.
    """
    paths = released_paths(store)
    try:
        claimed = read_claimed(b"".join(store.read(METADATA)))
    except MalformedMetadataError as error:
        return Verification(store.url, (Finding(*WELL_FORMED, str(error)),))
    evidence = _evidence(store, claimed, paths, progress or _untold)
    return Verification(store.url, (Finding(*WELL_FORMED), *audit(evidence)))


def released_paths(store: ReleaseStore) -> list[str]:
    """Every file of a release.

    Raises:
        Refused: the folder is no release.
    """
    paths = store.list("")
    if METADATA not in paths:
        raise Refused(
            f"{store.url} is not a release: it has no metadata.json",
            remedy="`sft-pipeline releases` lists what is published; metadata.json is written last: an interrupted "
            "publication has none",
        )
    return paths


def _evidence(store: ReleaseStore, claimed: Claimed, paths: list[str], progress: Progress) -> Evidence:
    files: dict[str, StoredFile] = {}
    surveys: dict[str, Survey] = {}
    reports: dict[str, bytes] = {}
    total = sum(file.records for file in claimed.output_files.values())
    for cell in claimed.plan.cells:
        if cell.path in paths:
            before = sum(survey.lines for survey in surveys.values())
            tell = partial(_tell, progress, before, total)
            files[cell.path], surveys[cell.key] = _surveyed(store, cell, claimed.plan, tell)
    for file in claimed.rejected.invalid_records_files.values():
        if file.path in paths:
            reports[file.path] = b"".join(store.read(file.path))
            files[file.path] = measured(file.path, store.url, [reports[file.path]])
    return Evidence(
        claimed=claimed,
        folder=unquote(store.url.rstrip("/").rsplit("/", 1)[-1]),
        paths=paths,
        facts={path: {"bytes": file.bytes, "md5": file.md5, "sha256": file.sha256} for path, file in files.items()},
        surveys=surveys,
        reports=reports,
    )


def _surveyed(
    store: ReleaseStore, cell: Cell, plan: Plan, tell: Callable[[list[Survey]], None]
) -> tuple[StoredFile, Survey]:
    """Read a file once: its hashes are taken while other threads read what its lines say."""
    done: list[Survey] = []
    measuring = Measuring(store.read(cell.path))
    for survey in in_order(partial(survey_lines, plan=plan), whole_lines(measuring), at_a_time=WORKERS):
        done.append(survey)
        tell(done)
    return measuring.stored(cell.path, store.url), join_surveys(done, plan)


def _tell(progress: Progress, before: int, total: int, done: list[Survey]) -> None:
    progress(before + sum(survey.lines for survey in done), total)


def whole_lines(
    pieces: Iterable[bytes], *, size: int = BLOCK_BYTES, longest: int = LONGEST_LINE_BYTES
) -> Iterator[bytes]:
    """The same bytes in blocks of at least `size` that end where a line ends; lines longer than `longest` are cut."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        if len(rest) < size:
            continue
        end = rest.rfind(b"\n") + 1
        if end == 0 and len(rest) > longest:
            end = len(rest)
        if end:
            yield bytes(rest[:end])
            del rest[:end]
    if rest:
        yield bytes(rest)


def _untold(done: int, total: int) -> None:
    """Nobody wants to know."""
