"""The containers in which tables, labels and releases lie, where they do not lie in folders.

Belongs here: which there are, and having them looked at before any work. Does not belong here: the look (blob.places).
"""

from sft_pipeline.clients.blob.addresses import blob_place, is_blob_address
from sft_pipeline.clients.blob.connecting import Container
from sft_pipeline.clients.blob.credentials import read_credentials, tables_place
from sft_pipeline.clients.blob.places import prepare_place
from sft_pipeline.orchestration.blob_accounts import open_container
from sft_pipeline.orchestration.settings import Settings


def remote_places(settings: Settings) -> dict[str, Container]:
    """The containers of `tables`, `labels` and `releases`; nothing is asked of them yet.

    Raises:
        Refused: the environment does not say in which account one lies.
    """
    credentials = read_credentials()
    places = {
        **({"tables": tables_place(settings.storage, credentials)} if "://" in settings.storage else {}),
        **({"labels": tables_place(settings.labels, credentials)} if _labels_are_remote(settings) else {}),
        **({"releases": blob_place(settings.releases)} if is_blob_address(settings.releases) else {}),
    }
    return {name: open_container(place, credentials) for name, place in places.items()}


def _labels_are_remote(settings: Settings) -> bool:
    return settings.plan.routers is not None and "://" in settings.labels


def prepare_places(settings: Settings) -> None:
    """Refuse containers that are not there, or in which something may not be done, before hours of work.

    Raises:
        Refused: names the address, what is missing, and what to do.
    """
    for container in remote_places(settings).values():
        prepare_place(container)
