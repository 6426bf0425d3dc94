"""Every claim about training sets is kept by those that balancing makes, and broken by what it is there to find."""

from typing import Any

import polars as pl
import pytest

from sft_pipeline.curation import training_claims
from sft_pipeline.curation.balancing import balance
from sft_pipeline.curation.claims import Outcome
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.turns import expected_splits
from sft_pipeline_tests.curation.labels_world import PLAN, ROUTERS, Row, request, requests, training, verdict, verdicts

NAMES = [f"c-{number}" for number in range(500)]
SPLITS = dict(zip(NAMES, expected_splits(pl.DataFrame({"conversationId": NAMES}), PLAN), strict=True))
ROWS = [request(name, split=split) for name, split in SPLITS.items()]
TOLD = [verdict(row, number % 2) for number, row in enumerate(ROWS)]
VERDICTS = {
    split: verdicts([told for row, told in zip(ROWS, TOLD, strict=True) if row["split"] == split])
    for split in ROUTERS.splits
}
SETS = {
    variant.key: balance(
        requests([row for row in ROWS if row["split"] == variant.split]),
        VERDICTS[variant.split],
        PLAN,
        "session_router",
        variant,
    )
    for variant in ROUTERS.variants
}
TRAIN, TEST = "train-70r30n", "test-50r50n"


def with_rows(key: str, *rows: Row) -> dict[str, pl.DataFrame]:
    """The sets, one of them with other rows."""
    return {**SETS, key: training(rows)}


def with_first(key: str, **fields: Any) -> dict[str, pl.DataFrame]:
    """The sets, the first row of one of them changed."""
    first, *others = SETS[key].to_dicts()
    return with_rows(key, {**first, **fields}, *others)


def first_id(key: str) -> str:
    return SETS[key]["requestId"][0]


def every_outcome(sets: training_claims.Sets, plan: Plan = PLAN) -> list[Outcome]:
    return [
        training_claims.ratio_is_exact(sets, plan),
        training_claims.no_request_twice(sets),
        training_claims.rows_are_of_their_split(sets, plan),
        training_claims.labels_are_those_of_the_verdicts(sets, VERDICTS, plan),
        training_claims.no_text_in_two_splits(sets),
        training_claims.no_text_with_two_labels(sets),
    ]


@pytest.mark.parametrize(
    "sets", [SETS, {key: rows.clear() for key, rows in SETS.items()}, {}], ids=["full", "empty", "none"]
)
def test_training_sets_as_they_are_made_keep_every_claim(sets: training_claims.Sets) -> None:
    outcomes = every_outcome(sets)
    assert [outcome.name for outcome in outcomes] == [claim.name for claim in training_claims.TRAINING_CLAIMS]
    assert [outcome for outcome in outcomes if not outcome.passed] == []


def test_all_of_them_stop_what_is_downstream() -> None:
    assert {claim.severity for claim in training_claims.TRAINING_CLAIMS} == {"fatal"}


class TestRatios:
    def test_a_row_too_few_is_found(self) -> None:
        outcome = training_claims.ratio_is_exact({**SETS, TRAIN: SETS[TRAIN].tail(-1)}, PLAN)
        assert (outcome.broken, outcome.ids) == (1, (TRAIN,))

    def test_the_ratio_of_another_variant_is_found(self) -> None:
        swapped = {"train-70r30n": SETS["train-50r50n"], "train-50r50n": SETS["train-70r30n"]}
        assert training_claims.ratio_is_exact(swapped, PLAN).ids == tuple(swapped)

    def test_more_rows_than_the_total_are_found_at_an_exact_ratio_too(self) -> None:
        twice = pl.concat([SETS[TRAIN]] * 2)
        assert training_claims.ratio_is_exact({TRAIN: twice}, PLAN).broken == 1

    def test_rows_of_no_class_are_found_beside_exact_classes(self) -> None:
        of_none = SETS[TEST].head(1).with_columns(label=pl.lit(2, pl.Int64()))
        assert training_claims.ratio_is_exact({TEST: pl.concat([SETS[TEST], of_none])}, PLAN).broken == 1

    def test_counts_are_told(self) -> None:
        assert training_claims.ratio_is_exact({TEST: SETS[TEST]}, PLAN).detail == "test-50r50n: 5 + 5 of 10"


class TestRows:
    def test_a_request_that_stands_twice_is_found(self) -> None:
        again = pl.concat([SETS[TRAIN], SETS[TRAIN].head(1)])
        outcome = training_claims.no_request_twice({TRAIN: again})
        assert (outcome.broken, outcome.ids) == (1, (first_id(TRAIN),))

    def test_a_text_that_stands_twice_is_found(self) -> None:
        same = with_first(TRAIN, contentKey=SETS[TRAIN]["contentKey"][1])
        outcome = training_claims.no_request_twice(same)
        assert (outcome.broken, outcome.ids) == (1, (SETS[TRAIN]["requestId"][1],))

    def test_a_request_may_stand_at_each_ratio(self) -> None:
        shared = set(SETS["train-70r30n"]["requestId"]) & set(SETS["train-50r50n"]["requestId"])
        assert shared
        assert training_claims.no_request_twice(SETS).passed

    def test_a_row_that_says_another_split_is_found(self) -> None:
        outcome = training_claims.rows_are_of_their_split(with_first(TRAIN, split="val"), PLAN)
        assert (outcome.broken, outcome.ids) == (1, (first_id(TRAIN),))

    def test_a_row_that_is_of_another_split_by_its_hash_is_found(self) -> None:
        elsewhere = SETS[TEST].with_columns(split=pl.lit("train"))
        outcome = training_claims.rows_are_of_their_split({TRAIN: elsewhere}, PLAN)
        assert outcome.broken == elsewhere.height
        by_user = PLAN.model_copy(update={"split": PLAN.split.model_copy(update={"by": "user"})})
        assert training_claims.rows_are_of_their_split({TRAIN: elsewhere}, by_user).passed

    def test_another_label_than_the_verdict_is_found(self) -> None:
        flipped = with_first(TRAIN, label=1 - SETS[TRAIN]["label"][0])
        outcome = training_claims.labels_are_those_of_the_verdicts(flipped, VERDICTS, PLAN)
        assert (outcome.broken, outcome.ids) == (1, (first_id(TRAIN),))

    def test_a_row_without_a_verdict_is_found(self) -> None:
        without = {**VERDICTS, "test": VERDICTS["test"].filter(pl.col("requestId") != first_id(TEST))}
        assert first_id(TEST) in training_claims.labels_are_those_of_the_verdicts(SETS, without, PLAN).ids


class TestTexts:
    def test_a_text_in_two_splits_is_found_with_equal_labels_too(self) -> None:
        first = SETS[TRAIN].row(0, named=True)
        leaking = with_first(TEST, contentKey=first["contentKey"], label=first["label"])
        assert training_claims.no_text_in_two_splits(leaking).broken == 1
        assert training_claims.no_text_with_two_labels(leaking).passed

    def test_a_text_with_two_labels_in_one_split_is_found(self) -> None:
        labels = SETS[TRAIN]["label"].to_list()
        other = SETS[TRAIN]["contentKey"][labels.index(1 - labels[0])]
        conflicting = with_first(TRAIN, contentKey=other)
        assert training_claims.no_text_with_two_labels(conflicting).broken == 1
        assert training_claims.no_text_in_two_splits(conflicting).passed

    def test_fault_36_one_prompt_in_train_and_test_with_opposite_labels_fails_the_check(self) -> None:
        first = SETS[TRAIN].row(0, named=True)
        conflicting = with_first(TEST, contentKey=first["contentKey"], label=1 - first["label"])
        outcome = training_claims.no_text_with_two_labels(conflicting)
        assert (outcome.passed, outcome.broken) == (False, 1)
        assert set(outcome.ids) <= {first["requestId"], first_id(TEST)}
        assert not training_claims.no_text_in_two_splits(conflicting).passed
