"""Which question meets which fault: by the question and how often it came, so that the order of threads is no matter.

Belongs here: choosing. Does not belong here: what a fault does to the wire (server).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sft_pipeline_tests.judge_server.asked import Asked

Kind = Literal[
    "status",  # refused with `status` and `error`
    "reset",  # the connection is reset before any header
    "cut",  # reset in mid-body
    "stuck",  # no answer while the server lasts
    "no_json",  # 200, the body ends in the middle
    "web_page",  # 200, a page of a gateway
    "odd_json",  # 200, JSON that is no completion
]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request."""

    kind: Kind
    status: int = 500
    error: dict[str, Any] = field(default_factory=lambda: {"message": "it went wrong", "type": "server_error"})
    headers: dict[str, str] = field(default_factory=dict[str, str])


Faults = Callable[[Asked], Fault | None]


def throttled(seconds: str) -> Fault:
    """429 with Retry-After."""
    error = {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}
    return Fault("status", 429, error, {"Retry-After": seconds})


def no_faults(_asked: Asked) -> Fault | None:
    """All is well."""
    return None


def first_times(*faults: Fault, of: str = "") -> Faults:
    """These faults, one after the other, for each question that contains a text, before it is answered."""
    return lambda asked: faults[asked.before] if of in asked.request and asked.before < len(faults) else None


def repeatedly(fault: Fault, of: str = "") -> Faults:
    """A fault for each question that contains a text, however often it comes."""
    return lambda asked: fault if of in asked.request else None
