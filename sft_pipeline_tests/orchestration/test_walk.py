import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.metadata import left_out
from sft_pipeline.orchestration.settings import read_settings
from sft_pipeline.orchestration.steps import walk_steps
from sft_pipeline.orchestration.walk import ChecksFailedError, walk
from sft_pipeline.telemetry.events import MESSAGE_TEXT, write_events
from sft_pipeline.telemetry.synthesis import TRUTH_FILE, generate
from sft_pipeline_tests.orchestration.walked_world import KEY, SMALL_PLAN, WINDOW, Recorder, World

CELLS = 9


def test_the_walk_ends_with_a_release_that_verifies(walked: World) -> None:
    release = walked.table("sample_release").row(0, named=True)
    assert release["records"] == 52
    assert verify_release(open_release_store(release["url"])).passed


def test_every_conversation_looked_at_is_kept_or_left_out_for_the_reason_it_was_made_for(walked: World) -> None:
    truth = pl.read_parquet(walked.telemetry / TRUTH_FILE).filter(pl.col("dropReason") != "")
    expected = dict(truth.group_by("dropReason").len().iter_rows())
    assert left_out(walked.settings.plan, walked.tables, KEY) == expected
    assert walked.table("conversations").height == 400


def test_walking_again_makes_nothing(walked: World) -> None:
    assert set(walked.made().values()) == {0}


def test_an_interrupted_walk_goes_on_where_it_stopped(tmp_path: Path) -> None:
    world = World(tmp_path)
    generate(world.telemetry, conversations=50, seed=3, days=15, end=date(2026, 11, 1))
    watcher = Recorder(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        world.walk("conversation_chunks", watcher)
    assert watcher.done == [f"conversation_chunks 0-of-2|{KEY}"]
    assert world.made("conversation_chunks") == {"conversation_chunks": 1}


def test_a_lost_table_is_made_again(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    Path(world.tables.uri(TableKey("samples", KEY, "val-long"))).unlink()
    assert world.made("samples") == {"conversation_chunks": 0, "conversations": 0, "samples": 1}


def changed_text(events: pl.DataFrame, conversation_id: str) -> pl.DataFrame:
    """The same events with every text of one conversation's user changed."""
    mine = (pl.col("Name") == MESSAGE_TEXT) & pl.col("Properties").str.contains(conversation_id, literal=True)
    edited = pl.col("Properties").str.replace_all('"messageText":"', '"messageText":"changed: ', literal=True)
    return events.with_columns(Properties=pl.when(mine).then(edited).otherwise(pl.col("Properties")))


def with_events(world: World, events: pl.DataFrame) -> World:
    """The world with other raw events."""
    for path in (world.telemetry / "AppEvents").glob("*.parquet"):
        path.unlink()
    write_events(events, world.telemetry, part=0)
    return world


def test_one_changed_conversation_writes_one_artifact_and_a_new_release(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    chosen = walked.table("samples", "train-short")["conversationId"][0]
    made = with_events(world, changed_text(walked.raw_events(), chosen)).made()
    assert made == {
        "conversation_chunks": 2,
        "conversations": 1,
        "samples": CELLS,
        "sample_artifacts": 1,
        "sample_release": 1,
    }
    before, after = walked.released_files(), world.released_files()
    assert [path for path in before if before[path] != after[path]] == ["train/short_3_to_5_turns.json"]


def test_new_events_that_change_no_conversation_request_nothing_downstream(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    events = walked.raw_events()
    made = with_events(world, pl.concat([events, events.filter(pl.col("Name") != MESSAGE_TEXT).head(1)])).made()
    assert made == {
        "conversation_chunks": 2,
        "conversations": 0,
        "samples": 0,
        "sample_artifacts": 0,
        "sample_release": 0,
    }


def test_the_same_events_in_other_files_and_order_give_the_same_bytes(walked: World, tmp_path: Path) -> None:
    world = World(tmp_path)
    shuffled = walked.raw_events().sample(fraction=1, shuffle=True, seed=5)
    write_events(shuffled.slice(1000), world.telemetry, part=7)
    write_events(shuffled.head(1000), world.telemetry, part=3)
    world.walk()
    assert world.released_files() == walked.released_files()


def test_chunks_in_any_order_give_the_same_candidates(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    settings = world.settings
    [chunks, conversations] = walk_steps(settings.plan, WINDOW, "conversations")
    Path(world.tables.uri(TableKey("conversations", KEY))).unlink()
    for part in settings.plan.chunk_keys:
        Path(world.tables.uri(TableKey("conversation_chunks", KEY, part))).unlink()
    with open_instance(settings) as instance:
        walk(settings, instance, [chunks._replace(partitions=chunks.partitions[::-1]), conversations], Recorder())
    assert world.table("conversations").equals(walked.table("conversations"))


def test_a_window_in_the_future_is_refused(walked: World) -> None:
    with pytest.raises(Refused, match=r"there is no window 2999-01-01.*none can end in the future"):
        walk_steps(walked.settings.plan, date(2999, 1, 1))


def test_an_unknown_asset_to_stop_after_is_refused_with_the_known_ones(walked: World) -> None:
    with pytest.raises(Refused, match="there is no asset 'sample'") as refusal:
        walk_steps(walked.settings.plan, WINDOW, "sample")
    assert "sample_release" in refusal.value.remedy


def greedy(world: World) -> Plan:
    """The plan, wanting more of train-long than there is."""
    plan = world.settings.plan
    targets = {**plan.sample.targets, "train": {"short": 20, "medium": 12, "long": 1000}}
    return plan.model_copy(update={"sample": plan.sample.model_copy(update={"targets": targets})})


def test_a_cell_that_cannot_be_filled_stops_the_walk_before_any_sample(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    settings = world.settings.model_copy(update={"plan": greedy(world)})
    with open_instance(settings) as instance, pytest.raises(Refused, match=r"train-long \(want 1,000, have \d+\)"):
        walk(settings, instance, walk_steps(settings.plan, WINDOW), Recorder())


def test_a_blocking_check_says_which_cells_fall_short(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    Path(world.tables.uri(TableKey("conversations", KEY))).unlink()
    settings = world.settings.model_copy(update={"plan": greedy(world)})
    with open_instance(settings) as instance, pytest.raises(Refused, match=r"train-long \(want 1,000") as refusal:
        walk(settings, instance, walk_steps(settings.plan, WINDOW), Recorder())
    assert "--allow-shortfall" in refusal.value.remedy


def test_a_shortfall_that_is_allowed_is_published_and_told(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    settings = world.settings.model_copy(update={"plan": greedy(world).with_shortfall()})
    with open_instance(settings) as instance:
        walk(settings, instance, walk_steps(settings.plan, WINDOW), Recorder())
    release = world.table("sample_release").row(0, named=True)
    metadata = b"".join(open_release_store(settings.releases).read(f"{release['name']}/metadata.json"))
    assert b'"train-long": {\n      "want": 1000' in metadata
    assert verify_release(open_release_store(release["url"])).passed


def test_one_split_can_be_sampled_and_published_alone(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    settings = world.settings.model_copy(update={"plan": world.settings.plan.only("val")})
    with open_instance(settings) as instance:
        done = walk(settings, instance, walk_steps(settings.plan, WINDOW), Recorder())
    assert [step.made for step in done[:2]] == [0, 0]
    assert set(world.released_files()) == {f"val/{cell.bucket.label}.json" for cell in settings.plan.cells}


def damaged_release(world: World) -> Path:
    """The release of a copied world, with one data file changed."""
    release = world.table("sample_release")["name"][0]
    folder = Path(world.settings.releases) / release
    file = folder / "val" / "long_11_to_20_turns.json"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content.replace(b'"turnCount"', b'"turnCounT"', 1))
    return folder


def test_a_file_that_was_removed_from_a_release_comes_back(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    before = world.released_files()
    folder = Path(world.settings.releases) / world.table("sample_release")["name"][0]
    (folder / "val" / "long_11_to_20_turns.json").unlink()
    next(folder.glob("invalid_records_*")).unlink()
    made = world.made()
    assert made == {**dict.fromkeys(made, 0), "sample_release": 1}
    assert world.released_files() == before
    assert verify_release(open_release_store(str(folder))).passed


OTHER_TARGETS = SMALL_PLAN.replace("short = 20", "short = 24").replace('name = "small"', 'name = "other"')


def test_two_plans_on_one_place_keep_to_themselves(walked: World, tmp_path: Path) -> None:
    """Regression: the second plan's tables were taken for the first one's, and its release was told as theirs."""
    world = walked.copy(tmp_path)
    other = tmp_path / "other.toml"
    other.write_text(OTHER_TARGETS, encoding="utf-8")
    told: list[str] = []
    for plan in (tmp_path / "small.toml", other, tmp_path / "small.toml"):
        shared = {"SFT_HOME": str(tmp_path / "home"), "SFT_TELEMETRY": str(world.telemetry)}
        settings = read_settings({**shared, "SFT_STORAGE": str(tmp_path / "shared")}, plan=str(plan))
        with open_instance(settings) as instance:
            walk(settings, instance, walk_steps(settings.plan, WINDOW), Recorder())
        told.append(TableStore(settings.storage).read(TableKey("sample_release", KEY))["name"][0])
    assert told[0] == told[2] != told[1]


def test_a_table_that_another_instance_stored_is_not_taken_for_ones_own(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    key = TableKey("samples", KEY, "val-long")
    notes = {name: text for name, text in world.tables.notes(key).items() if not name.startswith("ARROW")}
    world.tables.write(key, world.table("samples", "val-long").head(0), {**notes, "version": "another"})
    assert world.made("samples")["samples"] == 1


def test_a_release_that_was_moved_away_is_published_again_under_its_name(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    folder = damaged_release(world)
    shutil.rmtree(folder)
    assert world.made()["sample_release"] == 1
    assert verify_release(open_release_store(str(folder))).passed


def test_a_failed_blocking_check_is_not_forgotten_by_the_next_walk(walked: World, tmp_path: Path) -> None:
    """Regression: the partition is materialized all the same, and was taken for finished."""
    world = walked.copy(tmp_path)
    damaged_release(world)
    Path(world.tables.uri(TableKey("sample_release", KEY))).unlink()
    for _ in range(2):
        with pytest.raises(ChecksFailedError, match="The published release proves"):
            world.walk()


def test_a_damaged_table_is_made_again(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    file = Path(world.tables.uri(TableKey("samples", KEY, "val-long")))
    file.write_bytes(file.read_bytes()[:200])
    assert world.made("samples")["samples"] == 1


def test_files_of_older_samples_are_not_bound_into_a_release(walked: World, tmp_path: Path) -> None:
    """Regression: automation asks for the release as soon as the first of several artifacts is new."""
    world = walked.copy(tmp_path)
    candidates = TableKey("conversations", KEY)
    kept = {name: text for name, text in world.tables.notes(candidates).items() if not name.startswith("ARROW")}
    lowest = (pl.col("split") == "train") & (pl.col("bucket") == "short") & (pl.col("rank") == 0)
    other = world.tables.read(candidates).with_columns(
        digest=pl.when(lowest).then(pl.lit("changed")).otherwise(pl.col("digest"))
    )
    world.tables.write(candidates, other, kept)
    settings = world.settings
    Path(world.tables.uri(TableKey("sample_release", KEY))).unlink()
    steps = walk_steps(settings.plan, WINDOW)
    with open_instance(settings) as instance, pytest.raises(Refused, match="the files of train-short are not of"):
        walk(settings, instance, steps[-1:], Recorder())
