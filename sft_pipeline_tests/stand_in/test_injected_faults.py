"""Faults on demand: each looks to a plain client as it does on a real service, and seeds repeat themselves."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline_tests.stand_in import FAULTS, Answers, Asked, Fault, Limits, Service, scripted, seeded, stand_in

TEN = "AppEvents | project Name | take 10"
OTHER = "print other = 1"


@pytest.fixture
def service(answers: Answers) -> Iterator[Service]:
    with stand_in(answers, Limits(queue_seconds=0.02, retry_after=3)) as running:
        yield running


def ask(service: Service, text: str = TEN) -> requests.Response:
    body = {"db": service.database, "csl": text, "properties": "{}"}
    return requests.post(f"{service.url}/v2/rest/query", json=body, timeout=30)


def asked(text: str = TEN, **parameters: int) -> Asked:
    return Asked("/v2/rest/query", "db", text, parameters)


def error_of(response: requests.Response) -> dict[str, Any]:
    return response.json()["error"]


def table_of(response: requests.Response) -> dict[str, Any]:
    return response.json()[2]


def rows_of(response: requests.Response) -> int:
    return sum(isinstance(row, list) for row in table_of(response)["Rows"])


@pytest.mark.parametrize(
    ("fault", "status", "code", "permanent"),
    [
        ("throttled", 429, "TooManyRequests", False),
        ("throttled_in_queue", 429, "TooManyRequests", False),
        ("internal_error", 500, "Internal service error", False),
        ("unavailable", 503, "ServiceNotAvailable", False),
        ("timeout", 504, "RequestExecutionTimeout", False),
        ("semantic_error", 400, "General_BadRequest", True),
        ("unauthorized", 401, "Unauthorized", True),
        ("forbidden", 403, "Forbidden", True),
    ],
)
def test_a_refusal_has_its_status_and_error(
    service: Service, fault: Fault, status: int, code: str, *, permanent: bool
) -> None:
    service.faults = scripted(fault)
    response = ask(service)
    error = error_of(response)
    assert (response.status_code, error["code"], error["@permanent"]) == (status, code, permanent)
    assert ("Retry-After" in response.headers) == (fault == "throttled")
    assert rows_of(ask(service)) == 10


def test_a_gateway_speaks_no_json(service: Service) -> None:
    service.faults = scripted("bad_gateway")
    response = ask(service)
    assert (response.status_code, response.headers["Content-Type"]) == (502, "text/html")


@pytest.mark.parametrize("fault", ["reset", "cut", "cut_chunked"])
def test_a_connection_breaks(service: Service, fault: Fault) -> None:
    service.faults = scripted(fault)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask(service)
    assert rows_of(ask(service)) == 10


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("error_in_rows", "0x80DA0002"),
        ("permanent_error_in_rows", "0x80DA0002"),
        ("too_large", "E_QUERY_RESULT_SET_TOO_LARGE"),
        ("low_memory", "E_LOW_MEMORY_CONDITION"),
        ("runaway", "E_RUNAWAY_QUERY"),
    ],
)
def test_an_error_stands_among_half_the_rows_and_at_the_end(service: Service, fault: Fault, told: str) -> None:
    service.faults = scripted(fault)
    response = ask(service)
    [error] = table_of(response)["Rows"][-1]["OneApiErrors"]
    assert (response.status_code, rows_of(response)) == (200, 5)
    assert told in error["error"]["@message"]
    assert error["error"]["@permanent"] == (fault == "permanent_error_in_rows")
    end = response.json()[-1]
    assert (end["HasErrors"], len(end["OneApiErrors"])) == (True, 1)


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("has_errors", {"FrameType": "DataSetCompletion", "HasErrors": True, "Cancelled": False}),
        ("cancelled", {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": True}),
    ],
)
def test_the_last_frame_alone_tells(service: Service, fault: Fault, end: dict[str, Any]) -> None:
    service.faults = scripted(fault)
    response = ask(service)
    assert (rows_of(response), response.json()[-1]) == (5, end)


def test_an_answer_has_no_end(service: Service) -> None:
    service.faults = scripted("no_end")
    response = ask(service)
    assert (rows_of(response), response.json()[-1]["FrameType"]) == (5, "DataTable")


def test_a_deferred_error_stands_in_the_status_table(service: Service) -> None:
    service.faults = scripted("deferred_error")
    response = ask(service)
    *_, status, end = response.json()
    levels = [row[[column["ColumnName"] for column in status["Columns"]].index("Level")] for row in status["Rows"]]
    assert (rows_of(response), levels, end["HasErrors"]) == (5, [4, 2], False)


def test_a_row_is_lost_without_a_word(service: Service) -> None:
    service.faults = scripted("rows_dropped")
    response = ask(service)
    assert (rows_of(response), response.json()[-1]["HasErrors"]) == (9, False)


def test_a_slow_answer_is_whole(answers: Answers) -> None:
    with stand_in(answers, Limits(seconds=0.05), faults=scripted(None, "slow")) as service:
        usual, slow = ask(service), ask(service)
    assert (rows_of(usual), rows_of(slow)) == (10, 10)
    assert slow.elapsed.total_seconds() >= 0.1


def test_a_script_waits_for_the_requests_it_is_about(service: Service) -> None:
    service.faults = scripted("unavailable", None, "timeout", where=lambda one: one.text == TEN)
    statuses = [ask(service, text).status_code for text in (OTHER, TEN, TEN, OTHER, TEN, TEN)]
    assert statuses == [200, 503, 200, 200, 504, 200]
    assert [entry.fault for entry in service.journal] == [None, "unavailable", None, None, "timeout", None]


class TestSeeds:
    @staticmethod
    def drawn(seed: int, chunks: list[int], **options: Any) -> dict[int, list[Fault | None]]:
        """The faults of each chunk's requests, asked in this order."""
        faults = seeded(seed, **options)
        told: dict[int, list[Fault | None]] = {}
        for chunk in chunks:
            told.setdefault(chunk, []).append(faults(asked(chunk=chunk)))
        return told

    @given(st.integers(0, 1000), st.permutations([0, 1, 2] * 6))
    def test_a_seed_repeats_itself_whatever_the_order_of_chunks(self, seed: int, order: list[int]) -> None:
        assert self.drawn(seed, order) == self.drawn(seed, sorted(order))

    def test_threads_change_nothing(self) -> None:
        faults, chunks = seeded(5), [number % 8 for number in range(160)]

        def drawn(chunk: int) -> tuple[int, Fault | None]:
            return chunk, faults(asked(chunk=chunk))

        with ThreadPoolExecutor(8) as pool:
            mixed = Counter(pool.map(drawn, chunks))
        in_turn = self.drawn(5, chunks)
        assert mixed == Counter((chunk, fault) for chunk, told in in_turn.items() for fault in told)

    def test_seeds_differ_and_faults_come_as_often_as_said(self) -> None:
        several = [self.drawn(seed, [0] * 50, probability=0.3, longest=50)[0] for seed in range(20)]
        assert len({tuple(told) for told in several}) == 20
        hits = [fault for told in several for fault in told if fault]
        assert 240 < len(hits) < 360
        assert set(hits) == set(FAULTS)

    def test_a_patient_client_gets_through(self) -> None:
        told = self.drawn(1, [0] * 40, probability=1.0, kinds=("reset", "timeout"), longest=3)[0]
        assert [fault is None for fault in told] == [False, False, False, True] * 10

    def test_only_what_matches_fails(self) -> None:
        def is_one(asked: Asked) -> bool:
            return asked.parameters["chunk"] == 1

        told = self.drawn(1, [0, 1] * 10, probability=1.0, where=is_one)
        assert set(told[0]) == {None}
        assert None not in told[1][:3]
