"""Which cluster the live suite asks, and for which chunk of which window: the `SFT_LIVE_*` variables.

Belongs here: reading them. Does not belong here: connecting, loading, comparing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sft_pipeline.clients.kusto.connecting import ServicePrincipal
from sft_pipeline.clients.kusto.parameters import ParameterValue
from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START


@dataclass(frozen=True)
class LiveSettings:
    """Where to ask, how to sign in, and what for.

    Args:
        cluster: its address.
        database: the database that holds `AppEvents`, or that is empty.
        auth: how to sign in.
        end: the day at which the window ends.
        days: how long the window is.
        chunk_count: into how many chunks the window is cut; one of them is asked for.
        load: whether to create the table in an empty database and to fill it with the hand-written world.
    """

    cluster: str
    database: str
    auth: str
    end: date
    days: int
    chunk_count: int
    load: bool

    @property
    def chunk(self) -> int:
        """The first chunk but that of the empty id, which holds every event without a conversationId."""
        return 1 if self.chunk_count > 1 and chunk_of("", self.chunk_count) == 0 else 0

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """The parameters that every query of the catalog declares."""
        end = datetime.combine(self.end, time(), UTC)
        return {
            "windowStart": end - timedelta(days=self.days),
            "windowEnd": end,
            "chunk": self.chunk,
            "chunkCount": self.chunk_count,
        }


def live_settings(environment: Mapping[str, str], today: date) -> LiveSettings | None:
    """The settings, or None when no cluster is named.

    A real cluster is asked for a small part of the last whole day; a loaded one for the whole hand-written world.
    """
    cluster = environment.get("SFT_LIVE_CLUSTER")
    if not cluster:
        return None
    load = environment.get("SFT_LIVE_LOAD") == "1"
    world = {"end": WINDOW_END.date(), "days": (WINDOW_END - WINDOW_START).days, "chunk_count": 1}
    usual = world if load else {"end": today, "days": 1, "chunk_count": 400}
    return LiveSettings(
        cluster=cluster,
        database=environment["SFT_LIVE_DATABASE"],
        auth=environment.get("SFT_LIVE_AUTH") or "az_cli",
        end=date.fromisoformat(environment.get("SFT_LIVE_WINDOW") or str(usual["end"])),
        days=int(environment.get("SFT_LIVE_DAYS") or str(usual["days"])),
        chunk_count=int(environment.get("SFT_LIVE_CHUNK_COUNT") or str(usual["chunk_count"])),
        load=load,
    )


def service_principal(environment: Mapping[str, str]) -> ServicePrincipal:
    """The application to sign in as, or the tenant alone, by the variables that the pipeline itself reads."""
    names = ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
    return ServicePrincipal(*(environment.get(name, "") for name in names))
