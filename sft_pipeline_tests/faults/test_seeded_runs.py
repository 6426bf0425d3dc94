"""A hundred runs of a plan with faults on every request by chance: the same bytes as without, or a refusal by name."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.curation.extraction import chunk_parameters, curate_chunk
from sft_pipeline.curation.plan import Plan
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.faults.fault_world import (
    CANDIDATES,
    WINDOW,
    FaultWorld,
    Versions,
    chunk_queries,
    versions,
)
from sft_pipeline_tests.stand_in import FAULTS, Fault, Limits, Service, seeded, stand_in

SEEDS = range(100)
PROBABILITY = 0.2
NAMED = re.compile(r"chunk (\d+)-of-\d+ of 2026-10-17 to 2026-11-01: ")


@dataclass
class Outcome:
    """What a run came to: chunks with their versions, chunks that were refused, faults that it met."""

    chunks: dict[int, Versions] = field(default_factory=dict[int, Versions])
    refused: dict[int, KustoQueryFailed] = field(default_factory=dict[int, KustoQueryFailed])
    faults: Counter[str | None] = field(default_factory=Counter[str | None])


def run(service: Service, plan: Plan) -> Outcome:
    """All chunks as the walk makes them: asked ahead, and the run goes on after a failure that may pass."""
    outcome = Outcome()
    chunks = [chunk_parameters(plan, WINDOW, chunk=chunk) for chunk in range(plan.chunks.count)]
    with chunk_queries(service) as queries, queries.ahead(CANDIDATES, chunks) as (ready, _):
        for chunk in ready:
            try:
                answer = queries.take(CANDIDATES, chunks[chunk])
            except KustoQueryFailed as failed:
                outcome.refused[chunk] = failed
                if failed.permanent:
                    break
            else:
                outcome.chunks[chunk] = versions(curate_chunk(answer.rows, plan, chunk=chunk))
    outcome.faults.update(entry.fault for entry in service.journal)
    return outcome


def seeded_run(world: FaultWorld, seed: int) -> Outcome:
    limits = Limits(queue_seconds=0.005, retry_after=0.001)
    faults = seeded(seed, probability=PROBABILITY)
    with stand_in(world.answers, limits, faults=faults, fragmented=seed % 2 == 1, fragment_rows=7) as service:
        return run(service, world.plan)


@pytest.fixture(scope="module")
def outcomes(world: FaultWorld) -> dict[int, Outcome]:
    return {seed: seeded_run(world, seed) for seed in SEEDS}


def test_a_chunk_that_is_answered_has_the_bytes_that_it_has_without_faults(
    outcomes: dict[int, Outcome], world: FaultWorld
) -> None:
    odd = [
        (seed, chunk)
        for seed, outcome in outcomes.items()
        for chunk, versions in outcome.chunks.items()
        if versions != world.truth[chunk]
    ]
    assert odd == []


def test_a_run_has_all_chunks_or_names_those_it_has_not(outcomes: dict[int, Outcome]) -> None:
    for outcome in outcomes.values():
        require_named(outcome, chunks=4)


def require_named(outcome: Outcome, *, chunks: int) -> None:
    """Every chunk is answered, or refused by its name, or not reached after a refusal that will not pass."""
    for chunk, failed in outcome.refused.items():
        named = NAMED.search(failed.what)
        assert named is not None, failed
        assert int(named[1]) == chunk
        assert failed.remedy
    stopped = any(failed.permanent for failed in outcome.refused.values())
    assert stopped or outcome.chunks.keys() | outcome.refused.keys() == set(range(chunks))
    assert outcome.chunks.keys().isdisjoint(outcome.refused)


def test_seeds_of_both_outcomes_are_among_them(outcomes: dict[int, Outcome]) -> None:
    whole = [outcome for outcome in outcomes.values() if not outcome.refused]
    assert len(whole) >= 10
    assert len(outcomes) - len(whole) >= 10
    met = [outcome for outcome in whole if sum(outcome.faults.values()) - outcome.faults[None] >= 3]
    assert len(met) >= 10


def test_every_fault_was_met(outcomes: dict[int, Outcome]) -> None:
    met = {fault for outcome in outcomes.values() for fault in outcome.faults}
    assert met == {*FAULTS, None}


def test_a_seed_repeats_itself(outcomes: dict[int, Outcome], world: FaultWorld) -> None:
    """Of a run that is not stopped half way: what a stopped one had asked by then depends on the threads."""
    seed = next(seed for seed, outcome in outcomes.items() if outcome.faults[None] < 12 and not outcome.refused)
    again = seeded_run(world, seed)
    assert again.chunks == outcomes[seed].chunks


PASSING: tuple[Fault, ...] = (
    *("throttled", "throttled_in_queue", "internal_error", "bad_gateway", "unavailable", "reset", "cut", "cut_chunked"),
    *("error_in_rows", "has_errors", "cancelled", "no_end", "deferred_error", "unauthorized", "rows_dropped", "slow"),
)


@pytest.mark.parametrize(("kinds", "probability"), [(PASSING, 0.3), (FAULTS, 0.1)], ids=["passing", "all"])
def test_forty_chunks_come_to_the_same_bytes_or_are_named(
    world: FaultWorld, tmp_path: Path, kinds: tuple[Fault, ...], probability: float
) -> None:
    path = tmp_path / "forty.toml"
    path.write_text(world.plan_path.read_text().replace("chunks = { count = 4 }", "chunks = { count = 40 }"))
    plan, limits = read_plan(str(path)), Limits(queue_seconds=0.005, retry_after=0.001)
    faults = seeded(1, probability=probability, kinds=kinds)
    with stand_in(world.answers) as well, stand_in(world.answers, limits, faults=faults) as service:
        expected, outcome = run(well, plan), run(service, plan)
        assert service.slots.highest <= 5
    assert len(expected.chunks) == 40
    assert outcome.chunks.items() <= expected.chunks.items()
    require_named(outcome, chunks=40)
    assert kinds == FAULTS or outcome.refused == {}
    assert set(outcome.faults) > {None}
