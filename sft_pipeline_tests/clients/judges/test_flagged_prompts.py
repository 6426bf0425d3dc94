"""A request that the service flags costs its own label, not the run."""

import orjson

from sft_pipeline.clients.judges.failures import Declined, Lasting, status_failure
from sft_pipeline.curation.judging import FILTERED

FLAGGED = {
    "error": {
        "message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_prompt",
    }
}
"""As OpenAI refuses a single prompt of a reasoning model."""


def test_a_flagged_prompt_is_declined_alone() -> None:
    failure = status_failure(400, orjson.loads(orjson.dumps(FLAGGED)))
    assert isinstance(failure, Declined)
    assert failure.reason == FILTERED


def test_any_other_invalid_request_ends_the_asking() -> None:
    assert isinstance(status_failure(400, {"error": {**FLAGGED["error"], "code": "unsupported_value"}}), Lasting)
