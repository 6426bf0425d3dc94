"""Faults of one query's answer: the real client takes the whole of it or nothing. Numbers are those of the faults."""

import logging
from time import monotonic
from types import SimpleNamespace

import polars as pl
import pytest
import tenacity
from azure.kusto.data import KustoConnectionStringBuilder

from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.kusto.retries import Retries
from sft_pipeline_tests.faults.fault_world import CANDIDATES, QUICK, FaultWorld, candidates, chunk_queries, cluster
from sft_pipeline_tests.stand_in import Fault, Limits, Service, scripted, seeded, stand_in

CHUNK = 1


def rows_of(kusto: ClusterKusto, world: FaultWorld) -> pl.DataFrame:
    return kusto.execute(CANDIDATES, world.parameters(CHUNK))


def failure(kusto: ClusterKusto, world: FaultWorld) -> KustoQueryFailed:
    """What the client says when it gives up; an answer would be a failure of the test."""
    with pytest.raises(KustoQueryFailed) as raised:
        rows_of(kusto, world)
    return raised.value


def require_recovery(service: Service, world: FaultWorld, *faults: Fault) -> None:
    """After the faults, the whole answer, by one request more than there were faults."""
    service.faults, before = scripted(*faults), len(service.journal)
    with cluster(service) as kusto:
        assert world.curated(rows_of(kusto, world), CHUNK) == world.truth[CHUNK]
    assert [entry.fault for entry in list(service.journal)[before:]] == [*faults, None]


def require_refusal(service: Service, world: FaultWorld, fault: Fault) -> KustoQueryFailed:
    """A fault that does not pass: no rows, after as many attempts as the client has."""
    service.faults, before = scripted(fault, repeat=True), len(service.journal)
    with cluster(service) as kusto:
        failed = failure(kusto, world)
    assert (failed.kind, len(service.journal) - before) == ("transient", QUICK.attempts)
    assert "run again" in failed.remedy
    return failed


class TestBeforeTheAnswer:
    def test_fault_01_throttling_is_waited_out_as_long_as_the_service_asks(self, world: FaultWorld) -> None:
        with stand_in(world.answers, Limits(retry_after=0.15)) as service, cluster(service) as kusto:
            rows_of(kusto, world)
            service.faults, started = scripted("throttled", "throttled"), monotonic()
            rows = rows_of(kusto, world)
            assert monotonic() - started >= 0.3
            assert world.curated(rows, CHUNK) == world.truth[CHUNK]
            assert [entry.status for entry in service.journal] == [200, 429, 429, 200]

    def test_fault_01_a_throttled_client_runs_fewer_queries_at_a_time(
        self, service: Service, world: FaultWorld
    ) -> None:
        service.faults = scripted("throttled")
        with cluster(service, slots=4) as kusto:
            rows_of(kusto, world)
            assert kusto.slots.limit == 2
            for _ in range(4):
                rows_of(kusto, world)
            assert kusto.slots.limit > 2

    def test_fault_01_queries_that_failed_together_do_not_return_together(
        self, monkeypatch: pytest.MonkeyPatch, world: FaultWorld
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=pauses.append))
        with stand_in(world.answers, Limits(retry_after=2)) as service:
            down: list[Fault] = ["throttled", "unavailable"]
            service.faults = scripted(*down[:1] * 5, None, *down[1:] * 5)
            with cluster(service, retries=Retries(first_seconds=1, longest_seconds=4)) as kusto:
                rows_of(kusto, world)
                rows_of(kusto, world)
        asked_for, own = pauses[:5], pauses[5:]
        assert all(2 <= pause <= 6 for pause in asked_for)
        assert all(0 <= pause <= 4 for pause in own)
        assert len({round(pause, 6) for pause in pauses}) == 10

    def test_fault_02_who_is_sent_away_from_the_queue_comes_back_with_fewer(self, world: FaultWorld) -> None:
        limits = Limits(slots=1, seconds=0.04, queue_seconds=0.03, retry_after=None)
        patient = Retries(attempts=20, first_seconds=0.05, longest_seconds=0.1)
        with stand_in(world.answers, limits) as service, chunk_queries(service, retries=patient) as queries:
            chunks = [world.parameters(chunk) for chunk in range(4)]
            with queries.ahead(CANDIDATES, chunks) as (ready, _):
                for chunk in ready:
                    rows = queries.take(CANDIDATES, chunks[chunk]).rows
                    assert world.curated(rows, chunk) == world.truth[chunk]
            statuses = [entry.status for entry in service.journal]
            assert 429 in statuses
            assert queries.kusto.slots.limit < 5
            assert statuses.count(200) == 8

    def test_fault_02_a_wait_in_vain_is_a_reason_to_ask_again(self, service: Service, world: FaultWorld) -> None:
        require_recovery(service, world, "throttled_in_queue", "throttled_in_queue")

    @pytest.mark.parametrize("fault", ["internal_error", "bad_gateway", "unavailable", "reset"])
    def test_fault_03_a_service_that_is_down_is_asked_again(
        self, service: Service, world: FaultWorld, fault: Fault
    ) -> None:
        require_recovery(service, world, fault, fault)
        require_refusal(service, world, fault)

    def test_fault_13_a_renamed_column_is_refused_at_once_by_name(self, service: Service, world: FaultWorld) -> None:
        service.faults = scripted("semantic_error", repeat=True)
        with cluster(service) as kusto:
            failed = failure(kusto, world)
        assert failed.kind == "permanent"
        assert "SEM0100" in failed.message
        assert "named 'x'" in failed.message
        assert f"{CANDIDATES.path}, line 12" in failed.message
        assert CANDIDATES.sha256[:12] in failed.message
        assert len(service.journal) == 1


class TestInTheAnswer:
    @pytest.mark.parametrize("fragmented", [False, True])
    @pytest.mark.parametrize("fault", ["cut", "cut_chunked"])
    def test_fault_04_a_body_that_breaks_off_gives_no_rows(
        self, world: FaultWorld, fault: Fault, *, fragmented: bool
    ) -> None:
        with stand_in(world.answers, fragmented=fragmented, fragment_rows=5) as service:
            require_recovery(service, world, fault, fault)
            require_refusal(service, world, fault)

    def test_fault_04_a_body_may_break_off_anywhere(self, world: FaultWorld) -> None:
        with stand_in(world.answers, gzip=False) as service:
            require_recovery(service, world, "cut", "cut_chunked", "reset")

    @pytest.mark.parametrize("fragmented", [False, True])
    def test_fault_05_an_error_among_the_rows_discards_all_of_them(
        self, world: FaultWorld, *, fragmented: bool
    ) -> None:
        with stand_in(world.answers, fragmented=fragmented, fragment_rows=5) as service:
            require_recovery(service, world, "error_in_rows", "error_in_rows")
            assert "0x80DA0002" in require_refusal(service, world, "error_in_rows").message

    def test_fault_05_an_error_that_will_not_pass_is_not_asked_again(self, service: Service, world: FaultWorld) -> None:
        service.faults = scripted("permanent_error_in_rows", repeat=True)
        with cluster(service) as kusto:
            failed = failure(kusto, world)
        assert (failed.kind, len(service.journal)) == ("permanent", 1)

    def test_fault_06_has_errors_discards_the_rows(self, service: Service, world: FaultWorld) -> None:
        require_recovery(service, world, "has_errors")
        assert "failed while it answered" in require_refusal(service, world, "has_errors").message

    def test_fault_07_cancelled_discards_the_rows(self, service: Service, world: FaultWorld) -> None:
        require_recovery(service, world, "cancelled")
        assert "cancelled while it answered" in require_refusal(service, world, "cancelled").message

    def test_fault_08_an_answer_without_its_end_is_none(self, service: Service, world: FaultWorld) -> None:
        require_recovery(service, world, "no_end")
        assert "has no end" in require_refusal(service, world, "no_end").message

    def test_fault_09_an_error_in_the_status_table_discards_the_rows(self, service: Service, world: FaultWorld) -> None:
        require_recovery(service, world, "deferred_error")
        assert "error beside the answer" in require_refusal(service, world, "deferred_error").message

    @pytest.mark.parametrize("fault", ["error_in_rows", "has_errors", "cancelled", "no_end", "deferred_error", "cut"])
    def test_faults_04_to_09_are_found_in_fragments_too(self, world: FaultWorld, fault: Fault) -> None:
        with stand_in(world.answers, fragmented=True, fragment_rows=3) as service:
            require_recovery(service, world, fault)


class TestTokens:
    """Fault 14: the token expires in mid-run."""

    def test_fault_14_an_expired_token_is_renewed_once(
        self, world: FaultWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with stand_in(world.answers, tokens={"token-1"}) as service:
            handed_out: list[str] = []

            def sign_in() -> KustoConnectionStringBuilder:
                handed_out.append(f"token-{len(handed_out) + 1}")
                return KustoConnectionStringBuilder.with_aad_user_token_authentication(service.url, handed_out[-1])

            with cluster(service, connect=sign_in) as kusto:
                rows_of(kusto, world)
                service.tokens = {"token-2"}
                assert world.curated(rows_of(kusto, world), CHUNK) == world.truth[CHUNK]
                rows_of(kusto, world)
                assert handed_out == ["token-1", "token-2"]
                assert [entry.status for entry in service.journal] == [200, 401, 200, 200]
        assert "token-" not in caplog.text

    def test_fault_14_a_token_that_is_never_taken_is_refused_without_showing_it(
        self, world: FaultWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with stand_in(world.answers, tokens={"other"}) as service:

            def sign_in() -> KustoConnectionStringBuilder:
                return KustoConnectionStringBuilder.with_aad_user_token_authentication(service.url, "hunter2")

            with cluster(service, connect=sign_in) as kusto:
                failed = failure(kusto, world)
            assert [entry.status for entry in service.journal] == [401, 401]
        assert failed.kind == "permanent"
        assert "hunter2" not in f"{failed}{failed!r}{caplog.text}"


def test_a_slow_answer_is_as_good_as_a_quick_one(service: Service, world: FaultWorld) -> None:
    service.faults = scripted("slow")
    with cluster(service) as kusto:
        assert world.curated(rows_of(kusto, world), CHUNK) == world.truth[CHUNK]
    assert len(service.journal) == 1


def test_many_transient_faults_in_a_row_are_outlived(service: Service, world: FaultWorld) -> None:
    kinds: list[Fault] = ["reset", "cut", "no_end", "has_errors", "unavailable", "throttled"]
    service.faults = seeded(7, probability=1.0, kinds=kinds, longest=QUICK.attempts - 1, where=candidates)
    with cluster(service) as kusto:
        assert world.curated(rows_of(kusto, world), CHUNK) == world.truth[CHUNK]
    assert len(service.journal) == QUICK.attempts
