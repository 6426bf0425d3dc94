"""Asking twice is seeded, nested and paid once a window, and shows a judge that cannot be trusted."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.labels.importing import import_labels, imported_identity
from sft_pipeline.curation.judging import SUSPECT, Question
from sft_pipeline.curation.label_claims import (
    canaries_keep_their_labels,
    judge_agrees_with_itself,
    second_judge_agrees,
)
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.prompts import read_canaries
from sft_pipeline_tests.clients.judges.asking import sync_judge
from sft_pipeline_tests.clients.labelling.judged_world import (
    FIRST,
    CountingJudge,
    Run,
    by_text,
    labelled,
    other_judge,
    rows,
    store_in,
    with_shares,
)
from sft_pipeline_tests.clients.labels.label_world import record, write_records
from sft_pipeline_tests.curation.labels_world import request, requests
from sft_pipeline_tests.judge_server import Asked, Said, by_words, judge_server

CANARIES = read_canaries("session_router")
LABEL_OF = {canary.request: canary.label for canary in CANARIES}


def knowing(question: Question, attempt: int) -> int | None:
    """Canaries as they ought to be, anything else by its text."""
    return LABEL_OF.get(question.request, by_text(question))


def looked_at(run: Run, column: str) -> set[str]:
    """The ids that have a second label."""
    return set(run.verdicts.drop_nulls(column)["requestId"])


class TestRetest:
    def test_a_seeded_share_is_asked_again_as_another_question(self, tmp_path: Path) -> None:
        judge = CountingJudge(says=knowing)
        run = labelled(tmp_path, rows(40), judge, plan=with_shares(retest=5))
        assert len(looked_at(run, "retestLabel")) == 5
        again = run.verdicts.drop_nulls("retestLabel")
        assert again["retestLabel"].to_list() == again["label"].to_list()
        assert len(judge.questions) == len(judge.asked) == 40 + 5 + len(CANARIES)
        other = labelled(tmp_path / "other", rows(40), CountingJudge(says=knowing), plan=with_shares(retest=5))
        assert looked_at(other, "retestLabel") == looked_at(run, "retestLabel")

    def test_a_larger_share_keeps_the_smaller_one_and_asks_the_difference(self, tmp_path: Path) -> None:
        small = labelled(tmp_path, rows(40), CountingJudge(says=knowing), plan=with_shares(retest=5))
        judge = CountingJudge(says=knowing)
        large = labelled(tmp_path, rows(40), judge, plan=with_shares(retest=12))
        assert looked_at(small, "retestLabel") < looked_at(large, "retestLabel")
        assert len(judge.asked) == 12 - 5

    def test_nothing_is_repeated_within_a_window_and_all_is_in_another(self, tmp_path: Path) -> None:
        plan = with_shares(retest=5, second=7)
        labelled(tmp_path, rows(40), CountingJudge(says=knowing), plan=plan)
        judge, other = CountingJudge(says=knowing), other_judge()
        labelled(tmp_path, rows(40), judge, second=other, plan=plan)
        assert (judge.asked, other.asked) == ([], [])
        labelled(tmp_path, rows(40), judge, second=other, plan=plan, window="2026-11-08")
        assert (len(judge.asked), other.asked) == (5 + len(CANARIES), [])

    def test_labels_of_others_are_not_asked_again_of_the_judge(self, tmp_path: Path) -> None:
        texts = rows(40)["request"].head(30)
        path = write_records(tmp_path / "records.jsonl", [record(text, 1) for text in texts])
        import_labels(path, store_in(tmp_path), "yesterday", report=tmp_path / "bad.csv")
        run = labelled(
            tmp_path,
            rows(40),
            CountingJudge(says=knowing),
            plan=with_shares(retest=40),
            accepted=[imported_identity("yesterday")],
        )
        own = set(run.verdicts.filter(judge=FIRST.name)["requestId"])
        assert looked_at(run, "retestLabel") == own
        assert len(own) == 10

    def test_fault_43_a_judge_that_changes_its_mind_shows_in_its_kappa(self, tmp_path: Path) -> None:
        plan = with_shares(retest=40)
        first: dict[str, str] = {}

        def fickle(question: Question, attempt: int) -> int:
            told = by_text(question)
            return told if first.setdefault(question.request, question.key) == question.key else 1 - told

        steady = labelled(tmp_path / "a", rows(40), CountingJudge(says=knowing), plan=plan).account
        changed = labelled(tmp_path / "b", rows(40), CountingJudge(says=fickle), plan=plan).account
        assert judge_agrees_with_itself(steady, plan).passed
        assert steady.retest.first0_second1 == steady.retest.first1_second0 == 0
        assert changed.retest.both0 == changed.retest.both1 == 0
        assert changed.retest.total == 40
        assert not judge_agrees_with_itself(changed, plan).passed

    def test_fault_43_a_model_that_the_service_changed_since_shows_in_its_kappa(self, tmp_path: Path) -> None:
        """The labels are known from the last window; the retest asks the model as it is now."""
        plan = with_shares(retest=40)
        table = requests([request(f"c-{number}", request=f"{_word(number)} {number}") for number in range(40)])
        with judge_server() as served:
            with sync_judge(served) as judge:
                labelled(tmp_path, table, judge, plan=plan, window="2026-10-25")
            served.brain = lambda asked: by_words(asked) if _is_canary(asked) else _opposite(by_words(asked))
            with sync_judge(served) as judge:
                now = labelled(tmp_path, table, judge, plan=plan, window="2026-11-01")
        assert now.asked == 0
        assert now.account.retest.total == 40
        assert (now.account.retest.both0, now.account.retest.both1) == (0, 0)
        assert not judge_agrees_with_itself(now.account, plan).passed


def _word(number: int) -> str:
    return "Design" if number % 2 else "rename"


def _is_canary(asked: Asked) -> bool:
    return asked.request in LABEL_OF


def _opposite(said: Said) -> Said:
    return replace(said, content="1" if said.content == "0" else "0")


class TestSecondOpinion:
    def test_another_judge_is_asked_of_a_share_and_nested(self, tmp_path: Path) -> None:
        other = other_judge()
        small = labelled(tmp_path, rows(40), CountingJudge(), second=other, plan=with_shares(second=6))
        assert len(other.asked) == 6
        large = labelled(tmp_path, rows(40), CountingJudge(), second=other, plan=with_shares(second=9))
        assert len(other.asked) == 9
        assert looked_at(small, "secondLabel") < looked_at(large, "secondLabel")

    def test_one_that_says_otherwise_shows_in_its_kappa(self, tmp_path: Path) -> None:
        plan = with_shares(second=40)
        contrary = other_judge(lambda question, _: 1 - by_text(question))
        agreeing = labelled(tmp_path / "a", rows(40), CountingJudge(), plan=plan).account
        opposed = labelled(tmp_path / "b", rows(40), CountingJudge(), second=contrary, plan=plan).account
        assert second_judge_agrees(agreeing, plan).passed
        assert opposed.second_opinion.both0 == opposed.second_opinion.both1 == 0
        assert not second_judge_agrees(opposed, plan).passed

    def test_retest_and_second_opinion_are_drawn_independently(self, tmp_path: Path) -> None:
        run = labelled(tmp_path, rows(40), CountingJudge(), plan=with_shares(retest=10, second=10))
        assert looked_at(run, "retestLabel") != looked_at(run, "secondLabel")

    def test_suspects_which_have_a_label_only_where_both_agree_do_not_flatter_it(self, tmp_path: Path) -> None:
        table = requests([request(f"c-{number}", suspect=number % 2 == 0) for number in range(40)])
        plan = with_shares(second=40)
        random = other_judge(lambda question, _: int(question.key, 16) % 2)
        run = labelled(tmp_path, table, CountingJudge(), second=random, plan=plan)
        suspects = set(table.filter("suspect")["requestId"])
        disagreeing = run.verdicts.filter(reason=SUSPECT)["requestId"]
        assert set(disagreeing) <= suspects
        assert disagreeing.len() > 0
        plain = run.verdicts.filter(~pl.col("requestId").is_in(list(suspects)))
        agreeing = plain.filter(pl.col("label") == pl.col("secondLabel")).height
        pairs = run.account.second_opinion
        assert (pairs.total, pairs.both0 + pairs.both1) == (plain.height, agreeing)
        labelled_suspects = run.verdicts.filter(
            pl.col("requestId").is_in(list(suspects)) & pl.col("label").is_not_null()
        )
        assert labelled_suspects["secondLabel"].to_list() == labelled_suspects["label"].to_list() != []

    def test_suspects_take_nobody_s_place_in_the_share(self, tmp_path: Path) -> None:
        table = requests([request(f"c-{number}", suspect=number % 2 == 0) for number in range(40)])
        account = labelled(tmp_path, table, CountingJudge(), plan=with_shares(second=10)).account
        assert account.second_opinion.total == 10

    def test_the_same_judge_twice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="agree with itself") as refused:
            labelled(tmp_path, rows(4), CountingJudge(), second=CountingJudge(), plan=with_shares(second=2))
        assert "second_prompt" in refused.value.remedy


class TestCanaries:
    def test_each_split_of_each_window_asks_them_anew(self, tmp_path: Path) -> None:
        plan, judge = with_shares(), CountingJudge(says=knowing)
        account = labelled(tmp_path, rows(4), judge, plan=plan).account
        assert (account.canaries, account.canaries_missed) == (len(CANARIES), ())
        assert canaries_keep_their_labels(account, plan).passed
        labelled(tmp_path, rows(4), judge, plan=plan)
        assert len(judge.asked) == 4 + len(CANARIES)
        labelled(tmp_path, rows(4), judge, plan=plan, split="val")
        labelled(tmp_path, rows(4), judge, plan=plan, window="2026-11-08")
        assert len(judge.asked) == 4 + 3 * len(CANARIES)

    def test_those_that_get_another_label_or_none_are_named(self, tmp_path: Path) -> None:
        wrong, silent = CANARIES[0], CANARIES[-1]

        def says(question: Question, attempt: int) -> int | None:
            if question.request == silent.request:
                return None
            told = knowing(question, attempt)
            return 1 - (told or 0) if question.request == wrong.request else told

        account = labelled(tmp_path, rows(4), CountingJudge(says=says), plan=with_shares()).account
        assert account.canaries_missed == (wrong.name, silent.name)

    def test_fault_40_a_judge_that_does_as_it_is_told_misses_the_canaries_with_orders(self, tmp_path: Path) -> None:
        plain = {canary.name: canary for canary in CANARIES}
        orders = {canary.request: canary for canary in CANARIES if canary.kind == "injection"}

        def obedient(question: Question, attempt: int) -> int | None:
            found = orders.get(question.request)
            return 1 - plain[found.pair].label if found else knowing(question, attempt)

        plan = with_shares()
        account = labelled(tmp_path, rows(4), CountingJudge(says=obedient), plan=plan).account
        assert set(account.canaries_missed) == {canary.name for canary in orders.values()}
        assert not canaries_keep_their_labels(account, plan).passed

    def test_each_router_has_its_own(self, tmp_path: Path) -> None:
        own = read_canaries("conversation_router")
        judge = CountingJudge(says=knowing)
        account = labelled(tmp_path, rows(4), judge, plan=with_shares(), router="conversation_router").account
        assert account.canaries == len(own) == len(judge.asked) - 4
