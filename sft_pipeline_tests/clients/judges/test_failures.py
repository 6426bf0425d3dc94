"""What refusals come to, in words that no service can put a text or a key into."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIStatusError

from sft_pipeline.clients.judges.failures import Declined, Lasting, NoLogprobs, Passing, sdk_failure, status_failure


def refused(status: int, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> APIStatusError:
    response = httpx2.Response(
        status, headers=dict(headers or {}), content=body, request=httpx2.Request("POST", "http://x")
    )
    return APIStatusError("told", response=response, body=None)


class TestKinds:
    @pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
    def test_what_may_pass(self, status: int) -> None:
        assert isinstance(sdk_failure(refused(status, b"<html>")), Passing)

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 422])
    def test_what_lasts(self, status: int) -> None:
        failure = sdk_failure(refused(status, b"not json"))
        assert isinstance(failure, Lasting)
        assert failure.status == status

    @pytest.mark.parametrize("body", [b"[]", b'"x"', b'{"error": "no such model"}', b'{"error": null}', b"\xff"])
    def test_odd_bodies_are_no_obstacle(self, body: bytes) -> None:
        assert isinstance(sdk_failure(refused(404, body)), Lasting)

    def test_a_body_that_is_too_large_is_declined(self) -> None:
        assert isinstance(sdk_failure(refused(413)), Declined)

    def test_an_error_that_is_not_nested_is_read_too(self) -> None:
        told = {"object": "error", "message": "'top_logprobs' is not a field", "code": 400}
        assert isinstance(status_failure(400, told), NoLogprobs)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry-after": "7"}, 7.0),
            ({"retry-after": "1.5"}, 1.5),
            ({"retry-after": "9", "retry-after-ms": "2500"}, 2.5),
            ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "-1"}, None),
            ({}, None),
        ],
    )
    def test_it_is_read_in_every_form(self, headers: dict[str, str], seconds: float | None) -> None:
        failure = sdk_failure(refused(429, headers=headers))
        assert isinstance(failure, Passing)
        assert failure.retry_after == seconds

    def test_a_date_to_come_is_that_far_away(self) -> None:
        until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        failure = sdk_failure(refused(429, headers={"retry-after": until}))
        assert isinstance(failure, Passing)
        assert 3000 < (failure.retry_after or 0) <= 3600


class TestWords:
    @given(
        st.integers(400, 599), st.text(min_size=3), st.from_regex(r"sk-[A-Za-z0-9]*[0-9][A-Za-z0-9]*", fullmatch=True)
    )
    def test_no_message_and_no_key_is_told(self, status: int, text: str, key: str) -> None:
        error = {"message": f"{text} {key}", "code": key, "param": f"{text} {key}", "type": text}
        failure = status_failure(status, {"error": error})
        shown = str(failure) + getattr(failure, "remedy", "")
        assert key not in shown
        assert str(failure) in {f"HTTP status {status}", "too_long_for_judge"}

    def test_codes_and_parameters_are_told(self) -> None:
        error = {"code": "unsupported_parameter", "param": "max_tokens", "message": "secret"}
        assert str(status_failure(400, {"error": error})) == "HTTP status 400 (unsupported_parameter, max_tokens)"
