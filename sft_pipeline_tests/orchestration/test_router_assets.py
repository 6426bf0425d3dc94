"""The routers' assets on an instance: what is made, what is left alone, and what Dagster makes of them by itself."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from sft_pipeline.clients.published import last_sft_release
from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.routers import ROUTERS
from sft_pipeline.orchestration.assembly import assemble
from sft_pipeline.orchestration.assets.sft_release import accounts_of
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.left_to_do import left_to_do
from sft_pipeline.orchestration.partitions import asset_key
from sft_pipeline.orchestration.resources import open_releases
from sft_pipeline.orchestration.staleness import report_made
from sft_pipeline.orchestration.steps import TO_SAMPLES, TO_SFT, walk_steps
from sft_pipeline_tests.judge_server import judge_server
from sft_pipeline_tests.orchestration.labelled_world import LabelledWorld
from sft_pipeline_tests.orchestration.test_checks import rewrite
from sft_pipeline_tests.orchestration.walked_world import KEY, WINDOW

NOTHING = dict.fromkeys((*TO_SAMPLES, *TO_SFT), 0)
PARTITIONS = {"requests": 2, "verdicts": 2, "training_sets": 4, "sft_artifacts": 4, "sft_release": 1}
REQUESTS = dg.AssetKey(["session_router", "requests"])
VERDICTS = dg.AssetKey(["session_router", "verdicts"])
TRAINING = dg.AssetKey(["session_router", "training_sets"])
ARTIFACTS = dg.AssetKey(["session_router", "sft_artifacts"])


def made(*routers: str, **numbers: int) -> dict[str, int]:
    """What a walk makes: so many partitions of each asset of some routers, and one release."""
    each = {f"{router}/{name}": number for router in routers for name, number in numbers.items()}
    return {**NOTHING, **each, "sft_release": 1}


def released(world: LabelledWorld) -> dict[str, bytes]:
    """The files of the SFT release by path, but for metadata.json."""
    folder = Path(str(world.table("sft_release")["url"][0]).removeprefix("file://"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*"))}


def test_the_walk_ends_with_files_of_both_routers_at_every_ratio_that_verify(labelled: LabelledWorld) -> None:
    release = labelled.table("sft_release").row(0, named=True)
    assert verify_release(open_release_store(release["url"])).passed
    assert release["records"] == 2 * 2 * (40 + 10)
    assert {path: content.count(b"\n") for path, content in released(labelled).items() if "_sft." in path} == {
        f"{router}/datav3_{split}_{ratio}_sft.jsonl": total
        for router in ROUTERS
        for split, total in (("train", 40), ("val", 10))
        for ratio in ("70r_30n", "50r_50n")
    }


def test_requests_in_are_labelled_unlabelled_left_out_or_not_asked(labelled: LabelledWorld) -> None:
    for account in accounts_of(labelled.settings.plan, labelled.tables, KEY):
        assert account.adds_up
        assert account.not_asked > 0
        assert account.requests == labelled.table(f"{account.router}/requests", account.split).height
        assert account.judged == labelled.table(f"{account.router}/verdicts", account.split).height
        assert (account.cost, account.who.is_language_model) == (0, False)


def test_proxies_are_named_as_such_in_every_output(labelled: LabelledWorld) -> None:
    for router in ROUTERS:
        assert set(labelled.table(f"{router}/verdicts", "val")["judge"]) == {"heuristic/proxies_of_source_003"}
        assert set(labelled.table(f"{router}/training_sets", "val-70r30n")["judge"]) == {
            "heuristic/proxies_of_source_003"
        }
    folder = Path(str(labelled.table("sft_release")["url"][0]).removeprefix("file://"))
    assert b'"is_language_model": false' in (folder / "metadata.json").read_bytes()


def test_walking_again_makes_nothing(labelled: LabelledWorld) -> None:
    assert labelled.made() == NOTHING


def test_a_split_without_anything_left_out_has_requests_all_the_same(labelled: LabelledWorld) -> None:
    """Regression: Dagster takes no table without rows and without columns, and the run ended in its words."""
    assert labelled.table("session_router/requests", "val")["leftOut"].null_count() == 34


def test_lost_verdicts_are_made_again_and_nothing_after_them(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path)
    Path(world.tables.uri(TableKey("session_router/verdicts", KEY, "val"))).unlink()
    assert world.made() == {**NOTHING, "session_router/verdicts": 1}
    assert world.table("session_router/verdicts", "val").equals(labelled.table("session_router/verdicts", "val"))


def test_a_file_that_is_gone_is_written_again(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path)
    origin = world.table("session_router/sft_artifacts", "val-70r30n")["origin"][0]
    (Path(world.settings.releases) / origin).unlink()
    assert world.made("session_router/sft_artifacts")["session_router/sft_artifacts"] == 1
    assert (Path(world.settings.releases) / origin).is_file()


def test_a_smaller_total_writes_the_files_of_its_split_alone_and_keeps_the_lowest_rows(
    labelled: LabelledWorld, tmp_path: Path
) -> None:
    world = labelled.copy(tmp_path).planned(("train = 40", "train = 20"))
    done = world.made("session_router/sft_artifacts")
    assert done == {asset: number for asset, number in NOTHING.items() if asset in done} | {
        "session_router/verdicts": 2,
        "session_router/training_sets": 4,
        "session_router/sft_artifacts": 2,
    }
    before, after = (one.table("session_router/training_sets", "train-70r30n") for one in (labelled, world))
    assert after.height == 20
    assert set(after["requestId"]) < set(before["requestId"])
    for variant in ("val-70r30n", "val-50r50n"):
        files = [one.table("session_router/sft_artifacts", variant)["sha256"] for one in (labelled, world)]
        assert files[0].equals(files[1])


def test_another_ratio_adds_its_files_and_changes_none(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path).planned(('"50r50n"]', '"50r50n", "60r40n"]'))
    assert world.made("session_router/sft_artifacts")["session_router/sft_artifacts"] == 2
    for asset in ("verdicts", "training_sets"):
        for key in labelled.tables.keys(f"session_router/{asset}"):
            assert world.tables.read(key).equals(labelled.tables.read(key))
    paths = world.table("session_router/sft_artifacts", "train-60r40n")["path"]
    assert paths[0] == "session_router/datav3_train_60r_40n_sft.jsonl"


def test_another_version_renames_the_files(labelled: LabelledWorld, tmp_path: Path) -> None:
    """Regression: the files kept their old names, and the release was refused for lack of the new ones."""
    world = labelled.copy(tmp_path).planned(("version = 3", "version = 4"))
    assert world.made() == made(*ROUTERS, sft_artifacts=4)
    files = released(world)
    assert {path.replace("datav4", "datav3"): content for path, content in files.items()} == released(labelled)


def test_a_router_keeps_its_tables_when_the_other_one_changes(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path).planned(("turns = 3, characters", "turns = 2, characters"))
    done = world.made()
    assert {asset for asset, number in done.items() if number} <= {
        *(f"conversation_router/{name}" for name in PARTITIONS),
        "sft_release",
    }
    assert done["conversation_router/requests"] == 2


OTHER_JUDGES = {
    "another model": {"SFT_JUDGE": "openai", "SFT_JUDGE_MODEL": "a", "SFT_JUDGE_BASE_URL": "http://127.0.0.1:9/v1"},
    "imported labels": {"SFT_JUDGE_ACCEPT": "gpt-4o"},
}
PROMPTS_SWAPPED = (
    'prompt = "session_router_1"\nsecond_prompt = "session_router_1b"',
    'prompt = "session_router_1b"\nsecond_prompt = "session_router_1"',
)
KNOBS = {
    "the prompt": PROMPTS_SWAPPED,
    "the share asked again": ("retest = { share = 0.02", "retest = { share = 0.5"),
    "judging all": ("stop_when_filled = true", "stop_when_filled = false"),
}
"""What decides which verdicts there are."""

UNDECISIVE = {
    "how often": {"SFT_JUDGE_CONCURRENCY": "3"},
    "when": {"SFT_JUDGE_POLL_SECONDS": "3"},
}


def stale(world: LabelledWorld, asset: str) -> int:
    """How many partitions of an asset a walk would make."""
    settings = world.settings
    [step] = [step for step in walk_steps(settings.plan, WINDOW) if step.asset == asset]
    with open_instance(settings) as instance:
        return len(left_to_do(settings, assemble(settings), instance, step.assets, step.partitions))


@pytest.mark.parametrize("case", [*OTHER_JUDGES, *KNOBS])
def test_what_decides_about_verdicts_makes_them_stale_and_no_requests(
    labelled: LabelledWorld, tmp_path: Path, case: str
) -> None:
    world = replace(labelled.copy(tmp_path), judge=OTHER_JUDGES.get(case, {}))
    world = world.planned(KNOBS[case]) if case in KNOBS else world
    assert stale(world, "session_router/verdicts") == 2
    assert stale(world, "session_router/requests") == 0


@pytest.mark.parametrize("case", UNDECISIVE)
def test_how_a_judge_is_asked_makes_nothing_stale(labelled: LabelledWorld, tmp_path: Path, case: str) -> None:
    world = replace(labelled.copy(tmp_path), judge=UNDECISIVE[case])
    assert stale(world, "session_router/verdicts") == 0


def test_people_who_say_more_make_verdicts_stale(labelled: LabelledWorld, tmp_path: Path) -> None:
    labels = tmp_path / "people.jsonl"
    rows = labelled.table("session_router/verdicts", "val").select("requestId", "label").to_dicts()
    labels.write_text("".join(f'{{"requestId": "{row["requestId"]}", "label": {row["label"]}}}\n' for row in rows))
    world = replace(labelled.copy(tmp_path / "world"), judge={"SFT_HUMAN_LABELS": str(labels)})
    assert world.made("session_router/verdicts")["session_router/verdicts"] == 2
    [_, account, *_] = accounts_of(world.settings.plan, world.tables, KEY)
    labelled_rows = sum(row["label"] is not None for row in rows)
    assert account.human.both0 + account.human.both1 == account.human.total == labelled_rows > 0
    assert world.made("sft_release")["sft_release"] == 1
    claimed = last_sft_release(open_releases(world.settings.releases), world.settings.plan.name)
    assert claimed
    assert sum(account.human.total for account in claimed.accounts) >= labelled_rows
    assert stale(world, "session_router/verdicts") == 0
    labels.write_text(labels.read_text() + '{"request": "\xe9", "label": 1}\n', encoding="latin-1")
    assert stale(world, "session_router/verdicts") == 2
    with pytest.raises(Refused, match=f"{len(rows) + 1} is no label of a person"):
        world.walk("session_router/verdicts")


def native(
    world: LabelledWorld, keys: Iterable[dg.AssetKey], partition: str, *, raise_on_error: bool = True
) -> dg.ExecuteInProcessResult:
    """A run of one partition as the UI begins it, checks included."""
    settings = world.settings
    job = assemble(settings).resolve_implicit_global_asset_job_def()
    with open_instance(settings) as instance:
        return job.execute_in_process(
            instance=instance, partition_key=partition, asset_selection=list(keys), raise_on_error=raise_on_error
        )


def test_one_split_and_variant_can_be_made_in_dagster_before_any_other(sampled: LabelledWorld) -> None:
    """Regression: the checks of a training set wanted the verdicts of all splits, which were not there yet."""
    assert native(sampled, [REQUESTS, VERDICTS], f"val|{KEY}").success
    result = native(sampled, [TRAINING, ARTIFACTS], f"val-70r30n|{KEY}")
    checks = result.get_asset_check_evaluations()
    assert {check.asset_key for check in checks} == {TRAINING, ARTIFACTS}
    assert all(check.passed for check in checks)
    assert sampled.table("session_router/sft_artifacts", "val-70r30n")["records"].to_list() == [10, 10]
    assert [key.part for key in sampled.tables.keys("session_router/verdicts")] == ["val"]


def test_a_backfill_of_dagster_is_what_a_walk_would_have_made(labelled: LabelledWorld, sampled: LabelledWorld) -> None:
    native(sampled, [REQUESTS, VERDICTS], f"train|{KEY}")
    for asset in ("session_router/requests", "session_router/verdicts"):
        assert sampled.table(asset, "train").equals(labelled.table(asset, "train"))
        assert sampled.made(asset)[asset] == 1


def test_a_release_is_not_bound_from_labels_of_one_judge_and_the_account_of_another(
    labelled: LabelledWorld, tmp_path: Path
) -> None:
    """Regression: the files of the old labels were released under the name of the new judge."""
    with judge_server() as served:
        world = labelled.copy(tmp_path).asking(served)
        for split in ("train", "val"):
            native(world, [VERDICTS], f"{split}|{KEY}")
    refused = native(world, [dg.AssetKey("sft_release")], KEY, raise_on_error=False)
    assert not refused.success
    [event] = [event for event in refused.all_events if event.is_step_failure]
    told = str(event.step_failure_data.error)
    assert "the labels of session_router train-70r30n, session_router train-50r50n, session_router val-70r30n" in told
    assert "are not of the verdicts of now" in told


def test_files_of_older_training_sets_are_not_bound_into_a_release(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path)
    rewrite(world, TableKey("session_router/training_sets", KEY, "val-70r30n"), lambda frame: frame, version="another")
    Path(world.tables.uri(TableKey("sft_release", KEY))).unlink()
    refused = native(world, [dg.AssetKey("sft_release")], KEY, raise_on_error=False)
    [event] = [event for event in refused.all_events if event.is_step_failure]
    assert "the files of session_router val-70r30n are not of the training sets of now" in str(
        event.step_failure_data.error
    )


def record(instance: dg.DagsterInstance, world: LabelledWorld, asset: dg.AssetKey, partition: str) -> None:
    """Other content of a partition, whose checks passed: what a run leaves."""
    made = report_made(instance, asset, partition, ("other content", "code", {}), {})
    [checked] = [one for one in world.checked if asset_key(one.asset) == asset]
    for claim in checked.claims:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=asset,
                check_name=claim.name,
                passed=True,
                metadata={},
                blocking=claim.severity == "fatal",
                partition=partition,
                target_materialization_data=made,
            )
        )


OF_VAL = {f"val-70r30n|{KEY}", f"val-50r50n|{KEY}"}
"""A training set is made from requests too: asked for with the verdicts, and again when those have changed."""

RELEASE = dg.AssetKey("sft_release")
"""It tells of verdicts too: refused as long as its files hold older ones, and asked for again with new files."""


@pytest.mark.parametrize(
    ("changed", "partition", "requested"),
    [
        (REQUESTS, f"val|{KEY}", {VERDICTS: {f"val|{KEY}"}, TRAINING: OF_VAL}),
        (VERDICTS, f"val|{KEY}", {TRAINING: OF_VAL, RELEASE: {KEY}}),
        (TRAINING, f"train-50r50n|{KEY}", {ARTIFACTS: {f"train-50r50n|{KEY}"}}),
        (ARTIFACTS, f"train-50r50n|{KEY}", {RELEASE: {KEY}}),
    ],
    ids=["requests", "verdicts", "training_sets", "sft_artifacts"],
)
def test_automation_asks_for_exactly_what_changed_content_affects(
    labelled: LabelledWorld,
    tmp_path: Path,
    changed: dg.AssetKey,
    partition: str,
    requested: dict[dg.AssetKey, set[str]],
) -> None:
    world = labelled.copy(tmp_path)
    settings, definitions = world.settings, assemble(world.settings)
    with open_instance(settings) as instance:
        before = dg.evaluate_automation_conditions(definitions, instance)
        record(instance, world, changed, partition)
        result = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor)
        found = {key: result.get_requested_partitions(key) for key in (*requested, REQUESTS)}
    assert found == {**requested, REQUESTS: set()}
    assert result.total_requested == sum(map(len, requested.values()))


def test_verdicts_wait_in_a_pool_of_their_own(labelled: LabelledWorld) -> None:
    definitions = assemble(labelled.settings)
    assert definitions.resolve_assets_def(VERDICTS).op.pool == "judge"


def test_without_a_judge_a_walk_ends_with_the_samples(labelled: LabelledWorld) -> None:
    plan = labelled.settings.plan
    assert [step.asset for step in walk_steps(plan, WINDOW, labelled=False)] == list(TO_SAMPLES)
    with pytest.raises(Refused, match="session_router/verdicts needs a judge"):
        walk_steps(plan, WINDOW, "session_router/verdicts", labelled=False)


def test_a_plan_without_routers_has_no_steps_after_the_samples(labelled: LabelledWorld) -> None:
    plan = labelled.settings.plan.model_copy(update={"routers": None})
    assert [step.asset for step in walk_steps(plan, WINDOW)] == list(TO_SAMPLES)
    with pytest.raises(Refused, match="there is no asset 'sft_release'"):
        walk_steps(plan, WINDOW, "sft_release")


def test_no_text_is_in_two_splits_whatever_is_judged(labelled: LabelledWorld) -> None:
    for router in ROUTERS:
        keys = [
            labelled.table(f"{router}/requests", split).filter(pl.col("leftOut").is_null())["contentKey"]
            for split in ("train", "val")
        ]
        assert not set(keys[0]) & set(keys[1])
