"""Chunks that are too large, lose rows or are asked for twice. Numbers are those of the faults."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.clients.kusto.chunk_queries import MOST_PARTS, ChunkAnswer, ChunkQueries
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline_tests.faults.fault_world import (
    CANDIDATES,
    FaultWorld,
    candidates,
    candidates_of,
    chunk_queries,
    counts,
)
from sft_pipeline_tests.stand_in import Asked, Fault, Limits, Service, scripted, stand_in

CHUNK = 1
TOO_LARGE: tuple[Fault, ...] = ("too_large", "low_memory", "runaway", "timeout")

Cut = None | tuple["Cut", "Cut"]
"""None: a chunk that fits. A pair: one that does not, and its halves."""

cuts: st.SearchStrategy[Cut] = st.recursive(st.none(), lambda half: st.tuples(half, half), max_leaves=8)


def taken(queries: ChunkQueries, world: FaultWorld, chunk: int = CHUNK) -> ChunkAnswer:
    return queries.take(CANDIDATES, world.parameters(chunk))


def too_large(cut: Cut, chunk: int, count: int) -> Iterator[tuple[int, int]]:
    """The chunks and parts that do not fit."""
    if cut is not None:
        yield chunk, count
        yield from too_large(cut[0], chunk, 2 * count)
        yield from too_large(cut[1], chunk + count, 2 * count)


def refused(world: FaultWorld, queries: ChunkQueries) -> KustoQueryFailed:
    with pytest.raises(KustoQueryFailed) as raised:
        taken(queries, world)
    assert "chunk 1-of-4 of 2026-10-17 to 2026-11-01" in raised.value.message
    return raised.value


class TestTooLarge:
    @pytest.mark.parametrize("limits", [Limits(rows=30, hard=True), Limits(megabytes=0.03, hard=True)])
    def test_fault_10_a_result_that_is_too_large_is_asked_for_in_parts(self, world: FaultWorld, limits: Limits) -> None:
        with stand_in(world.answers, limits) as service, chunk_queries(service) as queries:
            answer = taken(queries, world)
            codes = [entry.status for entry in service.journal]
        assert world.curated(answer.rows, CHUNK) == world.truth[CHUNK]
        assert len(answer.parts) >= 2
        assert answer.parts[0].startswith("1-of-")
        assert set(codes) == {200}

    def test_fault_10_a_small_result_is_asked_for_whole(self, service: Service, world: FaultWorld) -> None:
        with chunk_queries(service) as queries:
            assert taken(queries, world).parts == ("1-of-4",)
        assert [candidates(entry.asked) for entry in service.journal] == [True, False]

    def test_fault_10_what_fits_no_chunk_is_refused(self, world: FaultWorld) -> None:
        """A conversation that is larger than the limit: no part is small enough."""
        with stand_in(world.answers, Limits(megabytes=0.0001, hard=True)) as service, chunk_queries(service) as queries:
            failed = refused(world, queries)
            smallest = max(int(str(entry.parameters["chunkCount"])) for entry in service.journal)
        assert (failed.kind, smallest) == ("too_large", 4 * MOST_PARTS)
        assert "E_QUERY_RESULT_SET_TOO_LARGE" in failed.message

    @pytest.mark.parametrize("fault", ["low_memory", "runaway"])
    def test_fault_11_a_query_without_memory_is_asked_in_parts(
        self, service: Service, world: FaultWorld, fault: Fault
    ) -> None:
        service.faults = scripted(fault)
        with chunk_queries(service) as queries:
            answer = taken(queries, world)
        assert world.curated(answer.rows, CHUNK) == world.truth[CHUNK]
        assert answer.parts == ("1-of-8", "5-of-8")

    @pytest.mark.parametrize("fault", ["low_memory", "runaway"])
    def test_fault_11_memory_that_never_suffices_is_refused(
        self, service: Service, world: FaultWorld, fault: Fault
    ) -> None:
        service.faults = scripted(fault, where=candidates, repeat=True)
        with chunk_queries(service) as queries:
            assert refused(world, queries).kind == "too_large"
        assert len(service.journal) < 10

    def test_fault_12_a_timeout_makes_parts_and_no_longer_timeout(self, world: FaultWorld) -> None:
        """The whole chunk takes 800 s by the service's clock, of 600 that it allows."""
        limits = Limits(
            seconds=lambda given: 3200 / int(str(given["chunkCount"])) if "maxTurns" in given else 1,
            longest_seconds=600,
            scale=0,
        )
        with stand_in(world.answers, limits) as service, chunk_queries(service) as queries:
            answer = taken(queries, world)
            asked = service.journal.of(candidates)
        assert world.curated(answer.rows, CHUNK) == world.truth[CHUNK]
        assert ([entry.status for entry in asked], answer.parts) == ([504, 200, 200], ("1-of-8", "5-of-8"))
        assert len({entry.asked.options["servertimeout"] for entry in asked}) == 1

    @settings(max_examples=20, deadline=None)
    @given(st.lists(cuts, min_size=4, max_size=4), st.sampled_from(TOO_LARGE))
    def test_parts_hold_every_conversation_once_whatever_is_too_large(
        self, world: FaultWorld, several: list[Cut], fault: Fault
    ) -> None:
        large = set(chain.from_iterable(too_large(cut, chunk, 4) for chunk, cut in enumerate(several)))

        def faults(asked: Asked) -> Fault | None:
            part = asked.parameters["chunk"], asked.parameters["chunkCount"]
            return fault if candidates(asked) and part in large else None

        with stand_in(world.answers, faults=faults) as service, chunk_queries(service) as queries:
            for chunk in range(4):
                answer = taken(queries, world, chunk)
                sizes = [Fraction(1, int(part.partition("-of-")[2])) for part in answer.parts]
                assert sum(sizes) == Fraction(1, 4)
                assert tuple(sorted(answer.rows["conversationId"])) == world.ids[chunk]
                assert world.curated(answer.rows, chunk) == world.truth[chunk]


class TestCounted:
    def test_fault_20_a_lost_row_is_noticed_and_asked_for_again(self, service: Service, world: FaultWorld) -> None:
        service.faults = scripted("rows_dropped", where=candidates)
        with chunk_queries(service) as queries:
            answer = taken(queries, world)
        assert world.curated(answer.rows, CHUNK) == world.truth[CHUNK]
        assert [entry.fault for entry in service.journal] == ["rows_dropped", None, None, None]

    def test_fault_20_rows_that_are_always_lost_are_refused(self, service: Service, world: FaultWorld) -> None:
        service.faults = scripted("rows_dropped", where=candidates, repeat=True)
        with chunk_queries(service) as queries:
            failed = refused(world, queries)
        there = len(world.ids[CHUNK])
        assert f"holds {there - 1} conversations, but the cluster counts {there}" in failed.message
        assert failed.kind == "transient"

    def test_fault_20_a_part_that_lost_a_row_is_noticed(self, service: Service, world: FaultWorld) -> None:
        service.faults = scripted("too_large", "rows_dropped", where=candidates)
        with chunk_queries(service) as queries:
            answer = taken(queries, world)
        assert world.curated(answer.rows, CHUNK) == world.truth[CHUNK]

    def test_fault_20_a_count_that_is_lost_is_no_count(self, service: Service, world: FaultWorld) -> None:
        service.faults = scripted("rows_dropped", where=counts)
        with chunk_queries(service) as queries:
            answer = taken(queries, world)
        assert world.curated(answer.rows, CHUNK) == world.truth[CHUNK]

    def test_fault_20_a_count_that_is_always_lost_is_refused(self, service: Service, world: FaultWorld) -> None:
        service.faults = scripted("rows_dropped", where=counts, repeat=True)
        with chunk_queries(service) as queries:
            refused(world, queries)


class TestAskedTwice:
    def test_fault_18_a_chunk_asked_for_twice_gives_the_same_bytes(self, service: Service, world: FaultWorld) -> None:
        with chunk_queries(service) as queries:
            first, second = taken(queries, world), taken(queries, world)
        assert world.curated(first.rows, CHUNK) == world.curated(second.rows, CHUNK) == world.truth[CHUNK]

    def test_fault_18_an_answer_that_was_cut_at_its_end_and_came_again_is_kept_once(
        self, service: Service, world: FaultWorld
    ) -> None:
        service.faults = scripted("cut_chunked", "no_end", where=candidates_of(CHUNK))
        with chunk_queries(service) as queries:
            answer = taken(queries, world)
        assert tuple(sorted(answer.rows["conversationId"])) == world.ids[CHUNK]
