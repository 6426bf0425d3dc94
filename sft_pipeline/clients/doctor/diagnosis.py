"""What a failure to query a cluster comes from, in plain words: the network, signing in, rights, the database.

Belongs here: reading causes, and what to do about each. Does not belong here: asking (doctor, event_probes).
"""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import ServiceRequestError
from azure.identity import CredentialUnavailableError
from azure.kusto.data.exceptions import KustoAuthenticationError, KustoError, KustoNetworkError

from sft_pipeline.clients.kusto.failures import KustoQueryFailed, ServiceFailure

Stage = Literal["reachable", "signed in", "allowed", "database", "query"]
"""How far a query got, in this order."""


class Diagnosis(NamedTuple):
    """Where it broke, why, and what to do about it."""

    stage: Stage
    told: str
    remedy: str


def reach(cluster_uri: str, seconds: float) -> Diagnosis | None:
    """Ask for what every cluster tells without signing in; None when anything at all is answered."""
    parts = urlsplit(cluster_uri)
    try:
        requests.get(f"{parts.scheme}://{parts.netloc}/v1/rest/auth/metadata", timeout=seconds, allow_redirects=False)
    except (requests.RequestException, OSError) as error:
        return _network(list(_causes(error)), cluster_uri) or _broken(cluster_uri)
    return None


def diagnose(failed: KustoQueryFailed, cluster_uri: str, auth: str) -> Diagnosis:
    """What made a query fail; the service's own words are told only where they cannot name a person."""
    causes = list(_causes(failed))
    signing_in = [cause for cause in causes if isinstance(cause, KustoAuthenticationError)]
    if signing_in:
        return _sign_in(causes, auth)
    broken = _network(causes, cluster_uri)
    if broken:
        return broken
    if any(isinstance(cause, KustoError) for cause in causes if not isinstance(cause, KustoNetworkError)):
        told = f"what answers at {urlsplit(cluster_uri).netloc} does not tell how to sign in"
        return Diagnosis("reachable", told, "compare SFT_KUSTO_CLUSTER with the URI on the overview page")
    status = next((cause.status for cause in causes if isinstance(cause, ServiceFailure)), None)
    return _service(status, failed, auth)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, also what `raise ... from None` hides from tracebacks."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or cause in seen:
            continue
        seen.append(cause)
        yield cause
        told = [value for value in cause.args if isinstance(value, BaseException)]
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *told]
        waiting = [value for value in waiting if isinstance(value, BaseException)]


def _network(causes: list[BaseException], cluster_uri: str) -> Diagnosis | None:
    """The first cause that belongs to the way to the cluster."""
    host = urlsplit(cluster_uri).netloc
    for cause in causes:
        match cause:
            case requests.exceptions.ProxyError():
                told, remedy = (
                    f"the proxy does not let us through to {host}",
                    "mend HTTPS_PROXY, or name it in NO_PROXY",
                )
            case socket.gaierror():
                told = f"the name {host} is not found"
                remedy = "compare SFT_KUSTO_CLUSTER with the URI on the overview page; is a VPN or private DNS needed?"
            case ConnectionRefusedError():
                told = f"{host} refuses the connection"
                remedy = "start the emulator or the cluster, or mend the port in SFT_KUSTO_CLUSTER"
            case ssl.SSLError():
                told = f"the certificate of {host} is not accepted ({cause.reason or 'TLS'})"
                remedy = "name your organisation's certificates in REQUESTS_CA_BUNDLE, or mend SFT_KUSTO_CLUSTER"
            case TimeoutError() | requests.Timeout():
                told = f"{host} does not answer in time"
                remedy = (
                    "is a firewall, a VPN or the cluster's public access in the way? A stopped cluster is silent too"
                )
            case _:
                continue
        return Diagnosis("reachable", told, remedy)
    if any(isinstance(cause, requests.RequestException) for cause in causes):
        return _broken(cluster_uri)
    return None


def _broken(cluster_uri: str) -> Diagnosis:
    told = f"the connection to {urlsplit(cluster_uri).netloc} breaks"
    return Diagnosis("reachable", told, "try again; if it stays, ask who runs the network or the proxy")


_DATABASE = re.compile(r"kind 'Database'|DatabaseNotExist|database .{1,80} (could not be|was not) found", re.IGNORECASE)
_RIGHTS = re.compile(r"^(Forbidden|InsufficientAccess|Unauthorized|AuthorizationRequired)\w*:", re.IGNORECASE)
_PATH = re.compile(r"^(PathNotFound|ResourceNotFound|WorkspaceNotFound)\w*:", re.IGNORECASE)


def _service(status: int | None, failed: KustoQueryFailed, auth: str) -> Diagnosis:
    """What the service that was reached says."""
    if status == 401:
        told, remedy = "the service does not take this sign-in (401): it may be for another tenant", _login(auth)
        return Diagnosis("signed in", told, remedy)
    if _DATABASE.search(failed.message):
        told, remedy = "the database is unknown, or hidden from you", "compare SFT_KUSTO_DATABASE with the portal"
        return Diagnosis("database", told, remedy)
    if status == 403 or _RIGHTS.match(failed.message):
        remedy = (
            "ask for the role Database Viewer (Azure Data Explorer, Fabric) or Log Analytics Reader (a workspace); "
            f"or sign in as somebody who has it: {_login(auth)}"
        )
        return Diagnosis("allowed", "who is signed in may not read there (403)", remedy)
    if status == 404 or _PATH.match(failed.message):
        told = "no database answers at this address (404)"
        return Diagnosis("database", told, "compare every part of SFT_KUSTO_CLUSTER with the portal")
    return Diagnosis("query", failed.message, failed.remedy)


_AADSTS = re.compile(r"AADSTS(\d+)")
_AGAIN = "the sign-in has expired", "sign in again: {login}"
_TENANT = "the account does not belong to this tenant", "set AZURE_TENANT_ID to the cluster's tenant; {login}"
_SECRET = "the application's secret is not accepted", "set AZURE_CLIENT_SECRET to a secret that is valid"
_STRICTER = "the directory asks for more than this sign-in gives", "sign in again: {login}, or ask who runs it"
_CODES = {
    "50020": _TENANT,
    "90072": _TENANT,
    "50034": _TENANT,
    "90002": ("there is no such tenant", "set AZURE_TENANT_ID to the directory's id"),
    "700016": ("the application is not known in this tenant", "compare AZURE_CLIENT_ID and AZURE_TENANT_ID"),
    "7000215": _SECRET,
    "7000222": _SECRET,
    "500011": ("Kusto is not known in this tenant", "set AZURE_TENANT_ID to the cluster's tenant"),
    "50076": _STRICTER,
    "50079": _STRICTER,
    "53003": _STRICTER,
    "65001": _STRICTER,
    "50173": _AGAIN,
    "70043": _AGAIN,
    "700082": _AGAIN,
    "70020": ("nobody entered the code in time", "run the command again and enter the code"),
}
"""Codes of Microsoft Entra ID (Microsoft Learn, `Microsoft Entra authentication and authorization error codes`)."""


def _sign_in(causes: list[BaseException], auth: str) -> Diagnosis:
    """Errors of Entra ID name accounts: their code alone is told."""
    texts = [str(cause) for cause in causes if not isinstance(cause, KustoQueryFailed)]
    code = next((found[1] for text in texts if (found := _AADSTS.search(text))), "")
    known = _CODES.get(code)
    if known:
        told, remedy = known
        return Diagnosis("signed in", f"{told} (AADSTS{code})", remedy.format(login=_login(auth)))
    if code:
        return Diagnosis("signed in", f"Microsoft Entra ID refuses (AADSTS{code})", f"look up the code; {_login(auth)}")
    if any(isinstance(cause, ServiceRequestError) for cause in causes):
        remedy = "let this machine reach https://login.microsoftonline.com, or set HTTPS_PROXY"
        return Diagnosis("signed in", "the page to sign in at cannot be reached", remedy)
    told, remedy = _unavailable(" ".join(texts), auth)
    if not any(isinstance(cause, CredentialUnavailableError) for cause in causes):
        told = f"{told} ({type(causes[-1]).__name__})"
    return Diagnosis("signed in", told, remedy)


def _unavailable(text: str, auth: str) -> tuple[str, str]:
    if auth == "az_cli" and "not found on path" in text:
        return "the Azure CLI is not installed, or not on PATH", "install `az` and run `az login`, or use device"
    if auth == "az_cli" and "Failed to invoke" in text:
        return "the Azure CLI does not answer", "run `az account get-access-token` and see what it says"
    if auth == "az_cli":
        return "nobody is logged in to the Azure CLI", _login(auth)
    if auth == "managed_identity":
        return "this machine has no such managed identity", "run where it has one; AZURE_CLIENT_ID names one of several"
    return f"signing in by {auth} failed", _login(auth)


def _login(auth: str) -> str:
    return {
        "az_cli": "run `az login --tenant <the cluster's tenant>`",
        "device": "run the command again and choose an account of the cluster's tenant",
        "service_principal": "check AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID",
        "managed_identity": "let AZURE_CLIENT_ID name the identity that was given rights",
        "none": "give the https address of the cluster and set SFT_KUSTO_AUTH to az_cli: over http nobody signs in",
    }[auth]
