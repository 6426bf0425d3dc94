"""Knobs of the routers: ratios, variants, quotas, and what a plan may not say."""

from typing import Any

import pytest
from pydantic import ValidationError

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.routers import Routers
from sft_pipeline.curation.variants import Ratio, parse_ratio
from sft_pipeline.plans import read_plan

DEMO = read_plan("demo")


def routers(**sections: dict[str, Any]) -> Routers:
    """Those of the demo plan with other knobs."""
    assert DEMO.routers
    document = DEMO.routers.model_dump(mode="json")
    return Routers.model_validate(
        {**document, **{name: {**document[name], **knobs} for name, knobs in sections.items()}}
    )


class TestRatios:
    def test_a_ratio_reads_as_it_is_written(self) -> None:
        assert parse_ratio("70r30n") == Ratio(70, 30)
        assert parse_ratio("70r30n").key == "70r30n"

    def test_its_parts_are_the_smallest_whole_numbers(self) -> None:
        assert parse_ratio("70r30n").parts == (7, 3)
        assert parse_ratio("50r50n").parts == (1, 1)

    @pytest.mark.parametrize("key", ["70r", "70n30r", "70r40n", "100r0n", "ar bn", "", "-1r101n"])
    def test_anything_else_is_none(self, key: str) -> None:
        with pytest.raises(ValueError, match="ratio"):
            parse_ratio(key)


class TestTraining:
    def test_a_total_that_cannot_be_divided_exactly_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="multiple of 10"):
            routers(training={"totals": {"train": 305, "val": 30, "test": 30}})

    def test_a_ratio_stands_once(self) -> None:
        with pytest.raises(ValidationError, match="twice"):
            routers(training={"ratios": ["50r50n", "50r50n"]})

    def test_quotas_are_the_most_that_any_ratio_needs(self) -> None:
        assert routers().quotas("train") == {0: 210, 1: 150}

    def test_file_names_are_those_of_the_convention(self) -> None:
        variant = routers().variant("val-50r50n")
        assert variant.file_name == "datav3_val_50r_50n_sft.jsonl"
        assert variant.labels_name == "datav3_val_50r_50n_labels.parquet"


class TestJudging:
    def test_a_limit_of_money_needs_a_price(self) -> None:
        with pytest.raises(ValidationError, match="max_cost"):
            routers(judging={"max_cost": 5, "price": {"input": 0, "output": 0}})


class TestPrompts:
    def test_a_second_prompt_that_is_the_first_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="second_prompt is the prompt"):
            routers(session_router={"second_prompt": "session_router_1"})


class TestModels:
    def test_a_pattern_that_is_none_is_refused(self) -> None:
        document = routers().model_dump(mode="json")
        with pytest.raises(ValidationError, match="no regular expression"):
            Routers.model_validate({**document, "fast_models": ["mini("]})


class TestPlan:
    def test_routers_change_no_sample_and_no_release_of_samples(self) -> None:
        other = DEMO.model_copy(update={"routers": None})
        assert other.version() == DEMO.version()
        assert other.extraction_version() == DEMO.extraction_version()

    def test_a_split_that_the_plan_does_not_have_is_refused(self) -> None:
        document = DEMO.model_dump(mode="json")
        document["routers"]["training"]["totals"]["dev"] = 10
        with pytest.raises(ValidationError, match="dev"):
            Plan.model_validate(document)

    def test_conversations_of_a_bucket_that_the_plan_does_not_have_are_refused(self) -> None:
        document = DEMO.model_dump(mode="json")
        document["routers"]["conversation_router"]["conversations"]["val"]["huge"] = 10
        with pytest.raises(ValidationError, match="huge"):
            Plan.model_validate(document)

    def test_a_split_that_is_trained_on_has_conversations(self) -> None:
        document = DEMO.model_dump(mode="json")
        del document["routers"]["conversation_router"]["conversations"]["test"]
        with pytest.raises(ValidationError, match="lacks test"):
            Plan.model_validate(document)

    def test_one_split_alone_keeps_what_goes_before_it(self) -> None:
        alone = DEMO.only("val").routers
        assert alone
        assert alone.splits == ("val",)
        assert set(alone.conversation_router.conversations) == {"train", "val", "test"}

    def test_a_shortfall_that_is_allowed_lowers_totals(self) -> None:
        plan = read_plan("production").with_shortfall()
        assert plan.routers
        assert plan.routers.training.short_class == "cap"
