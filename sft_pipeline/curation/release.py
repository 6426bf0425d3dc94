"""What a release is called and what its `metadata.json` says.

Belongs here: the content version, names, and metadata.json as a whole.
Does not belong here: its sections (sections), where a release lies (clients.release_store), writing it (publishing).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import polars as pl

from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.invalid_records import rejected
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.sections import (
    COMPLETENESS,
    DEDUPLICATION,
    FORMAT,
    actual_counts,
    output_files,
    plan_sha256,
    privacy,
    shortfall,
    splits,
    stratification,
    validation,
)
from sft_pipeline.curation.tables import REPAIRS

METADATA = "metadata.json"


class Source(NamedTuple):
    """Where the telemetry came from: the cluster and the query that was asked, with the query file's SHA-256."""

    cluster: str
    database: str
    query_file: str
    query_sha256: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """What every kind of release tells of its making.

    Args:
        plan: the plan, with whatever the command line allowed written into it.
        window: first instant in, first instant out.
        versions: name -> version of the software that curated.
        run_id: the run that publishes; of several that publish the same content, metadata.json tells which one did.
    """

    plan: Plan
    source: Source
    window: tuple[datetime, datetime]
    versions: Mapping[str, str]
    run_id: str


@dataclass(frozen=True, kw_only=True)
class Curation(Made):
    """All that a release of samples is made of and that its metadata.json tells about.

    Args:
        artifacts: `Artifact` rows, one per cell.
        counts: as `sampling.cell_counts` gives them.
        rejected: `RejectedConversation` rows of all chunks.
        validation: rows of `sections.validation_counts`, of one or many samples.
        redacted: how many secrets of each kind stand redacted in the records.
        repairs: what the query dropped or repaired, per column of `REPAIRS`, over all chunks.
    """

    artifacts: pl.DataFrame
    counts: pl.DataFrame
    rejected: pl.DataFrame
    validation: pl.DataFrame
    redacted: Mapping[str, int]
    repairs: Mapping[str, int]

    @property
    def records(self) -> int:
        """How many records the release holds."""
        return int(self.artifacts["records"].sum())

    @property
    def left_out(self) -> pl.DataFrame:
        """The rejected conversations of the splits that are released."""
        return self.rejected.filter(pl.col("split").is_in({cell.split for cell in self.plan.cells}))


def release_version(artifacts: pl.DataFrame, plan: Plan, window: tuple[datetime, datetime]) -> str:
    """The content version of a release: equal versions are the same files of the same window by the same plan."""
    files = artifacts.select("path", "sha256").sort("path").iter_rows()
    return content_version([*(part for file in files for part in file), plan.version(), *map(instant, window)])


def release_name(plan: Plan, *, records: int, stamp: str) -> str:
    """The release's folder, e.g. `vscodedata_120k_complete_stratified_deduped_15d_20250816_120000`."""
    thousands = f"{records // 1000}.{records % 1000:03d}".rstrip("0").rstrip(".")
    return f"{plan.release.prefix}_{thousands}k_complete_stratified_deduped_{plan.window.days}d_{stamp}"


def stamp_of(moment: datetime, plan: Plan) -> str:
    """The moment, in UTC, as the plan writes it into names.

    Raises:
        Refused: the plan's format gives something that cannot stand in a file name.
    """
    stamp = _in_utc(moment).strftime(plan.release.stamp_format)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", stamp):
        raise Refused(
            f"release.stamp_format {plan.release.stamp_format!r} gives {stamp!r}: not fit for a folder's name",
            remedy="let it give letters, digits, _ and - only, as %Y%m%d_%H%M%S does",
        )
    return stamp


def instant(moment: datetime) -> str:
    """A moment as ISO 8601 in UTC, with Z."""
    return _in_utc(moment).isoformat().replace("+00:00", "Z")


def metadata(curation: Curation, *, moment: datetime) -> dict[str, Any]:
    """metadata.json of a release.

    Args:
        curation: what is released.
        moment: when this content was first curated.
    """
    plan, stamp = curation.plan, stamp_of(moment, curation.plan)
    records = dict(curation.artifacts.select("cell", "records").iter_rows())
    name = release_name(plan, records=curation.records, stamp=stamp)
    return {
        "curation_info": curation_info(curation, name=name, moment=moment),
        "query_parameters": query_parameters(curation),
        "completeness_criteria": COMPLETENESS,
        "deduplication": DEDUPLICATION,
        "splits": splits(plan),
        "stratification": stratification(plan),
        "actual_counts": actual_counts(plan, records),
        "output_files": output_files(plan, curation.artifacts),
        "validation": validation(plan, curation.validation),
        "privacy": privacy(plan, curation.redacted),
        "rejected": rejected(curation.left_out, stamp),
        "repairs": {name: curation.repairs[name] for name in REPAIRS},
        "shortfall": shortfall(plan, records),
        "format": FORMAT,
    }


def curation_info(made: Made, *, name: str, moment: datetime) -> dict[str, Any]:
    """Who a release is and how it was made.

    Args:
        made: what is released.
        name: of its folder.
        moment: when this content was first curated.
    """
    return {
        "curation_date": instant(moment),
        "curation_id": name,
        "query_file": made.source.query_file,
        "query_sha256": made.source.query_sha256,
        "data_source": made.plan.release.data_source,
        "plan": made.plan.model_dump(mode="json", exclude_none=True),
        "plan_sha256": plan_sha256(made.plan),
        "versions": dict(made.versions),
        "run_id": made.run_id,
    }


def query_parameters(made: Made) -> dict[str, Any]:
    """What was asked, and where."""
    return {
        "time_window": dict(zip(("start", "end"), map(instant, made.window), strict=True)),
        "cluster": made.source.cluster,
        "database": made.source.database,
        "num_hash_chunks": made.plan.chunks.count,
    }


def claimed_files(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What a metadata.json says of each file beside itself, by path."""
    files = [*document["output_files"].values(), *document["rejected"]["invalid_records_files"].values()]
    return {file["path"]: file for file in files}


def require_whole(curation: Curation) -> None:
    """Refuse to release what is not whole, exact and valid.

    Raises:
        Refused: a cell without its file or its count, a shortfall that the plan does not allow, no record at all, a
            rule that was not checked on every record, a fatal rule that is broken.
    """
    plan = curation.plan
    wanted = dict(curation.counts.select("cell", "have").iter_rows())
    given = dict(curation.artifacts.select("cell", "records").iter_rows())
    odd = [cell.key for cell in plan.cells if cell.key not in given or wanted.get(cell.key) != given[cell.key]]
    unknown = sorted({*wanted, *given} - {cell.key for cell in plan.cells})
    if odd or unknown:
        raise Refused(
            f"files and counts of samples differ in: {', '.join([*odd, *unknown])}",
            remedy="materialize samples and sample_artifacts of these cells anew",
        )
    short = shortfall(plan, given)
    if short and not plan.sample.allow_shortfall:
        raise Refused(
            f"cells fall short: {', '.join(short)}",
            remedy="widen window.days or lower the targets in the plan, or allow it with --allow-shortfall",
        )
    if curation.records == 0:
        raise Refused("every cell is empty: nothing to release", remedy="choose a window that has conversations")
    _require_validated(curation)


def _require_validated(curation: Curation) -> None:
    for name, rule in validation(curation.plan, curation.validation).items():
        if rule["checked"] != curation.records:
            raise Refused(
                f"{name} was checked on {rule['checked']:,} of {curation.records:,} records",
                remedy="validate the samples as they are now",
            )
        if rule["severity"] == "fatal" and rule["broken"]:
            raise Refused(
                f"{rule['broken']:,} records break {name}", remedy="extract the window anew: samples hold valid records"
            )


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        msg = "a moment without time zone"
        raise ValueError(msg)
    return moment.astimezone(UTC)
