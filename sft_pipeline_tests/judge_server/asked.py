"""What a service was asked, read from the messages as a model would see them, and the log of it.

Belongs here: requests as values, and counting them. Does not belong here: answering (brain), HTTP (server).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

from sft_pipeline.prompts import prompt_names, read_prompt

_REQUEST = re.compile(r"<request-(?P<nonce>[0-9a-f]{16})>\n(?P<text>.*)\n</request-(?P=nonce)>", re.S)
_HISTORY = re.compile(r"<history-(?P<nonce>[0-9a-f]{16})>\n(?P<text>.*)\n</history-(?P=nonce)>", re.S)
_AGAIN = {read_prompt(name).parts["Again"] for name in prompt_names()}


class Asked(NamedTuple):
    """A question as it reached the service.

    Args:
        nonce: of its markers; another question has another one.
        request: what stood between the markers.
        history: likewise.
        again: whether it is a re-ask.
        before: how often the same question had been asked before, re-asks apart.
        body: all of it.
        custom_id: of a line of a batch; empty for a request of its own.
    """

    nonce: str
    request: str
    history: str
    again: bool
    before: int
    body: dict[str, Any]
    custom_id: str = ""


@dataclass
class Log:
    """Everything that was asked, in order of arrival; keys are never noted.

    Args:
        asked: nonce, re-ask or not, and custom_id of every question.
        calls: method and path of every request.
        bodies: those of the first questions, for a look at what was sent.
    """

    asked: list[tuple[str, bool, str]] = field(default_factory=list[tuple[str, bool, str]])
    calls: list[str] = field(default_factory=list[str])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _counts: Counter[tuple[str, bool]] = field(default_factory=Counter[tuple[str, bool]])
    _lock: Lock = field(default_factory=Lock, repr=False)

    def call(self, method: str, path: str) -> None:
        """Note a request."""
        with self._lock:
            self.calls.append(f"{method} {path}")

    def question(self, body: dict[str, Any], custom_id: str = "") -> Asked:
        """Note a question and read it."""
        text = str(body["messages"][-1]["content"])
        request, history = _REQUEST.search(text), _HISTORY.search(text)
        nonce = request["nonce"] if request else ""
        again = any(text.endswith(words) for words in _AGAIN)
        with self._lock:
            before = self._counts[nonce, again]
            self._counts[nonce, again] += 1
            self.asked.append((nonce, again, custom_id))
            if len(self.bodies) < 100:
                self.bodies.append(body)
        return Asked(
            nonce,
            request["text"] if request else text,
            history["text"] if history else "",
            again,
            before,
            body,
            custom_id,
        )

    @property
    def questions(self) -> int:
        """How many different questions were asked."""
        return len({nonce for nonce, _, _ in self.asked})

    def count(self, call: str) -> int:
        """How many requests had this method and path, or began with it."""
        return sum(made.startswith(call) for made in self.calls)
