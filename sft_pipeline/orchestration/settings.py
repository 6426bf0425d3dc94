"""Settings from the environment, read here and, but for credentials, nowhere else.

Belongs here: where data lies, how Kusto is reached. What changes the dataset is the plan's business.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import BaseModel, ConfigDict

from sft_pipeline.clients.blob.addresses import blob_place, is_blob_address, without_signature
from sft_pipeline.clients.blob.credentials import read_credentials, tables_place
from sft_pipeline.clients.kusto.addresses import CLUSTER_SECONDS
from sft_pipeline.clients.kusto.connecting import Auth
from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.judge_settings import JudgeSettings, read_judge
from sft_pipeline.orchestration.variables import whole_number
from sft_pipeline.plans import read_plan

AUTHS: dict[str, Auth] = {auth: auth for auth in get_args(Auth)}

LABELS = "label-store"
"""The folder of verdicts beside those of plans, none of which can have such a name."""

OF_PLAN = "plan"
"""What a variable says that means the place which the plan names."""

LONGEST_WAIT_SECONDS = 24 * 60 * 60 - 1
"""azure-kusto-data drops whole days of a timeout."""


class Settings(BaseModel):
    """Everything the environment says."""

    model_config = ConfigDict(frozen=True)

    plan: Plan
    home: Path
    dagster_home: Path
    storage: str
    releases: str
    telemetry: Path | None
    cluster: str
    database: str
    auth: Auth
    server_timeout_seconds: int = 1800
    client_timeout_seconds: int = 2100
    queries_at_a_time: int = 5
    judge: JudgeSettings = JudgeSettings()
    labels_told: str = ""

    @property
    def labels(self) -> str:
        """Where verdicts are kept: beside the tables of all plans, so that no plan pays for what another one asked."""
        return self.labels_told or str(self.home / LABELS)

    @property
    def judging(self) -> Path:
        """Where a judge's unfinished work lies on this machine: journals and sent batches."""
        return self.home / "judging"

    @property
    def staged(self) -> Path:
        """Where the embedded engine keeps its copy of the telemetry folder, ordered by chunk."""
        name = f"{self.telemetry.name}-{content_version([str(self.telemetry)])[:8]}" if self.telemetry else "none"
        return self.home / "staged" / name


def read_settings(environment: Mapping[str, str] = os.environ, *, plan: str | None = None) -> Settings:
    """Read the `SFT_*` variables and `DAGSTER_HOME`; defaults make a laptop work without any.

    Args:
        environment: the variables.
        plan: a plan's name or path that goes before `SFT_PLAN`.

    Each plan has its own Dagster instance and its own tables, so that plans do not see each other's materializations.

    Raises:
        Refused: the plan cannot be read, or a variable has a value it cannot have.
    """
    chosen = read_plan(plan or environment.get("SFT_PLAN") or "production")
    home = Path(environment.get("SFT_HOME") or ".sft").resolve()
    cluster, database = _cluster(environment, chosen)
    if cluster and not database:
        raise Refused(
            "SFT_KUSTO_CLUSTER is set and SFT_KUSTO_DATABASE is not",
            remedy="set it to the database's name; that of a Log Analytics workspace is the workspace's name",
        )
    telemetry = environment.get("SFT_TELEMETRY")
    server, client = _timeouts(environment)
    return Settings(
        plan=chosen,
        home=home,
        dagster_home=Path(environment.get("DAGSTER_HOME") or home / chosen.name / "dagster").resolve(),
        storage=_storage(environment, home, chosen),
        releases=_releases(_absolute(_releases_told(environment, chosen) or str(home / "releases"))),
        telemetry=_telemetry(telemetry, needed=not cluster) if telemetry else None,
        cluster=cluster.rstrip("/"),
        database=database,
        auth=_auth(environment.get("SFT_KUSTO_AUTH") or "az_cli"),
        server_timeout_seconds=server,
        client_timeout_seconds=client,
        queries_at_a_time=whole_number(environment, "SFT_KUSTO_QUERIES", 5, most=50),
        judge=read_judge(environment, chosen),
        labels_told=_labels(environment),
    )


def _cluster(environment: Mapping[str, str], plan: Plan) -> tuple[str, str]:
    """The cluster and the database; a cluster of the plan goes with the database of the plan."""
    cluster, database = (environment.get(f"SFT_KUSTO_{name}", "").strip() for name in ("CLUSTER", "DATABASE"))
    if cluster != OF_PLAN:
        return cluster, database
    return _named("SFT_KUSTO_CLUSTER", plan, plan.places.cluster), database or plan.places.database


def _releases_told(environment: Mapping[str, str], plan: Plan) -> str:
    told = environment.get("SFT_RELEASES", "").strip()
    return _named("SFT_RELEASES", plan, plan.places.releases) if told == OF_PLAN else told


def _named(variable: str, plan: Plan, place: str) -> str:
    if not place:
        raise Refused(
            f"{variable} is `{OF_PLAN}`, but plan {plan.name} names no such place",
            remedy=f"set {variable} to the place itself, or name it under [places] in the plan",
        )
    return place


def _auth(told: str) -> Auth:
    if told not in AUTHS:
        raise Refused(f"SFT_KUSTO_AUTH is {told!r}", remedy=f"set it to one of {', '.join(AUTHS)}")
    return AUTHS[told]


def _timeouts(environment: Mapping[str, str]) -> tuple[int, int]:
    """How long the server may work, and how long the client waits: five minutes more where nothing is said."""
    server = whole_number(environment, "SFT_KUSTO_SERVER_TIMEOUT", 1800, most=CLUSTER_SECONDS)
    client = whole_number(environment, "SFT_KUSTO_CLIENT_TIMEOUT", server + 300, most=LONGEST_WAIT_SECONDS)
    if client < server:
        raise Refused(
            f"SFT_KUSTO_CLIENT_TIMEOUT is {client}, less than the server's {server}",
            remedy=f"set it to {server + 300}: the client waits for the server, and for its turn in a queue",
        )
    return server, client


def _telemetry(told: str, *, needed: bool) -> Path:
    """The telemetry folder; with a cluster nobody reads it."""
    path = Path(told).resolve()
    if needed and not path.is_dir():
        raise Refused(
            f"SFT_TELEMETRY is {path}, {'a file' if path.exists() else 'which does not exist'}",
            remedy="name the folder that `sft-pipeline telemetry generate` or `telemetry import` was given as --out",
        )
    return path


def _storage(environment: Mapping[str, str], home: Path, plan: Plan) -> str:
    """The plan's own folder where tables lie: in a folder, or in a container whose account is known."""
    told = environment.get("SFT_STORAGE", "").strip()
    if not told:
        return _folder("SFT_HOME", str(home / plan.name / "assets"))
    place = _absolute(told)
    if "://" not in place:
        return _folder("SFT_STORAGE", str(Path(place) / plan.name))
    plain, signature = without_signature(place)
    path = plain.removeprefix("az://").strip("/")
    if signature or plain == path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise Refused(
            f"SFT_STORAGE is {plain}{', with a signature' if signature else ''}",
            remedy="set it to a folder or to az://container/prefix"
            + (", and AZURE_STORAGE_SAS_TOKEN to the signature" if signature else ""),
        )
    with _told_of("SFT_STORAGE"):
        tables_place(plain, read_credentials(environment))
    return f"{plain.rstrip('/')}/{plan.name}"


def _labels(environment: Mapping[str, str]) -> str:
    """Where verdicts are kept, when the environment says it or says where tables lie."""
    if told := environment.get("SFT_LABELS", "").strip():
        place = _absolute(told)
        if "://" not in place:
            return _folder("SFT_LABELS", place)
        with _told_of("SFT_LABELS"):
            tables_place(place, read_credentials(environment))
        return place.rstrip("/")
    storage = environment.get("SFT_STORAGE", "").strip()
    return f"{_absolute(storage).rstrip('/')}/{LABELS}" if storage else ""


def _releases(place: str) -> str:
    """A place in which releases can be published, told before hours of work, not after them."""
    if is_blob_address(place):
        with _told_of("SFT_RELEASES"):
            return blob_place(place).url
    store = open_release_store(place)
    _folder("SFT_RELEASES", url2pathname(urlsplit(store.url).path))
    return place


@contextmanager
def _told_of(variable: str) -> Generator[None]:
    """Name the variable in what is refused."""
    try:
        yield
    except Refused as refused:
        raise Refused(f"{variable}: {refused.what}", remedy=refused.remedy) from None


def _folder(name: str, place: str) -> str:
    """A local path that is a folder or can become one; other places are left alone."""
    if "://" not in place:
        path = Path(place)
        there = next((level for level in (path, *path.parents) if level.exists()), None)
        if there and not there.is_dir():
            raise Refused(f"{name} is {path}, but {there} is a file", remedy="set it to a folder, or move that file")
    return place


def _absolute(place: str) -> str:
    """A local path made absolute, so that it means the same from every working directory."""
    return place if "://" in place else str(Path(place).resolve())
