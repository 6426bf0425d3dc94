"""Requests of conversations are judged by proxies, and by a language model over HTTP."""

from collections import Counter
from pathlib import Path

import polars as pl

from sft_pipeline.clients.judges.heuristic_judge import HeuristicJudge
from sft_pipeline.curation.heuristic import NO_SIGNALS, heuristic_identity, heuristic_label
from sft_pipeline.curation.router_tables import SIGNALS
from sft_pipeline_tests.clients.judges.asking import batch_judge, sync_judge
from sft_pipeline_tests.clients.labelling.judged_world import (
    RUN,
    only_judged,
    rows,
    spent_in,
    with_totals,
)
from sft_pipeline_tests.curation.requests_world import asked as made
from sft_pipeline_tests.curation.requests_world import said
from sft_pipeline_tests.judge_server import Asked, Said, by_words, judge_server

SIX = with_totals(6)

TEXTS = ("rename x", "Design a cache", "rename x", "", "Find out why it hangs", "add an import", "fix typo")


def test_requests_of_conversations_are_judged_by_proxies(tmp_path: Path) -> None:
    table = made(*[said(f"c-{number}", text, "go on", None) for number, text in enumerate(TEXTS)])
    identity = heuristic_identity("conversation_router", second=False)
    judge = HeuristicJudge(identity, RUN)
    plan = with_totals(20)
    verdicts = only_judged(tmp_path, table, judge, plan=plan, router="conversation_router").table()
    judgeable = table.filter(pl.col("leftOut").is_null())
    assert verdicts["requestId"].to_list() == judgeable["requestId"].to_list()
    signals = judgeable.select(SIGNALS).rows(named=True)
    assert verdicts["label"].to_list() == [heuristic_label(row, strict=False) for row in signals]
    assert set(verdicts["judge"]) == {"heuristic/proxies_of_source_003"}


def test_without_signals_proxies_guess_nothing(tmp_path: Path) -> None:
    identity = heuristic_identity("session_router", second=False)
    table = rows(3, **dict.fromkeys(SIGNALS))
    verdicts = only_judged(tmp_path, table, HeuristicJudge(identity, RUN), plan=SIX).table()
    assert verdicts.select("label", "reason").rows() == [(None, NO_SIGNALS)] * 3


def test_a_language_model_is_sent_each_request_once(tmp_path: Path) -> None:
    texts = [f"{'Design' if number % 2 else 'rename'} part {number}" for number in range(30)]
    table = made(*[said(f"c-{number}", text) for number, text in enumerate(texts)], router="session_router")
    with judge_server() as served:
        with sync_judge(served) as judge:
            before = only_judged(tmp_path, table, judge, plan=SIX).table()
        sent = len(served.log.asked)
        with sync_judge(served) as judge:
            assert only_judged(tmp_path, table, judge, plan=SIX).table().equals(before)
        assert len(served.log.asked) == sent
        with sync_judge(served) as judge:
            only_judged(tmp_path, table, judge, plan=with_totals(20))
        assert served.log.questions == len(served.log.asked) <= 30
    labels = dict(zip(table["requestId"], (int("rename" in text) for text in table["request"]), strict=True))
    assert before["label"].to_list() == [labels[name] for name in before["requestId"]]
    assert before["servedModel"].null_count() == 0
    assert before["probability"].null_count() == 0


def test_fault_39_answers_of_a_language_model_that_are_none_stay_unlabelled(tmp_path: Path) -> None:
    def chatty(asked: Asked) -> Said:
        return Said("Label: 0") if "odd" in asked.request else Said("1")

    table = made(said("c-0", "an odd one"), said("c-1", "a plain one"), router="session_router")
    with judge_server(brain=chatty) as served:
        with sync_judge(served) as judge:
            verdicts = only_judged(tmp_path, table, judge, plan=SIX).table()
        with sync_judge(served) as judge:
            assert only_judged(tmp_path, table, judge, plan=SIX).table().equals(verdicts)
        assert Counter(again for _, again, _ in served.log.asked) == {False: 2, True: 1}
    told = dict(verdicts.select("requestId", "label").iter_rows())
    assert told == {"c-0#1": None, "c-1#1": 1}


def test_files_of_the_batch_api_ask_each_request_once_too(tmp_path: Path) -> None:
    def odd(asked: Asked) -> Said:
        return Said("no idea") if asked.request.endswith("7") else by_words(asked)

    texts = [f"{'Design' if number % 2 else 'rename'} part {number}" for number in range(30)]
    table = made(*[said(f"c-{number}", text) for number, text in enumerate(texts)], router="session_router")
    with judge_server(brain=odd) as served:
        with batch_judge(served, tmp_path / "batches") as judge:
            small = only_judged(tmp_path, table, judge, plan=SIX, share=0.5)
        assert len(small.rows) <= served.log.questions
        with batch_judge(served, tmp_path / "batches") as judge:
            large = only_judged(tmp_path, table, judge, plan=with_totals(20), share=0.5)
        asked = [(nonce, again) for nonce, again, _ in served.log.asked]
        assert len(set(asked)) == len(asked)
        assert large.rows[: len(small.rows)] == small.rows
        assert sum(ask.cost for ask in large.asks) <= spent_in(tmp_path) + 1e-9
    unlabelled = large.table().filter(pl.col("label").is_null())
    assert 0 < unlabelled.height == sum(ask.attempt == 2 for ask in large.asks)
