"""Time zones, days on which clocks change, and years beyond 2038 (48): everything is UTC, whatever the machine says.

Belongs here: the same pieces run in processes that live in other zones.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dagster._core.test_utils import freeze_time

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.release_store import LocalReleaseStore, open_release_store
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.extraction import chunk_parameters, curate_chunk
from sft_pipeline.curation.records import record_lines
from sft_pipeline.curation.release import instant, stamp_of
from sft_pipeline.orchestration.partitions import plan_partitions
from sft_pipeline.plans import read_plan
from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline_tests.faults.fault_world import CANDIDATES, KEY, PLAN_TEXT, FaultWorld
from sft_pipeline_tests.records_world import SMALL, curation_of

ROOT = Path(__file__).parents[2]
ZONES = ("America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")

DAYS = (date(2026, 11, 2), date(2100, 3, 2))
"""Ends of windows of 30 days. Clocks change on Lord Howe on 4 October, in New York on 1 November 2026; 2100 has no 29
February."""

MOMENTS = (
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),  # 1:30 in New York, for the first time that day
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),  # 1:30 in New York again
    datetime(2026, 10, 3, 15, 45, tzinfo=UTC),  # a time that Lord Howe leaves out
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),  # beyond 32 bits of seconds
    datetime(2100, 2, 28, 23, 59, 59, tzinfo=UTC),
)


def digest(folder: Path) -> str:
    """All files of a folder with their names."""
    content = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return content.hexdigest()


def pieces(folder: Path) -> dict[str, str]:
    """What the pipeline makes of days and moments: bounds, keys, names, raw events, records, releases."""
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN_TEXT.replace("days = 15", "days = 30"), encoding="utf-8")
    plan, told = read_plan(str(folder / "plan.toml")), dict[str, str]()
    for day in DAYS:
        telemetry = folder / f"telemetry {day}"
        generate(telemetry, conversations=12, seed=1, days=30, end=day)
        engine = EmbeddedKusto(telemetry, store=folder / f"store {day}", staged_chunks=1)
        whole = {**chunk_parameters(plan, day, chunk=0), "chunkCount": 1}
        one = plan.model_copy(update={"chunks": plan.chunks.model_copy(update={"count": 1})})
        chunk = curate_chunk(engine.execute(CANDIDATES, whole), one, chunk=0)
        told[f"bounds of {day}"] = " to ".join(bound.isoformat() for bound in plan.bounds(day))
        told[f"events of {day}"] = digest(telemetry)
        told[f"records of {day}"] = sha256(record_lines(chunk.conversations)).hexdigest()
        told[f"number of {day}"] = str(chunk.conversations.height)
    for moment in MOMENTS:
        releases = folder / f"releases {moment:%Y%m%d %H%M%S}"
        store, name = LocalReleaseStore(releases), instant(moment)
        release = publish(store, curation_of(store, SMALL), moment=moment)
        told[f"release at {name}"] = f"{release.name} {digest(releases)}"
        with freeze_time(moment):
            told[f"newest window at {name}"] = str(plan_partitions(plan).windows.get_last_partition_key())
    return told


def in_zone(zone: str, folder: Path) -> subprocess.Popen[str]:
    """The pieces, in a process that lives in a zone."""
    program = "import json, sys, pathlib; from sft_pipeline_tests.faults.test_clocks import pieces; "
    program += "print(json.dumps(pieces(pathlib.Path(sys.argv[1]))))"
    command = [sys.executable, "-W", "ignore", "-c", program, str(folder)]
    return subprocess.Popen(command, env=os.environ | {"TZ": zone}, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_fault_48_zones_and_days_on_which_clocks_change_change_no_byte(tmp_path: Path) -> None:
    running = {zone: in_zone(zone, tmp_path / zone.replace("/", "-")) for zone in ZONES}
    try:
        utc = pieces(tmp_path / "here")
        for zone, process in running.items():
            assert json.loads(process.communicate(timeout=240)[0]) == utc, zone
    finally:
        for process in running.values():
            process.kill()
    assert utc["bounds of 2026-11-02"] == "2026-10-03T00:00:00+00:00 to 2026-11-02T00:00:00+00:00"
    assert utc["bounds of 2100-03-02"] == "2100-01-31T00:00:00+00:00 to 2100-03-02T00:00:00+00:00"
    assert all(int(utc[f"number of {day}"]) > 0 for day in DAYS)
    stamps = {name: utc[name].split(" ")[0].rsplit("_", 2)[1:] for name in utc if name.startswith("release at")}
    assert stamps["release at 2038-01-19T03:14:08Z"] == ["20380119", "031408"]
    assert stamps["release at 2100-02-28T23:59:59Z"] == ["21000228", "235959"]
    assert utc["newest window at 2100-02-28T23:59:59Z"] == "2100-02-28"
    assert utc["newest window at 2026-10-03T15:45:00Z"] == "2026-10-03"


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_fault_48_a_moment_told_in_another_zone_gives_the_same_stamp(moment: datetime) -> None:
    stamps = {stamp_of(moment.astimezone(zone), SMALL) for zone in (UTC, *map(ZoneInfo, ZONES))}
    assert stamps == {f"{moment:%Y%m%d_%H%M%S}"}
    assert instant(moment.astimezone(timezone(timedelta(hours=14)))) == f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_fault_48_a_whole_run_in_another_zone_makes_the_chunks_of_utc(world: FaultWorld, tmp_path: Path) -> None:
    told = {"SFT_HOME": str(tmp_path), "SFT_PLAN": str(world.plan_path), "SFT_TELEMETRY": str(world.telemetry)}
    environment = {name: text for name, text in os.environ.items() if name != "DAGSTER_HOME"}
    command = [str(Path(sys.executable).with_name("sft-pipeline")), "run"]
    done = subprocess.run(
        command,
        env=environment | told | {"TZ": "Australia/Lord_Howe"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tables = TableStore(str(tmp_path / "faulty" / "assets"))
    keys = tables.keys("conversation_chunks")
    assert {key.window for key in keys} == {KEY}
    assert [tables.notes(key)["version"] for key in keys] == [version for version, _ in world.truth]
    release = tables.read(TableKey("sample_release", KEY)).row(0, named=True)
    assert verify_release(open_release_store(release["url"])).passed
    made = datetime.strptime(release["name"].split("_15d_")[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=10)
