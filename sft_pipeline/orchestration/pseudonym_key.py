"""The secret by which user names become pseudonyms: from the environment, else from a file made once.

Belongs here: reading and making it, at use; it is never part of a resource's configuration, of metadata or of a log.
Does not belong here: what is done with it (curation.privacy).
"""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import dagster as dg

from sft_pipeline.clients.disk import finish, link, refusing
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.settings import Settings

VARIABLE = "SFT_PSEUDONYM_KEY"
FILE = "pseudonym.key"
SHORTEST = 16
"""Characters of a key; fewer can be guessed, and with them the names."""

_ONE_FOR_ALL = "set it to the same secret on every machine, e.g. one made by `openssl rand -hex 32`"


class PseudonymsResource(dg.ConfigurableResource[bytes]):
    """Where the key lies; the key itself is read when a chunk is curated."""

    home: str
    storage: str

    def key(self, plan: Plan) -> bytes | None:
        """The key, where the plan wants pseudonyms.

        Raises:
            Refused: as `pseudonym_key`.
        """
        return pseudonym_key(plan, home=Path(self.home), storage=self.storage)


def pseudonym_key(plan: Plan, *, home: Path, storage: str, environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The key of the environment, else the one of this home, which is made when there is none; none for other plans.

    Args:
        plan: whether pseudonyms are wanted.
        home: the folder of the file.
        storage: where tables lie; a place that several machines may share needs the same key on all of them.
        environment: the variables.

    Raises:
        Refused: the key is too short, tables lie in a shared place and the variable is not set, or the file cannot be
            read or made.
    """
    if plan.privacy.user_names != "pseudonym":
        return None
    return told_key(plan, storage=storage, environment=environment) or _key_of_home(home)


def told_key(plan: Plan, *, storage: str, environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The key of the environment; None where the one of the home counts.

    Raises:
        Refused: the key is too short, or tables lie in a shared place and the variable is not set.
    """
    if told := environment.get(VARIABLE, "").strip():
        return _long_enough(told, f"the value of {VARIABLE}", _ONE_FOR_ALL)
    if "://" in storage:
        raise Refused(
            f"plan {plan.name} makes user names pseudonyms, tables lie in {storage}, and {VARIABLE} is not set: "
            "machines with different keys would undo each other's work",
            remedy=_ONE_FOR_ALL,
        )
    return None


def key_id(key: bytes | None) -> str:
    """What tells keys apart without telling them; empty without a key."""
    return sha256(b"pseudonym:" + key).hexdigest()[:16] if key else ""


def settings_key_id(settings: Settings) -> str:
    """The `key_id` of the key that these settings lead to.

    Raises:
        Refused: as `pseudonym_key`.
    """
    return key_id(pseudonym_key(settings.plan, home=settings.home, storage=settings.storage))


def _key_of_home(home: Path) -> bytes:
    path = home / FILE
    with refusing(path):
        if not path.exists():
            _make(path)
        told = path.read_text(encoding="ascii", errors="replace").strip()
    return _long_enough(told, str(path), "put the key back; without it, move the file away: names then change")


def _make(path: Path) -> None:
    """Write a random key under a name of this process, then give it the name that counts, which the first one gets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f"{FILE}.{token_hex(8)}")
    descriptor = os.open(mine, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(token_hex(32).encode() + b"\n")
            finish(handle)
        link(mine, path)
    except FileExistsError:
        return  # another first run was faster: its key counts
    finally:
        mine.unlink(missing_ok=True)


def _long_enough(key: str, where: str, remedy: str) -> bytes:
    if len(key) < SHORTEST:
        raise Refused(f"{where} has {len(key)} characters; a key has at least {SHORTEST}", remedy=remedy)
    return key.encode("utf-8", "surrogateescape")
