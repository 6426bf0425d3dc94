"""The label store in a container, its journals on the local disk."""

import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from sft_pipeline.clients.blob.credentials import BlobCredentials, table_options, tables_place
from sft_pipeline.clients.blob.tables import BlobTables
from sft_pipeline.clients.labels.exporting import export_labels
from sft_pipeline.clients.labels.importing import import_labels, imported_identity
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.blob_accounts import open_container
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.clients.labels.label_world import (
    JUDGE,
    OTHER_JUDGE,
    ask,
    journals,
    kept,
    key_of,
    record,
    write_records,
)

KEEP_UNTIL_KILLED = """
import sys
from itertools import count
from pathlib import Path
from sft_pipeline.orchestration.judging import open_labels
from sft_pipeline_tests.clients.labels.label_world import JUDGE, ask
with open_labels(sys.argv[1], Path(sys.argv[2]) / "judging").writing(JUDGE, "killed") as writer:
    for number in count():
        writer.keep(ask(number))
        print(number, flush=True)
"""


def base_in(container: str) -> str:
    return f"az://{container}/labels"


def store_in(azurite: Azurite, container: str, folder: Path) -> LabelStore:
    credentials = BlobCredentials(azurite.account_name, azurite.account_url, key=azurite.account_key)
    base = base_in(container)
    entered = open_container(tables_place(base, credentials), credentials)
    return LabelStore(base, folder / "judging", BlobTables(entered, table_options(base, credentials)))


def test_another_machine_finds_what_was_kept_and_adds_its_own(
    azurite: Azurite, container: Container, tmp_path: Path
) -> None:
    here, there = (store_in(azurite, container.name, tmp_path / name) for name in ("here", "there"))
    assert here.lookup(JUDGE, [key_of(1)]) == {}
    kept(here, ask(1))
    kept(there, ask(2), judge=OTHER_JUDGE)
    assert there.lookup(JUDGE, [key_of(1)]) == {key_of(1): [ask(1)]}
    with there.writing(JUDGE, "run") as writer:
        writer.keep_all([ask(3), ask(4)])
    assert here.lookup(JUDGE, [key_of(number) for number in range(9)]).keys() == {key_of(one) for one in (1, 3, 4)}
    assert here.ledger()["asks"].to_list() == there.ledger()["asks"].to_list() == [1, 3]
    assert here.spent("demo 2026-11-01") == pytest.approx(0.0005 * 4)


def test_kill_9_loses_nothing_although_the_container_has_nothing_yet(
    azurite: Azurite, container: Container, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KEEP_UNTIL_KILLED, base_in(container.name), str(tmp_path)]
    env = {**os.environ, **azurite.environment}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        told = [int(line) for line in islice(running.stdout, 50)]
        running.kill()
        assert running.wait(60) == -signal.SIGKILL
    assert list(container.client.list_blob_names()) == []
    found = store_in(azurite, container.name, tmp_path).lookup(JUDGE, [key_of(number) for number in told])
    assert found == {key_of(number): [ask(number)] for number in told}
    assert len(list(container.client.list_blob_names())) == 1
    assert journals(tmp_path) == []


def test_records_are_brought_in_and_given_back(azurite: Azurite, container: Container, tmp_path: Path) -> None:
    store = store_in(azurite, container.name, tmp_path)
    file = write_records(tmp_path / "in.json", [record("one", 0), record("two", 1)])
    for added in (2, 0):
        assert import_labels(file, store, "annotator", report=tmp_path / "bad.csv").added == added
    assert export_labels(store, "annotator", tmp_path / "out.jsonl") == 2
    assert store.asks(imported_identity("annotator")).collect()["label"].sort().to_list() == [0, 1]


def test_a_container_that_is_not_there_is_refused_and_what_was_kept_stays_here(
    azurite: Azurite, tmp_path: Path
) -> None:
    store = store_in(azurite, "not-there", tmp_path)
    with pytest.raises(Refused, match="there is no container not-there"):
        kept(store, ask(1))
    assert len(journals(tmp_path)) == 1
