"""The forms of cluster addresses, and what the service behind each allows.

Belongs here: telling Azure Data Explorer, Fabric, Azure Monitor and emulators apart, and refusing what is none of them.
Does not belong here: signing in (connecting).
"""

import re
from functools import cache
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from azure.kusto.data.helpers import load_bundled_json

from sft_pipeline.curation.refusal import Refused

Service = Literal["adx", "fabric", "log_analytics", "application_insights", "local"]

AZURE_MONITOR_SECONDS = 600
"""Log Analytics and Application Insights stop a query after 10 minutes, after 3 when no timeout is asked for."""
CLUSTER_SECONDS = 3600
"""The longest `servertimeout` that a cluster takes (Microsoft Learn, `Set timeouts`)."""

WORKSPACE_FORM = (
    "https://ade.loganalytics.io/subscriptions/<subscription id>/resourcegroups/<resource group>"
    "/providers/microsoft.operationalinsights/workspaces/<workspace>"
)
COMPONENT_FORM = (
    "https://ade.applicationinsights.io/subscriptions/<subscription id>/resourcegroups/<resource group>"
    "/providers/microsoft.insights/components/<component>"
)
FORMS = (
    "set SFT_KUSTO_CLUSTER to https://<cluster>.<region>.kusto.windows.net (Azure Data Explorer), "
    "https://<id>.kusto.fabric.microsoft.com (the query URI of a Fabric eventhouse), "
    f"{WORKSPACE_FORM} (Log Analytics), or http://localhost:8080 (an emulator)"
)

_FABRIC = (
    *(".kusto.fabric.microsoft.com", ".kusto.data.microsoft.com"),
    *(".kusto.azuresynapse.net", ".kusto.azuresynapse.azure.cn"),
)
_IN_RESOURCE_GROUP = r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/"
_WORKSPACE = re.compile(_IN_RESOURCE_GROUP + r"microsoft\.operationalinsights/workspaces/[^/]+", re.IGNORECASE)
_COMPONENT = re.compile(_IN_RESOURCE_GROUP + r"microsoft\.insights/components/[^/]+", re.IGNORECASE)
_ENDPOINT = re.compile(r"/v[12]/rest(/.*)?$")
_WEB_PAGES = re.compile(r"(.*\.)?(portal\.azure\.\w+|dataexplorer\.azure\.\w+|app\.fabric\.microsoft\.com)")
_PAGE_OF_CLUSTER = re.compile(r"/clusters/([\w.-]+)(/.*)?")


def service_of(cluster_uri: str) -> Service:
    """Which service answers at an address.

    Raises:
        Refused: the address has none of the forms that cluster addresses have; credentials in it are not told.
    """
    parts = _split(cluster_uri)
    host = parts.hostname or ""
    if parts.scheme == "http" or _is_loopback(host):
        return _local(parts)
    service = _by_host(host, parts.path)
    if service is None:
        raise _unknown_host(parts)
    _check_path(parts, service)
    return service


def server_timeout_allowed(cluster_uri: str, wanted_seconds: int) -> int:
    """How long the service works on a query when it is asked to work for so many seconds."""
    by_azure_monitor = service_of(cluster_uri) in {"log_analytics", "application_insights"}
    return min(wanted_seconds, AZURE_MONITOR_SECONDS if by_azure_monitor else CLUSTER_SECONDS)


def _split(cluster_uri: str) -> SplitResult:
    """The parts of an address that is a plain http(s) URL."""
    text = cluster_uri.strip().rstrip("/")
    if ";" in text or "=" in text.partition("?")[0]:
        raise Refused(
            "the cluster address is a connection string, not a URL",
            remedy="set SFT_KUSTO_CLUSTER to its Data Source alone, and sign in by SFT_KUSTO_AUTH",
        )
    if _WORKSPACE.fullmatch(text):
        raise Refused(
            "the cluster address is the resource id of a workspace, not a URL",
            remedy=f"set SFT_KUSTO_CLUSTER to https://ade.loganalytics.io{text}",
        )
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Refused("the cluster address is not a URL", remedy=FORMS) from None
    if parts.scheme not in {"http", "https"} or not host:
        raise _without_scheme(text)
    if parts.username is not None or parts.query or parts.fragment:
        raise Refused(
            f"the cluster address at {host} carries a user, a query or a fragment", remedy=_set_to(parts, parts.path)
        )
    if "<" in text or ">" in text:
        raise Refused("the cluster address still has a placeholder in <>", remedy="put the real name in its place")
    if _ENDPOINT.search(parts.path):
        raise Refused(
            "the cluster address ends in the path of a REST endpoint, which is added by itself",
            remedy=_set_to(parts, _ENDPOINT.sub("", parts.path)),
        )
    return parts


def _without_scheme(text: str) -> Refused:
    """A host name, a cluster's name, or no address at all."""
    name = re.fullmatch(r"([A-Za-z][\w-]*(?:\.[\w-]+)*)(/\S*)?", text)
    if name is None:
        return Refused("the cluster address is not a URL", remedy=FORMS)
    host, path = name[1], name[2] or ""
    if _by_host(host.lower(), path):
        return Refused(f"the cluster address {host!r} has no scheme", remedy=f"set SFT_KUSTO_CLUSTER to https://{text}")
    if host.count(".") <= 1 and not path:
        region = "" if "." in host else ".<region>"
        suggested = f"https://{host}{region}.kusto.windows.net"
        return Refused(
            f"{host!r} is the name of a cluster, not its address",
            remedy=f"set SFT_KUSTO_CLUSTER to {suggested}, or as the URI stands on the cluster's overview page",
        )
    return Refused(f"the cluster address {host!r} is not a URL", remedy=FORMS)


def _by_host(host: str, path: str) -> Service | None:
    """The service behind a host that azure-kusto-data sends tokens to."""
    suffixes, names = _trusted()
    if host in names and "applicationinsights" in host:
        return "application_insights"
    if host in names and ("loganalytics" in host or "monitor" in host):
        return "application_insights" if "monitor" in host and _COMPONENT.fullmatch(path) else "log_analytics"
    if host.endswith(_FABRIC):
        return "fabric"
    return "adx" if host in names or host.endswith(suffixes) else None


@cache
def _trusted() -> tuple[tuple[str, ...], frozenset[str]]:
    """Suffixes and names of the hosts in the client's own list, of all clouds."""
    clouds: list[dict[str, list[str]]] = list(
        load_bundled_json("wellKnownKustoEndpoints.json")["AllowedEndpointsByLogin"].values()
    )
    suffixes = tuple(suffix for cloud in clouds for suffix in cloud["AllowedKustoSuffixes"])
    return suffixes, frozenset(name for cloud in clouds for name in cloud["AllowedKustoHostnames"])


def _unknown_host(parts: SplitResult) -> Refused:
    host = parts.hostname or ""
    if _WEB_PAGES.fullmatch(host):
        page = _PAGE_OF_CLUSTER.fullmatch(parts.path)
        name = page[1] if page else ""
        address = f"https://{name}" if name.endswith(_trusted()[0]) else f"https://{name}.kusto.windows.net"
        remedy = f"set SFT_KUSTO_CLUSTER to {address}" if name else f"{FORMS}: the URI on the overview page"
        return Refused(f"https://{host} is a web page about clusters, not a cluster", remedy=remedy)
    if host.startswith("api.") and ("loganalytics" in host or "applicationinsights" in host):
        return Refused(
            f"https://{host} does not speak Kusto's protocol",
            remedy=f"set SFT_KUSTO_CLUSTER to {WORKSPACE_FORM}",
        )
    return Refused(f"https://{host} is no host of a Kusto service, so no token is sent there", remedy=FORMS)


def _check_path(parts: SplitResult, service: Service) -> None:
    """Refuse a path that the service does not answer at."""
    host, path = parts.hostname or "", parts.path
    if service == "log_analytics" and not _WORKSPACE.fullmatch(path):
        raise Refused(
            f"https://{host} needs the path of one workspace", remedy=f"set SFT_KUSTO_CLUSTER to {WORKSPACE_FORM}"
        )
    if service == "application_insights" and not _COMPONENT.fullmatch(path):
        raise Refused(
            f"https://{host} needs the path of one component", remedy=f"set SFT_KUSTO_CLUSTER to {COMPONENT_FORM}"
        )
    if service in {"adx", "fabric"} and host.startswith("ingest-"):
        raise Refused(
            f"https://{host} takes data in and answers no queries",
            remedy=f"set SFT_KUSTO_CLUSTER to https://{host.removeprefix('ingest-')}",
        )
    if service in {"adx", "fabric"} and path:
        raise Refused(
            f"the address of the cluster {host} goes on with a path",
            remedy=f"{_set_to(parts, '')}, and SFT_KUSTO_DATABASE to the database's name",
        )


def _local(parts: SplitResult) -> Service:
    """An emulator on this machine, in a container beside it, or in a private network."""
    host = parts.hostname or ""
    if parts.scheme == "http" and _by_host(host, parts.path):
        raise Refused(f"http://{host} is not encrypted", remedy=f"set SFT_KUSTO_CLUSTER to https://{parts.netloc}")
    if _is_loopback(host) or _is_private(host):
        return "local"
    raise Refused(f"http://{host} is neither encrypted nor on this machine or its private network", remedy=FORMS)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_private(host: str) -> bool:
    """A private address, or a name that no public server can have: that of a container."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".internal", ".local"))


def _set_to(parts: SplitResult, path: str) -> str:
    port = f":{parts.port}" if parts.port else ""
    return f"set SFT_KUSTO_CLUSTER to {parts.scheme}://{parts.hostname}{port}{path}"
