from collections.abc import Iterator

import pytest

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline_tests.faults.fault_world import CONVERSATIONS, WINDOW, FaultWorld, fault_world
from sft_pipeline_tests.stand_in import Limits, Service, stand_in


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> FaultWorld:
    """Made once; nothing changes it."""
    telemetry = tmp_path_factory.mktemp("faulty") / "telemetry"
    generate(telemetry, conversations=CONVERSATIONS, seed=11, days=15, end=WINDOW)
    engine = EmbeddedKusto(telemetry, store=tmp_path_factory.mktemp("store"), staged_chunks=4)
    return fault_world(telemetry, engine, tmp_path_factory.mktemp("world"))


@pytest.fixture
def service(world: FaultWorld) -> Iterator[Service]:
    """A service that is well until a test says otherwise, and never keeps one waiting."""
    with stand_in(world.answers, Limits(queue_seconds=0.05, retry_after=0.01)) as running:
        yield running
