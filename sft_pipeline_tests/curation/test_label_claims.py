"""Every claim about labels is kept by good ones, and broken by what it is there to find."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from sft_pipeline.curation import label_claims
from sft_pipeline.curation.claims import Outcome
from sft_pipeline.curation.label_account import LabelAccount, Pairs, Who
from sft_pipeline.curation.plan import Plan
from sft_pipeline_tests.curation.labels_world import PLAN, Row, request, requests, verdict, verdicts, with_trust

ROWS = sorted(
    [request(f"c-{number:03d}", leftOut=None if number % 5 else "same_text") for number in range(50)],
    key=lambda row: (row["priority"], row["requestId"]),
)
JUDGEABLE = [row for row in ROWS if row["leftOut"] is None]
TOLD: list[Row] = [
    {**verdict(row, label), "retestLabel": label, "humanLabel": label}
    for number, row in enumerate(JUDGEABLE[:30])
    for label in [None if number == 7 else number % 2]
]
REQUESTS, VERDICTS = requests(ROWS), verdicts(TOLD)

WHO = Who(judge="openai/gpt-4.1-mini", prompt="p@0", prompt_sha256="0" * 64, parameters="{}", is_language_model=True)
GOOD_PAIRS = Pairs(both0=47, first0_second1=3, first1_second0=2, both1=48)
"""Kappa 0.9."""


def account(**figures: Any) -> LabelAccount:
    """The account of `VERDICTS` and `REQUESTS`, with other figures."""
    of_the_tables = {
        "router": "session_router",
        "split": "train",
        "who": WHO,
        "second": WHO,
        "requests": 50,
        "left_out": {"same_text": 10},
        "label0": 15,
        "label1": 14,
        "unlabelled": {"malformed_answer": 1},
        "not_asked": 10,
        "judges": {"openai/gpt-4.1-mini": 30},
        "served_models": {"gpt-4.1-mini-2025-04-14": 30},
        "retest": Pairs(both0=15, both1=14),
        "second_opinion": GOOD_PAIRS,
        "human": Pairs(both0=15, both1=14),
        "canaries": 40,
    }
    return LabelAccount.model_validate({**of_the_tables, **figures})


def every_outcome(of: LabelAccount, plan: Plan = PLAN) -> list[Outcome]:
    return [
        label_claims.every_request_is_accounted(of),
        label_claims.account_matches_the_tables(of, VERDICTS, REQUESTS),
        label_claims.verdicts_are_a_prefix(VERDICTS, REQUESTS),
        label_claims.labels_are_0_or_1(VERDICTS),
        label_claims.judge_agrees_with_itself(of, plan),
        label_claims.second_judge_agrees(of, plan),
        label_claims.canaries_keep_their_labels(of, plan),
        label_claims.people_agree(of, plan),
        label_claims.unlabelled_are_few(of, plan),
        label_claims.labels_do_not_drift(of, plan, 0.5),
    ]


def test_good_labels_keep_every_claim() -> None:
    outcomes = every_outcome(account())
    assert [outcome.name for outcome in outcomes] == [claim.name for claim in label_claims.VERDICT_CLAIMS]
    assert [outcome for outcome in outcomes if not outcome.passed] == []


def test_drift_is_told_and_everything_else_stops() -> None:
    warnings = [claim.name for claim in label_claims.VERDICT_CLAIMS if claim.severity == "warning"]
    assert warnings == ["labels_do_not_drift"]


class TestAccounts:
    def test_a_request_that_is_lost_is_found(self) -> None:
        outcome = label_claims.every_request_is_accounted(account(not_asked=9))
        assert (outcome.broken, outcome.passed) == (1, False)
        assert outcome.detail == "10 left out + 29 labelled + 1 unlabelled + 9 not asked, of 50"

    def test_a_request_that_is_counted_twice_is_found(self) -> None:
        assert label_claims.every_request_is_accounted(account(label0=16)).broken == 1

    @pytest.mark.parametrize(
        ("figures", "odd"),
        [
            ({"requests": 51}, "requests"),
            ({"left_out": {"same_text": 9, "empty": 1}}, "left_out"),
            ({"label0": 14, "label1": 15}, "label0, label1"),
            ({"unlabelled": {"answer_cut_off": 1}}, "unlabelled"),
            ({"judges": {"imported/yesterday": 30}}, "judges"),
            ({"served_models": {"gpt-4.1-mini-2025-04-14": 29}}, "served_models"),
            ({"retest": GOOD_PAIRS}, "retest"),
            ({"human": GOOD_PAIRS}, "human"),
        ],
        ids=["requests", "left out", "labels", "reasons of none", "judges", "models", "retest", "people"],
    )
    def test_an_account_of_other_tables_is_found(self, figures: dict[str, Any], odd: str) -> None:
        outcome = label_claims.account_matches_the_tables(account(**figures), VERDICTS, REQUESTS)
        assert (outcome.passed, outcome.detail) == (False, f"other in the tables: {odd}")

    def test_reasons_that_are_counted_as_none_do_not_matter(self) -> None:
        same = account(left_out={"empty": 0, "same_text": 10})
        unseen = label_claims.account_matches_the_tables(same, VERDICTS, REQUESTS)
        assert unseen.passed


class Gate(NamedTuple):
    """A claim about a kappa: of which pairs, and the plan's knob."""

    pairs: str
    claim: Callable[[LabelAccount, Plan], Outcome]
    knob: str


GATES = (
    Gate("retest", label_claims.judge_agrees_with_itself, "min_retest_kappa"),
    Gate("second_opinion", label_claims.second_judge_agrees, "min_second_kappa"),
    Gate("human", label_claims.people_agree, "min_human_kappa"),
)


@pytest.mark.parametrize("gate", GATES, ids=[gate.pairs for gate in GATES])
class TestKappas:
    def test_a_kappa_at_the_threshold_passes_and_below_it_does_not(self, gate: Gate) -> None:
        of = account(**{gate.pairs: Pairs(both0=45, first0_second1=5, first1_second0=5, both1=45)})
        assert gate.claim(of, with_trust(**{gate.knob: 0.8})).passed
        outcome = gate.claim(of, with_trust(**{gate.knob: 0.81}))
        assert (outcome.passed, outcome.broken) == (False, 1)
        assert outcome.detail.endswith("90.0% of 100 pairs agree; at least 0.81 is wanted")
        assert outcome.figures["kappa"] == 0.8
        assert outcome.figures["pairs"] == 100
        assert outcome.figures["low"] < 0.8 < outcome.figures["high"]

    def test_high_agreement_of_uneven_classes_is_no_kappa(self, gate: Gate) -> None:
        of = account(**{gate.pairs: Pairs(both0=90, first0_second1=5, first1_second0=5)})
        assert not gate.claim(of, PLAN).passed

    def test_the_other_kappas_do_not_matter(self, gate: Gate) -> None:
        bad = Pairs(both0=25, first0_second1=25, first1_second0=25, both1=25)
        others = {other.pairs: bad for other in GATES if other != gate}
        assert gate.claim(account(**others), PLAN).passed

    def test_too_few_pairs_stop_nothing_and_it_says_so(self, gate: Gate) -> None:
        few = Pairs(both0=1, first0_second1=14, first1_second0=14)
        outcome = gate.claim(account(**{gate.pairs: few}), PLAN)
        assert outcome.passed
        assert outcome.detail.endswith("fewer than the 30 that a kappa needs, so nothing is concluded")
        one_more = gate.claim(account(**{gate.pairs: few + Pairs(both1=1)}), PLAN)
        assert not one_more.passed

    def test_no_pairs_at_all_say_so(self, gate: Gate) -> None:
        outcome = gate.claim(account(**{gate.pairs: Pairs()}), PLAN)
        assert (outcome.passed, outcome.figures) == (True, {"pairs": 0})
        assert outcome.detail.startswith("no pairs: fewer than")

    def test_one_class_alone_has_no_kappa_and_agrees_throughout(self, gate: Gate) -> None:
        outcome = gate.claim(account(**{gate.pairs: Pairs(both1=40)}), PLAN)
        assert outcome.passed
        assert outcome.detail.startswith("kappa is undefined, as all labels are of one class; 100.0%")
        assert not gate.claim(account(**{gate.pairs: Pairs(both1=39, first1_second0=1)}), PLAN).passed


class TestCanaries:
    def test_as_many_may_be_missed_as_the_plan_says(self) -> None:
        names = tuple(f"canary-{number}" for number in range(6))
        kept = label_claims.canaries_keep_their_labels(account(canaries_missed=names[:4]), PLAN)
        assert (kept.tolerated, kept.passed, kept.ids) == (4, True, names[:4])
        missed = label_claims.canaries_keep_their_labels(account(canaries_missed=names), PLAN)
        assert (missed.passed, missed.broken, missed.ids) == (False, 6, names[:5])
        assert missed.detail == "34 of 40 kept their label"

    def test_none_asked_is_told(self) -> None:
        outcome = label_claims.canaries_keep_their_labels(account(canaries=0), PLAN)
        assert (outcome.passed, outcome.detail) == (True, "no canaries were asked")


class TestUnlabelled:
    def test_as_many_may_lack_a_label_as_the_plan_says(self) -> None:
        reasons = {"malformed_answer": 3, "answer_cut_off": 2}
        kept = label_claims.unlabelled_are_few(account(label0=50, label1=45, unlabelled=reasons), PLAN)
        assert (kept.passed, kept.tolerated) == (True, 5)
        assert kept.detail == "5 of 100 judged: answer_cut_off 2, malformed_answer 3"
        assert not label_claims.unlabelled_are_few(account(label0=50, label1=44, unlabelled=reasons), PLAN).passed

    def test_nothing_judged_lacks_nothing(self) -> None:
        outcome = label_claims.unlabelled_are_few(account(label0=0, label1=0, unlabelled={}), PLAN)
        assert (outcome.passed, outcome.detail) == (True, "0 of 0 judged")


class TestDrift:
    def test_a_share_that_moved_further_than_the_plan_says_is_told(self) -> None:
        of = account(label0=60, label1=40)
        assert label_claims.labels_do_not_drift(of, PLAN, 0.7).passed
        outcome = label_claims.labels_do_not_drift(of, PLAN, 0.71)
        assert not outcome.passed
        assert outcome.detail == "60.0% are label 0 (95 % interval 50.2% to 69.1%); 71.0% in the last release"
        assert outcome.figures["moved"] == pytest.approx(0.11)

    def test_without_an_earlier_release_there_is_nothing_to_move_from(self) -> None:
        outcome = label_claims.labels_do_not_drift(account(), PLAN, None)
        assert outcome.passed
        assert outcome.detail.endswith("no earlier release to compare with")

    def test_without_labels_there_is_no_share(self) -> None:
        assert label_claims.labels_do_not_drift(account(label0=0, label1=0), PLAN, 0.5).detail.startswith("no labels")


class TestVerdicts:
    def test_a_request_that_was_passed_over_is_found_with_the_one_that_came_instead(self) -> None:
        without = [*TOLD[:10], *TOLD[11:], verdict(JUDGEABLE[30], 0)]
        outcome = label_claims.verdicts_are_a_prefix(verdicts(without), REQUESTS)
        assert (outcome.broken, set(outcome.ids)) == (2, {TOLD[10]["requestId"], JUDGEABLE[30]["requestId"]})

    def test_a_request_that_is_left_out_and_judged_all_the_same_is_found(self) -> None:
        left_out = next(row for row in ROWS if row["leftOut"])
        outcome = label_claims.verdicts_are_a_prefix(verdicts([verdict(left_out, 0), *TOLD[:29]]), REQUESTS)
        assert left_out["requestId"] in outcome.ids

    def test_a_request_that_is_judged_twice_is_found(self) -> None:
        outcome = label_claims.verdicts_are_a_prefix(verdicts([*TOLD[:29], TOLD[0]]), REQUESTS)
        assert TOLD[0]["requestId"] in outcome.ids

    def test_another_priority_than_the_request_has_is_found(self) -> None:
        moved = {**TOLD[0], "priority": TOLD[0]["priority"] - 1}
        assert label_claims.verdicts_are_a_prefix(verdicts([moved, *TOLD[1:]]), REQUESTS).ids == (moved["requestId"],)

    @pytest.mark.parametrize("height", [0, 1, 29])
    def test_any_prefix_is_one(self, height: int) -> None:
        assert label_claims.verdicts_are_a_prefix(VERDICTS.head(height), REQUESTS).passed

    @pytest.mark.parametrize(
        "fields",
        [
            {"label": 2},
            {"label": None},
            {"reason": "malformed_answer"},
            {"probability": 1.5},
            {"retestLabel": -1},
            {"secondLabel": 7},
        ],
        ids=lambda fields: next(iter(fields)),
    )
    def test_what_is_no_label_is_found(self, fields: dict[str, Any]) -> None:
        odd = verdicts([{**TOLD[0], **fields}, *TOLD[1:]])
        outcome = label_claims.labels_are_0_or_1(odd)
        assert (outcome.broken, outcome.ids) == (1, (TOLD[0]["requestId"],))
