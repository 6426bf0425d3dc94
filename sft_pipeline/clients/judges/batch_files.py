"""The files of the Batch API: requests written line by line, results read and joined by custom_id.

Belongs here: lines, limits, and what a file of results is worth. Does not belong here: sending files (batch_service).
"""

from collections.abc import Container, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

from sft_pipeline.clients.disk import refusing, unfinished_file
from sft_pipeline.clients.judges.completions import Answer, no_answer, read_completion
from sft_pipeline.clients.judges.failures import Declined, Lasting, NoLogprobs, Passing, json_or_none, status_failure
from sft_pipeline.curation.judging import CONFLICT

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""What a file may hold, by the Batch API of OpenAI and that of Azure OpenAI."""


class Line(NamedTuple):
    """A request of a batch."""

    custom_id: str
    body: dict[str, Any]


class RequestFile(NamedTuple):
    """A file of requests and what it asks."""

    path: Path
    ids: list[str]


class Results(NamedTuple):
    """What came back of a batch.

    Args:
        answers: by custom_id; what is missing was not answered.
        lasting: why others would not be either.
        without_logprobs: whether the service does not tell them.
    """

    answers: dict[str, Answer]
    lasting: Lasting | None = None
    without_logprobs: bool = False


class StrangeResult(Exception):
    """A file of results answers a question that its batch did not ask: nothing in it can be trusted."""


def write_requests(
    lines: Iterable[Line], folder: Path, url: str, *, most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES
) -> Generator[RequestFile]:
    """Files of requests, each within the limits; one is gone, and the next one written, when it was dealt with.

    Args:
        lines: what is asked; taken as they are written.
        folder: where a file lies until it is sent.
        url: the path that the service is to apply to each.
        most_requests: of a file.
        most_bytes: of a file.
    """
    waiting = _encoded(lines, url)
    first = next(waiting, None)
    while first:
        with unfinished_file(folder) as (path, handle):
            ids = [first[0]]
            with refusing(path):
                size = handle.write(first[1])
                while (
                    (first := next(waiting, None)) and len(ids) < most_requests and size + len(first[1]) <= most_bytes
                ):
                    ids.append(first[0])
                    size += handle.write(first[1])
                handle.flush()
            yield RequestFile(path, ids)


def _encoded(lines: Iterable[Line], url: str) -> Iterator[tuple[str, bytes]]:
    for line in lines:
        request = {"custom_id": line.custom_id, "method": "POST", "url": url, "body": line.body}
        yield line.custom_id, orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE)


def read_results(contents: Iterable[bytes], asked: Container[str]) -> Results:
    """What the files of a batch say, in whatever order.

    An answer that comes twice counts once; two that differ are a conflict, which is no label.

    Args:
        contents: of the output and the error file.
        asked: the custom_ids that the batch asked.

    Raises:
        StrangeResult: there is an answer to something else.
        Passing: a line cannot be read.
    """
    answers = dict[str, Answer]()
    lasting, without_logprobs = None, False
    for custom_id, response in _responses(contents):
        if custom_id not in asked:
            raise StrangeResult
        try:
            answer = _answer(response)
        except Lasting as failure:
            lasting = failure
        except NoLogprobs:
            without_logprobs = True
        except Passing:
            pass
        else:
            answers[custom_id] = _one_of(answers.get(custom_id, answer), answer)
    return Results(answers, lasting, without_logprobs)


def _responses(contents: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    for content in contents:
        for line in content.splitlines():
            told = json_or_none(line)
            if not isinstance(told, dict) or "custom_id" not in told:
                raise Passing("a file of results is damaged")
            result = cast("dict[str, Any]", told)
            yield str(result["custom_id"]), cast("dict[str, Any]", result.get("response") or {})


def _answer(response: dict[str, Any]) -> Answer:
    """The answer of a line.

    Raises:
        Passing: there is none yet; and other failures.
    """
    status = response.get("status_code")
    if not isinstance(status, int):
        raise Passing("it was not done in time")
    if status == 200:
        return read_completion(response.get("body"))
    failure = status_failure(status, response.get("body"))
    if isinstance(failure, Declined):
        return no_answer(failure.reason)
    raise failure


def _one_of(first: Answer, second: Answer) -> Answer:
    if first.reason == CONFLICT or (first.label, first.reason) == (second.label, second.reason):
        return first
    return first._replace(label=None, probability=None, reason=CONFLICT)
