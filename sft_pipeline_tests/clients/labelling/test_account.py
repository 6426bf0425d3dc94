"""The account of a split adds up and tells who judged, what it cost and what was found out."""

from pathlib import Path

import pytest

from sft_pipeline.clients.judges.heuristic_judge import HeuristicJudge
from sft_pipeline.clients.judges.stored_judge import StoredJudge
from sft_pipeline.clients.labelling.budget import BudgetSpent
from sft_pipeline.clients.labelling.people import PeopleLabels
from sft_pipeline.clients.labels.importing import import_labels, imported_identity
from sft_pipeline.curation.heuristic import heuristic_identity
from sft_pipeline.curation.judging import SUSPECT, Identity
from sft_pipeline.curation.label_account import Pairs
from sft_pipeline.curation.label_claims import (
    account_matches_the_tables,
    every_request_is_accounted,
)
from sft_pipeline.curation.requests import content_key
from sft_pipeline.prompts import read_prompt
from sft_pipeline_tests.clients.labelling.judged_world import (
    COST,
    FIRST,
    RUN,
    CountingJudge,
    always,
    by_text,
    labelled,
    other_judge,
    rows,
    spent_in,
    store_in,
    with_shares,
)
from sft_pipeline_tests.clients.labels.label_world import record, write_records
from sft_pipeline_tests.curation.labels_world import request, requests


class TestAccount:
    def test_it_adds_up_and_matches_the_tables(self, tmp_path: Path) -> None:
        table = requests(
            [request(f"c-{number}", suspect=number % 7 == 0) for number in range(80)]
            + [request(f"d-{number}", leftOut="empty") for number in range(3)]
            + [request("e", leftOut="same_text")]
        )
        silent = CountingJudge(says=lambda question, _: None if question.request.endswith("3") else by_text(question))
        contrary = other_judge(lambda question, _: 1 - by_text(question))
        run = labelled(tmp_path, table, silent, second=contrary, plan=with_shares(retest=4, second=5, train=20))
        account = run.account
        assert every_request_is_accounted(account).passed
        assert account.adds_up
        assert account_matches_the_tables(account, run.verdicts, table).passed
        assert account.left_out == {"empty": 3, "same_text": 1}
        assert set(account.unlabelled) == {"malformed_answer", SUSPECT}
        assert account.not_asked == 80 - run.verdicts.height > 0
        assert account.judges == {FIRST.name: run.verdicts.height}
        assert account.served_models == {"model-a-2026": run.verdicts.height}

    def test_every_answer_counts_once_however_often_it_is_of_use(self, tmp_path: Path) -> None:
        table = rows(40, suspect=True)
        judge, other = CountingJudge(), other_judge()
        account = labelled(tmp_path, table, judge, second=other, plan=with_shares(retest=40, second=40)).account
        answers = len(judge.asked) + len(other.asked)
        assert account.cost == pytest.approx(answers * COST) == pytest.approx(spent_in(tmp_path))
        assert (account.prompt_tokens, account.completion_tokens) == (answers * 300, answers)

    def test_what_was_paid_in_an_earlier_run_counts_too(self, tmp_path: Path) -> None:
        plan = with_shares(retest=4, second=5)
        first = labelled(tmp_path, rows(40), CountingJudge(), plan=plan).account
        assert labelled(tmp_path, rows(40), CountingJudge(), plan=plan).account == first

    def test_a_language_model_is_told_with_the_whole_hash_of_its_prompt(self, tmp_path: Path) -> None:
        account = labelled(tmp_path, rows(4), CountingJudge(), plan=with_shares()).account
        for who, name in ((account.who, "session_router_1"), (account.second, "session_router_1b")):
            assert who.prompt == read_prompt(name).version
            assert who.prompt_sha256 == read_prompt(name).sha256
            assert who.is_language_model
        assert (account.who.judge, account.who.parameters) == ("openai/model-a", '{"temperature":0}')

    def test_a_prompt_that_has_changed_since_is_told_by_the_digits_that_are_known(self, tmp_path: Path) -> None:
        earlier = FIRST._replace(prompt="session_router_1@0123456789ab")
        who = labelled(tmp_path, rows(4), CountingJudge(earlier), plan=with_shares()).account.who
        assert (who.prompt, who.prompt_sha256) == (earlier.prompt, "0123456789ab")

    def test_proxies_are_told_as_what_they_are_and_asked_twice_like_a_judge(self, tmp_path: Path) -> None:
        main, second = (heuristic_identity("session_router", second=second) for second in (False, True))
        run = labelled(
            tmp_path,
            rows(40),
            HeuristicJudge(main, RUN),
            second=HeuristicJudge(second, RUN),
            plan=with_shares(retest=5, second=5),
        )
        account = run.account
        assert not account.who.is_language_model
        assert account.who.judge == "heuristic/proxies_of_source_003"
        assert (account.cost, account.prompt_tokens, account.served_models) == (0.0, 0, {})
        assert (account.retest.total, account.second_opinion.total) == (5, 5)
        assert account.canaries_missed == ()

    def test_stored_labels_are_asked_nothing(self, tmp_path: Path) -> None:
        path = write_records(tmp_path / "records.jsonl", [record(text, 1) for text in rows(10)["request"]])
        import_labels(path, store_in(tmp_path), "yesterday", report=tmp_path / "bad.csv")
        stored = Identity("stored", "no_model", "none", "{}")
        run = labelled(
            tmp_path,
            rows(10),
            StoredJudge(stored, RUN),
            second=StoredJudge(stored, RUN),
            plan=with_shares(retest=5, second=5),
            accepted=[imported_identity("yesterday")],
        )
        assert run.labels == [1] * 10
        assert (run.account.canaries, run.account.retest.total, run.account.second_opinion.total) == (0, 0, 0)
        assert (run.asked, run.account.judges) == (0, {"imported/yesterday": 10})
        assert run.account.adds_up

    def test_a_limit_stops_second_looks_cleanly_too(self, tmp_path: Path) -> None:
        plan = with_shares(retest=30)
        with pytest.raises(BudgetSpent):
            labelled(tmp_path, rows(40), CountingJudge(), plan=plan, limit=50 * COST)
        spent = spent_in(tmp_path)
        assert 40 * COST < spent <= 50 * COST + 1e-9
        judge = CountingJudge()
        account = labelled(tmp_path, rows(40), judge, plan=plan, limit=1.0).account
        assert account.cost == pytest.approx(spent + len(judge.asked) * COST)


class TestPeople:
    def test_their_labels_are_compared_by_id_and_by_text(self, tmp_path: Path) -> None:
        table = rows(6)
        first, second, third, *_ = table.rows(named=True)
        people = PeopleLabels(
            {first["requestId"]: 1, "unknown#1": 0}, {content_key(second["request"].upper()): 1, third["contentKey"]: 0}
        )
        judge = CountingJudge(says=always(1))
        account = labelled(tmp_path, table, judge, people=people, plan=with_shares()).account
        assert account.human == Pairs(both1=2, first1_second0=1)

    def test_requests_without_a_label_are_no_pairs(self, tmp_path: Path) -> None:
        table = rows(2)
        people = PeopleLabels(dict.fromkeys(table["requestId"], 1))
        account = labelled(tmp_path, table, CountingJudge(says=always(None)), people=people, plan=with_shares()).account
        assert account.human == Pairs()

    def test_thumbs_of_imported_records_stand_apart(self, tmp_path: Path) -> None:
        texts = rows(10)["request"]
        records = [record(text, number % 2, vote=number % 3 - 1) for number, text in enumerate(texts)]
        path = write_records(tmp_path / "records.jsonl", [*records, record("of no request here", 1, vote=1)])
        import_labels(path, store_in(tmp_path), "yesterday", report=tmp_path / "bad.csv")
        accepted = [imported_identity("yesterday")]
        account = labelled(tmp_path, rows(10), CountingJudge(), plan=with_shares(), accepted=accepted).account
        thumbs = [(number % 2, {-1: 0, 0: 0, 1: 1}[number % 3 - 1]) for number in range(10)]
        assert account.votes == Pairs(
            both0=thumbs.count((0, 0)),
            first0_second1=thumbs.count((0, 1)),
            first1_second0=thumbs.count((1, 0)),
            both1=thumbs.count((1, 1)),
        )
        assert account.human == Pairs()
        unaccepted = labelled(tmp_path, rows(10), CountingJudge(), plan=with_shares()).account
        assert unaccepted.votes == Pairs()
