"""Whether a folder in a container is good to work in, asked before any work.

Belongs here: looking, and making a container where an emulator has none. Does not belong here: what is stored there.
"""

from contextlib import suppress
from typing import Any
from uuid import uuid4

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sft_pipeline.clients.blob.connecting import Container
from sft_pipeline.clients.blob.failures import error_code, refusing

_QUICKLY: dict[str, Any] = {"retry_total": 2, "connection_timeout": 10, "read_timeout": 20}
"""A person waits for the answer."""

_OTHER_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
"""That of no bytes at all."""


def prepare_place(container: Container) -> None:
    """Refuse a place in which nothing can be listed, read or written; an emulator's container is made.

    Raises:
        Refused: names what is missing, and what to do.
    """
    if not is_there(container):
        with refusing(container), suppress(ResourceExistsError):
            container.client.create_container()
    require_rights(container)


def is_there(container: Container) -> bool:
    """Whether the container is there and can be listed; False only on an emulator, where it is made when needed.

    Raises:
        Refused: it cannot be reached, entered or listed, or is not there.
    """
    with refusing(container):
        try:
            look(container)
        except ResourceNotFoundError as error:
            if container.place.is_emulated and error_code(error) == "ContainerNotFound":
                return False
            raise
    return True


def look(container: Container) -> None:
    """List one name of the folder.

    Raises:
        AzureError: it is not to be had.
    """
    names = container.client.list_blob_names(
        name_starts_with=container.place.prefix or None, results_per_page=1, **_QUICKLY
    )
    next(names, None)


def require_rights(container: Container) -> None:
    """Whether files may be read and written; nothing stays behind, for the service takes no bytes with another's MD5.

    Raises:
        Refused: names the right that is missing.
    """
    prefix = container.place.prefix
    blob = container.client.get_blob_client(f"{prefix}/.probe-{uuid4()}".lstrip("/"))
    with refusing(container):
        blob.exists(**_QUICKLY)
    with refusing(container):
        try:
            blob.stage_block("probe", b"probe", length=5, headers={"Content-MD5": _OTHER_MD5}, **_QUICKLY)
        except HttpResponseError as error:
            if error.status_code != 400:  # those without the right get 403 before anybody looks at the bytes
                raise
