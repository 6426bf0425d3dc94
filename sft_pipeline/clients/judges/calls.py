"""A call of the SDK, with the body as it came: the SDK takes wrong JSON and web pages for answers, too.

Belongs here: telling failures from answers. Does not belong here: which call.
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

from azure.core.exceptions import AzureError
from openai import OpenAIError

from sft_pipeline.clients.judges.failures import Passing, json_or_none, sdk_failure


class Raw(Protocol):
    """A response that nobody has read anything from yet."""

    @property
    def content(self) -> bytes:
        """Its body."""
        ...


def body_of(call: Callable[[], Raw]) -> bytes:
    """The body of what a call answers.

    Raises:
        Passing: and all other failures, when it does not.
    """
    try:
        return call().content
    except (OpenAIError, AzureError) as error:
        raise sdk_failure(error) from None


def document_of(call: Callable[[], Raw]) -> dict[str, Any]:
    """The object of JSON that a call answers.

    Raises:
        Passing: and all other failures, when it does not.
    """
    document = json_or_none(body_of(call))
    if not isinstance(document, dict):
        raise Passing("the answer is no JSON")
    return cast("dict[str, Any]", document)
