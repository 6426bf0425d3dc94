"""A small release, and a process that publishes it, for tests that kill it.

Belongs here: what it publishes, starting it. Does not belong here: when it is killed (fault_rules).
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import polars as pl

from sft_pipeline.clients.blob.credentials import read_credentials
from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.clients.publishing import Published, publish
from sft_pipeline.clients.release_store import StoredFile
from sft_pipeline.curation.release import Curation
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.clients.blob.store_world import LARGE, entered
from sft_pipeline_tests.records_world import MOMENT, SMALL, curation_of, samples_of

Work = Literal["release", "large"]

PLAN = SMALL.only("val")
"""Three cells, so that few steps make a release."""


def publish_small(store: BlobReleaseStore, run_id: str) -> Published:
    """Upload the artifacts and publish them."""
    return publish(store, uploaded(store, run_id=run_id), moment=MOMENT)


def uploaded(store: BlobReleaseStore, **changes: Any) -> Curation:
    """Its artifacts alone."""
    return curation_of(store, PLAN, _samples(), **changes)


@cache
def _samples() -> dict[str, pl.DataFrame]:
    return samples_of(PLAN)


def put_large(store: BlobReleaseStore) -> StoredFile:
    """Upload a file of several blocks."""
    return store.put("large.json", [LARGE])


def start(server: Azurite, container: str, folder: str, work: Work) -> subprocess.Popen[bytes]:
    """A process that does either."""
    command = [sys.executable, "-m", __name__, server.account_url, container, folder, work]
    return subprocess.Popen(command, env={**_others(os.environ), **server.environment}, stderr=subprocess.PIPE)


def _others(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("AZURE_")}


if __name__ == "__main__":
    _account_url, _container, _folder, _work = sys.argv[1:]
    with entered(Azurite(_account_url, account_key=read_credentials().key), _container, _folder) as _store:
        put_large(_store) if _work == "large" else publish_small(_store, run_id="killed")
