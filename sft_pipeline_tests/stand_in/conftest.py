"""One hand-written world, and the answers that every service of these tests gives."""

import pytest

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.telemetry.events import write_events
from sft_pipeline_tests.scenario import world_events
from sft_pipeline_tests.stand_in import Answers


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedKusto:
    folder = tmp_path_factory.mktemp("telemetry")
    write_events(world_events(), folder, part=0)
    return EmbeddedKusto(folder, store=tmp_path_factory.mktemp("store"), staged_chunks=4)


@pytest.fixture(scope="session")
def answers(engine: EmbeddedKusto, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What every service here answers with."""
    return Answers(engine, tmp_path_factory.mktemp("answers"))
