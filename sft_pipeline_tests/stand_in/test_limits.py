"""Rows, bytes, time, slots and tokens of the stand-in, as the real client of the service meets them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.exceptions import KustoApiError, KustoMultiApiError, KustoServiceError, KustoThrottlingError

from sft_pipeline_tests.stand_in import Answers, Limits, stand_in
from sft_pipeline_tests.stand_in.asking import asked, frames

NAMES = "AppEvents | project Name"


class TestLimits:
    @pytest.mark.parametrize(("limits", "told"), [(Limits(rows=5), "5 records"), (Limits(megabytes=0.001), "0.001 MB")])
    def test_a_result_is_cut_with_an_error_among_its_rows(self, answers: Answers, limits: Limits, told: str) -> None:
        with stand_in(answers, limits) as service:
            table, _, completion = frames(service, NAMES)[2:]
            assert completion["HasErrors"]
            assert told in table["Rows"][-1]["OneApiErrors"][0]["error"]["@message"]
            assert all(isinstance(row, list) for row in table["Rows"][:-1])
            with pytest.raises(KustoMultiApiError, match="E_QUERY_RESULT_SET_TOO_LARGE"):
                asked(service, NAMES)

    def test_a_request_may_lift_them(self, answers: Answers) -> None:
        with stand_in(answers, Limits(rows=5)) as service:
            assert len(asked(service, f"{NAMES} | take 6", notruncation=True).primary_results[0]) == 6
            assert len(asked(service, f"{NAMES} | take 6", truncationmaxrecords=6).primary_results[0]) == 6

    def test_hard_ones_it_may_not(self, answers: Answers) -> None:
        with stand_in(answers, Limits(rows=5, hard=True)) as service, pytest.raises(KustoMultiApiError):
            asked(service, f"{NAMES} | take 6", notruncation=True)

    def test_errors_stand_where_they_are_asked_for(self, answers: Answers) -> None:
        with stand_in(answers, Limits(rows=5)) as service:
            *_, completion, _, _ = frames(
                service,
                NAMES,
                results_v2_fragment_primary_tables=True,
                results_error_reporting_placement="end_of_table",
            )
            assert (completion["RowCount"], len(completion["OneApiErrors"])) == (5, 1)
            deferred = asked(service, NAMES, deferpartialqueryfailures=True)
            assert (len(deferred.primary_results[0]), deferred.errors_count) == (5, 1)

    def test_a_query_that_takes_longer_than_allowed_times_out(self, answers: Answers) -> None:
        with stand_in(answers, Limits(seconds=601, longest_seconds=600, scale=0)) as service:
            with pytest.raises(KustoApiError, match="timed-out on the service side after 600 seconds"):
                asked(service, NAMES, servertimeout=timedelta(minutes=30))
            with pytest.raises(KustoApiError, match="after 60 seconds"):
                asked(service, NAMES, servertimeout=timedelta(minutes=1))
            assert [entry.status for entry in service.journal] == [504, 504]

    def test_time_may_depend_on_what_is_asked(self, answers: Answers) -> None:
        with stand_in(answers, Limits(seconds=lambda given: 500 if given else 1, scale=0)) as service:
            assert len(asked(service, f"{NAMES} | take 3").primary_results[0]) == 3


class TestQueue:
    def test_no_more_queries_run_than_there_are_slots(self, answers: Answers) -> None:
        with stand_in(answers, Limits(slots=2, seconds=0.03)) as service, ThreadPoolExecutor(6) as pool:
            outcomes = [pool.submit(asked, service, f"{NAMES} | take {number}") for number in range(1, 7)]
            assert [len(outcome.result().primary_results[0]) for outcome in outcomes] == [1, 2, 3, 4, 5, 6]
            assert service.slots.highest == 2
            assert service.slots.highest_waiting >= 1

    def test_who_waits_too_long_is_sent_away(self, answers: Answers) -> None:
        limits = Limits(slots=1, seconds=0.2, queue_seconds=0.02, retry_after=7)
        with stand_in(answers, limits) as service, ThreadPoolExecutor(2) as pool:
            outcomes = [pool.submit(asked, service, f"{NAMES} | take 3") for _ in range(2)]
            errors = [outcome.exception() for outcome in outcomes]
            assert sorted(type(error).__name__ for error in errors) == ["KustoThrottlingError", "NoneType"]
            [throttled] = [error for error in errors if isinstance(error, KustoThrottlingError)]
            assert throttled.args[1].headers["Retry-After"] == "7"


class TestTokens:
    def test_a_request_needs_a_token_that_has_not_expired(self, answers: Answers) -> None:
        with stand_in(answers, tokens={"good"}) as service:
            built = KustoConnectionStringBuilder.with_aad_user_token_authentication(service.url, "good")
            with KustoClient(built) as client:
                assert len(client.execute_query(service.database, f"{NAMES} | take 3").primary_results[0]) == 3
                service.tokens = {"better"}
                with pytest.raises(KustoServiceError, match="401"):
                    client.execute_query(service.database, f"{NAMES} | take 3")
            with pytest.raises(KustoServiceError, match="401"):
                asked(service, NAMES)
            assert [entry.status for entry in service.journal] == [200, 401, 401]
            assert "good" not in repr(service.journal)

    def test_where_to_sign_in_is_told(self, answers: Answers) -> None:
        with stand_in(answers) as service:
            told = requests.get(f"{service.url}/v1/rest/auth/metadata", timeout=30).json()
        assert told["AzureAD"]["LoginEndpoint"] == "https://login.microsoftonline.com"
