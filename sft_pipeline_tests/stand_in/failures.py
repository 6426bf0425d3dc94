"""How the service words its failures: the error document of the OneAPI guidelines, with the codes of Kusto.

Belongs here: error documents, and the status that goes with them. The words are those of Kusto's documentation and of
the answers kept in the test data of its public clients.
Does not belong here: when a failure happens (service, faults).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

INVALID = "Request is invalid and cannot be executed."
PARTIAL = "Kusto.Data.Exceptions.KustoServicePartialQueryFailure{}Exception"
SEE = "See https://aka.ms/kustoquerylimits for more information and possible solutions."


@dataclass(eq=False)
class Failure(Exception):
    """A request that fails.

    Args:
        status: of the response, when the failure comes before any result.
        code: Kusto's name for the failure.
        kind: the name of Kusto's exception class.
        description: the sentence that people read.
        permanent: whether the service says that asking again is of no use.
        retry_after: seconds that the client should wait.
        message: the general sentence that goes with the code.
    """

    status: int
    code: str
    kind: str
    description: str
    permanent: bool = False
    retry_after: float | None = None
    message: str = INVALID

    def document(self, request_id: str) -> dict[str, Any]:
        """The error document."""
        activity = str(uuid4())
        stack = f"CRID={request_id} ARID={activity} > GW.Http.CallContext/{activity}"
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "@type": self.kind,
                "@message": self.description,
                "@context": {
                    "timestamp": timestamp(),
                    "serviceAlias": "STANDIN",
                    "machineName": "KSEngine000000",
                    "processName": "Kusto.WinSvc.Svc",
                    "processId": 4900,
                    "threadId": 6828,
                    "clientRequestId": request_id,
                    "activityId": activity,
                    "subActivityId": activity,
                    "activityType": "GW.Http.CallContext",
                    "parentActivityId": activity,
                    "activityStack": f"(Activity stack: {stack})",
                },
                "@permanent": self.permanent,
            }
        }


def timestamp() -> str:
    """Now, with seven decimals."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def bad_request(description: str) -> Failure:
    """A request that cannot be carried out, whoever asks."""
    return Failure(
        400, "General_BadRequest", "Kusto.Data.Exceptions.KustoBadRequestException", description, permanent=True
    )


def semantic_error(description: str) -> Failure:
    """A query that names what is not there."""
    told = f"Semantic error: {description}"
    return Failure(400, "General_BadRequest", "Kusto.Data.Exceptions.SemanticException", told, permanent=True)


def syntax_error(description: str) -> Failure:
    """A query that is no KQL."""
    told = f"Syntax error: {description}"
    return Failure(400, "General_BadRequest", "Kusto.Data.Exceptions.SyntaxException", told, permanent=True)


def entity_not_found(kind: str, name: str) -> Failure:
    """A database or table that is not there, or that the caller may not see."""
    return Failure(
        400,
        "BadRequest_EntityNotFound",
        "Kusto.Data.Exceptions.EntityNotFoundException",
        f"Entity ID '{name}' of kind '{kind}' was not found.",
        permanent=True,
    )


def unauthorized() -> Failure:
    """No token, or one that is not accepted (any more)."""
    return Failure(
        401,
        "Unauthorized",
        "Kusto.Data.Exceptions.KustoUnauthorizedException",
        "Authentication failed: the token is missing or has expired.",
        permanent=True,
    )


def forbidden(database: str) -> Failure:
    """A caller who is known but may not read."""
    return Failure(
        403,
        "Forbidden",
        "Kusto.Data.Exceptions.UnauthorizedDatabaseAccessException",
        f"Principal 'aaduser=...' is not authorized to read database '{database}'.",
        permanent=True,
    )


def throttled(retry_after: float | None) -> Failure:
    """Too many queries at a time."""
    return Failure(
        429,
        "TooManyRequests",
        "Kusto.Data.Exceptions.KustoRequestThrottledException",
        "The query was aborted due to throttling. Retrying after some backoff might help. "
        "CommandType: 'Query', Capacity: 5, Origin: 'RequestRateLimitPolicy'.",
        retry_after=retry_after,
        message="Too many requests.",
    )


def timed_out(seconds: float) -> Failure:
    """A query that took longer than the request or the service allows."""
    return Failure(
        504,
        "RequestExecutionTimeout",
        "Kusto.Data.Exceptions.KustoServiceTimeoutException",
        f"Request execution has timed-out on the service side after {seconds:g} seconds.",
        message="Request timed out.",
    )


def broken(status: int) -> Failure:
    """The service, or a gateway before it, does not work."""
    codes = {500: "Internal service error", 502: "BadGateway", 503: "ServiceNotAvailable"}
    return Failure(
        status,
        codes[status],
        "Kusto.Data.Exceptions.KustoServiceException",
        f"{codes[status]}: the request could not be served.",
        message="Service error.",
    )


def too_large(limit: str) -> Failure:
    """More rows or bytes than a result may have; `limit` such as `500000 records`."""
    return Failure(
        200,
        "LimitsExceeded",
        PARTIAL.format("LimitsExceeded"),
        "Query execution has exceeded the allowed limits (80DA0003): The results of this query exceed the set limit "
        f"of {limit}, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). {SEE}.",
    )


def runaway() -> Failure:
    """An operator that used more memory than one may."""
    return Failure(
        200,
        "LimitsExceeded",
        PARTIAL.format("LimitsExceeded"),
        "Query execution has exceeded the allowed limits (80DA0001): The join operator has exceeded the memory budget "
        f"during evaluation. Results may be incorrect or incomplete (E_RUNAWAY_QUERY, 0x80DA0001). {SEE}.",
    )


def low_memory() -> Failure:
    """A node without memory for the query."""
    return Failure(
        200,
        "LowMemoryCondition",
        PARTIAL.format("LowMemoryCondition"),
        "Query execution lacks memory resources to complete (80DA0007): Partial query failure: Low memory condition "
        "(E_LOW_MEMORY_CONDITION). (message: 'bad allocation', details: '').",
    )


def failed_while_running(*, permanent: bool) -> Failure:
    """A failure on a node after the answer had begun."""
    return Failure(
        200,
        "IllFormattedData" if permanent else "Internal service error",
        PARTIAL.format("IllFormattedData") if permanent else "Kusto.Data.Exceptions.KustoDataStreamException",
        "Query execution has resulted in error (0x80DA0002): Partial query failure: a shard could not be read.",
        permanent=permanent,
    )
