"""What can go wrong between us and a service of language models, told apart by what helps.

Belongs here: reading the refusals of the SDK and of batch files, in words without text, names and keys: a service
quotes both. Does not belong here: asking again (retries), telling the user (protocol).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson
from azure.core.exceptions import AzureError
from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

from sft_pipeline.clients.judges.protocol import TOO_LONG
from sft_pipeline.curation.judging import FILTERED

OTHER_PARAMETERS = "compare routers.judging.parameters of the plan with what the model takes"
RUN_AGAIN = "run again: answers so far are kept and not paid for twice"

_PASSING_STATUS = {408, 409, 425, 429}
_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_FILTERS = {"content_filter", "content_policy_violation", "invalid_prompt", "ResponsibleAIPolicyViolation"}
_TOO_LONG = re.compile(r"context_length_exceeded|exceed_context_size|maximum context length|context window", re.I)
_WORD = re.compile(r"[A-Za-z][A-Za-z_.\-]{1,63}")
"""What may be told of a code or a parameter: a word without digits, as no key is one."""


class Passing(Exception):
    """A request failed in a way that may pass.

    Args:
        what: what went wrong.
        retry_after: seconds that the service asked to wait.
    """

    def __init__(self, what: str, *, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after


class Lasting(Exception):
    """A request failed in a way that all others would.

    Args:
        what: what went wrong.
        remedy: what the user can do.
        status: of HTTP, where that was the failure.
    """

    def __init__(self, what: str, *, remedy: str, status: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.status = status


class Declined(Exception):
    """The service does not take this one request, for what it says or how long it is.

    Args:
        reason: why there is no label.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoLogprobs(Exception):
    """The service does not tell probabilities and wants to be asked without."""


Failure = Passing | Lasting | Declined | NoLogprobs


def sdk_failure(error: OpenAIError | AzureError) -> Failure:
    """What an error of the SDK comes to, or one of signing in that comes up in it."""
    match error:
        case APIStatusError():
            headers = cast("Mapping[str, str]", error.response.headers)
            return status_failure(error.status_code, json_or_none(error.response.content), _retry_after(headers))
        case APITimeoutError():
            return Passing("no answer came in time")
        case APIConnectionError():
            return Passing(f"the connection failed ({type(error.__cause__).__name__})")
        case AzureError():
            return Lasting(
                f"the Azure login gives no token ({type(error).__name__})",
                remedy="sign in with `az login`, or set AZURE_OPENAI_API_KEY",
            )
        case _:
            return Lasting(f"the SDK cannot send it ({type(error).__name__})", remedy="run `sft-pipeline doctor`")


def status_failure(status: int, document: object, retry_after: float | None = None) -> Failure:
    """What a refused request comes to.

    Args:
        status: of HTTP.
        document: the body, if it was JSON.
        retry_after: seconds that the service asked to wait.
    """
    error = _error_in(document)
    codes = {str(error.get(name) or "") for name in ("code", "type")} | _inner_codes(error)
    words = error_words(error)
    told = f"HTTP status {status} ({words})" if words else f"HTTP status {status}"
    if codes & _QUOTA:
        return Lasting(f"the account is used up: {told}", remedy="raise its limit with the service, then run again")
    if status in _PASSING_STATUS or status >= 500:
        return Passing(told, retry_after=retry_after)
    if codes & _FILTERS:
        return Declined(FILTERED)
    said = " ".join([*codes, str(error.get("param")), str(error.get("message"))])
    if status == 413 or _TOO_LONG.search(said):
        return Declined(TOO_LONG)
    if status in {400, 422} and "logprobs" in said.lower():
        return NoLogprobs(told)
    return Lasting(told, remedy=_remedy(status), status=status)


def json_or_none(body: bytes) -> object:
    """A body as JSON; None when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _error_in(document: object) -> dict[str, Any]:
    """The error of a body, as OpenAI nests it or as others give it bare."""
    body = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    error = body.get("error")
    return cast("dict[str, Any]", error) if isinstance(error, dict) else body


def _inner_codes(error: Mapping[str, Any]) -> set[str]:
    inner = error.get("innererror")
    return {str(cast("dict[str, Any]", inner).get("code"))} if isinstance(inner, dict) else set()


def error_words(error: Mapping[str, Any]) -> str:
    """Code and parameter, where they are words; the message is never told, for it quotes keys and texts."""
    return ", ".join(str(error[name]) for name in ("code", "param") if _WORD.fullmatch(str(error.get(name) or "")))


def _remedy(status: int) -> str:
    match status:
        case 401 | 403:
            return "set SFT_JUDGE_API_KEY, OPENAI_API_KEY or AZURE_OPENAI_API_KEY to a key that may use this model"
        case 404 | 405:
            return "name a model that the service has, and compare the service's address"
        case _:
            return OTHER_PARAMETERS


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds: from milliseconds as OpenAI and Azure tell them, a number of seconds, or a date (RFC 9110, 10.2.3)."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        if re.fullmatch(r"\d+(\.\d+)?", headers.get(name, "")):
            return float(headers[name]) / unit
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
