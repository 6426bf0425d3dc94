import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from azure.kusto.data import KustoConnectionStringBuilder
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sft_pipeline.clients.doctor.diagnosis import diagnose
from sft_pipeline.clients.doctor.event_probes import ANSWER
from sft_pipeline.clients.doctor.findings import Finding
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.connecting import ServicePrincipal, connection
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline_tests.clients.doctor.examined import at, found, only_problem
from sft_pipeline_tests.clients.kusto.fixed_answers import cluster
from sft_pipeline_tests.stand_in import Service, scripted, stand_in


class TestReaching:
    """What keeps a request from the cluster; nothing behind it is looked at."""

    def broken(self, setup: Setup) -> Finding:
        findings = found(setup)
        assert findings["reachable"].state == "problem"
        rest = findings["signed in, allowed, database, table, events, newest event"]
        assert (rest.state, rest.told) == ("not_looked_at", "not looked at because the cluster is not reached")
        return findings["reachable"]

    def test_a_port_where_nobody_listens(self, setup: Setup) -> None:
        assert "127.0.0.1:9 refuses the connection" in self.broken(at(setup, "http://127.0.0.1:9")).told

    def test_a_name_that_is_not_found(self, setup: Setup) -> None:
        assert "no-such-host.internal is not found" in self.broken(at(setup, "http://no-such-host.internal")).told

    def test_a_server_that_keeps_silent(self, setup: Setup) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            told = self.broken(at(setup, f"http://127.0.0.1:{silent.getsockname()[1]}")).told
        assert "does not answer in time" in told

    def test_a_server_that_hangs_up(self, setup: Setup) -> None:
        with _answering(lambda _: None) as url:
            assert "breaks" in self.broken(at(setup, url)).told

    def test_a_certificate_of_nobody_known(self, setup: Setup, tmp_path: Path) -> None:
        with _answering(lambda handler: handler.send_error(404), _certificate(tmp_path)) as url:
            broken = self.broken(at(setup, url, "az_cli"))
        assert "certificate" in broken.told
        assert "REQUESTS_CA_BUNDLE" in broken.remedy

    def test_a_proxy_that_is_not_there(self, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "")
        broken = self.broken(at(setup, "https://help.kusto.windows.net", "az_cli"))
        assert "proxy" in broken.told
        assert "HTTPS_PROXY" in broken.remedy

    def test_a_web_server_that_is_no_kusto_service(self) -> None:
        with _answering(lambda handler: handler.send_error(501)) as url:
            told = diagnose(_failure(url, "az_cli", "az_cli"), url, "az_cli")
        assert (told.stage, "does not tell how to sign in" in told.told) == ("reachable", True)


class _Quiet(HTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no defect."""


@contextmanager
def _answering(answer: Callable[[BaseHTTPRequestHandler], object], pem: Path | None = None) -> Generator[str]:
    """A web server that answers every request in one way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'https' if pem else 'http'}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(folder: Path) -> Path:
    """One that its owner has signed."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2020, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - UTC by definition
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "localhost.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


class TestBeingLetIn:
    """What a cluster that is reached says no with."""

    def test_a_token_that_is_not_taken(self, setup: Setup, telemetry: Path) -> None:
        with stand_in(telemetry, tokens={"another"}) as service:
            broken = only_problem(at(setup, service.url, database=service.database))
        assert broken.name == "signed in"
        assert "another tenant" in broken.told

    def test_a_right_that_is_missing(self, setup: Setup, telemetry: Path) -> None:
        with stand_in(telemetry, faults=scripted("forbidden", repeat=True)) as service:
            findings = found(at(setup, service.url, database=service.database))
        assert "Database Viewer" in findings["allowed"].remedy
        assert "Log Analytics Reader" in findings["allowed"].remedy
        assert findings["signed in"].state == "ok"
        assert "aaduser" not in str(findings)

    def test_a_database_that_is_unknown(self, setup: Setup, service: Service) -> None:
        broken = only_problem(at(setup, service.url, database="telemetri"))
        assert (broken.name, "SFT_KUSTO_DATABASE" in broken.remedy) == ("database", True)

    def test_an_address_without_kusto(self, setup: Setup) -> None:
        with cluster() as running:
            running.status, running.body = 404, b"<html>not here</html>"
            broken = only_problem(at(setup, running.url))
        assert (broken.name, "404" in broken.told) == ("database", True)

    def test_a_cluster_in_trouble_is_told_in_its_words(self, setup: Setup, telemetry: Path) -> None:
        with stand_in(telemetry, faults=scripted("unavailable", repeat=True)) as service:
            broken = only_problem(at(setup, service.url, database=service.database))
        assert (broken.name, broken.remedy) == ("query", "run again: what is finished is kept")


def _failure(url: str, auth: str, way: str) -> KustoQueryFailed:
    """What a query comes to at an address where somebody signs in, although it is not encrypted."""
    known = ServicePrincipal("11111111-1111-1111-1111-111111111111", "hunter2", "")
    sign_in = connection("https://help.kusto.windows.net", way, known).azure_credential_from_login_endpoint

    def connect() -> KustoConnectionStringBuilder:
        return KustoConnectionStringBuilder.with_azure_token_credential(url, credential_from_login_endpoint=sign_in)

    kusto = ClusterKusto(url, "telemetry", auth=auth, connect=connect)
    try:
        with pytest.raises(KustoQueryFailed) as failed:
            kusto.execute(ANSWER, {})
    finally:
        kusto.close()
    return failed.value


class TestSigningIn:
    """Errors of azure-identity, made by an Azure CLI that says what a real one says."""

    @pytest.fixture
    def az(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        monkeypatch.setenv("PATH", str(tmp_path))

        def saying(text: str) -> None:
            script = tmp_path / "az"
            script.write_text(f'#!/bin/sh\necho "{text}" >&2\nexit 1\n')
            script.chmod(0o755)

        return saying

    def told(self, service: Service) -> str:
        diagnosis = diagnose(_failure(service.url, "az_cli", "az_cli"), service.url, "az_cli")
        assert diagnosis.stage == "signed in"
        return f"{diagnosis.told} -> {diagnosis.remedy}"

    @pytest.mark.usefixtures("az")
    def test_without_the_azure_cli(self, service: Service) -> None:
        assert "not installed, or not on PATH -> install `az`" in self.told(service)

    def test_with_nobody_logged_in(self, service: Service, az: Callable[[str], None]) -> None:
        az("ERROR: Please run 'az login' to setup account.")
        assert "nobody is logged in to the Azure CLI -> run `az login" in self.told(service)

    @pytest.mark.parametrize(
        ("code", "told", "remedy"),
        [
            ("50020", "does not belong to this tenant", "AZURE_TENANT_ID"),
            ("700082", "the sign-in has expired", "az login"),
            ("50076", "asks for more", "az login"),
            ("999999", "refuses (AADSTS999999)", "look up the code"),
        ],
    )
    def test_with_a_refusal_of_entra_id_no_account_is_told(
        self, service: Service, az: Callable[[str], None], code: str, told: str, remedy: str
    ) -> None:
        az(f"ERROR: AADSTS{code}: User account 'jane@example.org' does not exist in tenant. Trace ID: 1")
        text = self.told(service)
        assert told in text
        assert remedy in text
        assert "jane" not in text

    def test_with_an_azure_cli_that_makes_no_sense(self, service: Service, az: Callable[[str], None]) -> None:
        az("jane@example.org: core dumped")
        text = self.told(service)
        assert "az login" in text
        assert "jane" not in text
