"""Money is counted as it goes, and held back for what is under way."""

from dataclasses import replace

import pytest

from sft_pipeline.clients.labelling.budget import Budget, BudgetSpent
from sft_pipeline.curation.judging import CONFLICT, Question
from sft_pipeline_tests.clients.labelling.judged_world import PRICE
from sft_pipeline_tests.clients.labels.label_world import ask, key_of

QUESTIONS = [Question(key_of(number), "why?", "", {}) for number in range(10)]
EACH = Budget(0.0, PRICE).estimate(QUESTIONS[0])


def taken(budget: Budget, questions: list[Question] = QUESTIONS) -> int:
    return len(list(budget.allowed(questions)))


class TestEstimate:
    def test_what_is_read_costs_by_its_length_and_the_prompt_comes_on_top(self) -> None:
        budget = Budget(0.0, PRICE.model_copy(update={"input": 2.0, "output": 8.0}))
        long = Question("k", "x" * 3_500, "y" * 3_500, {})
        assert budget.estimate(Question("k", "", "", {})) == pytest.approx((800 * 2 + 2 * 8) / 1e6)
        assert budget.estimate(long) == pytest.approx((2_800 * 2 + 2 * 8) / 1e6)

    def test_other_scripts_have_more_tokens_to_a_character(self) -> None:
        budget = Budget(0.0, PRICE)
        read = {text: budget.estimate(Question("k", text * 1_000, "", {})) - EACH for text in "x漢"}
        assert read["漢"] == pytest.approx(3 * read["x"], rel=0.01)
        assert budget.estimate(Question("k", "\ud800", "", {})) > 0

    def test_a_batch_costs_its_share_and_proxies_nothing(self) -> None:
        assert Budget(0.0, PRICE, 0.5).estimate(QUESTIONS[0]) == pytest.approx(EACH / 2)
        assert (Budget(1.0, PRICE, 0.0).is_for_money, Budget(1.0, PRICE, 0.0).estimate(QUESTIONS[0])) == (False, 0.0)


class TestLimit:
    def test_no_limit_lets_all_be_asked(self) -> None:
        assert taken(Budget(0.0, PRICE, spent=1e9)) == len(QUESTIONS)

    def test_no_more_is_under_way_than_the_limit_pays_for(self) -> None:
        assert taken(Budget(3.5 * EACH, PRICE)) == 3
        assert taken(Budget(3.5 * EACH, PRICE, spent=3 * EACH)) == 0

    def test_an_answer_that_cost_less_leaves_room_for_another_question(self) -> None:
        budget = Budget(1.5 * EACH, PRICE)
        seen = 0
        for question in budget.allowed(QUESTIONS):
            budget.paid(ask(0, key=question.key, cost=EACH / 10))
            seen += 1
        assert seen == 6
        assert budget.spent == pytest.approx(6 * EACH / 10)

    def test_a_first_answer_that_is_none_goes_on_holding_money_back(self) -> None:
        budget = Budget(1.5 * EACH, PRICE)
        allowed = budget.allowed(QUESTIONS)
        first = next(allowed)
        budget.paid(ask(0, None, key=first.key, cost=0.0))
        assert next(allowed, None) is None
        budget.paid(ask(0, None, key=first.key, attempt=2, cost=0.0))
        assert taken(budget) == 1

    def test_answers_in_conflict_decide_and_hold_nothing_back(self) -> None:
        budget = Budget(1.5 * EACH, PRICE)
        first = next(budget.allowed(QUESTIONS))
        budget.paid(replace(ask(0, None, key=first.key), cost=0.0, reason=CONFLICT))
        assert taken(budget) == 1

    def test_questions_that_nobody_waits_for_hold_nothing_back(self) -> None:
        budget = Budget(3.5 * EACH, PRICE)
        assert taken(budget) == 3
        budget.release(question.key for question in QUESTIONS)
        assert taken(budget) == 3

    def test_what_proxies_say_is_never_held_back(self) -> None:
        assert taken(Budget(0.01, PRICE, 0.0)) == len(QUESTIONS)


def test_the_refusal_says_what_was_spent_of_how_much_and_what_to_do() -> None:
    refusal = Budget(5.0, PRICE, spent=4.994).refusal()
    assert isinstance(refusal, BudgetSpent)
    assert "max_cost" in refusal.what
    assert "4.99 of 5.00 USD" in refusal.what
    assert "routers.judging.max_cost" in refusal.remedy
    assert Budget(0.0, PRICE, spent=1_234.5).told() == "1,234.50 USD"
