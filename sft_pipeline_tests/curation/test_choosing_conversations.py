"""Which conversations requests are made of: nested, the lowest of each bucket; and whose texts go first."""

from random import Random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.requests import choose_conversations, higher_splits
from sft_pipeline.curation.routers import ROUTERS
from sft_pipeline.curation.sampling import aggregate
from sft_pipeline_tests.conversations_world import candidate, light_rows
from sft_pipeline_tests.curation.labels_world import PLAN, with_routers
from sft_pipeline_tests.curation.labels_world import ROUTERS as KNOBS

SPLITS = ("train", "val", "test")
orders = st.randoms(use_true_random=False)


def some_candidates(number: int = 200) -> pl.DataFrame:
    """So many, a third of each bucket."""
    sizes = (3, 6, 11)
    return aggregate(light_rows(*[candidate(f"c-{n}", turns=sizes[n % 3]) for n in range(number)])).candidates


class TestChoosing:
    def test_the_session_router_takes_all_of_a_split(self) -> None:
        candidates = some_candidates()
        chosen = [choose_conversations(candidates, PLAN, "session_router", split) for split in SPLITS]
        assert sorted(pl.concat(chosen)["conversationId"]) == sorted(candidates["conversationId"])
        assert [set(one["split"]) for one in chosen] == [{split} for split in SPLITS]

    def test_the_conversation_router_takes_the_lowest_of_each_bucket(self) -> None:
        candidates = some_candidates()
        chosen = choose_conversations(candidates, PLAN, "conversation_router", "train")
        for bucket in ("short", "medium", "long"):
            ids = candidates.filter(split="train", bucket=bucket)["conversationId"]
            lowest = sorted(ids, key=lambda name: priority_of(name, salt="router"))[:10]
            assert chosen.filter(bucket=bucket)["conversationId"].to_list() == lowest
        assert chosen.height == 30
        assert chosen.columns == ["conversationId", "bucket", "split", "chunk"]

    def test_it_takes_what_there_is_of_a_short_bucket(self) -> None:
        chosen = choose_conversations(some_candidates(9), PLAN, "conversation_router", "train")
        assert 0 < chosen.height <= 9

    @given(st.integers(1, 20), st.integers(0, 20), orders)
    @settings(max_examples=25)
    def test_a_larger_number_keeps_the_smaller_one_and_order_does_not_matter(
        self, number: int, more: int, order: Random
    ) -> None:
        candidates = some_candidates(120)
        shuffled = candidates[order.sample(range(candidates.height), candidates.height)]

        def chosen(of: pl.DataFrame, count: int) -> pl.DataFrame:
            wanted = {split: dict.fromkeys(("short", "medium", "long"), count) for split in SPLITS}
            knobs = KNOBS.conversation_router.model_copy(update={"conversations": wanted})
            return choose_conversations(of, with_routers(conversation_router=knobs), "conversation_router", "train")

        smaller, larger = chosen(candidates, number), chosen(shuffled, number + more)
        assert set(smaller["conversationId"]) <= set(larger["conversationId"])
        assert chosen(shuffled, number).equals(smaller)

    def test_another_salt_is_another_choice(self) -> None:
        one = choose_conversations(some_candidates(), PLAN, "conversation_router", "train")
        other = choose_conversations(some_candidates(), with_routers(salt="other"), "conversation_router", "train")
        assert set(one["conversationId"]) != set(other["conversationId"])

    def test_a_split_without_numbers_and_no_candidates_choose_none(self) -> None:
        empty = aggregate(light_rows()).candidates
        for router in ROUTERS:
            assert choose_conversations(empty, PLAN, router, "train").is_empty()
        assert choose_conversations(some_candidates(), PLAN, "conversation_router", "dev").is_empty()


class TestPrecedence:
    def test_the_last_split_keeps_all_its_texts(self) -> None:
        assert {split: higher_splits(PLAN, split) for split in SPLITS} == {
            "train": ("test", "val"),
            "val": ("test",),
            "test": (),
        }

    def test_it_is_the_same_when_one_split_alone_is_released(self) -> None:
        assert higher_splits(PLAN.only("train"), "train") == ("test", "val")

    def test_a_plan_that_does_not_split_has_no_higher_one(self) -> None:
        shares = PLAN.split.model_copy(update={"by": "none", "shares": {"all": 100}})
        assert higher_splits(PLAN.model_copy(update={"split": shares}), "all") == ()
