"""Clients of azure-storage-blob: how they sign requests, how often they ask again, and what stays out of their logs.

Belongs here: making clients. Does not belong here: where credentials come from (credentials), what is asked.
"""

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Event, Lock
from time import monotonic
from typing import Any, Literal
from urllib.parse import urlsplit

from azure.core.credentials import AzureSasCredential, TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.storage.blob import BlobServiceClient, ContainerClient, ExponentialRetry

from sft_pipeline.clients.blob.addresses import BlobPlace, account_name_of
from sft_pipeline.clients.blob.masking import mask_logs

_LOGGER = logging.getLogger(__name__)

Entry = Literal["key", "sas", "login"]
"""By what a container is entered: the account's key, a shared access signature, or who is logged in to Azure."""

SECONDS_BETWEEN_LINES = 2
CONNECT_SECONDS = 20
READ_SECONDS = 60


@dataclass(frozen=True)
class Container:
    """A container's client, the folder in it that is meant, and by what it is entered."""

    client: ContainerClient
    place: BlobPlace
    entry: Entry


def patient() -> ExponentialRetry:
    """Ask again after about 3, 5, 9, 17 and 33 seconds; the client's own policy waits 15 before it first does."""
    return _Patience(
        initial_backoff=1,
        increment_base=2,
        random_jitter_range=1,
        retry_total=5,
        retry_connect=5,
        retry_read=5,
        retry_status=5,
    )


class _Patience(ExponentialRetry):
    """Asks again for what may pass (nobody logs in meanwhile), and says so when once more did not help."""

    _told = float("-inf")
    _telling = Lock()

    def increment(
        self,
        settings: dict[str, Any],
        request: PipelineRequest[Any],
        response: PipelineResponse[Any, Any] | None = None,
        error: AzureError | None = None,
    ) -> bool:
        """Whether to ask again."""
        again = not isinstance(error, ClientAuthenticationError) and super().increment(
            settings, request, response=response, error=error
        )
        if again and settings["count"] > 1:
            self._tell(request, getattr(response, "status_code", None), settings["count"])
        return again

    def _tell(self, request: object, status: int | None, count: int) -> None:
        """A line for who waits: one for all the requests that are on their way."""
        with self._telling:
            is_time = monotonic() - self._told > SECONDS_BETWEEN_LINES
            self._told = monotonic() if is_time else self._told
        if is_time:
            host = urlsplit(str(getattr(request, "url", ""))).netloc
            reason = f"answers {status}" if status else "does not answer"
            _LOGGER.warning("%s %s: asking again (%d of %d)", host, reason, count, self.total_retries)


def until(over: Event) -> Callable[..., None]:
    """The `retry_hook` of a request that nobody waits for when it is over: made again, it would hold up Ctrl-C."""

    def look(**_retry: object) -> None:
        if over.is_set():
            raise CancelledError

    return look


def blob_service(
    account_url: str,
    credential: str | TokenCredential,
    entry: Entry,
    retries: ExponentialRetry | None = None,
    *,
    account_name: str = "",
) -> BlobServiceClient:
    """A client of an account.

    Args:
        account_url: of the account.
        credential: a key, a signature, or who gets tokens.
        entry: which of them.
        retries: when to ask again; `patient` where nothing is said.
        account_name: by which a key signs, where the address does not tell it.
    """
    mask_logs()
    logging.getLogger("azure.identity").setLevel(logging.ERROR)  # its warnings are pages of what a refusal says
    signing: dict[str, str] | AzureSasCredential | TokenCredential
    if isinstance(credential, str):
        signing = (
            {"account_name": account_name or account_name_of(account_url), "account_key": credential}
            if entry == "key"
            else AzureSasCredential(credential)
        )
    else:
        signing = credential
    return BlobServiceClient(
        account_url,
        credential=signing,
        retry_policy=retries or patient(),
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )
