"""A query request as the service reads it: text, parameters, options, who asks.

Belongs here: reading a request's body and headers. Does not belong here: answering it (service).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

from sft_pipeline_tests.stand_in.literals import Value, value_of

DEFAULT_SECONDS = 240.0
"""A query's time where the request says nothing."""

_TIMESPAN = re.compile(r"(?:(\d+)(?:\.| days?, ))?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")


@dataclass(frozen=True)
class Asked:
    """One query or management command.

    Args:
        path: the request's path.
        database: where to look tables up.
        text: KQL.
        parameters: the values of its query parameters.
        options: request properties, such as `servertimeout` and `notruncation`.
        headers: by lower-case name; never the token.
    """

    path: str
    database: str
    text: str
    parameters: Mapping[str, Value] = field(default_factory=dict[str, Value])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def query_hash(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def key(self) -> str:
        """Equal for requests that ask the same with the same values: a chunk's query, its retries."""
        values = sorted((name, repr(value)) for name, value in self.parameters.items())
        return sha256(f"{self.query_hash}{values}".encode()).hexdigest()

    @property
    def request_id(self) -> str:
        """What the client calls this request."""
        return self.headers.get("x-ms-client-request-id", "")

    @property
    def seconds(self) -> float:
        """How long the client allows the service to work."""
        if self.options.get("norequesttimeout"):
            return float("inf")
        found = _TIMESPAN.fullmatch(str(self.options.get("servertimeout", "")))
        if found is None:
            return DEFAULT_SECONDS
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return days * 86400 + hours * 3600 + minutes * 60 + seconds


def read_request(path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """Read a request of the v1 or v2 endpoint.

    Raises:
        ValueError: the body is not what clients send.
    """
    asked = _object(json.loads(body))
    if not isinstance(asked.get("csl"), str):
        msg = "the body holds no csl"
        raise ValueError(msg)
    sent = asked.get("properties") or "{}"
    properties = _object(json.loads(sent) if isinstance(sent, str) else sent)
    given = _object(properties.get("Parameters") or {})
    told = {name.lower(): value for name, value in headers.items() if name.lower() != "authorization"}
    return Asked(
        path=path,
        database=str(asked.get("db") or ""),
        text=asked["csl"],
        parameters={name: value_of(literal) for name, literal in given.items()},
        options=_object(properties.get("Options") or {}),
        headers=told,
    )


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = "the body is no JSON object"
        raise ValueError(msg)
    return cast("dict[str, Any]", value)
