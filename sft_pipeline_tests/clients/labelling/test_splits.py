"""Verdicts are the shortest prefix of the priority order that fills the quotas, and each is paid for once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.clients.judges.heuristic_judge import HeuristicJudge
from sft_pipeline.clients.judges.protocol import JudgeFailed
from sft_pipeline.clients.labelling.budget import BudgetSpent
from sft_pipeline.clients.labelling.desk import question_of
from sft_pipeline.clients.labelling.splits import judge_split
from sft_pipeline.clients.labels.importing import import_labels, imported_identity
from sft_pipeline.curation.heuristic import heuristic_identity
from sft_pipeline.curation.judging import MALFORMED, Question
from sft_pipeline.curation.label_claims import labels_are_0_or_1, verdicts_are_a_prefix
from sft_pipeline.curation.router_tables import Verdict
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline_tests.clients.labelling.judged_world import (
    COST,
    FIRST,
    PROBABILITY,
    RUN,
    CountingJudge,
    Says,
    a_desk,
    always,
    by_text,
    most_asked,
    only_judged,
    opened,
    rows,
    spent_in,
    store_in,
    with_totals,
)
from sft_pipeline_tests.clients.labels.label_world import record, write_records
from sft_pipeline_tests.curation.labels_world import request, requests

SIX, TEN = with_totals(6), with_totals(10)
POSITIONS = ("early", "mid", "late")

drawn = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 1, 1, None)),  # what the judge says
        st.sampled_from(POSITIONS),
        st.booleans() | st.just(True),  # whether it can be judged
        st.booleans(),  # whether the store has it
    ),
    max_size=40,
)


def table_of(drawn: Sequence[tuple[int | None, str, bool, bool]]) -> tuple[pl.DataFrame, dict[str, int | None]]:
    """Requests, and what the judge says of each text."""
    made = [
        request(f"c-{number}", turnPosition=position, leftOut=None if is_judged else "empty")
        for number, (_, position, is_judged, _) in enumerate(drawn)
    ]
    return requests(made), {row["request"]: told[0] for row, told in zip(made, drawn, strict=True)}


def saying(labels: dict[str, int | None]) -> Says:
    return lambda question, _: labels[question.request]


def shortest(table: pl.DataFrame, labels: dict[str, int | None], router: RouterName, each: int) -> list[str]:
    """The prefix, written out once more: each class has its number, in the conversation router by position."""
    share, more = divmod(each, 3)
    by_position = {position: share + (place < more) for place, position in enumerate(sorted(POSITIONS))}
    wanted = Counter(
        {
            (label, position): number
            for label in (0, 1)
            for position, number in ({"": each} if router == "session_router" else by_position).items()
        }
    )
    ids: list[str] = []
    for row in table.filter(pl.col("leftOut").is_null()).rows(named=True):
        if not +wanted:
            break
        ids.append(row["requestId"])
        wanted[labels[row["request"]], row["turnPosition"] if router == "conversation_router" else ""] -= 1  # pyright: ignore
    return ids


class TestShortestPrefix:
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(drawn, st.sampled_from(ROUTERS), st.integers(1, 5), st.integers(1, 4), st.integers(1, 9))
    def test_it_is_that_whatever_the_store_knows_and_however_the_judge_is_asked(
        self,
        drawn: list[tuple[int | None, str, bool, bool]],
        router: RouterName,
        each: int,
        ahead: int,
        at_once: int,
    ) -> None:
        table, labels = table_of(drawn)
        texts = {f"request of c-{number}" for number, told in enumerate(drawn) if told[3]}
        known = [question_of(row, FIRST) for row in table.rows(named=True) if row["request"] in texts]
        with TemporaryDirectory() as folder:
            with a_desk(Path(folder), CountingJudge(says=saying(labels))) as desk:
                list(desk.answers(known))
            judge = CountingJudge(says=saying(labels), ahead=ahead, at_once=at_once)
            verdicts = only_judged(Path(folder), table, judge, router=router, plan=with_totals(2 * each)).table()
        expected = shortest(table, labels, router, each)
        assert verdicts["requestId"].to_list() == expected
        assert set(judge.questions).isdisjoint(question.key for question in known)
        assert most_asked(judge) <= 1
        assert len(judge.questions) <= len(expected) + ahead - 1
        told = table.filter(pl.col("requestId").is_in(expected))["request"]
        assert verdicts["label"].to_list() == [labels[text] for text in told]
        assert verdicts["probability"].to_list() == [PROBABILITY[labels[text]] for text in told]
        Verdict.validate(verdicts)
        assert verdicts_are_a_prefix(verdicts, table).passed
        assert labels_are_0_or_1(verdicts).passed

    def test_all_are_judged_where_the_plan_says_so(self, tmp_path: Path) -> None:
        judge = CountingJudge()
        plan = with_totals(2, stop_when_filled=False)
        assert only_judged(tmp_path, rows(30), judge, plan=plan).table().height == 30
        assert len(judge.questions) == 30

    def test_requests_that_run_out_before_the_totals_are_all_judged(self, tmp_path: Path) -> None:
        judged = only_judged(tmp_path, rows(8), CountingJudge(says=always(1)), plan=SIX)
        assert judged.table()["label"].to_list() == [1] * 8

    def test_no_requests_have_no_verdicts_and_nobody_is_asked(self, tmp_path: Path) -> None:
        judge = CountingJudge()
        table = requests([request("c", leftOut="empty")])
        assert only_judged(tmp_path, table, judge, plan=SIX).table().is_empty()
        assert judge.asked == []


class TestPaidOnce:
    def test_a_second_run_asks_nothing_and_says_the_same(self, tmp_path: Path) -> None:
        first = only_judged(tmp_path, rows(40), CountingJudge(), plan=TEN)
        again = only_judged(tmp_path, rows(40), judge := CountingJudge(), plan=TEN)
        assert judge.asked == []
        assert again.rows == first.rows

    def test_growing_the_totals_asks_only_the_difference(self, tmp_path: Path) -> None:
        small = CountingJudge(ahead=1)
        before = only_judged(tmp_path, rows(60), small, plan=SIX).table()
        large = CountingJudge(ahead=1)
        after = only_judged(tmp_path, rows(60), large, plan=with_totals(20)).table()
        assert after.head(before.height).equals(before)
        assert len(small.asked) == before.height
        assert len(large.asked) == after.height - before.height > 0
        assert set(small.asked).isdisjoint(large.asked)

    def test_shrinking_the_totals_asks_nothing(self, tmp_path: Path) -> None:
        large = only_judged(tmp_path, rows(60), CountingJudge(), plan=with_totals(20)).table()
        small = only_judged(tmp_path, rows(60), judge := CountingJudge(), plan=SIX).table()
        assert judge.asked == []
        assert large.head(small.height).equals(small)

    def test_a_judge_that_fails_leaves_what_it_answered(self, tmp_path: Path) -> None:
        failing = CountingJudge(failure=JudgeFailed("openai/m", "it is gone", remedy="wait"), fails_after=5)
        with pytest.raises(JudgeFailed):
            only_judged(tmp_path, rows(40), failing, plan=TEN)
        only_judged(tmp_path, rows(40), again := CountingJudge(), plan=TEN)
        assert len(failing.asked) == 5
        assert set(again.asked).isdisjoint(failing.asked)

    def test_a_limit_stops_cleanly_and_a_higher_one_pays_nothing_twice(self, tmp_path: Path) -> None:
        limit, judges = 6 * COST, [CountingJudge(ahead=2) for _ in range(3)]
        with pytest.raises(BudgetSpent, match="max_cost"):
            only_judged(tmp_path, rows(60), judges[0], plan=with_totals(20), limit=limit)
        assert 0 < spent_in(tmp_path) <= limit
        with pytest.raises(BudgetSpent):
            only_judged(tmp_path, rows(60), judges[1], plan=with_totals(20), limit=spent_in(tmp_path))
        assert judges[1].asked == []
        whole = only_judged(tmp_path, rows(60), judges[2], plan=with_totals(20), limit=1.0)
        assert most_asked(CountingJudge(asked=judges[0].asked + judges[2].asked)) == 1
        assert sum(ask.cost for ask in whole.asks) <= spent_in(tmp_path) + 1e-9

    def test_first_answers_that_are_none_are_asked_again_once_and_then_unlabelled(self, tmp_path: Path) -> None:
        def stubborn(question: Question, attempt: int) -> int | None:
            return None if by_text(question) else attempt - 2 if attempt == 2 else None

        judged = only_judged(tmp_path, rows(10), judge := CountingJudge(says=stubborn), plan=SIX).table()
        assert judged["label"].to_list() == [None if by_text(_question(row)) else 0 for row in _texts(rows(10))]
        assert set(judged.filter(pl.col("label").is_null())["reason"]) == {MALFORMED}
        assert Counter(attempt for _, attempt in judge.asked) == {1: 10, 2: 10}
        only_judged(tmp_path, rows(10), again := CountingJudge(), plan=SIX)
        assert again.asked == []


def _texts(table: pl.DataFrame) -> list[str]:
    return table["request"].to_list()


def _question(text: str) -> Question:
    return Question("", text, "", {})


class TestWhatIsTold:
    def test_how_much_is_to_be_asked_at_least_and_what_it_costs_is_told_before(self, tmp_path: Path) -> None:
        told: list[str] = []
        only_judged(tmp_path, rows(40), CountingJudge(), plan=TEN, limit=1.0, told=told)
        assert told[0].startswith(
            "session_router train: 40 requests can be judged, at least 10 are needed; of these 10 are to be asked of "
            "openai/model-a, for about 0.01 USD"
        )
        again: list[str] = []
        only_judged(tmp_path, rows(40), CountingJudge(), plan=TEN, told=again)
        assert "of these 0 are to be asked" in again[0]

    def test_where_all_are_judged_the_estimate_is_of_all(self, tmp_path: Path) -> None:
        told: list[str] = []
        only_judged(tmp_path, rows(40), CountingJudge(), plan=with_totals(2, stop_when_filled=False), told=told)
        assert "at least 40 are needed; of these 40 are to be asked" in told[0]

    def test_accepted_labels_are_not_to_be_asked_for(self, tmp_path: Path) -> None:
        path = write_records(tmp_path / "records.jsonl", [record(_texts(rows(6))[0], 1)])
        import_labels(path, store_in(tmp_path), "yesterday", report=tmp_path / "bad.csv")
        told: list[str] = []
        accepted = [imported_identity("yesterday")]
        only_judged(tmp_path, rows(6), CountingJudge(), plan=SIX, accepted=accepted, told=told)
        assert "of these 5 are to be asked" in told[0]

    def test_proxies_are_for_no_money(self, tmp_path: Path) -> None:
        told: list[str] = []
        judge = HeuristicJudge(heuristic_identity("session_router", second=False), RUN)
        only_judged(tmp_path, rows(6), judge, plan=SIX, share=0.0, told=told)
        assert not any("USD" in line for line in told)
        assert "of these 1 are to be asked" in told[0]

    def test_progress_counts_what_came_of_it_and_no_text_is_told(self, tmp_path: Path) -> None:
        told: list[str] = []
        judge = CountingJudge(says=lambda question, _: None if "c-3" in question.request else by_text(question))
        with opened(tmp_path, judge, plan=TEN, told=told) as labelling:
            judged = judge_split(rows(30), labelling).table()
            progress = labelling.progress
            counts = Counter(judged["label"].to_list())
            assert (progress.label0, progress.label1, progress.unlabelled) == (counts[0], counts[1], counts[None])
            assert progress.asked == judged.height
            assert progress.wanted == "label 0: 5/5, label 1: 5/5"
            assert told[-1] == progress.told()
        assert not any("request of" in line for line in told)
