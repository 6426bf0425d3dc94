"""The plans that ship, number by number."""

import re
from datetime import date

import pytest

from sft_pipeline.curation.plan import Plan
from sft_pipeline.plans import plan_names, read_plan

BUCKET_LABELS = ["short_3_to_5_turns", "medium_6_to_10_turns", "long_11_to_20_turns"]


def targets(plan: Plan) -> dict[str, int]:
    return {cell.key: cell.target for cell in plan.cells}


def cells_of(train: tuple[int, int, int], others: tuple[int, int, int]) -> dict[str, int]:
    wanted = {"train": train, "val": others, "test": others}
    buckets = ("short", "medium", "long")
    return {
        f"{split}-{bucket}": count for split in wanted for bucket, count in zip(buckets, wanted[split], strict=True)
    }


class TestPlansThatShip:
    def test_there_are_five(self) -> None:
        assert plan_names() == ("archive", "demo", "production", "production_100k", "test")

    def test_production_takes_120_thousand_of_15_days_in_40_chunks(self) -> None:
        plan = read_plan("production")
        assert plan.window.days == 15
        assert plan.window.first_day == date(2025, 8, 1)
        assert plan.chunks.count == 40
        assert targets(plan) == cells_of((40_000, 40_000, 20_000), (4_000, 4_000, 2_000))
        assert sum(targets(plan).values()) == 120_000
        assert plan.query == "production/sft_candidates_hash_chunked"
        assert not plan.sample.allow_shortfall

    def test_test_takes_100_of_one_day_in_4_chunks(self) -> None:
        plan = read_plan("test")
        assert (plan.window.days, plan.chunks.count) == (1, 4)
        assert targets(plan) == cells_of((32, 32, 16), (4, 4, 2))
        assert sum(targets(plan).values()) == 100

    def test_demo_takes_360_of_15_days_in_4_chunks(self) -> None:
        plan = read_plan("demo")
        assert (plan.window.days, plan.chunks.count) == (15, 4)
        assert targets(plan) == cells_of((120, 120, 60), (12, 12, 6))

    def test_archive_takes_what_there_is_of_1500_days_up_to_the_production_targets(self) -> None:
        plan = read_plan("archive")
        assert (plan.window.days, plan.chunks.count) == (1500, 4)
        assert targets(plan) == targets(read_plan("production"))
        assert plan.sample.allow_shortfall
        assert plan.release.data_source == "imported_chat_sessions"

    def test_production_100k_is_unsplit_and_flat_over_60_days(self) -> None:
        plan = read_plan("production_100k")
        assert (plan.window.days, plan.chunks.count, plan.split.by) == (60, 40, "none")
        assert targets(plan) == {"all-short": 40_000, "all-medium": 40_000, "all-long": 20_000}
        assert [cell.path for cell in plan.cells] == [f"{label}.json" for label in BUCKET_LABELS]
        assert plan.release.stamp_format == "%Y%m%d"

    @pytest.mark.parametrize("name", ["production", "test", "demo", "archive"])
    def test_split_plans_share_83_9_8_by_conversation_and_have_a_folder_per_split(self, name: str) -> None:
        plan = read_plan(name)
        assert (plan.name, plan.split.by) == (name, "conversation")
        assert plan.split.shares == {"train": 83, "val": 9, "test": 8}
        assert plan.splits == ("train", "val", "test")
        assert [cell.path for cell in plan.cells] == [
            f"{split}/{label}.json" for split in ("train", "val", "test") for label in BUCKET_LABELS
        ]
        assert plan.release.stamp_format == "%Y%m%d_%H%M%S"

    @pytest.mark.parametrize("name", plan_names())
    def test_secrets_are_redacted_and_names_are_pseudonyms_where_there_are_people(self, name: str) -> None:
        privacy = read_plan(name).privacy
        assert (privacy.user_names, privacy.secrets) == ("as_is" if name == "demo" else "pseudonym", "redact")

    @pytest.mark.parametrize("name", plan_names())
    def test_buckets_are_3_to_5_6_to_10_and_11_to_20_turns(self, name: str) -> None:
        plan = read_plan(name)
        assert [(bucket.name, bucket.turns) for bucket in plan.buckets] == [
            ("short", (3, 5)),
            ("medium", (6, 10)),
            ("long", (11, 20)),
        ]
        assert plan.turn_range == (3, 20)

    def test_plans_that_draw_from_the_same_conversations_rank_them_alike(self) -> None:
        assert {read_plan(name).sample.salt for name in plan_names()} == {"v4"}


class TestRoutersOfPlansThatShip:
    def test_production_trains_on_100_thousand_and_holds_out_10_thousand_twice_at_both_ratios(self) -> None:
        routers = read_plan("production").routers
        assert routers
        assert routers.training.totals == {"train": 100_000, "val": 10_000, "test": 10_000}
        assert [ratio.key for ratio in routers.ratios] == ["70r30n", "50r50n"]
        assert routers.variant("train-70r30n").file_name == "datav3_train_70r_30n_sft.jsonl"
        assert routers.quotas("train") == {0: 70_000, 1: 50_000}
        assert routers.training.short_class == "refuse"

    def test_production_judges_the_turns_of_about_25_thousand_conversations(self) -> None:
        routers = read_plan("production").routers
        assert routers
        wanted = routers.conversation_router.conversations
        assert sum(sum(buckets.values()) for buckets in wanted.values()) == 25_002
        assert all(len(set(buckets.values())) == 1 for buckets in wanted.values())

    def test_only_plans_for_laptops_take_the_offline_judge_unasked(self) -> None:
        plans = {name: read_plan(name).routers for name in plan_names()}
        assert {name: routers.judging.default for name, routers in plans.items() if routers} == {
            **dict.fromkeys(("archive", "demo", "test"), "heuristic"),
            "production": "",
        }
        assert plans["production_100k"] is None

    @pytest.mark.parametrize(
        ("model", "reasons"),
        [("gpt-5-mini", False), ("gemini-2.5-pro", True), ("claude-sonnet-4.5", True), ("gpt-4.1", False)],
    )
    def test_the_patterns_tell_reasoning_from_fast_models(self, model: str, reasons: bool) -> None:
        routers = read_plan("demo").routers
        assert routers
        fast = any(re.search(pattern, model) for pattern in routers.fast_models)
        assert fast != reasons
        assert not reasons or any(re.search(pattern, model) for pattern in routers.reasoning_models)
