"""The rates that matter, measured on events or on what the curation rules make of them."""

import polars as pl
import pytest

from sft_pipeline.telemetry.events import MESSAGE_TEXT, STORE_A_KEY, STORE_B_KEY, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.observed import outputs, user_rows
from sft_pipeline_tests.telemetry.synthesis.conftest import CANDIDATES, Generated


def candidate_turns(generated: Generated) -> pl.DataFrame:
    candidates = generated.answer.filter(dropReason="")
    return candidates.select("conversationId", "turnsArray").explode("turnsArray").unnest("turnsArray")


def about(share: float) -> object:
    return pytest.approx(share, rel=0.25)


def test_turn_counts_of_agent_conversations_are_shared_as_measured(generated: Generated) -> None:
    population = generated.summary.population
    out_of_range = {"one_turn": rates.ONE_TURN, "two_turns": rates.TWO_TURNS, "many_turns": rates.MORE_TURNS}
    agent = sum(population.values()) - sum(population[kind] for kind in ("other_mode", "mode_missing", "id_blank"))
    for kind, share in out_of_range.items():
        assert population[kind] / agent == pytest.approx(share, rel=0.02)


def test_buckets_of_candidates_are_48_30_22(generated: Generated) -> None:
    shares = {bucket: count / CANDIDATES for bucket, count in generated.summary.buckets.items()}
    assert shares == pytest.approx({"short": 0.483, "medium": 0.297, "long": 0.220}, abs=0.03)


def test_incomplete_conversations_are_a_quarter_of_those_in_range(generated: Generated) -> None:
    population = generated.summary.population
    lost = {
        "head_missing": rates.HEAD_MISSING,
        "turn_missing": rates.TURN_MISSING,
        "mode_switched": rates.MODE_SWITCHED,
    }
    ranged = CANDIDATES + sum(population[kind] for kind in (*lost, "branch_abandoned", "subagent_unmarked"))
    for kind, share in lost.items():
        assert population[kind] / ranged == pytest.approx(share, rel=0.02)


def test_other_modes_and_old_clients_take_their_share_of_conversations(generated: Generated) -> None:
    population = generated.summary.population
    total = sum(population.values())
    assert population["other_mode"] / total == pytest.approx(sum(rates.OTHER_MODES.values()), rel=0.02)
    assert population["mode_missing"] / total == pytest.approx(rates.MODE_MISSING, rel=0.05)
    modes = user_rows(generated.observed).group_by("conversationId").agg(pl.col("mode").first())
    others = modes.filter(pl.col("mode") != "agent")
    assert others.filter(mode="ask").height / others.height == about(0.25 / 0.35)


def test_turns_end_as_the_rates_say(generated: Generated) -> None:
    endings = candidate_turns(generated)["responseType"]
    for ending, share in {"cancelled": 0.035, "rateLimited": 0.007, "maxToolCalls": 0.006}.items():
        assert (endings == ending).mean() == pytest.approx(share, rel=0.35)
    assert (endings.fill_null("success") != "success").mean() == about(sum(rates.RESPONSE_TYPES.values()))


def test_buttons_are_one_and_a_half_percent_of_turns(generated: Generated) -> None:
    assert candidate_turns(generated)["isContinuation"].mean() == about(rates.CONTINUE)


def test_a_retry_replaces_a_turn_in_four_percent_of_candidates(generated: Generated) -> None:
    candidates = generated.answer.filter(dropReason="")
    assert (candidates["retriedTurns"] > 0).mean() == about(rates.RETRIED - rates.ABANDONED_BRANCH)
    assert (candidates["subagentTurns"] > 0).mean() == about(rates.SUBAGENT)


def test_models_switch_in_an_eighth_of_candidates(generated: Generated) -> None:
    assert (generated.answer.filter(dropReason="")["models"].list.len() > 1).mean() == about(0.12)


def test_first_turns_take_more_rounds_than_later_ones(generated: Generated) -> None:
    turns = candidate_turns(generated).filter(responseType="success")
    first, later = turns.filter(turnIndex=1)["numRequests"], turns.filter(pl.col("turnIndex") > 1)["numRequests"]
    assert first.median() == 2
    assert first.mean() == pytest.approx(2.8, rel=0.1)
    assert later.mean() == pytest.approx(1.5, rel=0.1)


def test_durations_have_their_tail(generated: Generated) -> None:
    seconds = candidate_turns(generated)["turnDurationMs"] / 1_000
    assert seconds.median() == about(45)
    assert seconds.quantile(0.1) == about(6)
    assert seconds.quantile(0.99) == pytest.approx(1_800, rel=0.35)


def test_texts_are_as_long_as_volume_allows(generated: Generated) -> None:
    turns = candidate_turns(generated)
    user = turns["userMessage"].str.len_chars()
    answers = turns.filter(pl.col("modelMessage") != "", responseType="success")["modelMessage"].str.len_chars()
    assert 55 <= (user.quantile(0.5) or 0) <= 95
    assert user.quantile(0.95) == about(700)
    assert answers.median() == about(450)


def test_raw_text_stays_below_42_kilobytes_per_candidate(generated: Generated) -> None:
    assert generated.summary.text_bytes / CANDIDATES < 42_000
    assert 100 <= generated.summary.events / CANDIDATES <= 135


def test_transport_repeats_seven_events_in_a_thousand(generated: Generated) -> None:
    details = generated.events.filter(pl.col("Name") == TOOL_CALL_DETAILS)
    copies = details.height - details.unique(["Properties", "Measurements", "IKey"]).height
    assert copies / details.height == about(rates.TRANSPORT_DUPLICATES)


def test_calls_are_retried_now_and_then(generated: Generated) -> None:
    calls = generated.observed.filter(messageSource="chat.editAgent")
    failed = calls.filter(message_direction="input").join(outputs(generated.observed), on="modelCallId", how="anti")
    assert failed["modelCallId"].n_unique() > 0
    assert generated.summary.quirks["Q13"] / outputs(generated.observed).height == about(
        rates.RETRIED_CALLS * rates.FILTERED_OF_RETRIED
    )


def test_four_rounds_in_nine_have_text(generated: Generated) -> None:
    rounds = generated.observed.filter(
        pl.col("Name") == MESSAGE_TEXT, pl.col("source") == "model", pl.col("messageCharLen").is_not_null()
    )
    assert rounds["messageText"].is_not_null().mean() == pytest.approx(rates.NARRATED_ROUNDS, abs=0.04)


def test_one_conversation_in_twenty_stands_in_both_stores_with_every_event(generated: Generated) -> None:
    stores = (
        generated.observed.filter(pl.col("modelCallId").is_not_null(), pl.col("conversationId").is_not_null())
        .unique(["conversationId", "modelCallId", "message_direction", "IKey"])
        .group_by("conversationId")
        .agg(a=(pl.col("IKey") == STORE_A_KEY).sum(), b=(pl.col("IKey") == STORE_B_KEY).sum())
    )
    assert stores.filter(pl.col("b") > 0, pl.col("a") != pl.col("b")).is_empty()
    assert (stores["b"] > 0).mean() == about(rates.SECOND_STORE)
