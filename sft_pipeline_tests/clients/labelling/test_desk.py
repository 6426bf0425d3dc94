"""What the store knows is not asked, what is asked is kept at once, and who stops early pays for what is under way."""

from contextlib import closing
from pathlib import Path

import pytest

from sft_pipeline.clients.judges.heuristic_judge import HeuristicJudge
from sft_pipeline.clients.judges.protocol import JudgeFailed, Keep
from sft_pipeline.clients.judges.stored_judge import StoredJudge
from sft_pipeline.clients.labelling.budget import Budget, BudgetSpent
from sft_pipeline.clients.labelling.desk import question_of
from sft_pipeline.clients.labels.importing import imported_identity
from sft_pipeline.curation.heuristic import heuristic_identity
from sft_pipeline.curation.judging import MALFORMED, NOT_STORED, Ask, Identity, Question, input_text, question_key
from sft_pipeline_tests.clients.labelling.judged_world import (
    COST,
    FIRST,
    OTHER,
    PRICE,
    RUN,
    CountingJudge,
    a_desk,
    always,
    by_text,
    spent_in,
    store_in,
)
from sft_pipeline_tests.curation.labels_world import request

HEURISTIC = heuristic_identity("session_router", second=False)


def asked(count: int, identity: Identity = FIRST, begin: int = 0) -> list[Question]:
    return [question_of(request(f"c-{number}"), identity) for number in range(begin, begin + count)]


class TestQuestions:
    def test_a_question_has_the_address_of_its_verdict(self) -> None:
        row = request("c", history="before")
        question = question_of(row, FIRST)
        assert question.key == question_key(FIRST, input_text(row["request"], "before"))
        assert (question.request, question.history) == (row["request"], "before")

    def test_judge_history_text_and_occasion_each_make_another_one(self) -> None:
        row = request("c")
        others = [
            question_of(row, OTHER),
            question_of(row, FIRST, occasion="retest"),
            question_of({**row, "history": "before"}, FIRST),
            question_of({**row, "request": "other"}, FIRST),
        ]
        assert len({question.key for question in [question_of(row, FIRST), *others]}) == 5

    def test_ids_and_signals_make_no_other_question_to_a_language_model(self) -> None:
        row = request("c")
        assert question_of({**row, "requestId": "d#7", "toolCalls": 9}, FIRST) == question_of(row, FIRST)._replace(
            signals={**question_of(row, FIRST).signals, "toolCalls": 9}
        )

    def test_proxies_go_by_signals_alone(self) -> None:
        row = request("c")
        assert question_of({**row, "request": "other"}, HEURISTIC).key == question_of(row, HEURISTIC).key
        assert question_of({**row, "toolCalls": None}, HEURISTIC).key != question_of(row, HEURISTIC).key


class TestAnswers:
    def test_what_is_known_is_not_asked_again_and_comes_in_its_place(self, tmp_path: Path) -> None:
        judge = CountingJudge()
        with a_desk(tmp_path, judge) as desk:
            list(desk.answers(asked(3, begin=2)))
        with a_desk(tmp_path, again := CountingJudge()) as desk:
            answers = list(desk.answers(asked(7)))
            assert desk.asked == 4
        assert [asks[-1].key for asks in answers] == [question.key for question in asked(7)]
        assert [asks[-1].label for asks in answers] == [by_text(question) for question in asked(7)]
        assert len(judge.asked) == 3
        assert again.questions == [question.key for question in [*asked(2), *asked(2, begin=5)]]

    def test_equal_questions_are_asked_once(self, tmp_path: Path) -> None:
        judge = CountingJudge()
        with a_desk(tmp_path, judge) as desk:
            answers = list(desk.answers([*asked(3), *asked(5), *asked(1)]))
        assert len(answers) == 9
        assert len(judge.asked) == 5
        assert answers[0] == answers[3] == answers[8]

    def test_what_another_judge_said_is_asked(self, tmp_path: Path) -> None:
        with a_desk(tmp_path, CountingJudge()) as desk:
            list(desk.answers(asked(3)))
        with a_desk(tmp_path, other := CountingJudge(OTHER)) as desk:
            list(desk.answers(asked(3, OTHER)))
        assert len(other.asked) == 3

    def test_who_stops_early_pays_for_what_is_under_way_and_it_is_kept(self, tmp_path: Path) -> None:
        judge = CountingJudge(ahead=4)
        with a_desk(tmp_path, judge) as desk, closing(desk.answers(asked(20))) as answers:
            next(answers)
            next(answers)
        assert len(judge.asked) == 2 + 4 - 1
        with a_desk(tmp_path, again := CountingJudge()) as desk:
            list(desk.answers(asked(20)))
        assert set(again.questions).isdisjoint(judge.questions)
        assert len(again.asked) == 15

    def test_nobody_is_asked_before_an_answer_is_wanted(self, tmp_path: Path) -> None:
        judge = CountingJudge()
        with a_desk(tmp_path, judge) as desk, closing(desk.answers(asked(5))):
            pass
        assert judge.asked == []

    def test_what_was_under_way_holds_no_money_back_later(self, tmp_path: Path) -> None:
        budget = Budget(0.0, PRICE)
        with a_desk(tmp_path, CountingJudge(says=always(None), ahead=1), budget) as desk:
            with closing(desk.answers(asked(3))) as answers:
                next(answers)
            failing = CountingJudge(failure=JudgeFailed("openai/m", "it is gone", remedy="wait"))
            desk.judge = failing
            with pytest.raises(JudgeFailed):
                list(desk.answers(asked(3, begin=10)))
        budget.limit = budget.spent + budget.estimate(asked(1)[0])
        assert len(list(budget.allowed(asked(3)))) == 1


class TestFirstAnswersThatAreNone:
    def test_they_are_asked_again_once_and_then_never(self, tmp_path: Path) -> None:
        judge = CountingJudge(says=always(None))
        with a_desk(tmp_path, judge) as desk:
            answers = list(desk.answers(asked(2)))
        assert [[(ask.attempt, ask.label, ask.reason) for ask in asks] for asks in answers] == [
            [(1, None, MALFORMED), (2, None, MALFORMED)]
        ] * 2
        with a_desk(tmp_path, again := CountingJudge()) as desk:
            assert list(desk.answers(asked(2))) == answers
        assert again.asked == []

    def test_a_run_that_was_stopped_between_is_gone_on_with_at_the_second(self, tmp_path: Path) -> None:
        gone = JudgeFailed("openai/m", "it is gone", remedy="wait")
        stopped = CountingJudge(says=always(None), failure=gone, fails_after=1)
        with a_desk(tmp_path, stopped) as desk, pytest.raises(JudgeFailed):
            list(desk.answers(asked(1)))
        with a_desk(tmp_path, again := CountingJudge(says=lambda _, attempt: attempt - 1)) as desk:
            [asks] = desk.answers(asked(1))
        key = asked(1)[0].key
        assert (stopped.asked, again.asked) == ([(key, 1)], [(key, 2)])
        assert [(ask.attempt, ask.label) for ask in asks] == [(1, None), (2, 1)]

    def test_answers_that_came_for_later_questions_are_told_once(self, tmp_path: Path) -> None:
        """A batch of an earlier run may hold answers to questions of a later call."""
        later = asked(1, begin=9)[0]

        class Early(CountingJudge):
            def settled(self, question: Question, keep: Keep, ask: Ask | None) -> Ask:
                if not self.asked:
                    keep(self.answer(later, 1))
                return super().settled(question, keep, ask)

        judge = Early(says=lambda question, _: None if question == later else 0)
        with a_desk(tmp_path, judge) as desk:
            list(desk.answers(asked(1)))
            [asks] = desk.answers([later])
        assert [ask.attempt for ask in asks] == [1, 2]


class TestBudget:
    def test_it_stops_cleanly_and_a_higher_one_goes_on(self, tmp_path: Path) -> None:
        judge = CountingJudge(ahead=2)
        limit = 5 * COST
        with a_desk(tmp_path, judge, Budget(limit, PRICE)) as desk, pytest.raises(BudgetSpent):
            list(desk.answers(asked(20)))
        assert 0 < spent_in(tmp_path) <= limit
        with a_desk(tmp_path, again := CountingJudge(), Budget(30 * COST, PRICE, spent=spent_in(tmp_path))) as desk:
            list(desk.answers(asked(20)))
        assert sorted(judge.asked + again.asked) == sorted((question.key, 1) for question in asked(20))

    def test_what_is_known_is_told_when_nothing_is_left(self, tmp_path: Path) -> None:
        with a_desk(tmp_path, CountingJudge()) as desk:
            list(desk.answers(asked(3)))
        with a_desk(tmp_path, again := CountingJudge(), Budget(COST, PRICE, spent=1.0)) as desk:
            assert len(list(desk.answers(asked(3)))) == 3
            with pytest.raises(BudgetSpent):
                list(desk.answers(asked(4)))
        assert again.asked == []


class TestOtherJudges:
    def test_proxies_are_asked_and_kept_like_any_judge(self, tmp_path: Path) -> None:
        with a_desk(tmp_path, HeuristicJudge(HEURISTIC, RUN)) as desk:
            answers = list(desk.answers(asked(4, HEURISTIC)))
            assert desk.asked == 1
        assert {asks[-1].label for asks in answers} == {1}
        assert store_in(tmp_path).ledger().select("judge", "asks", "cost").rows() == [(HEURISTIC.name, 1, 0.0)]

    def test_a_judge_that_never_asks_leaves_nothing_in_the_store(self, tmp_path: Path) -> None:
        identity = imported_identity("yesterday")
        with a_desk(tmp_path, StoredJudge(identity, RUN)) as desk:
            answers = list(desk.answers(asked(3, identity)))
            assert desk.asked == 0
        assert [[ask.reason for ask in asks] for asks in answers] == [[NOT_STORED]] * 3
        assert store_in(tmp_path).ledger().is_empty()
