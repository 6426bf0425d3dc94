"""What is published, whatever kind of release it is: its name, its files, and what its metadata.json says.

Belongs here: the release as the publisher sees it.
Does not belong here: what a kind of release consists of (release, sft_release), the protocol (clients.publishing).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sft_pipeline.curation.plan import Plan


class Origin(NamedTuple):
    """A data file as it was uploaded.

    Args:
        path: relative to the release folder.
        lies_at: where it was uploaded to, relative to the store.
        remade_by: what a user can do when it is no longer as it was written.
    """

    path: str
    lies_at: str
    bytes: int
    md5: str
    sha256: str
    remade_by: str


@dataclass(frozen=True)
class Publication:
    """A whole release that has no folder yet.

    Args:
        run_id: the run that publishes.
        version: the content version; equal versions are the same files by the same plan.
        name: the folder's name, from the stamp in it.
        origins: the data files.
        reports: other files by path, from the stamp in their names.
        metadata: metadata.json, from the moment when this content was first curated.
        files: what a metadata.json of this kind says of each file beside itself, by path.
    """

    plan: Plan
    run_id: str
    version: str
    name: Callable[[str], str]
    origins: tuple[Origin, ...]
    reports: Callable[[str], Mapping[str, bytes]]
    metadata: Callable[[datetime], dict[str, Any]]
    files: Callable[[Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]
