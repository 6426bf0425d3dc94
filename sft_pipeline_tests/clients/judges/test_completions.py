"""Reading answers of services that tell much, little, or something odd."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.clients.judges.completions import read_completion
from sft_pipeline.clients.judges.failures import Passing, json_or_none
from sft_pipeline.clients.judges.paying import Paying
from sft_pipeline.curation.judge_knobs import Price
from sft_pipeline.curation.judging import MALFORMED


def body(content: object, **choice: object) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop", **choice}]}


def logprobs(*top: tuple[str, float], before: tuple[str, ...] = ()) -> dict[str, Any]:
    tokens = [{"token": token, "logprob": 0.0, "top_logprobs": [{"token": token, "logprob": 0.0}]} for token in before]
    listed = [{"token": token, "logprob": logprob} for token, logprob in top]
    return {"content": [*tokens, {**listed[0], "top_logprobs": listed}]}


class TestReading:
    def test_a_local_server_that_tells_nothing_else_is_enough(self) -> None:
        assert read_completion({"choices": [{"message": {"content": "1"}}]}) == (1, None, None, None, 0, 0)

    @pytest.mark.parametrize("odd", ["null", "1", "[]", "{}", '{"choices": []}', '{"choices": [{}]}', '{"error": {}}'])
    def test_what_is_no_completion_is_a_failure_that_may_pass(self, odd: str) -> None:
        with pytest.raises(Passing, match="no chat completion"):
            read_completion(json_or_none(odd.encode()))

    @pytest.mark.parametrize("content", [["1"], {"1": 1}, 1, True])
    def test_content_that_is_no_text_is_one_too(self, content: object) -> None:
        with pytest.raises(Passing, match="no chat completion"):
            read_completion(body(content))

    @given(st.text())
    def test_a_label_comes_from_a_lone_digit_alone(self, content: str) -> None:
        answer = read_completion(body(content))
        if content.strip(" \t\r\n") in {"0", "1"}:
            assert answer.label == int(content)
        else:
            assert (answer.label, answer.reason) == (None, MALFORMED)


class TestProbability:
    def test_it_is_that_of_1_among_both_digits(self) -> None:
        told = logprobs(("1", -0.2876820724517809), ("0", -1.3862943611198906), ("I", -5.0))  # 0.75 and 0.25
        assert read_completion(body("1", logprobs=told)).probability == pytest.approx(0.75)

    def test_digits_with_white_space_count_for_the_digit(self) -> None:
        told = logprobs((" 1", -1.3862943611198906), ("1", -1.3862943611198906), ("0", -0.6931471805599453))
        assert read_completion(body("1", logprobs=told)).probability == pytest.approx(0.5)

    def test_white_space_before_the_digit_is_skipped(self) -> None:
        told = logprobs(("0", 0.0), before=("\n",))
        assert read_completion(body("\n0", logprobs=told)).probability == 0.0

    @pytest.mark.parametrize(
        "told",
        [
            "null",
            "{}",
            '{"content": null}',
            '{"content": []}',
            '{"content": [{"token": "1", "logprob": -0.1, "top_logprobs": []}]}',
            '{"content": [{"token": "1", "logprob": -0.1, "top_logprobs": [{"token": "yes", "logprob": -0.1}]}]}',
            '{"tokens": ["1"], "token_logprobs": [-0.1]}',
            '"none"',
        ],
    )
    def test_it_is_unknown_where_the_service_tells_of_no_digit(self, told: str) -> None:
        answer = read_completion(body("1", logprobs=json_or_none(told.encode())))
        assert (answer.label, answer.probability) == (1, None)

    def test_there_is_none_where_there_is_no_label(self) -> None:
        assert read_completion(body("1.", logprobs=logprobs(("1", 0.0)))).probability is None


def test_a_batch_costs_less_by_the_discount() -> None:
    answer = read_completion({**body("1"), "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 500_000}})
    price = Price(input=0.4, output=1.6, batch_discount=0.25)
    assert Paying(price, "sync", "r").cost(answer) == pytest.approx(1.2)
    assert Paying(price, "batch", "r").cost(answer) == pytest.approx(0.9)
