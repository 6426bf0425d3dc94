"""The table store in a container: what it does in a folder, and what the service may say to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError, Event
from time import sleep

import polars as pl
import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from polars.testing import assert_frame_equal

from sft_pipeline.clients.blob.credentials import BlobCredentials, table_options, tables_place
from sft_pipeline.clients.blob.tables import BlobTables, Secret
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.blob_accounts import open_container
from sft_pipeline_tests.azurite.fault_proxy import Proxied, proxied
from sft_pipeline_tests.azurite.fault_rules import Rule
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite

KEY = TableKey("conversation_chunks", "2026-11-01", "07-of-40")
TABLE = pl.DataFrame({"conversationId": ["a", "b"], "turnCount": [3, 4]})
KEYS = [KEY._replace(part=f"{number:02}-of-40") for number in range(3)]


METHODS: dict[str, Callable[[TableStore], object]] = {
    "write": lambda tables: tables.write(KEY, TABLE, {}),
    "read": lambda tables: tables.read(KEY),
    "scan": lambda tables: tables.scan(KEYS),
    "notes": lambda tables: tables.notes(KEY),
    "keys": lambda tables: tables.keys("conversation_chunks"),
}


def store(
    azurite: Azurite, container: str, prefix: str = "tables/small", key: str | None = None, sas: str = ""
) -> TableStore:
    """A store in the container, entered by the key unless a signature is given."""
    key = azurite.account_key if key is None and not sas else key or ""
    credentials = BlobCredentials(azurite.account_name, azurite.account_url, key=key, sas=sas)
    base = f"az://{container}/{prefix}"
    entered = open_container(tables_place(base, credentials), credentials)
    return TableStore(base, BlobTables(entered, table_options(base, credentials)))


def signature(azurite: Azurite, container: str, *, hours: float = 1, **permissions: bool) -> str:
    allowed = ContainerSasPermissions(**(permissions or {"read": True, "write": True, "list": True}))
    until = datetime.now(UTC) + timedelta(hours=hours)
    return generate_container_sas(
        azurite.account_name, container, account_key=azurite.account_key, permission=allowed, expiry=until
    )


def impatient(tables: TableStore, timeout: str = "20 seconds") -> TableStore:
    """The same store, which gives up after two more attempts; a busy machine may take its time for each."""
    assert tables.blob
    hasty = {"max_retries": 2, "retry_timeout_ms": 20_000, "retry_init_backoff_ms": 1, "retry_max_backoff_ms": 20}
    return replace(tables, blob=replace(tables.blob, options={**tables.blob.options, **hasty, "timeout": timeout}))


def meet(together: Barrier) -> None:
    with suppress(BrokenBarrierError):
        together.wait(10)


WRITE_A_LARGE_TABLE = """
import os, sys, polars as pl
from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.orchestration.resources import open_tables
table = pl.DataFrame({"text": [os.urandom(5000).hex() for _ in range(2000)]})
open_tables(f"az://{sys.argv[1]}/tables/small").write(
    TableKey("conversation_chunks", "2026-11-01", "07-of-40"), table, {}
)
"""


@pytest.fixture
def tables(azurite: Azurite, container: Container) -> TableStore:
    return store(azurite, container.name)


@pytest.fixture
def faulty(azurite: Azurite) -> Iterator[Proxied]:
    with proxied(azurite) as proxy:
        yield proxy


class TestAsInAFolder:
    def test_a_table_is_read_as_it_was_written_with_its_notes(self, tables: TableStore) -> None:
        tables.write(KEY, TABLE, {"version": "v1"})
        assert_frame_equal(tables.read(KEY), TABLE)
        assert tables.notes(KEY)["version"] == "v1"
        assert tables.holds(KEY)
        assert tables.keys("conversation_chunks") == [KEY]

    def test_a_table_is_the_same_bytes_as_in_a_folder(
        self, tables: TableStore, container: Container, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = TableStore(str(tmp_path_factory.mktemp("folder")))
        for each in (tables, folder):
            each.write(KEY, TABLE, {"version": "v1"})
        blob = container.client.download_blob(f"tables/small/{KEY.path}").readall()
        with open(folder.uri(KEY), "rb") as file:  # noqa: PTH123 - an address that is a path here
            assert blob == file.read()

    def test_a_table_written_again_replaces_the_one_before(self, tables: TableStore) -> None:
        tables.write(KEY, TABLE, {"version": "v1"})
        tables.write(KEY, TABLE.head(1), {"version": "v2"})
        assert_frame_equal(tables.read(KEY), TABLE.head(1))
        assert tables.notes(KEY)["version"] == "v2"

    def test_several_partitions_are_scanned_as_one_and_each_row_names_its_part(self, tables: TableStore) -> None:
        for key in KEYS:
            tables.write(key, TABLE, {})
        parts = tables.scan(KEYS).collect()["part"].to_list()
        assert parts == [key.part for key in KEYS for _ in range(2)]

    def test_missing_and_damaged_partitions_are_refused_by_name(self, tables: TableStore, container: Container) -> None:
        for key in KEYS[:2]:
            tables.write(key, TABLE, {})
        blob = container.client.get_blob_client(f"tables/small/{KEYS[1].path}")
        blob.upload_blob(blob.download_blob().readall()[:-20], overwrite=True)
        told = r"2 of 3 partitions of conversation_chunks are missing or damaged: 01-of-40\|2026-11-01, 02-of-40"
        with pytest.raises(Refused, match=told):
            tables.scan(KEYS)
        assert [tables.holds(key) for key in KEYS] == [True, False, False]

    def test_a_table_damaged_in_its_middle_is_refused(self, tables: TableStore, container: Container) -> None:
        tables.write(KEY, pl.DataFrame({"text": [str(number) * 40 for number in range(2000)]}), {})
        blob = container.client.get_blob_client(f"tables/small/{KEY.path}")
        content = blob.download_blob().readall()
        blob.upload_blob(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :], overwrite=True)
        with pytest.raises(Refused, match="is damaged"):
            tables.read(KEY)

    def test_keys_are_those_of_one_asset_and_need_no_look_into_files(
        self, tables: TableStore, azurite: Azurite, container: Container
    ) -> None:
        single = TableKey("session_router/requests", "2026-11-01")
        for key in (KEY, single, KEY._replace(window="2026-10-31")):
            tables.write(key, TABLE, {})
        for name in ("conversation_chunks/stray.parquet", "conversation_chunks/2026-11-01/notes.txt"):
            container.client.upload_blob(f"tables/small/{name}", b"no table")
        container.client.upload_blob(f"tables/small/{KEY.path}", b"damaged", overwrite=True)
        assert tables.keys("conversation_chunks") == [KEY._replace(window="2026-10-31"), KEY]
        assert tables.keys("session_router/requests") == [single]
        assert tables.keys("samples") == []
        assert store(azurite, container.name, "tables").keys("conversation_chunks") == []

    def test_the_application_that_signs_in_to_the_cluster_does_not_displace_key_and_signature(
        self, azurite: Azurite, container: Container, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Regression: Polars' own reading of the environment let these variables go before a signature."""
        for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_STORAGE_TOKEN"):
            monkeypatch.setenv(name, "00000000-0000-0000-0000-000000000000")
        for sas in ("", signature(azurite, container.name)):
            tables = store(azurite, container.name, sas=sas)
            tables.write(KEY, TABLE, {})
            assert_frame_equal(tables.read(KEY), TABLE)

    @pytest.mark.parametrize("prefix", ["", "a b/ü%20[x]"])
    def test_any_prefix_will_do(self, azurite: Azurite, container: Container, prefix: str) -> None:
        tables = store(azurite, container.name, prefix)
        tables.write(KEY, TABLE, {})
        assert tables.keys("conversation_chunks") == [KEY]
        assert tables.scan([KEY]).collect()["part"].to_list() == ["07-of-40"] * 2
        assert [blob.name for blob in container.client.list_blobs()] == [f"{prefix}/{KEY.path}".lstrip("/")]


class TestRefusals:
    """Each names the place and a remedy, and none quotes a key, a signature or the service."""

    def refused(self, tables: TableStore, does: Callable[[TableStore], object]) -> str:
        with pytest.raises(Refused) as refused:
            does(tables)
        assert tables.blob
        told = str(refused.value)
        assert not any(word in told for word in ("sig=", "<Error>", "RequestId", "object-store", "POLARS"))
        assert not any(str(tables.blob.options.get(name) or "-none-") in told for name in ("account_key", "sas_token"))
        assert tables.blob.container.place.container in told
        return told

    @pytest.mark.parametrize("name", sorted(METHODS))
    def test_a_missing_container_is_told_by_everything_with_the_command_that_makes_it(
        self, azurite: Azurite, name: str
    ) -> None:
        told = self.refused(store(azurite, "not-there"), METHODS[name])
        assert "there is no container not-there" in told
        assert "az storage container create" in told

    def test_in_a_missing_container_there_is_no_table(self, azurite: Azurite) -> None:
        assert not store(azurite, "not-there").holds(KEY)

    @pytest.mark.parametrize("key", ["QUJD", "hunter2 %"])
    def test_a_key_that_is_not_the_accounts(self, azurite: Azurite, container: Container, key: str) -> None:
        told = self.refused(store(azurite, container.name, key=key), lambda tables: tables.holds(KEY))
        assert "the account" in told  # Azurite has one word for a wrong key and a missing right, Azure has two

    @pytest.mark.parametrize("hours", [-1, 0])
    def test_a_signature_that_has_expired_or_is_none(self, azurite: Azurite, container: Container, hours: int) -> None:
        sas = signature(azurite, container.name, hours=hours) if hours else "hunter2"
        told = self.refused(store(azurite, container.name, sas=sas), lambda tables: tables.holds(KEY))
        assert "the shared access signature" in told
        assert "AZURE_STORAGE_SAS_TOKEN" in told

    @pytest.mark.parametrize(
        ("code", "status", "sas", "told"),
        [
            ("AuthenticationFailed", 403, False, "the account's key is not accepted"),
            ("AuthenticationFailed", 403, True, "the shared access signature is expired"),
            ("AuthorizationPermissionMismatch", 403, True, "does not allow this"),
            ("AuthorizationFailure", 403, False, "`Networking`"),
            ("KeyBasedAuthenticationNotPermitted", 403, False, "`az login`"),
            ("AccountIsDisabled", 403, False, "the account is disabled"),
            ("ContainerBeingDeleted", 409, False, "is being deleted"),
            ("LeaseIdMissing", 412, False, "a lease"),
        ],
    )
    def test_what_azure_says_is_told_of_reading_and_writing(
        self, faulty: Proxied, container: Container, code: str, status: int, sas: bool, told: str
    ) -> None:
        entered = signature(faulty.azurite, container.name) if sas else ""
        tables = impatient(store(faulty.azurite, container.name, sas=entered))
        faulty.faults.set(Rule("refused", times=None, status=status, code=code))
        assert told in self.refused(tables, lambda tables: tables.holds(KEY))
        assert told in self.refused(tables, lambda tables: tables.write(KEY, TABLE, {}))

    def test_a_signature_that_allows_reading_alone(
        self, azurite: Azurite, container: Container, tables: TableStore
    ) -> None:
        tables.write(KEY, TABLE, {})
        reading = store(azurite, container.name, sas=signature(azurite, container.name, read=True, list=True))
        assert_frame_equal(reading.read(KEY), TABLE)
        told = self.refused(reading, lambda tables: tables.write(KEY, TABLE.head(1), {}))
        assert "does not allow this" in told
        assert_frame_equal(tables.read(KEY), TABLE)

    def test_nobody_is_logged_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
        credentials = BlobCredentials("nobody0account")
        entered = open_container(tables_place("az://container", credentials), credentials)
        tables = TableStore("az://container", BlobTables(entered, table_options("az://container", credentials)))
        assert "az login" in self.refused(tables, lambda tables: tables.write(KEY, TABLE, {}))

    def test_a_secret_is_not_told_by_what_holds_it(self, tables: TableStore) -> None:
        assert "hunter2" not in repr(Secret("account_key", "hunter2"))
        assert "account_key" not in repr(tables)


class TestFaults:
    def test_a_service_that_is_busy_for_a_while_is_asked_again(self, faulty: Proxied, container: Container) -> None:
        tables = impatient(store(faulty.azurite, container.name))
        for kind in ("refused", "reset"):
            faulty.faults.set(Rule(kind))
            tables.write(KEY, TABLE, {})
            faulty.faults.set(Rule(kind), Rule(kind, where=lambda asked: asked.method == "GET"))
            assert_frame_equal(tables.read(KEY), TABLE)

    def test_an_answer_that_breaks_off_is_asked_for_again(self, faulty: Proxied, container: Container) -> None:
        tables = store(faulty.azurite, container.name)
        tables.write(KEY, TABLE, {})
        faulty.faults.set(Rule("cut", where=lambda asked: asked.method == "GET"))
        assert tables.holds(KEY)
        assert_frame_equal(tables.read(KEY), TABLE)

    def test_a_service_that_stays_busy_is_told(self, faulty: Proxied, container: Container) -> None:
        tables = impatient(store(faulty.azurite, container.name))
        faulty.faults.set(Rule("refused", times=None))
        with pytest.raises(Refused, match="too busy or failing"):
            tables.holds(KEY)
        with pytest.raises(Refused, match="too busy or failing"):
            tables.write(KEY, TABLE, {})

    @pytest.mark.parametrize("kind", ["reset", "silent"])
    def test_a_service_that_does_not_answer_is_told(self, faulty: Proxied, container: Container, kind: str) -> None:
        tables = impatient(store(faulty.azurite, container.name), timeout="200 ms")
        faulty.faults.set(Rule("reset", times=None, before=lambda: sleep(0.4 if kind == "silent" else 0)))
        with pytest.raises(Refused, match="does not answer"):
            tables.holds(KEY)

    def test_what_is_collected_later_is_refused_alike(self, faulty: Proxied, container: Container) -> None:
        tables = impatient(store(faulty.azurite, container.name))
        tables.write(KEY, TABLE, {})
        frame = tables.scan([KEY])
        faulty.faults.set(Rule("refused", times=None))
        with pytest.raises(Refused, match="too busy or failing"), tables.refusing():
            frame.collect()

    def test_many_partitions_are_looked_at_side_by_side(self, faulty: Proxied, container: Container) -> None:
        tables = store(faulty.azurite, container.name)
        tables.write(KEY, TABLE, {})
        together = Barrier(8)
        faulty.faults.set(Rule(where=lambda asked: asked.method == "HEAD", times=8, before=lambda: meet(together)))
        tables.scan([KEY] * 40)
        assert not together.broken

    def test_a_process_killed_in_mid_write_leaves_the_table_that_was_there(
        self, faulty: Proxied, container: Container, tables: TableStore
    ) -> None:
        tables.write(KEY, TABLE, {})
        arrived, gone = Event(), Event()

        def hold() -> None:
            arrived.set()
            gone.wait(20)

        faulty.faults.set(Rule(where=lambda asked: asked.comp == "block", nth=3, before=hold))
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE_A_LARGE_TABLE, container.name],
            env={**os.environ, **faulty.azurite.environment, "POLARS_UPLOAD_CHUNK_SIZE": "1000000"},
        )
        assert arrived.wait(30)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        gone.set()
        assert not faulty.faults.asked(lambda asked: asked.comp == "blocklist")
        assert_frame_equal(tables.read(KEY), TABLE)
        assert tables.keys("conversation_chunks") == [KEY]
