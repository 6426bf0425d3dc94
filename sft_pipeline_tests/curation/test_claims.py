from collections.abc import Callable

import polars as pl
import pytest

from sft_pipeline.curation import claims
from sft_pipeline.curation.claims import Outcome, rule_claims, rule_outcomes
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.sampling import aggregate, choose
from sft_pipeline_tests.conversations_world import PLAN, Row, candidate, conversation, conversations, light_rows

CELL = PLAN.cell("train-short")
CANDIDATES = aggregate(light_rows(*[candidate(f"c-{number}") for number in range(120)])).candidates
SAMPLE = choose(CANDIDATES, CELL)


def test_every_rule_has_an_outcome_also_when_nothing_breaks_it() -> None:
    rules = conversation_rules(PLAN)
    outcomes = list(rule_outcomes(conversations(conversation("c-1")), rules, PLAN))
    assert [outcome.name for outcome in outcomes] == [claim.name for claim in rule_claims(rules)]
    assert all(outcome.passed for outcome in outcomes)


def test_a_broken_rule_is_counted_with_at_most_five_ids() -> None:
    rows = conversations(*[conversation(f"c-{number}", userName="") for number in range(7)])
    [first, *_] = rule_outcomes(rows, conversation_rules(PLAN), PLAN)
    assert first == Outcome("required_fields_are_present", 7, tuple(f"c-{number}" for number in range(5)))


def test_a_table_that_was_changed_after_writing_is_found() -> None:
    assert claims.stored_as_written("a", "a").passed
    assert not claims.stored_as_written("a", "b").passed


def test_a_lost_conversation_is_found() -> None:
    assert claims.counts_add_up(kept=3, rejected=2, looked_at=5).passed
    assert claims.counts_add_up(kept=3, rejected=1, looked_at=5).broken == 1


def test_conversations_missing_from_the_candidates_unknown_or_in_two_chunks_are_found() -> None:
    ids = CANDIDATES.select("conversationId")
    assert claims.chunks_add_up(ids, CANDIDATES).passed
    assert claims.chunks_add_up(ids, CANDIDATES.head(119)).ids == (CANDIDATES["conversationId"][119],)
    assert claims.chunks_add_up(ids.head(119), CANDIDATES).broken == 1
    assert claims.chunks_add_up(pl.concat([ids, ids.head(1)]), CANDIDATES).ids == (ids["conversationId"][0],)


def with_contexts(name: str, *tokens: int | None, **fields: int) -> Row:
    """A conversation with a turn of one call per promptTokens; the turn's numRequests and toolCounts as given."""
    row = conversation(name, turns=len(tokens), promptTokens=tokens[-1])
    before = 0
    for turn, told in zip(row["turnsArray"], tokens, strict=True):
        turn.update(fields)
        delta = None if told is None else told - before
        turn["llmCalls"] = [{**turn["llmCalls"][0], "promptTokens": told, "promptTokenDelta": delta}]
        before = told or 0
    return row


def test_tokens_may_fall_as_often_as_contexts_are_known_to_shrink() -> None:
    kept = claims.tokens_grow(conversations(with_contexts("c-1", 1, 2, 3, 4, 5, 4)))
    assert (kept.broken, kept.tolerated, kept.passed, kept.ids) == (1, 1, True, ("c-1",))
    assert kept.figures["rate"] == 0.8
    assert kept.detail == "1 of 5 checked"
    fewer = claims.tokens_grow(conversations(with_contexts("c-1", 1, 2, 3, 4, 4)))
    assert (fewer.broken, fewer.tolerated, fewer.passed) == (1, 0, False)


def test_at_most_five_conversations_that_break_a_sum_are_named_once_each() -> None:
    falling = [with_contexts(f"c-{number}", 9, 8, 7) for number in range(7)]
    outcome = claims.tokens_grow(conversations(*falling))
    assert (outcome.broken, outcome.ids) == (14, tuple(f"c-{number}" for number in range(5)))


def test_half_of_the_turns_may_call_tools_in_parallel() -> None:
    alone, parallel = with_contexts("a", 1, 2, 3, numRequests=1), with_contexts("b", 1, 2, 3, numRequests=2)
    assert claims.requests_follow(conversations(alone, parallel)).passed
    outcome = claims.requests_follow(conversations(alone, parallel, with_contexts("c", 1, numRequests=7)))
    assert (outcome.broken, outcome.tolerated, outcome.passed, outcome.ids) == (4, 3, False, ("b", "c"))


def test_every_sum_of_deltas_must_be_right() -> None:
    right, wrong = with_contexts("a", 1, 2, 3), with_contexts("b", 1, 2, 3)
    wrong["turnsArray"][1]["llmCalls"][0]["promptTokenDelta"] = 2
    assert claims.deltas_add_up(conversations(right)).passed
    outcome = claims.deltas_add_up(conversations(right, wrong))
    assert (outcome.broken, outcome.ids, outcome.figures["rate"]) == (1, ("b",), 0.5)


@pytest.mark.parametrize("claim", [claims.tokens_grow, claims.requests_follow, claims.deltas_add_up])
def test_a_chunk_with_nothing_to_check_passes_and_has_no_rate(claim: Callable[[pl.DataFrame], Outcome]) -> None:
    outcome = claim(conversations())
    assert outcome.passed
    assert outcome.detail == "nothing to check"
    assert "rate" not in outcome.figures
    assert set(outcome.figures.values()) == {0}


def test_a_chunk_of_another_plan_is_found() -> None:
    assert claims.one_plan(["v1", "v1"], "v1").passed
    assert claims.one_plan(["v1", "v0"], "v1").broken == 1


def test_a_conversation_in_two_splits_is_found() -> None:
    assert claims.one_split(CANDIDATES, PLAN).passed
    other = CANDIDATES.head(1).with_columns(split=pl.lit("leak"))
    assert claims.one_split(pl.concat([CANDIDATES, other]), PLAN).ids == (CANDIDATES["conversationId"][0],)


def test_a_user_in_two_splits_is_found_where_the_plan_splits_by_user() -> None:
    by_user = PLAN.model_copy(update={"split": PLAN.split.model_copy(update={"by": "user"})})
    assert claims.one_split(CANDIDATES, by_user).passed
    shared = CANDIDATES.with_columns(userName=pl.lit("one person"))
    assert claims.one_split(shared, by_user).broken == 1


def test_a_cell_that_falls_short_is_found_unless_the_plan_allows_it() -> None:
    outcome = claims.cells_filled(CANDIDATES, PLAN)
    assert not outcome.passed
    assert "val-long: want 2, have 0" in outcome.detail
    assert claims.cells_filled(CANDIDATES, PLAN.with_shortfall()).passed


@pytest.mark.parametrize(("taken", "broken"), [(32, 0), (31, 1)])
def test_a_sample_of_another_size_is_found(taken: int, broken: int) -> None:
    assert claims.exact_count(SAMPLE.head(taken), CANDIDATES, CELL).broken == broken


def test_a_sample_that_is_not_the_lowest_priorities_is_found() -> None:
    assert claims.bottom_k(SAMPLE, CANDIDATES, CELL).passed
    of_cell = CANDIDATES.filter((pl.col("split") == "train") & (pl.col("bucket") == "short"))
    passed_over = pl.concat([SAMPLE.head(31), of_cell.filter(pl.col("rank") == 40)])
    assert claims.bottom_k(passed_over, CANDIDATES, CELL).broken == 2
    assert claims.bottom_k(SAMPLE.reverse(), CANDIDATES, CELL).broken == 1


def test_a_file_with_other_bytes_than_claimed_or_none_is_found() -> None:
    claimed = {"bytes": 10, "md5": "m", "sha256": "s"}
    assert claims.same_bytes(claimed, claimed).passed
    assert claims.same_bytes(claimed, {**claimed, "sha256": "t"}).detail == "other sha256 than claimed"
    assert not claims.same_bytes(claimed, None).passed


def test_a_file_of_another_sample_is_found() -> None:
    assert claims.of_this_sample("v", "v").passed
    assert not claims.of_this_sample("v", "w").passed
