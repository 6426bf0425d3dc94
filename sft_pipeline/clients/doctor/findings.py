"""What an examination finds: one line per thing that was looked at.

Belongs here: the finding, and findings about folders and containers. Does not belong here: rendering (commands.doctor).
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

from sft_pipeline.clients.blob.connecting import Container, Entry
from sft_pipeline.clients.blob.places import is_there, require_rights
from sft_pipeline.clients.disk import refusing
from sft_pipeline.curation.refusal import Refused

State = Literal["ok", "problem", "not_looked_at"]

ENTERED: dict[Entry, str] = {
    "key": "by the account's key",
    "sas": "by a shared access signature",
    "login": "by the Azure login",
}
"""How each way into a container is told."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: the thing, in a word or two.
        state: `not_looked_at` where something else stood in the way.
        told: what was found, or why nobody looked; no secrets, no names of people, no text of events.
        remedy: what to do about a problem; empty otherwise.
    """

    name: str
    state: State
    told: str
    remedy: str = ""


def ok(name: str, told: str) -> Finding:
    """All is well with it."""
    return Finding(name, "ok", told)


def problem(name: str, told: str, remedy: str) -> Finding:
    """It has to be mended."""
    return Finding(name, "problem", told, remedy)


def refusal(name: str, refused: Refused) -> Finding:
    """It was refused, in the words of the refusal."""
    return problem(name, refused.what, refused.remedy)


def not_looked_at(names: Iterable[str], why: str) -> Finding:
    """Nobody could look at these, for one reason."""
    return Finding(", ".join(names), "not_looked_at", f"not looked at because {why}")


def folder_finding(name: str, folder: Path) -> Finding:
    """Whether files can be made in a folder, or the folder itself where it is not there yet; nothing stays behind."""
    there = next((level for level in (folder, *folder.parents) if level.exists()), folder)
    try:
        with refusing(there), TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except Refused as refused:
        return refusal(name, refused)
    made = "" if there == folder else ", made when it is needed"
    return ok(name, f"{folder}: writable, {free / 1e9:,.0f} GB free{made}")


def container_finding(name: str, container: Container) -> Finding:
    """Whether a container is there, and what may be done in it; nothing stays behind."""
    place, entered = container.place, ENTERED[container.entry]
    try:
        if not is_there(container):
            return ok(name, f"{place.url}: entered {entered}, made when it is needed")
        require_rights(container)
    except Refused as refused:
        return refusal(name, refused)
    return ok(name, f"{place.url}: entered {entered}, may be listed, read and written")
