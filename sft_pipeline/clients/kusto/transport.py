"""azure-kusto-data's client with the response left as bytes, and its refusals told apart.

Belongs here: what is changed of the client. Its sessions, headers, timeouts and sign-in stay as they are.
Does not belong here: what a response says (response), asking again (retries).
"""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, cast

import orjson
import requests
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.exceptions import KustoAuthenticationError, KustoError, KustoNetworkError
from urllib3.exceptions import HTTPError

from sft_pipeline.clients.kusto.failures import ServiceFailure, service_error

PIECE_BYTES = 1 << 20
_LONGEST_ERROR = 1 << 20
_PERMANENT_STATUS = {400, 401, 403, 404, 405, 410, 413, 414, 501}
METADATA_SECONDS = 30
"""For the cluster's word on how to sign in: azure-kusto-data would wait for it forever, and all threads with it."""
_TIMED_OUT = {408, 504}
_BUSY = {408, 429, *range(500, 600)}


class ByteClient(KustoClient):
    """The client, giving a query's response as it arrives.

    Args:
        connection: where to connect and how to sign in.
        patience: how much longer than the server's own timeout to wait.
    """

    def __init__(self, connection: KustoConnectionStringBuilder, *, patience: timedelta) -> None:
        super().__init__(connection)
        self._client_server_delta = patience  # pyright: ignore[reportAttributeAccessIssue] - a default meant for all
        session = cast("requests.Session", self._session)
        session.hooks["response"].append(_require_success)
        session.get = partial(session.get, timeout=METADATA_SECONDS)

    def pieces(self, database: str, text: str, properties: ClientRequestProperties) -> Iterator[bytes]:
        """The body of a query's response, decompressed.

        Raises:
            ServiceFailure: the service cannot be reached, did not let us in or did not answer, or the connection broke.
        """
        try:
            response = cast("requests.Response", self.execute_query(database, text, properties))
            with closing(response):
                yield from response.iter_content(PIECE_BYTES)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise ServiceFailure("the connection broke while the answer came") from error
        except (KustoError, AzureError) as error:
            raise _failure(error) from None

    def _execute(self, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401  # pyright: ignore[reportIncompatibleMethodOverride] - the response itself, not what is read from it
        return cast("requests.Response", super()._execute(*arguments, **{**options, "stream_response": True}))


def _require_success(response: requests.Response, *_: object, **__: object) -> None:
    """Raise what the service refused the query with; the client would lose Retry-After and bodies that are no JSON."""
    if response.status_code < 300 or response.request.method != "POST":
        return
    with closing(response):
        body = cast("bytes", response.raw.read(_LONGEST_ERROR, decode_content=True))
    raise _refused(response.status_code, body, _retry_after(response.headers.get("Retry-After")))


def _refused(status: int, body: bytes, retry_after: float | None) -> ServiceFailure:
    error = _error_in(body)
    for_good = status in _PERMANENT_STATUS or 300 <= status < 400
    if error:
        failure = service_error({"@permanent": for_good, **error}, status=status)
    elif status in _TIMED_OUT:
        failure = ServiceFailure("the query timed out", "too_large", status=status)
    else:
        told = "throttled the request" if status == 429 else f"answered with HTTP status {status}"
        kind = "permanent" if for_good else "transient"
        failure = ServiceFailure(f"the cluster {told}", kind, status=status, throttled=status == 429)
    failure.retry_after = retry_after
    return failure


def _error_in(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = cast("dict[str, Any]", value).get("error") if isinstance(value, dict) else None
    return cast("dict[str, Any]", error) if isinstance(error, dict) else None


def _retry_after(told: str | None) -> float | None:
    """Seconds, from a number of them or from a date (RFC 9110, 10.2.3)."""
    if not told:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", told):
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _failure(error: KustoError | AzureError) -> ServiceFailure:
    """What an error of the client or of signing in comes to."""
    if isinstance(error, (KustoAuthenticationError, AzureError)):
        return _not_signed_in(error)
    if not isinstance(error, KustoNetworkError):
        return ServiceFailure(f"the cluster does not tell how to sign in ({type(error).__name__})", "permanent")
    match error.__cause__:
        case ServiceFailure() as refused:
            return refused
        case requests.ConnectTimeout():
            return ServiceFailure("the cluster cannot be reached in time")
        case requests.ReadTimeout():
            return ServiceFailure("the query timed out: the client waited no longer", "too_large")
        case requests.exceptions.SSLError():
            return ServiceFailure("the cluster's certificate is not accepted", "permanent")
        case _:
            return ServiceFailure("the cluster cannot be reached, or the connection broke")


def _not_signed_in(error: Exception) -> ServiceFailure:
    """A sign-in service that is not reached or too busy may be there again; who is not known stays unknown."""
    causes = list(_causes(error))
    busy = any(isinstance(cause, HttpResponseError) and (cause.status_code or 0) in _BUSY for cause in causes)
    passing = busy or any(isinstance(cause, (ServiceRequestError, ServiceResponseError)) for cause in causes)
    told = f"signing in failed ({type(causes[-1]).__name__})"
    return ServiceFailure(told) if passing else ServiceFailure(told, "permanent", status=401)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        inner = getattr(error, "exception", None)  # where KustoAuthenticationError keeps it
        error = error.__cause__ or (inner if isinstance(inner, BaseException) else None)
