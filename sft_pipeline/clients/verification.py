"""Verifying a published release of any kind from its files alone, in bounded memory.

Belongs here: which kind it is; reading each file of samples once, hashing and surveying it on the way.
Does not belong here: reading SFT files (sft_verification), what must be true of a release (curation.audit, sft_audit).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sft_pipeline.clients.blocks import WORKERS, Progress, whole_lines
from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.release_store import Measuring, ReleaseStore, StoredFile, folder_name, measured
from sft_pipeline.clients.sft_verification import sft_evidence
from sft_pipeline.curation.audit import audit
from sft_pipeline.curation.claimed import Claimed, MalformedMetadataError, read_claimed
from sft_pipeline.curation.evidence import Evidence
from sft_pipeline.curation.findings import Finding
from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.sft_audit import sft_audit
from sft_pipeline.curation.sft_claimed import is_sft, read_sft_claimed
from sft_pipeline.curation.survey import Survey, join_surveys, survey_lines

WELL_FORMED = (
    "metadata_is_well_formed",
    "metadata.json has every field of a release's metadata, each of its type, and no other",
)


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
    content, tell = b"".join(store.read(METADATA)), progress or _untold
    try:
        if is_sft(content):
            findings = sft_audit(sft_evidence(store, read_sft_claimed(content), paths, tell))
        else:
            findings = audit(_evidence(store, read_claimed(content), paths, tell))
    except MalformedMetadataError as error:
        return Verification(store.url, (Finding(*WELL_FORMED, str(error)),))
    return Verification(store.url, (Finding(*WELL_FORMED), *findings))


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
        folder=folder_name(store),
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


def _untold(done: int, total: int) -> None:
    """Nobody wants to know."""
