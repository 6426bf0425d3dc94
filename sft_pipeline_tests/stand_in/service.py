"""The service: who may ask, in which slot, for how long, how much of the answer, and which fault goes into it.

Belongs here: what happens to a request between its headers and its reply.
Does not belong here: sockets (server), the layout of a body (v2, management).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import sleep
from typing import Literal
from uuid import uuid4

from sft_pipeline_tests.stand_in import failures, v2
from sft_pipeline_tests.stand_in.answers import Answers
from sft_pipeline_tests.stand_in.failures import Failure
from sft_pipeline_tests.stand_in.faults import Fault, Faults, no_faults
from sft_pipeline_tests.stand_in.journal import Entry, Journal
from sft_pipeline_tests.stand_in.limits import Limits, Slots
from sft_pipeline_tests.stand_in.management import told
from sft_pipeline_tests.stand_in.request import Asked, read_request

Delivery = Literal["whole", "reset", "cut", "cut_chunked"]

QUERY, MANAGEMENT, METADATA = "/v2/rest/query", "/v1/rest/mgmt", "/v1/rest/auth/metadata"

_BEFORE_THE_QUERY: dict[Fault, Failure] = {
    "internal_error": failures.broken(500),
    "bad_gateway": failures.broken(502),
    "unavailable": failures.broken(503),
    "unauthorized": failures.unauthorized(),
    "semantic_error": failures.semantic_error(
        "SEM0100: 'project' operator: Failed to resolve column or scalar expression named 'x' [line:position=12:5]"
    ),
}
_IN_THE_ROWS: dict[Fault, Failure] = {
    "error_in_rows": failures.failed_while_running(permanent=False),
    "permanent_error_in_rows": failures.failed_while_running(permanent=True),
    "deferred_error": failures.failed_while_running(permanent=False),
    "too_large": failures.too_large("64 MB"),
    "low_memory": failures.low_memory(),
    "runaway": failures.runaway(),
}
_ENDS: dict[Fault, v2.End] = {"has_errors": "has_errors", "cancelled": "cancelled", "no_end": "none"}
_DELIVERIES: dict[Fault, Delivery] = {"reset": "reset", "cut": "cut", "cut_chunked": "cut_chunked"}
_SLOWEST = 0.02
"""Real seconds that a slow answer takes at least."""


@dataclass(frozen=True)
class Reply:
    """What goes out.

    Args:
        status: of HTTP.
        body: all of it; what a delivery cuts off is not sent.
        headers: beside those of every response.
        delivery: how the body reaches the client.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delivery: Delivery = "whole"


class Service:
    """A running service.

    Args:
        url: where it listens.
        answers: what its queries come to.
        limits: what it allows.
        tokens: those it takes; any request is served when None.
        fragmented: whether results come in fragments, asked for or not.
        fragment_rows: rows in a fragment.
        dynamic_as_text: whether dynamic values go out as text.
        gzip: whether bodies are compressed for who accepts it.
        faults: which requests fail; may be changed while it runs.
    """

    def __init__(
        self,
        url: str,
        answers: Answers,
        *,
        limits: Limits,
        tokens: set[str] | None = None,
        fragmented: bool = False,
        fragment_rows: int = 100,
        dynamic_as_text: bool = False,
        gzip: bool = True,
        faults: Faults = no_faults,
    ) -> None:
        self.url = url
        self.database = answers.database
        self.limits = limits
        self.tokens = tokens
        self.gzip = gzip
        self.faults = faults
        self.journal = Journal()
        self.defects: list[BaseException] = []
        """Exceptions of the stand-in itself; `stand_in` raises the first."""
        self.slots = Slots(limits.slots, limits.queue_seconds, limits.retry_after)
        self._answers = answers
        self._fragmented = fragmented
        self._fragment_rows = fragment_rows
        self._dynamic_as_text = dynamic_as_text

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a user of this service."""
        return {
            "SFT_KUSTO_CLUSTER": self.url,
            "SFT_KUSTO_DATABASE": self.database,
            "SFT_KUSTO_AUTH": "none",
        }

    @property
    def workspace_url(self) -> str:
        """The service under a path, as the Log Analytics proxy has it."""
        subscription = "00000000-0000-0000-0000-000000000000"
        provider = "providers/microsoft.operationalinsights"
        return f"{self.url}/subscriptions/{subscription}/resourcegroups/r/{provider}/workspaces/w"

    def get(self, path: str) -> Reply:
        """Answer a GET request."""
        if path.endswith(METADATA):
            return _json(200, {"AzureAD": _AZURE_AD})
        return _json(404, {})

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a POST request."""
        if not path.endswith((QUERY, MANAGEMENT)):
            return _json(404, {})
        try:
            asked = read_request(path, headers, body)
        except ValueError as error:
            return _failed(failures.bad_request(f"The request cannot be read: {error}"), "")
        fault = self.faults(asked) if path.endswith(QUERY) else None
        entry = self.journal.begin(asked, fault)
        try:
            self._admit(asked, headers)
            reply = self._queried(asked, fault) if path.endswith(QUERY) else _json(200, told(asked.text, self.database))
        except Failure as failure:
            entry.code = failure.code
            reply = _failed(failure, asked.request_id)
        return self._sent(reply, entry)

    def _sent(self, reply: Reply, entry: Entry) -> Reply:
        entry.status = None if reply.delivery == "reset" else reply.status
        names = {"x-ms-client-request-id": entry.asked.request_id, "x-ms-activity-id": str(uuid4())}
        return replace(reply, headers={**names, **reply.headers})

    def _admit(self, asked: Asked, headers: Mapping[str, str]) -> None:
        given = {name.lower(): value for name, value in headers.items()}.get("authorization", "")
        if self.tokens is not None and given.removeprefix("Bearer ") not in self.tokens:
            raise failures.unauthorized()
        if asked.database != self.database:
            raise failures.entity_not_found("Database", asked.database)

    def _queried(self, asked: Asked, fault: Fault | None) -> Reply:
        self._refuse(asked, fault)
        with self.slots.turn():
            self._work(asked, fault)
            result = self._result(asked, fault)
        shape = v2.shape_of(asked, fragmented=self._fragmented, fragment_rows=self._fragment_rows)
        body = v2.body(result, shape, asked.request_id)
        return Reply(200, body, delivery=_DELIVERIES.get(fault, "whole") if fault else "whole")

    def _refuse(self, asked: Asked, fault: Fault | None) -> None:
        """Raise the failure of a fault that comes before any work."""
        if fault == "throttled":
            raise failures.throttled(self.limits.retry_after)
        if fault == "throttled_in_queue":
            raise self.slots.wait_in_vain()
        if fault == "timeout":
            raise failures.timed_out(self.limits.seconds_allowed(asked))
        if fault == "forbidden":
            raise failures.forbidden(self.database)
        if fault in _BEFORE_THE_QUERY:
            raise replace(_BEFORE_THE_QUERY[fault])

    def _work(self, asked: Asked, fault: Fault | None) -> None:
        """Take the time that a query takes."""
        needed, allowed = self.limits.seconds_of(asked), self.limits.seconds_allowed(asked)
        sleep(min(needed, allowed) * self.limits.scale)
        if needed > allowed:
            raise failures.timed_out(allowed)
        if fault == "slow":
            sleep(max(needed * self.limits.scale, _SLOWEST))

    def _result(self, asked: Asked, fault: Fault | None) -> v2.Result:
        answer = self._answers.of(asked)
        rows = answer.rows_with_text if self._dynamic_as_text else answer.rows
        result = v2.Result(answer.columns, rows)
        half = replace(result, rows=rows[: len(rows) // 2])
        if fault == "deferred_error":
            return replace(half, failures=[_IN_THE_ROWS[fault]], deferred=True)
        if fault in _IN_THE_ROWS:
            return replace(half, failures=[_IN_THE_ROWS[fault]], end="has_errors")
        if fault in _ENDS:
            return replace(half, end=_ENDS[fault])
        if fault == "rows_dropped":
            return replace(result, rows=rows[:-1])
        return self._truncated(result, asked)

    def _truncated(self, result: v2.Result, asked: Asked) -> v2.Result:
        """The result, or as much of it as the limits let through, and then the error."""
        most, size, whole = self.limits.rows_allowed(asked), 0, len(result.rows)
        for number, row in enumerate(result.rows):
            size += len(row)
            if size > self.limits.bytes_allowed(asked):
                return _limited(result, number, f"{self.limits.bytes_allowed(asked) / 2**20:g} MB", asked)
            if number >= most:
                return _limited(result, number, f"{most:g} records", asked)
        return replace(result, rows=result.rows[:whole])


def _limited(result: v2.Result, rows: int, limit: str, asked: Asked) -> v2.Result:
    deferred = bool(asked.options.get("deferpartialqueryfailures"))
    return replace(
        result,
        rows=result.rows[:rows],
        failures=[failures.too_large(limit)],
        deferred=deferred,
        end="well" if deferred else "has_errors",
    )


def _failed(failure: Failure, request_id: str) -> Reply:
    wait = {} if failure.retry_after is None else {"Retry-After": f"{failure.retry_after:g}"}
    if failure.status == 502:
        return Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"Content-Type": "text/html"})
    return _json(failure.status, failure.document(request_id), wait)


def _json(status: int, document: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers or {})


_AZURE_AD = {
    "LoginEndpoint": "https://login.microsoftonline.com",
    "LoginMfaRequired": False,
    "KustoClientAppId": "db662dc1-0cfe-4e1c-a843-19a68e65be58",
    "KustoClientRedirectUri": "http://localhost",
    "KustoServiceResourceId": "https://kusto.kusto.windows.net",
    "FirstPartyAuthorityUrl": "https://login.microsoftonline.com/f8cdef31-a31e-4b4a-93e4-5f571e91255a",
}
