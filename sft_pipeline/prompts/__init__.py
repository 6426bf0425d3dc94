"""The wordings that judges are asked with, and the requests whose label is beyond doubt; finding them by name or path.

All that a language model reads beside the text to be judged stands in the prompt's file, so that its hash tells all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import orjson

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.routers import RouterName

FOLDER = Path(__file__).parent

PARTS = ("System", "User", "Again")
"""What a prompt's file consists of: the system prompt, the frame of the text, and what is added to a re-ask."""

_HEADING = re.compile(r"^## (\w+)[ \t]*$", re.M)


@dataclass(frozen=True)
class Prompt:
    """A wording, known by its name and by every character of it.

    Args:
        name: of its file.
        text: all of the file.
    """

    name: str
    text: str

    @cached_property
    def sha256(self) -> str:
        """Of the text."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def version(self) -> str:
        """`session_router_1@` and the first 12 digits of the hash, as a judge's identity has it."""
        return f"{self.name}@{self.sha256[:12]}"

    @cached_property
    def parts(self) -> Mapping[str, str]:
        """The text under each heading of `PARTS`."""
        pieces = _HEADING.split(self.text)
        return MappingProxyType({name: text.strip() for name, text in zip(pieces[1::2], pieces[2::2], strict=True)})


class Canary(NamedTuple):
    """A request whose label is beyond doubt, or the same with an order to answer otherwise.

    Args:
        name: told when a judge misses it.
        router: the one that it is made for; empty: both.
        request: the user's message.
        history: what was said before.
        label: the only right one.
        signals: as the client would have told them.
        kind: injection, where it carries an order.
        pair: the name of the plain one, which an injection shares its label with; its own name otherwise.
    """

    name: str
    router: RouterName | Literal[""]
    request: str
    history: str
    label: int
    signals: dict[str, int | None]
    kind: Literal["plain", "injection"]
    pair: str


def prompt_names() -> tuple[str, ...]:
    """The prompts that come with the project."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))


def read_prompt(name_or_path: str) -> Prompt:
    """Read a prompt that comes with the project by its name, or any other by its path.

    Raises:
        Refused: there is no such prompt, or its file lacks a part or a place for the text.
    """
    known = prompt_names()
    path = FOLDER / f"{name_or_path}.md" if name_or_path in known else Path(name_or_path)
    try:
        prompt = Prompt(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"no prompt {name_or_path!r}", remedy=f"name one of {', '.join(known)}, or the path of an .md file"
        ) from error
    _require_whole(prompt)
    return prompt


def _require_whole(prompt: Prompt) -> None:
    if tuple(prompt.parts) != PARTS or not all(prompt.parts.values()):
        raise Refused(
            f"prompt {prompt.name} has the parts {', '.join(prompt.parts) or 'none'}",
            remedy=f"head them ## {', ## '.join(PARTS)}, in this order, each with a text",
        )
    if missing := [field for field in ("{nonce}", "{request}") if field not in prompt.parts["User"]]:
        raise Refused(
            f"prompt {prompt.name} has no {' and no '.join(missing)} under ## User",
            remedy="say there where the text to be judged goes, between two markers with the nonce",
        )


def read_canaries(router: RouterName | None = None) -> list[Canary]:
    """All canaries, or those that a router can be tried with, in the order of their file."""
    lines = (FOLDER / "canaries.jsonl").read_bytes().splitlines()
    canaries = [Canary(**orjson.loads(line)) for line in lines]
    return [canary for canary in canaries if router is None or canary.router in ("", router)]
