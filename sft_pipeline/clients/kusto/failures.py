"""What can go wrong with a query, told apart by what helps: nothing, asking again, or asking for less.

Belongs here: the failure that callers see, the one that passes between the client's parts, and the service's words for
each kind. Does not belong here: waiting and asking again (retries), asking for less (chunk_queries).
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from sft_pipeline.curation.refusal import Refused

Kind = Literal["permanent", "transient", "too_large"]
"""`permanent`: asking again fails the same way. `transient`: it may pass. `too_large`: the query asks for too much."""

REMEDIES: dict[Kind, str] = {
    "permanent": "mend the query or its access; `sft-pipeline doctor` looks at both",
    "transient": "run again: what is finished is kept",
    "too_large": "raise chunks.count in the plan, SFT_KUSTO_SERVER_TIMEOUT or the limits of the cluster",
}

_TOO_LARGE = re.compile(
    r"E_QUERY_RESULT_SET_TOO_LARGE|E_RUNAWAY_QUERY|E_LOW_MEMORY|80DA000[137]|80131505|lacks memory|timed?[ -]?out", re.I
)
"""The service's words for too many rows or bytes, too much memory, too much time (Kusto: query limits, result
truncation, partial query failures)."""

_WRITTEN_WRONG = re.compile(r"\b(SEM|SYN)\d{4}\b|(semantic|syntax) error", re.I)
"""A message about the query's text quotes names, which may be words for anything."""

_THROTTLED = re.compile(r"throttl|TooManyRequests", re.I)
_POSITION = re.compile(r"\[line:position=(\d+):\d+\]")
_PRINCIPAL = re.compile(r"(?i)\b(principal\s+)?'?aad(user|app|group)=[^\s',]+'?|[\w.+-]+@[\w-]+\.[\w.-]+")
"""Who signed in, as the service quotes it where access is missing."""

_LONGEST_MESSAGE = 400


class KustoQueryFailed(Refused):
    """A query gave no answer that can be trusted; nothing of it was kept.

    Args:
        message: what went wrong, without data and without parameter values.
        query: the query's name.
        kind: what helps.
    """

    def __init__(self, message: str, query: str, *, kind: Kind = "permanent") -> None:
        super().__init__(f"query {query} failed: {message}", remedy=REMEDIES[kind])
        self.message = message
        self.query = query
        self.kind: Kind = kind

    @property
    def permanent(self) -> bool:
        """Whether asking again, or for less, would fail the same way."""
        return self.kind == "permanent"


class ServiceFailure(Exception):
    """One attempt failed; the client decides what becomes of the query.

    Args:
        message: what went wrong, without data.
        kind: what helps.
        status: the HTTP status, where that was the failure.
        throttled: whether the service asked for fewer requests.
        retry_after: seconds that the service asked to wait.
        line: of the query's text, where the service names one; from 1.
    """

    def __init__(
        self,
        message: str,
        kind: Kind = "transient",
        *,
        status: int | None = None,
        throttled: bool = False,
        retry_after: float | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind: Kind = kind
        self.status = status
        self.throttled = throttled
        self.retry_after = retry_after
        self.line = line


def service_error(error: Mapping[str, Any], *, status: int | None = None) -> ServiceFailure:
    """A failure in the service's own words: one `OneApiError`.

    Args:
        error: `code`, `message`, and where the service says more `@message` and `@permanent`.
        status: the HTTP status that came with it.
    """
    code, text = str(error.get("code", "")), str(error.get("@message") or error.get("message") or "")
    told = f"{code}: {text}"
    throttled = bool(_THROTTLED.search(told)) or status == 429
    position = _POSITION.search(text)
    return ServiceFailure(
        _first_words(told),
        kind_of(told, permanent=bool(error.get("@permanent")) and not throttled),
        status=status,
        throttled=throttled,
        line=int(position[1]) if position else None,
    )


def worst(failures: list[ServiceFailure]) -> ServiceFailure:
    """The one of several that decides: what is permanent, else what is too large."""
    order: dict[Kind, int] = {"permanent": 0, "too_large": 1, "transient": 2}
    return min(failures, key=lambda failure: order[failure.kind])


def kind_of(told: str, *, permanent: bool) -> Kind:
    """What helps, by the service's words; a limit is called permanent by some services, but a smaller query passes."""
    if permanent and _WRITTEN_WRONG.search(told):
        return "permanent"
    if _TOO_LARGE.search(told):
        return "too_large"
    return "permanent" if permanent else "transient"


def _first_words(told: str) -> str:
    """The message up to where the service quotes the whole query, and without who asked."""
    line = _PRINCIPAL.sub("the principal", " ".join(told.partition("\n")[0].split()))
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "..."
