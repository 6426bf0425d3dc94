from collections.abc import Generator

import pytest

from sft_pipeline_tests.clients.judges.asking import KEY
from sft_pipeline_tests.judge_server import Served, judge_server


@pytest.fixture
def served() -> Generator[Served]:
    """A service that lets in by key."""
    with judge_server(key=KEY) as service:
        yield service
