"""Every query of the catalog on a real cluster and on the embedded engine: the same answer to the same raw events.

Off by default. With a cluster that holds telemetry (the last whole day, one of 400 chunks):

    az login
    SFT_LIVE_CLUSTER=https://... SFT_LIVE_DATABASE=... pytest -m live

With an empty database, such as that of the Kusto emulator's container, which is then given the hand-written world:

    SFT_LIVE_CLUSTER=http://localhost:8080 SFT_LIVE_DATABASE=NetDefaultDB SFT_LIVE_AUTH=none SFT_LIVE_LOAD=1 \
        pytest -m live

`SFT_LIVE_WINDOW` is the day at which the window ends, `SFT_LIVE_DAYS` its length, `SFT_LIVE_CHUNK_COUNT` the number of
chunks. Failures name columns and ids, never texts. A cluster keeps tenths of microseconds, which raw events do not.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.kusto.data import KustoClient

from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.connecting import connection
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.queries.catalog import list_queries, load_query, query_from_file
from sft_pipeline.telemetry.events import write_events
from sft_pipeline_tests.live.comparing import first_difference
from sft_pipeline_tests.live.loading import load
from sft_pipeline_tests.live.settings import LiveSettings, live_settings, service_principal
from sft_pipeline_tests.scenario import world_events

pytestmark = pytest.mark.live

RAW_EVENTS = Path(__file__).with_name("raw_events.kql")


@pytest.fixture(scope="module")
def settings() -> LiveSettings:
    found = live_settings(os.environ, datetime.now(UTC).date())
    return found or pytest.skip("no cluster: set SFT_LIVE_CLUSTER and SFT_LIVE_DATABASE")


@pytest.fixture(scope="module")
def cluster(settings: LiveSettings) -> Iterator[ClusterKusto]:
    """The cluster, with something to ask for."""
    credentials = service_principal(os.environ)
    if settings.load:
        with KustoClient(connection(settings.cluster, settings.auth, credentials)) as client:
            load(client, settings.database, world_events())
    kusto = ClusterKusto(settings.cluster, settings.database, auth=settings.auth, credentials=credentials)
    yield kusto
    kusto.close()


@pytest.fixture(scope="module")
def embedded(settings: LiveSettings, cluster: ClusterKusto, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedKusto:
    """The embedded engine over the chunk's raw events, as the cluster gives them."""
    folder = tmp_path_factory.mktemp("chunk")
    events = cluster.execute(query_from_file(RAW_EVENTS), settings.parameters)
    if events.is_empty():
        pytest.fail("the chunk holds no events: name another SFT_LIVE_WINDOW, or a smaller SFT_LIVE_CHUNK_COUNT")
    write_events(events, folder, part=0)
    return EmbeddedKusto(folder, store=folder / "store", staged_chunks=1)


@pytest.mark.parametrize("name", list_queries())
def test_both_engines_give_the_same_answer(
    name: str, settings: LiveSettings, cluster: ClusterKusto, embedded: EmbeddedKusto
) -> None:
    query = load_query(name)
    there, here = (kusto.execute(query, settings.parameters) for kusto in (cluster, embedded))
    difference = first_difference(there, here, query.header.result)
    assert difference == ""


def test_there_are_candidates_to_compare(settings: LiveSettings, cluster: ClusterKusto) -> None:
    found = cluster.execute(load_query("sft_candidates_hash_chunked"), settings.parameters)
    assert found.filter(dropReason="").height > 0, "name another SFT_LIVE_WINDOW, or a smaller SFT_LIVE_CHUNK_COUNT"
