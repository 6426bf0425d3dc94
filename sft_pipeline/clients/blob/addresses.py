"""The forms of addresses in Azure Blob Storage: accounts, containers and what lies in them.

Belongs here: taking an address apart, and refusing what is none.
Does not belong here: who may read what lies there (credentials), requests (connecting).
"""

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from sft_pipeline.clients.release_store import require_path
from sft_pipeline.curation.refusal import Refused

FORM = "https://<account>.blob.core.windows.net/<container>/<path>"
_OF_AZURE = re.compile(
    r"[a-z0-9-]+(\.privatelink)?(\.z\d+)?\.blob\."
    r"(core\.windows\.net|core\.usgovcloudapi\.net|core\.chinacloudapi\.cn|storage\.azure\.net)"
)
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*|\$web|\$root")
_CONTAINER_RULE = "name a container: 3 to 63 small letters, digits and single hyphens between them"


class BlobPlace(NamedTuple):
    """A folder in a container.

    Args:
        account_url: of the account; that of an emulator ends with the account's name.
        container: its name.
        prefix: the folder, without slashes at its ends; empty for the whole container.
    """

    account_url: str
    container: str
    prefix: str

    @property
    def url(self) -> str:
        """Where it lies, without credentials."""
        return f"{self.account_url}/{self.container}/{quote(self.prefix)}".rstrip("/")

    @property
    def is_emulated(self) -> bool:
        """Whether an emulator answers there, whose containers nobody makes beforehand."""
        return _is_emulator(urlsplit(self.account_url).hostname or "")

    @property
    def is_trusted(self) -> bool:
        """Whether it is Azure itself that answers there, or this machine: anybody else may ask for what is secret."""
        host = urlsplit(self.account_url).hostname or ""
        return bool(_OF_AZURE.fullmatch(host)) or _is_loopback(host)


def is_blob_address(address: str) -> bool:
    """Whether an address is of a kind that Azure Blob Storage has."""
    return address.partition("://")[0].lower() in {"https", "http"}


def without_signature(address: str) -> tuple[str, str]:
    """An address and the shared access signature that it carries, empty where there is none."""
    plain, _, signature = address.partition("?")
    return plain, signature


def blob_place(address: str) -> BlobPlace:
    """Take the address of a folder in a container apart.

    Raises:
        Refused: it names no container, carries a signature, or goes over http to anything but an emulator.
    """
    plain, signature = without_signature(address)
    url, host = _taken_apart(plain)
    if signature or "@" in url.netloc or url.fragment:
        raise Refused(
            f"the address {url.scheme}://{url.netloc.rpartition('@')[2]}{url.path} carries a signature or a password",
            remedy="leave it out of the address, and set AZURE_STORAGE_SAS_TOKEN to the signature",
        )
    if not host or (url.scheme != "https" and not (url.scheme == "http" and _is_emulator(host))):
        raise Refused(f"{plain} is not an address of Azure Blob Storage", remedy=f"name it as {FORM}")
    segments = [unquote(segment) for segment in url.path.split("/") if segment]
    account = f"/{segments.pop(0)}" if segments and _is_emulator(host) else ""
    if not segments:
        raise Refused(f"{plain} names no container", remedy=f"name it as {FORM}")
    container, *folders = segments
    require_container(container)
    if folders:
        require_path("/".join(folders))
    return BlobPlace(f"{url.scheme}://{url.netloc}{account}", container, "/".join(folders))


def account_name_of(account_url: str) -> str:
    """The account in its address: the last part of an emulator's path, else the first of the host's name."""
    host, _, path = account_url.split("://", 1)[-1].partition("/")
    return path.rstrip("/").rsplit("/", 1)[-1] if path.strip("/") else host.split(".", 1)[0]


def require_container(name: str) -> None:
    """Refuse what Azure takes for no container's name, before it answers with something less clear.

    Raises:
        Refused: tells the rule.
    """
    if not _CONTAINER.fullmatch(name):
        raise Refused(f"{name!r} is no name of a container", remedy=_CONTAINER_RULE)


def _taken_apart(plain: str) -> tuple[SplitResult, str]:
    try:
        url = urlsplit(plain)
        _ = url.port
    except ValueError:
        raise Refused(
            "the address of the container is none that a browser would take", remedy=f"name it as {FORM}"
        ) from None
    return url, url.hostname or ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_emulator(host: str) -> bool:
    """Emulators are reached by a number or by a name without a domain, and their accounts stand in the path."""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host or host == "host.docker.internal"
    return True
