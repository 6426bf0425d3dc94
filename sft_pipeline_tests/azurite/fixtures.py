"""The fixtures `azurite`, one server per test process, `container`, a new one per test, and `proxy`, faults before it.

Without node and npm, or before Azurite is installed, tests that ask for them are skipped with the reason.
"""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

import pytest
from azure.storage.blob import ContainerClient

from sft_pipeline_tests.azurite.fault_proxy import Proxied, proxied
from sft_pipeline_tests.azurite.server import Azurite, running, why_not


class Container(NamedTuple):
    """A container, empty at first, and a client that may do anything in it."""

    name: str
    url: str
    client: ContainerClient


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if reason := why_not():
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture
def container(azurite: Azurite) -> Iterator[Container]:
    name = f"test-{uuid4().hex}"
    with ContainerClient(azurite.account_url, name, credential=azurite.account_key) as client:
        client.create_container()
        yield Container(name, f"{azurite.account_url}/{name}", client)
        if client.exists():
            client.delete_container()


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxied]:
    with proxied(azurite) as one:
        yield one
