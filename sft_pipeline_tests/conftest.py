from datetime import date

import pytest

from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline_tests.azurite.fixtures import azurite, container, proxy
from sft_pipeline_tests.orchestration.labelled_world import labelled, sampled
from sft_pipeline_tests.orchestration.walked_world import World
from sft_pipeline_tests.tiny_disk import tiny_disk

__all__ = ["azurite", "container", "labelled", "proxy", "sampled", "tiny_disk", "walked"]


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One finished walk; tests that change anything copy it first."""
    world = World(tmp_path_factory.mktemp("walked"))
    generate(world.telemetry, conversations=400, seed=11, days=15, end=date(2026, 11, 1))
    world.walk()
    return world
