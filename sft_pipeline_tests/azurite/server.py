"""One Azurite of the test process, everything in memory.

Belongs here: starting and ending it, and who may enter.
Does not belong here: faults (fault_proxy), the fixtures (fixtures).
"""

import re
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / "azurite"
MAIN = FOLDER / "node_modules/azurite/dist/src/blob/main.js"
MEGABYTES = "2048"
SECONDS_TO_START = 30
_LISTENS = re.compile(r"successfully listens on (http://127\.0\.0\.1:\d+)")


class Azurite(NamedTuple):
    """A running emulator, its account given by name and key. The key is the one that every Azurite has."""

    account_url: str
    account_name: str = "devstoreaccount1"
    account_key: str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    @property
    def connection_string(self) -> str:
        """What AZURE_STORAGE_CONNECTION_STRING says of it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account_name};AccountKey={self.account_key};"
            f"BlobEndpoint={self.account_url};"
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that let a process in."""
        return {"AZURE_STORAGE_CONNECTION_STRING": self.connection_string}


def why_not() -> str:
    """Why no Azurite can be started here; empty where it can."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "Azurite runs in Node, and node and npm are not installed"
    return "" if MAIN.is_file() else "Azurite is not installed: make test installs it"


@contextmanager
def running(folder: Path) -> Generator[Azurite]:
    """An Azurite on a port of its own choice, its log in the folder. It ends with the block, or with this process."""
    log = folder / "azurite.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            _command(), cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Azurite(f"{_address(process, log)}/devstoreaccount1")
        finally:
            process.terminate()


def _command() -> list[str]:
    node = shutil.which("node") or "node"
    options = ("--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence")
    place = ("--extentMemoryLimit", MEGABYTES, "--blobHost", "127.0.0.1", "--blobPort", "0")
    return [node, "--require", str(FOLDER / "end_with_parent.cjs"), str(MAIN), *options, *place]


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        if found := _LISTENS.search(log.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"Azurite does not start:\n{log.read_text(encoding='utf-8')}")
