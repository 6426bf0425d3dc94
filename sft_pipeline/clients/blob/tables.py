"""Tables in a container, which Polars reads and writes by itself.

Belongs here: what Polars is told of the account, credentials and retries, and what its failures mean.
Does not belong here: which tables there are, what a file holds (table_store).
"""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TypedDict

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import DefaultAzureCredential
from polars.io.cloud import CredentialProviderFunction

from sft_pipeline.clients.blob.connecting import Container
from sft_pipeline.clients.blob.failures import refusing
from sft_pipeline.clients.blob.places import look

RETRIES: Mapping[str, str | int] = {
    "max_retries": 20,
    "retry_timeout_ms": 15_000,
    "retry_init_backoff_ms": 250,
    "retry_max_backoff_ms": 4_000,
    "connect_timeout": "10 seconds",
    "timeout": "3 minutes",
}
"""Polars asks two to four times over as often: an account that is not there is told after a minute. Without `timeout`
it waits for ever; that is for a whole request, of up to 64 MB."""

SCOPE = "https://storage.azure.com/.default"
_TOLD_BY_POLARS = ("object-store error", "error decoding SAS token", "Invalid Access Key")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,80})</Code>")
_UNREADABLE_CREDENTIAL = re.compile(r"Invalid Access Key|decoding SAS token")
_NOT_SIGNED_IN = {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}


class Access(TypedDict):
    """Keywords of Polars' functions that read and write files."""

    storage_options: dict[str, str | int] | None
    credential_provider: CredentialProviderFunction | None


LOCAL = Access(storage_options=None, credential_provider=None)


@dataclass(frozen=True)
class Secret:
    """A key or signature, called by Polars.

    As a mere option it would yield to `AZURE_CLIENT_SECRET` and others, which name who signs in to the cluster.
    """

    name: str
    value: str = field(repr=False)

    def __call__(self) -> tuple[dict[str, str], None]:
        """It never expires as far as Polars knows."""
        return {self.name: self.value}, None


@dataclass(frozen=True)
class Login:
    """Who is logged in to Azure, called by Polars when a token is needed or has expired."""

    def __call__(self) -> tuple[dict[str, str], int]:
        """A token and when it expires, in seconds since 1970.

        Raises:
            ClientAuthenticationError: nobody is logged in.
        """
        token = _default_credential().get_token(SCOPE)
        return {"bearer_token": token.token}, token.expires_on


@dataclass(frozen=True)
class BlobTables:
    """A container for tables.

    Args:
        container: asked where Polars' failure does not tell the reason.
        options: of `table_options`; any of `RETRIES` among them goes before it.
    """

    container: Container
    options: Mapping[str, str | int] = field(repr=False)

    @property
    def access(self) -> Access:
        """What Polars is given to read and write here."""
        secrets = [
            Secret(name, str(self.options[name])) for name in ("account_key", "sas_token") if name in self.options
        ]
        plain = {name: value for name, value in self.options.items() if name not in {"account_key", "sas_token"}}
        return Access(storage_options={**RETRIES, **plain}, credential_provider=secrets[0] if secrets else Login())

    @contextmanager
    def refusing(self, path: str) -> Generator[None]:
        """Tell what the service refuses Polars.

        Raises:
            Refused: names the address, what is the matter, and what to do; nothing of Polars' message.
        """
        with refusing(self.container, path):
            try:
                yield
            except (OSError, ValueError) as error:
                if not str(error).startswith(_TOLD_BY_POLARS):
                    raise
                raise self._failure(str(error)) from None

    def require_container(self) -> None:
        """Refuse a container that is not there or cannot be listed.

        Raises:
            Refused: names what is missing.
        """
        with refusing(self.container):
            look(self.container)

    def names(self, folder: str) -> list[str]:
        """The paths of all files below a folder, relative to the place.

        Raises:
            Refused: the container cannot be listed.
        """
        prefix = self.container.place.prefix
        top = f"{prefix}/" if prefix else ""
        with refusing(self.container, folder):
            found = self.container.client.list_blob_names(name_starts_with=f"{top}{folder}/")
            return [name.removeprefix(top) for name in found]

    def _failure(self, told: str) -> AzureError:
        """Polars' failure as azure-storage-blob would raise it.

        Raises:
            AzureError: what the container answers when it is asked itself: answers without a body give no reason.
        """
        status, code = _found(_STATUS, told), _found(_CODE, told)
        if code in _NOT_SIGNED_IN or _UNREADABLE_CREDENTIAL.search(told):
            return ClientAuthenticationError("not signed in")
        if not status:
            return ServiceRequestError("not answered")
        if not code and int(status) < 500:
            look(self.container)
        return _Answered(int(status), code)


class _Answered(HttpResponseError):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status_code = status
        self.error_code = code


@cache
def _default_credential() -> DefaultAzureCredential:
    return DefaultAzureCredential()


def _found(pattern: re.Pattern[str], told: str) -> str:
    found = pattern.search(told)
    return found[1] if found else ""
