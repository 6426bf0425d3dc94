"""Which requests to a blob service meet which fault, and what was asked of it.

Belongs here: choosing, and the journal. Does not belong here: bytes on the wire (fault_proxy).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal[
    "refused",  # answered with `status` and `code`, not forwarded
    "reset",  # the connection is reset, nothing forwarded
    "lost",  # forwarded and done, then reset before the answer
    "cut",  # forwarded, reset in the middle of the answer's body
    "corrupted",  # one byte of the request's body flipped
    "damaged",  # one byte of the answer's body flipped
    "none",  # forwarded as it is, after `before` and with `after`
]
MUTATING = frozenset({"PUT", "POST", "DELETE"})


class Asked(NamedTuple):
    """A request: its path decoded, of its query the component alone, bytes of its body, the range it asks for."""

    method: str
    path: str
    comp: str
    bytes: int
    range: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it changes what is stored."""
        return self.method in MUTATING

    @classmethod
    def of(cls, method: str, target: str, size: int, part: str = "") -> "Asked":
        """Read the first line of a request; signatures are left behind."""
        url = urlsplit(target)
        return cls(method, unquote(url.path), "".join(parse_qs(url.query).get("comp", [])), size, part)


@dataclass
class Exchange:
    """A request and the status of its answer: 0 while it is awaited, and where the connection was reset."""

    asked: Asked
    fault: Kind
    status: int = 0


def every(_asked: Asked) -> bool:
    """Any request counts."""
    return True


def nothing() -> None:
    """Do it."""


@dataclass(frozen=True)
class Rule:
    """A fault for some requests.

    Args:
        kind: what happens to them.
        where: which requests count.
        nth: the first of those that meets it, from 1.
        times: how many in a row meet it; None for all from there on.
        status: of a refusal.
        code: its name in the service's words.
        retry_after: seconds, told with a refusal.
        before: done before the request is forwarded or refused; may wait.
        after: done when the service has answered, before the client knows.
    """

    kind: Kind = "none"
    where: Callable[[Asked], bool] = every
    nth: int = 1
    times: int | None = 1
    status: int = 503
    code: str = "ServerBusy"
    retry_after: str | None = None
    before: Callable[[], None] = nothing
    after: Callable[[], None] = nothing

    def meets(self, count: int) -> bool:
        """Whether the request that is the count-th of its kind is one."""
        return self.nth <= count and (self.times is None or count < self.nth + self.times)


WELL = Rule()


@dataclass
class Faults:
    """The rules of a proxy, which tests may replace at any time, and its journal in order of arrival."""

    journal: list[Exchange] = field(default_factory=list[Exchange])
    _rules: list[tuple[Rule, list[Asked]]] = field(default_factory=list[tuple[Rule, list[Asked]]])
    _lock: Lock = field(default_factory=Lock)

    def set(self, *rules: Rule) -> None:
        """From now on these rules, counted anew, and an empty journal. Of several that meet, the first counts."""
        with self._lock:
            self._rules = [(rule, []) for rule in rules]
            self.journal = []

    def begin(self, asked: Asked) -> tuple[Rule, Exchange]:
        """Note a request and choose its rule."""
        with self._lock:
            met = [rule for rule, counted in self._rules if rule.where(asked) and _counts(rule, counted, asked)]
            rule = met[0] if met else WELL
            exchange = Exchange(asked, rule.kind)
            self.journal.append(exchange)
            return rule, exchange

    def asked(self, where: Callable[[Asked], bool] = every) -> Sequence[Asked]:
        """The requests so far that match."""
        with self._lock:
            return [exchange.asked for exchange in self.journal if where(exchange.asked)]

    @property
    def writes(self) -> Sequence[Asked]:
        """The requests so far that changed what is stored, or tried to."""
        return self.asked(lambda asked: asked.is_write)


def _counts(rule: Rule, counted: list[Asked], asked: Asked) -> bool:
    counted.append(asked)
    return rule.meets(len(counted))
