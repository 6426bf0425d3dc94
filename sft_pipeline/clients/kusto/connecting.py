"""How to sign in to a cluster, by credentials of azure-identity.

Belongs here: the ways to sign in, and which of them can work where.
Does not belong here: the forms of addresses (addresses), queries and their failures (cluster).
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from azure.core.credentials import AccessToken, TokenCredential
from azure.identity import AzureCliCredential, ClientSecretCredential, DeviceCodeCredential, ManagedIdentityCredential
from azure.kusto.data import KustoConnectionStringBuilder

from sft_pipeline.clients.kusto.addresses import server_timeout_allowed, service_of
from sft_pipeline.curation.refusal import Refused

__all__ = ["Auth", "RememberedToken", "ServicePrincipal", "connection", "server_timeout_allowed", "service_of"]

Auth = Literal["az_cli", "managed_identity", "service_principal", "device", "none"]

_TENANT = re.compile(r"[0-9A-Za-z.-]+")
_MINUTES_5 = 300


@dataclass(frozen=True)
class ServicePrincipal:
    """The credentials of an application; what is not known is empty.

    Args:
        client_id: the application, or the user-assigned identity for `managed_identity`.
        client_secret: its secret.
        tenant_id: the directory to sign in to, for `az_cli` and `device` too.
    """

    client_id: str = ""
    client_secret: str = ""
    tenant_id: str = ""

    def __repr__(self) -> str:
        return "ServicePrincipal(...)"


def connection(cluster_uri: str, auth: str, credentials: ServicePrincipal | None) -> KustoConnectionStringBuilder:
    """Where to connect and how to sign in; nobody signs in before the first query.

    Raises:
        Refused: the address is not one of a cluster, or this way to sign in cannot work with it.
    """
    address, known = cluster_uri.strip().rstrip("/"), credentials or ServicePrincipal()
    unsafe = service_of(address) == "local" and address.startswith("http://")
    obstacle = _obstacle(auth, known, unencrypted=unsafe)
    if obstacle:
        what, remedy = obstacle
        raise Refused(f"cannot sign in to {address} by {auth!r}: {what}", remedy=remedy)
    if auth == "none":
        return KustoConnectionStringBuilder.with_no_authentication(address)
    return KustoConnectionStringBuilder.with_azure_token_credential(
        address, credential_from_login_endpoint=_CREDENTIALS[auth](known)
    )


def _obstacle(auth: str, known: ServicePrincipal, *, unencrypted: bool) -> tuple[str, str] | None:
    """Why a way to sign in cannot work, and what to do about it."""
    application = {"AZURE_CLIENT_ID": known.client_id, "AZURE_CLIENT_SECRET": known.client_secret}
    missing = [name for name, value in {**application, "AZURE_TENANT_ID": known.tenant_id}.items() if not value]
    if auth != "none" and auth not in _CREDENTIALS:
        return "there is no such way", f"set SFT_KUSTO_AUTH to one of {', '.join((*_CREDENTIALS, 'none'))}"
    if auth == "none" and not unencrypted:
        return "a cluster asks who you are", "set SFT_KUSTO_AUTH to az_cli and run `az login`; none is for emulators"
    if auth != "none" and unencrypted:
        return "a token would travel unencrypted", "set SFT_KUSTO_AUTH to none: an emulator asks for no token"
    if auth == "service_principal" and missing:
        return f"{', '.join(missing)} not set", "set all of AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID"
    if auth != "managed_identity" and known.tenant_id and not _TENANT.fullmatch(known.tenant_id):
        return "AZURE_TENANT_ID is no tenant", "set it to the directory's id or one of its domain names"
    return None


class RememberedToken:
    """A credential whose token is used again until five minutes before it expires.

    azure-kusto-data asks for a token before every request; the Azure CLI would start a process of a second each time.
    """

    def __init__(self, credential: TokenCredential, clock: Callable[[], float] = time.time) -> None:
        self._credential = credential
        self._clock = clock
        self._tokens: dict[tuple[str, ...], AccessToken] = {}

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - what azure-core's protocol takes
        """A token for these scopes; errors are those of the credential."""
        token = self._tokens.get(scopes)
        if token is None or token.expires_on - self._clock() < _MINUTES_5:
            token = self._tokens[scopes] = self._credential.get_token(*scopes, **options)
        return token

    def close(self) -> None:
        """Forget all tokens."""
        self._tokens.clear()


def _az_cli(known: ServicePrincipal) -> Callable[[str], object]:
    """The login of the Azure CLI knows its cloud; its process may take long on a busy machine."""
    return lambda _endpoint: RememberedToken(AzureCliCredential(tenant_id=known.tenant_id, process_timeout=60))


def _managed_identity(known: ServicePrincipal) -> Callable[[str], object]:
    """The identity of the machine, or the user-assigned one that is named."""
    return lambda _endpoint: ManagedIdentityCredential(client_id=known.client_id or None)


def _service_principal(known: ServicePrincipal) -> Callable[[str], object]:
    return lambda endpoint: ClientSecretCredential(
        known.tenant_id, known.client_id, known.client_secret, authority=endpoint
    )


def _device(known: ServicePrincipal) -> Callable[[str], object]:
    tenant = known.tenant_id or "organizations"
    return lambda endpoint: DeviceCodeCredential(authority=endpoint, tenant_id=tenant, prompt_callback=_prompt)


def _prompt(page: str, code: str, _expires: datetime) -> None:
    """Standard output is for results."""
    sys.stderr.write(f"To sign in, open {page} and enter the code {code}\n")
    sys.stderr.flush()


_CREDENTIALS: dict[str, Callable[[ServicePrincipal], Callable[[str], object]]] = {
    "az_cli": _az_cli,
    "managed_identity": _managed_identity,
    "service_principal": _service_principal,
    "device": _device,
}
"""Way to sign in -> the application -> the cloud's login page -> a credential of azure-identity."""
