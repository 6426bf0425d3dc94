"""What Azure Blob Storage refuses, in a user's words: the thing, what is the matter, what to do.

Belongs here: the service's error codes. Its own sentences are never told: they quote requests, and those are signed.
"""

from collections.abc import Generator
from contextlib import contextmanager

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from sft_pipeline.clients.blob.addresses import account_name_of
from sft_pipeline.clients.blob.connecting import Container, Entry
from sft_pipeline.curation.refusal import Refused

_GO_ON = "run again: what was finished is kept, and blocks that were sent are not sent again"

_LOGIN = "log in with `az login`, or set AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_SAS_TOKEN"
_NOT_SIGNED_IN: dict[Entry, tuple[str, str]] = {
    "key": (
        "the account's key is not accepted",
        "copy it again from the account's page `Access keys`; a clock that is 15 minutes off has the same effect",
    ),
    "sas": (
        "the shared access signature is expired, or not of this account or container",
        "make a new one with the permissions read, add, create, write and list, and set AZURE_STORAGE_SAS_TOKEN to it",
    ),
    "login": ("the Azure login is not accepted, or there is none", _LOGIN),
}
_NOT_ALLOWED: dict[Entry, tuple[str, str]] = {
    "key": (
        "the account's key is wrong, or the account does not let this machine in",
        "copy the key again from the account's page `Access keys`, and look at its `Networking`",
    ),
    "sas": (
        "the shared access signature does not allow this, is expired or of another container",
        "make one with the permissions read, add, create, write and list, and set AZURE_STORAGE_SAS_TOKEN to it; look "
        "at the account's `Networking`",
    ),
    "login": (
        "who is logged in may not do this",
        "give them the role `Storage Blob Data Contributor` on the container (`Storage Blob Data Reader` to verify "
        "alone), and look at the account's `Networking`",
    ),
}
_PERMISSION_CODES = {
    *("AuthorizationFailure", "AuthorizationPermissionMismatch", "AuthorizationProtocolMismatch"),
    *("AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch", "AuthorizationSourceIPMismatch"),
    *("InsufficientAccountPermissions", "PublicAccessNotPermitted"),
    "UnauthorizedBlobOverwrite",
}
_TOLD: dict[str, tuple[str, str]] = {
    "BlobNotFound": ("there is no such file", "compare the address with what is there: `sft-pipeline releases`"),
    "ContainerBeingDeleted": ("the container is being deleted", "name another one, or wait a minute and run again"),
    "AccountIsDisabled": ("the account is disabled", "enable it, or name another one"),
    "ConditionNotMet": ("the file was replaced while it was read", "find out who writes there, then run again"),
    "KeyBasedAuthenticationNotPermitted": ("the account allows no keys", _LOGIN),
    "LeaseIdMissing": (
        "somebody holds a lease on it",
        "wait until it ends, or break it: `az storage blob lease break`",
    ),
    "BlobArchived": ("the file lies in the archive tier", "rehydrate it first: `az storage blob set-tier`"),
    "InvalidBlockList": ("blocks that were sent are gone: somebody else wrote this file meanwhile", _GO_ON),
    "InvalidBlobOrBlock": (
        "somebody else sends this file in other blocks",
        "let one publish at a time; run again",
    ),
    "Md5Mismatch": ("bytes were changed on their way, again and again", "look at the network and its proxies"),
}


@contextmanager
def refusing(container: Container, path: str = "") -> Generator[None]:
    """Tell what the service refuses.

    Raises:
        Refused: names the address, what is the matter, and what to do.
    """
    try:
        yield
    except AzureError as error:
        what, remedy = _reason(error, container)
        raise Refused(f"{'/'.join(filter(None, (container.place.url, path)))}: {what}", remedy=remedy) from None


def error_code(error: AzureError) -> str:
    """The service's own word for what happened, empty where it gave none."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def _reason(error: AzureError, container: Container) -> tuple[str, str]:
    place, entry, code = container.place, container.entry, error_code(error)
    if code == "ContainerNotFound":
        return _no_container(container)
    if code in _TOLD:
        return _TOLD[code]
    if code in _PERMISSION_CODES:
        return _NOT_ALLOWED[entry]
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status == 401:
        return _NOT_SIGNED_IN[entry]
    if status in {403, 404}:
        return _NOT_ALLOWED[entry] if status == 403 else _TOLD["BlobNotFound"]
    if status is not None and (status >= 500 or status == 429):
        return f"the service is too busy or failing ({status} {code})", _GO_ON
    return _on_the_way(error, place.account_url, " ".join(filter(None, (str(status or ""), code))))


def _on_the_way(error: AzureError, account_url: str, told: str) -> tuple[str, str]:
    """What is left when the service has given no reason that is known."""
    if isinstance(error, (ServiceRequestError, ServiceResponseError)):
        remedy = f"look at the network and, if it never answered, at the account's name; {_GO_ON}"
        return f"{account_url} does not answer", remedy
    if isinstance(error, HttpResponseError) and error.status_code is None:
        return f"answers of {account_url} break off, again and again", f"look at the network; {_GO_ON}"
    return f"the service refused it ({told or type(error).__name__})", _GO_ON


def _no_container(container: Container) -> tuple[str, str]:
    place = container.place
    named = f"--account-name {account_name_of(place.account_url)} --name {place.container}"
    command = f"az storage container create {named} --auth-mode login"
    return f"there is no container {place.container}", f"make it with `{command}`, or name another"
