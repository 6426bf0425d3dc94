import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential, DeviceCodeCredential, ManagedIdentityCredential
from azure.kusto.data import KustoConnectionStringBuilder

from sft_pipeline.clients.kusto.addresses import COMPONENT_FORM, WORKSPACE_FORM
from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.connecting import (
    RememberedToken,
    ServicePrincipal,
    connection,
    server_timeout_allowed,
    service_of,
)
from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import RAW_SCHEMA, write_events
from sft_pipeline_tests.stand_in import Service, stand_in

WORKSPACE_PATH = "/subscriptions/0-1/resourceGroups/group/providers/Microsoft.OperationalInsights/workspaces/space"
COMPONENT_PATH = "/subscriptions/0-1/resourcegroups/group/providers/microsoft.insights/components/app"
CLUSTER = "https://help.westeurope.kusto.windows.net"

FORMS = {
    CLUSTER: "adx",
    f"{CLUSTER}/": "adx",
    f"  {CLUSTER}\n": "adx",
    f"{CLUSTER}:443": "adx",
    "https://HELP.kusto.windows.net": "adx",
    "https://c.kusto.usgovcloudapi.net": "adx",
    "https://c.kusto.chinacloudapi.cn": "adx",
    "https://trd-1.z0.kusto.fabric.microsoft.com": "fabric",
    "https://trd-1.z0.kusto.data.microsoft.com": "fabric",
    "https://pool.space.kusto.azuresynapse.net": "fabric",
    f"https://ade.loganalytics.io{WORKSPACE_PATH}": "log_analytics",
    f"https://adx.monitor.azure.com{WORKSPACE_PATH}/": "log_analytics",
    f"https://adx.monitor.azure.us{WORKSPACE_PATH}": "log_analytics",
    f"https://adx.monitor.azure.com{COMPONENT_PATH}": "application_insights",
    f"https://ade.applicationinsights.io{COMPONENT_PATH}": "application_insights",
    "http://127.0.0.1:8080": "local",
    "http://localhost": "local",
    "https://localhost:8443": "local",
    "http://[::1]:8080": "local",
    "http://kustainer:8080": "local",
    "http://host.docker.internal:8080": "local",
    "http://10.1.2.3": "local",
    f"http://127.0.0.1:8080{WORKSPACE_PATH}": "local",
}

REFUSED = {
    "": ("not a URL", "https://<cluster>"),
    "not an address": ("not a URL", "https://<cluster>"),
    "https://": ("not a URL", "https://<cluster>"),
    "https://[::1": ("not a URL", "https://<cluster>"),
    "https://c.kusto.windows.net:port": ("not a URL", "https://<cluster>"),
    "help.kusto.windows.net": ("no scheme", "to https://help.kusto.windows.net"),
    "help.westeurope": ("name of a cluster", "to https://help.westeurope.kusto.windows.net"),
    "help": ("name of a cluster", "to https://help.<region>.kusto.windows.net"),
    WORKSPACE_PATH: ("resource id", f"to https://ade.loganalytics.io{WORKSPACE_PATH}"),
    f"ade.loganalytics.io{WORKSPACE_PATH}": ("no scheme", f"to https://ade.loganalytics.io{WORKSPACE_PATH}"),
    f"{CLUSTER}/v2/rest/query": ("REST endpoint", f"to {CLUSTER}"),
    f"https://ade.loganalytics.io{WORKSPACE_PATH}/v1/rest/mgmt": ("REST endpoint", f"loganalytics.io{WORKSPACE_PATH}"),
    f"{CLUSTER}/Samples": ("goes on with a path", f"to {CLUSTER}, and SFT_KUSTO_DATABASE"),
    "https://ingest-help.kusto.windows.net": ("takes data in", "to https://help.kusto.windows.net"),
    "https://ade.loganalytics.io": ("path of one workspace", WORKSPACE_FORM),
    f"https://ade.loganalytics.io{COMPONENT_PATH}": ("path of one workspace", WORKSPACE_FORM),
    "https://ade.applicationinsights.io/subscriptions/0": ("path of one component", COMPONENT_FORM),
    f"https://api.loganalytics.io{WORKSPACE_PATH}": ("does not speak Kusto", WORKSPACE_FORM),
    "https://dataexplorer.azure.com/clusters/help/databases/S": ("web page", "to https://help.kusto.windows.net"),
    "https://dataexplorer.azure.com/clusters/help.kusto.windows.net": ("web page", "to https://help.kusto.windows.net"),
    "https://portal.azure.com/#@me/resource": ("fragment", "https://portal.azure.com"),
    "https://portal.azure.com": ("web page", "overview page"),
    "https://example.org": ("no host of a Kusto service", "https://<cluster>"),
    "https://kusto.windows.net.example.org": ("no host of a Kusto service", "https://<cluster>"),
    "http://example.org": ("neither encrypted", "https://<cluster>"),
    "http://help.kusto.windows.net": ("not encrypted", "to https://help.kusto.windows.net"),
    "https://<cluster>.kusto.windows.net": ("placeholder", "real name"),
    "ftp://help.kusto.windows.net": ("not a URL", "https://<cluster>"),
}


@pytest.mark.parametrize("address", FORMS)
def test_the_service_is_told_by_the_address(address: str) -> None:
    assert service_of(address) == FORMS[address]


@pytest.mark.parametrize("address", REFUSED)
def test_another_address_is_refused_with_the_form_it_should_have(address: str) -> None:
    told, remedy = REFUSED[address]
    with pytest.raises(Refused) as refused:
        service_of(address)
    assert told in refused.value.what
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    "address",
    [
        f"Data Source={CLUSTER};Application Key=hunter2",
        f"{CLUSTER};Fed=true;AppKey=hunter2",
        "https://me:hunter2@help.kusto.windows.net",
        f"{CLUSTER}?sig=hunter2",
        f"{CLUSTER}#hunter2",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_told(address: str) -> None:
    with pytest.raises(Refused) as refused:
        service_of(address)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "wanted", "allowed"),
    [
        (CLUSTER, 1800, 1800),
        (CLUSTER, 7200, 3600),
        (f"https://ade.loganalytics.io{WORKSPACE_PATH}", 1800, 600),
        (f"https://ade.loganalytics.io{WORKSPACE_PATH}", 120, 120),
        (f"https://ade.applicationinsights.io{COMPONENT_PATH}", 1800, 600),
        ("http://127.0.0.1:9", 1800, 1800),
    ],
)
def test_azure_monitor_allows_ten_minutes_and_a_cluster_an_hour(address: str, wanted: int, allowed: int) -> None:
    assert server_timeout_allowed(address, wanted) == allowed


KNOWN = ServicePrincipal("id", "hunter2", "tenant")


@pytest.mark.parametrize(
    ("auth", "credential"),
    [
        ("az_cli", RememberedToken),
        ("managed_identity", ManagedIdentityCredential),
        ("service_principal", ClientSecretCredential),
        ("device", DeviceCodeCredential),
    ],
)
def test_every_way_to_sign_in_is_one_of_azure_identity(auth: str, credential: type[Any]) -> None:
    built = connection(CLUSTER, auth, KNOWN)
    assert built.aad_federated_security
    assert built.azure_credential_from_login_endpoint
    made = built.azure_credential_from_login_endpoint("https://login.microsoftonline.us")
    made.close()
    assert isinstance(made, credential)
    assert "hunter2" not in f"{built!r} {KNOWN!r}"


def test_an_emulator_asks_for_no_sign_in_and_keeps_its_path() -> None:
    built = connection(f"http://127.0.0.1:9{WORKSPACE_PATH}/", "none", None)
    assert built.data_source == f"http://127.0.0.1:9{WORKSPACE_PATH}"
    assert not built.aad_federated_security


OBSTACLES = {
    "no such way": (CLUSTER, "kerberos", KNOWN, "no such way", "az_cli, managed_identity"),
    "none on a cluster": (CLUSTER, "none", KNOWN, "asks who you are", "az login"),
    "a token in the clear": ("http://127.0.0.1:9", "az_cli", KNOWN, "unencrypted", "SFT_KUSTO_AUTH to none"),
    "no application": (
        CLUSTER,
        "service_principal",
        None,
        "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_TENANT_ID",
        "all",
    ),
    "half an application": (
        CLUSTER,
        "service_principal",
        ServicePrincipal("id", "", "t"),
        "AZURE_CLIENT_SECRET",
        "all",
    ),
    "a tenant that is none": (CLUSTER, "az_cli", ServicePrincipal(tenant_id="a b"), "no tenant", "domain names"),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_a_way_that_cannot_work_is_refused_before_anything_is_sent(case: str) -> None:
    address, auth, known, told, remedy = OBSTACLES[case]
    with pytest.raises(Refused) as refused:
        connection(address, auth, known)
    assert f"cannot sign in to {address} by {auth!r}" in refused.value.what
    assert told in refused.value.what
    assert remedy in refused.value.remedy


class Counter:
    """A credential that gives another token each time, valid for an hour."""

    def __init__(self) -> None:
        self.given = 0

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.given += 1
        return AccessToken(f"{scopes}{options}{self.given}", 3600 * self.given)


def test_a_token_is_used_again_until_shortly_before_it_expires() -> None:
    now, counter = [0.0], Counter()
    remembered = RememberedToken(counter, clock=lambda: now[0])
    first = remembered.get_token("scope")
    now[0] = 3300
    assert remembered.get_token("scope") is first
    assert remembered.get_token("other") is not first
    now[0] = 3301
    assert remembered.get_token("scope") is not first
    remembered.close()
    assert remembered.get_token("scope").token.endswith("4")


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An Azure CLI that gives the token it is told to, and writes down each call."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "az"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def log_in(token: str) -> None:
        answer = json.dumps({"accessToken": token, "expires_on": 9_999_999_999})
        script.write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/calls\necho '{answer}'\n")
        script.chmod(0o755)

    return log_in


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    write_events(RAW_SCHEMA.to_frame().clear(n=1).fill_null(strategy="zero"), tmp_path / "t", part=0)
    with stand_in(tmp_path / "t", tokens={"first"}) as running:
        yield running


def test_the_azure_cli_is_asked_once_and_again_when_its_token_is_not_taken(
    tmp_path: Path, az: Callable[[str], None], service: Service
) -> None:
    asked = Query("test/one", "one.kql", "print answer = 1", "0")
    from_login_page = connection(CLUSTER, "az_cli", KNOWN).azure_credential_from_login_endpoint

    def connect() -> KustoConnectionStringBuilder:
        return KustoConnectionStringBuilder.with_azure_token_credential(
            service.url, credential_from_login_endpoint=from_login_page
        )

    kusto = ClusterKusto(service.url, service.database, auth="az_cli", connect=connect)
    az("first")
    for _ in range(3):
        assert kusto.execute(asked, {}).row(0) == (1,)
    calls = tmp_path / "calls"
    assert len(calls.read_text().splitlines()) == 1
    assert "--resource https://kusto.kusto.windows.net --tenant tenant" in calls.read_text()
    az("second")
    service.tokens = {"second"}
    assert kusto.execute(asked, {}).row(0) == (1,)
    assert len(calls.read_text().splitlines()) == 2
    kusto.close()
