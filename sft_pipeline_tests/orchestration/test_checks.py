from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from sft_pipeline.clients.publishing import artifact_path
from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.orchestration.assembly import assemble, resources
from sft_pipeline.orchestration.checked import CheckedAsset, Shelf
from sft_pipeline.orchestration.checks import checked_assets
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.jobs import Evaluation, evaluate_stored
from sft_pipeline.orchestration.partitions import PartitionParts
from sft_pipeline_tests.orchestration.walked_world import KEY, World

Frame = pl.DataFrame
NOT_FROM_TABLES = {"file_has_its_hashes", "release_verifies"}


def shelf_of(world: World) -> Shelf:
    return Shelf(world.tables, open_release_store(world.settings.releases))


def checked(world: World, asset: str) -> CheckedAsset:
    return next(one for one in checked_assets(world.settings.plan) if one.asset == asset)


def broken(world: World, asset: str, part: str = "") -> set[str]:
    """The fatal claims about a partition that do not hold."""
    outcomes = checked(world, asset).outcomes(shelf_of(world), PartitionParts(KEY, part))
    return {claim.name for claim, outcome in outcomes if claim.severity == "fatal" and not outcome.passed}


def rewrite(world: World, key: TableKey, change: Callable[[Frame], Frame], **notes: str) -> None:
    """Change a stored table behind the pipeline's back; its notes stay, but for those given."""
    kept = {name: text for name, text in world.tables.notes(key).items() if not name.startswith("ARROW")}
    world.tables.write(key, change(world.tables.read(key)), kept | notes)


def first(value: object) -> Callable[[str], Callable[[Frame], Frame]]:
    """Set a column of the first row."""
    return lambda column: (
        lambda frame: frame.with_columns(
            pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
        )
    )


def evaluations(world: World) -> list[Evaluation]:
    return list(evaluate_stored(checked_assets(world.settings.plan), shelf_of(world), world.settings.plan))


def test_a_finished_walk_breaks_no_fatal_claim(walked: World) -> None:
    found = evaluations(walked)
    assert {evaluation.asset for evaluation in found} == {one.asset for one in checked_assets(walked.settings.plan)}
    assert [evaluation for evaluation in found if evaluation.is_error] == []


OF_CHUNK_1 = next(text for text in (f"c-{number}" for number in range(99)) if chunk_of(text, 2) == 1)
CHUNK = TableKey("conversation_chunks", KEY, "0-of-2")
CANDIDATES = TableKey("conversations", KEY)
SAMPLE = TableKey("samples", KEY, "train-short")
ARTIFACT = TableKey("sample_artifacts", KEY, "train-short")

COUNTER_EXAMPLES: dict[tuple[str, str], tuple[TableKey, Callable[[Frame], Frame], dict[str, str]]] = {
    ("conversation_chunks", "table_is_stored_as_written"): (CHUNK, lambda frame: frame.tail(-1), {}),
    ("conversation_chunks", "no_conversation_is_lost"): (CHUNK, lambda frame: frame.tail(-1), {}),
    ("conversation_chunks", "bucket_matches_turn_count"): (CHUNK, first("other")("bucket"), {}),
    ("conversation_chunks", "chunk_matches_hash"): (CHUNK, first(OF_CHUNK_1)("conversationId"), {}),
    ("conversations", "table_is_stored_as_written"): (CANDIDATES, first("nobody")("userName"), {}),
    ("conversations", "chunks_add_up"): (CANDIDATES, lambda frame: frame.tail(-1), {}),
    ("conversations", "chunks_share_one_plan"): (CHUNK, lambda frame: frame, {"codeVersion": "another"}),
    ("conversations", "no_conversation_in_two_splits"): (
        CANDIDATES,
        lambda frame: pl.concat([frame, frame.head(1).with_columns(split=pl.lit("val"))]),
        {},
    ),
    ("conversations", "cells_can_be_filled"): (CANDIDATES, lambda frame: frame.filter(pl.col("split") == "val"), {}),
    ("samples", "table_is_stored_as_written"): (SAMPLE, first("nobody")("userName"), {}),
    ("samples", "sample_has_its_count"): (SAMPLE, lambda frame: frame.tail(-1), {}),
    ("samples", "sample_is_the_lowest_priorities"): (SAMPLE, lambda frame: frame.reverse(), {}),
    ("samples", "sample_is_of_its_split"): (SAMPLE, first("val")("split"), {}),
    ("sample_artifacts", "file_is_of_this_sample"): (SAMPLE, lambda frame: frame, {"version": "another"}),
}


@pytest.mark.parametrize(("asset", "claim"), COUNTER_EXAMPLES)
def test_a_table_that_was_tampered_with_is_found(walked: World, tmp_path: Path, asset: str, claim: str) -> None:
    world = walked.copy(tmp_path)
    key, change, notes = COUNTER_EXAMPLES[asset, claim]
    rewrite(world, key, change, **notes)
    part = "" if asset == "conversations" else (key.part if key.asset == asset else ARTIFACT.part)
    assert claim in broken(world, asset, part)


@pytest.mark.parametrize("key", [CHUNK, SAMPLE])
def test_text_that_was_changed_in_a_stored_table_is_found(walked: World, tmp_path: Path, key: TableKey) -> None:
    """Regression: the stored digest stood for the turns and was itself trusted."""
    world = walked.copy(tmp_path)
    tampered = pl.col("turnsArray").list.eval(pl.element().struct.with_fields(modelMessage=pl.lit("tampered")))
    rewrite(world, key, lambda frame: frame.with_columns(tampered))
    assert "table_is_stored_as_written" in broken(world, key.asset, key.part)


def test_every_claim_beyond_the_record_rules_has_a_counter_example(walked: World) -> None:
    told = {claim for _, claim in COUNTER_EXAMPLES} | NOT_FROM_TABLES
    rules = {claim.name for claim in checked(walked, "samples").claims[:10]}
    claims = {claim.name for one in checked_assets(walked.settings.plan) for claim in one.claims}
    fatal = {
        claim.name for one in checked_assets(walked.settings.plan) for claim in one.claims if claim.severity == "fatal"
    }
    assert claims >= told
    assert fatal - told <= rules


ACCOUNTS = ("prompt_tokens_grow", "num_requests_follow_tool_counts", "token_deltas_add_up")


@pytest.mark.parametrize("name", ACCOUNTS)
def test_rates_of_each_chunk_are_recorded_as_numbers_and_keep_nothing_from_going_on(walked: World, name: str) -> None:
    key = dg.AssetCheckKey(dg.AssetKey("conversation_chunks"), name)
    with open_instance(walked.settings) as instance:
        records = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    evaluations = [record.evaluation for record in records if record.evaluation]
    assert {one.partition for one in evaluations} == {f"{chunk}|{KEY}" for chunk in walked.settings.plan.chunk_keys}
    for one in evaluations:
        assert (one.severity, one.blocking) == (dg.AssetCheckSeverity.WARN, False)
        rate, counted, wrong = (one.metadata[figure] for figure in ("rate", "checked", "broken"))
        assert isinstance(rate, dg.FloatMetadataValue)
        assert isinstance(counted, dg.IntMetadataValue)
        assert isinstance(wrong, dg.IntMetadataValue)
        assert rate.value == pytest.approx(1 - (wrong.value or 0) / (counted.value or 1))
        assert one.passed


def test_a_changed_delta_is_a_warning_that_names_the_conversation(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    told = world.tables.read(CHUNK).filter(pl.col("promptTokens").is_not_null())
    conversation = told["conversationId"][0]
    calls = pl.element().struct.field("llmCalls")
    shifted = calls.list.eval(pl.element().struct.with_fields(promptTokenDelta=pl.field("promptTokenDelta") + 1))
    turns = pl.col("turnsArray").list.eval(pl.element().struct.with_fields(llmCalls=shifted))
    rewrite(world, CHUNK, lambda frame: frame.with_columns(turns))
    outcomes = checked(world, "conversation_chunks").outcomes(shelf_of(world), PartitionParts(KEY, CHUNK.part))
    [(claim, outcome)] = [one for one in outcomes if one[0].name == "token_deltas_add_up"]
    assert (claim.severity, outcome.passed, outcome.ids[0]) == ("warning", False, conversation)


def test_an_uploaded_file_with_a_flipped_bit_fails_its_checks(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    row = world.tables.read(ARTIFACT).row(0, named=True)
    file = Path(world.settings.releases) / artifact_path(row["cell"], row["sampleVersion"])
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    assert broken(world, "sample_artifacts", "train-short") == {"file_has_its_hashes"}


def test_a_release_with_a_removed_line_does_not_verify(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    name = world.table("sample_release")["name"][0]
    folder = Path(world.settings.releases) / name
    url = f"file://{folder}"
    rewrite(world, TableKey("sample_release", KEY), lambda frame: frame.with_columns(url=pl.lit(url)))
    assert broken(world, "sample_release") == set()
    file = folder / "val/short_3_to_5_turns.json"
    lines = file.read_bytes().splitlines(keepends=True)
    file.unlink()
    file.write_bytes(b"".join(lines[1:]))
    assert broken(world, "sample_release") == {"release_verifies"}


def run_job(world: World) -> dg.ExecuteInProcessResult:
    settings = world.settings
    job = assemble(settings).resolve_job_def("asset_checks")
    with open_instance(settings) as instance:
        return job.execute_in_process(instance=instance, resources=resources(settings), raise_on_error=False)


def test_the_job_for_ci_fails_exactly_when_a_fatal_check_fails(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    assert run_job(world).success
    rewrite(world, SAMPLE, lambda frame: frame.reverse())
    failed = run_job(world)
    assert not failed.success
    [failure] = [event for event in failed.all_events if event.is_step_failure]
    assert "samples train-short|2026-11-01" in str(failure.step_failure_data.error)
