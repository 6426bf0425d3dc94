"""The emulator that tests start: it is there, it lets its account in, and it ends with whoever started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from azure.storage.blob import BlobServiceClient

from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite, why_not

PROGRAM = """
import pathlib, psutil, sys, time
from sft_pipeline_tests.azurite.server import running
with running(pathlib.Path(sys.argv[1])):
    print(psutil.Process().children()[0].pid, flush=True)
    time.sleep(60)
"""


def test_its_connection_string_enters_it(azurite: Azurite, container: Container):
    container.client.upload_blob("a/b", b"content")
    with BlobServiceClient.from_connection_string(azurite.environment["AZURE_STORAGE_CONNECTION_STRING"]) as service:
        blob = service.get_blob_client(container.name, "a/b")
        assert blob.url == f"{container.url}/a/b"
        assert blob.download_blob().readall() == b"content"


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_it_ends_with_a_process_that_is_killed(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        server = psutil.Process(int(tests.stdout.readline()))
        os.kill(tests.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _runs(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(server)


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
