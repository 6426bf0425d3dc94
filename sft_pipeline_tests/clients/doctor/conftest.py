from collections.abc import Iterator
from pathlib import Path

import pytest

from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline_tests.clients.doctor.examined import laptop, twenty_conversations
from sft_pipeline_tests.stand_in import Service, stand_in


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return twenty_conversations(tmp_path_factory.mktemp("examined") / "telemetry")


@pytest.fixture(scope="module")
def service(telemetry: Path) -> Iterator[Service]:
    with stand_in(telemetry) as running:
        yield running


@pytest.fixture
def setup(tmp_path: Path, telemetry: Path) -> Setup:
    return laptop(tmp_path, telemetry)
