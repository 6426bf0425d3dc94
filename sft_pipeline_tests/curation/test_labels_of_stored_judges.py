"""A judge that only gives back what is stored: requests that nobody judged are not judged badly."""

from sft_pipeline.curation import label_claims
from sft_pipeline.curation.judging import MALFORMED, NOT_STORED
from sft_pipeline.curation.label_account import LabelAccount, Who
from sft_pipeline_tests.curation.labels_world import PLAN

WHO = Who(judge="stored/no_model", prompt="none", prompt_sha256="", parameters="{}", is_language_model=False)


def account(unlabelled: dict[str, int]) -> LabelAccount:
    return LabelAccount(
        router="session_router",
        split="train",
        who=WHO,
        second=WHO,
        requests=100 + sum(unlabelled.values()),
        left_out={},
        label0=50,
        label1=50,
        unlabelled=unlabelled,
        not_asked=0,
        judges={"imported/yesterday": 100, "stored/no_model": sum(unlabelled.values())},
        served_models={},
    )


def test_requests_without_a_stored_label_stop_no_release_and_are_told() -> None:
    outcome = label_claims.unlabelled_are_few(account({NOT_STORED: 900}), PLAN)
    assert (outcome.passed, outcome.detail) == (True, "0 of 100 judged: no_stored_label 900")


def test_answers_that_are_none_still_stop_it_however_many_are_not_stored() -> None:
    outcome = label_claims.unlabelled_are_few(account({NOT_STORED: 900, MALFORMED: 6}), PLAN)
    assert (outcome.passed, outcome.broken, outcome.tolerated) == (False, 6, 5)
