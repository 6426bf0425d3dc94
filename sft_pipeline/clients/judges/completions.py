"""Reading what a language model answered, from a single request or from a line of a batch file.

Belongs here: label, probability and what was paid for.
Does not belong here: what makes an answer a label (curation.judging).
"""

from math import exp
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sft_pipeline.clients.judges.failures import Passing
from sft_pipeline.curation.judging import FILTERED, MALFORMED, REFUSED, TRUNCATED, read_label

DIGITS = ("0", "1")


class Answer(NamedTuple):
    """What came back for a request, with the names of `Ask`."""

    label: int | None
    probability: float | None
    reason: str | None
    served_model: str | None
    prompt_tokens: int
    completion_tokens: int


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Token(_Part):
    token: str
    logprob: float


class _First(_Token):
    top_logprobs: list[_Token] = Field(default_factory=list[_Token])


class _Logprobs(_Part):
    content: list[_First] | None = None


class _Message(_Part):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Part):
    message: _Message
    finish_reason: str | None = None
    logprobs: object = None


class _Usage(_Part):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(_Part):
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None


def no_answer(reason: str) -> Answer:
    """That there is none, for nothing."""
    return Answer(None, None, reason, None, 0, 0)


def read_completion(body: object) -> Answer:
    """What a chat completion says; a label only where all of the answer is a 0 or a 1.

    An answer that was cut off at the token limit is none, even if it begins with a label: it was not at its end.

    Raises:
        Passing: it is no chat completion.
    """
    try:
        completion = _Completion.model_validate(body)
    except ValidationError:
        raise Passing("the answer is no chat completion") from None
    choice, usage = completion.choices[0], completion.usage or _Usage()
    label = read_label(choice.message.content or "")
    reason = _reason(choice, label)
    label = label if reason is None else None
    return Answer(
        label,
        None if label is None else _probability(choice.logprobs),
        reason,
        _served(completion),
        max(0, usage.prompt_tokens),
        max(0, usage.completion_tokens),
    )


def _reason(choice: _Choice, label: int | None) -> str | None:
    if choice.message.refusal:
        return REFUSED
    match choice.finish_reason:
        case "content_filter":
            return FILTERED
        case "length":
            return TRUNCATED
        case _:
            return MALFORMED if label is None else None


def _served(completion: _Completion) -> str | None:
    """Model and configuration of the service, so that a silent change of either shows."""
    if completion.model and completion.system_fingerprint:
        return f"{completion.model} ({completion.system_fingerprint})"
    return completion.model or None


def _probability(logprobs: object) -> float | None:
    """Of label 1, among 0 and 1, by the first token that is more than white space; None where the service is silent."""
    try:
        tokens = _Logprobs.model_validate(logprobs).content or []
    except ValidationError:
        return None
    first = next((token for token in tokens if token.token.strip()), None)
    if first is None or not first.top_logprobs:
        return None
    weight = {
        digit: sum(exp(min(0.0, one.logprob)) for one in first.top_logprobs if one.token.strip() == digit)
        for digit in DIGITS
    }
    total = sum(weight.values())
    return weight["1"] / total if total else None
