"""A language model asked one by one, by the real SDK over HTTP."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import pytest

from sft_pipeline.clients.judges.connecting import Service
from sft_pipeline.clients.judges.openai_judge import OpenAIJudge
from sft_pipeline.clients.judges.paying import Paying
from sft_pipeline.clients.judges.protocol import TOO_LONG, JudgeFailed
from sft_pipeline.clients.judges.retries import Retries
from sft_pipeline.curation.judging import FILTERED, MALFORMED, REFUSED, TRUNCATED, Ask, Question
from sft_pipeline.prompts import read_canaries
from sft_pipeline_tests.clients.judges.asking import (
    EASY,
    HARD,
    KEY,
    PRICE,
    SOON,
    Asked,
    language_model,
    questions,
    sync_judge,
)
from sft_pipeline_tests.judge_server import Asked as Seen
from sft_pipeline_tests.judge_server import Fault, Said, Served, by_words, first_times, repeatedly
from sft_pipeline_tests.judge_server.faults import throttled

RESET = Fault("reset")
Brain = Callable[[Seen], Said]


def only_first(said: Said, then: Said | None = None) -> Brain:
    """A model that says something odd when it is asked first."""
    return lambda seen: said if not seen.again else then or by_words(seen)


class TestAnswers:
    def test_they_come_in_the_order_of_the_questions_with_label_probability_model_and_cost(
        self, served: Served
    ) -> None:
        with sync_judge(served) as judge:
            asked = Asked(judge, [HARD, EASY])
        first, second = asked.asks
        assert asked.labels == [0, 1]
        assert [round(ask.probability or -1, 6) for ask in asked.asks] == [0.1, 0.9]
        assert (first.served_model, first.mode, first.run, first.attempt) == (
            "stand-in-model (fp_1)",
            "sync",
            "run-1",
            1,
        )
        assert second.cost == pytest.approx((second.prompt_tokens * 2 + second.completion_tokens * 8) / 1e6)
        assert second.prompt_tokens > 100
        assert sorted(ask.key for ask in asked.kept) == sorted(ask.key for ask in asked.asks)

    def test_parameters_of_the_plan_are_handed_over(self, served: Served) -> None:
        with sync_judge(served, model=language_model(parameters={"temperature": 0.5, "top_k": 3, "seed": 7})) as judge:
            asked = Asked(judge, [EASY])
        [body] = served.log.bodies
        assert {name: body[name] for name in ("temperature", "top_k", "seed")} == {
            "temperature": 0.5,
            "top_k": 3,
            "seed": 7,
        }
        assert asked.asks[0].probability is None
        assert judge.identity.parameters == '{"seed":7,"temperature":0.5,"top_k":3}'

    def test_canaries_keep_their_labels(self, served: Served) -> None:
        canaries = read_canaries("session_router")
        with sync_judge(served) as judge:
            assert Asked(judge, [canary.request for canary in canaries]).labels == [c.label for c in canaries]

    def test_azure_is_asked_by_its_own_paths(self, served: Served) -> None:
        model, service = language_model(kind="azure_openai"), Service("azure_openai", served.root, KEY)
        with closing(OpenAIJudge(model, service, Paying(PRICE, "sync", "r"), concurrency=1, retries=SOON)) as judge:
            assert Asked(judge, [HARD]).labels == [0]
        assert served.log.count("POST /openai/deployments/stand-in-model/chat/completions") == 1

    def test_a_service_without_logprobs_is_asked_without_from_then_on(self, served: Served) -> None:
        served.tells_logprobs = False
        with sync_judge(served, concurrency=1) as judge:
            asked = Asked(judge, [HARD, EASY, f"{EASY} again"])
        assert asked.labels == [0, 1, 1]
        assert [ask.probability for ask in asked.asks] == [None] * 3
        assert len(served.log.asked) == 4
        assert "logprobs" in judge.identity.parameters

    def test_no_more_are_under_way_than_asked_for(self, served: Served) -> None:
        taken: list[int] = []
        seen: list[int] = []

        def numbered(judge: OpenAIJudge) -> Iterator[Question]:
            for number, asked in enumerate(questions(judge, (f"Rename x{number}" for number in range(40)))):
                taken.append(number)
                yield asked

        with (
            sync_judge(served, concurrency=3) as judge,
            closing(judge.answers(numbered(judge), list[Ask]().append, known={})) as asks,
        ):
            for number, _ in enumerate(asks):
                seen.append(len(taken) - number)
        assert max(seen) <= 3

    def test_who_stops_early_pays_for_what_is_under_way_and_it_is_kept(self, served: Served) -> None:
        kept: list[Ask] = []
        with sync_judge(served, concurrency=4) as judge:
            asks = judge.answers(
                questions(judge, (f"Rename x{number}" for number in range(100))), kept.append, known={}
            )
            next(asks)
            asks.close()
        assert 1 <= len(served.log.asked) <= 4
        assert len(kept) == len(served.log.asked)


class TestFault39:
    @pytest.mark.parametrize(
        "content", ["1.", "Label: 0", '{"label": 1}', "", "10", "01", "one", "0 1", "1\n\nBecause it is easy", "\u0661"]
    )
    def test_fault_39_an_answer_that_is_not_exactly_a_digit_is_asked_again_once(
        self, served: Served, content: str
    ) -> None:
        served.brain = only_first(Said(content))
        with sync_judge(served) as judge:
            asked = Asked(judge, [HARD])
        assert [(ask.attempt, ask.label, ask.reason) for ask in asked.kept] == [(1, None, MALFORMED), (2, 0, None)]
        assert asked.asks == asked.kept[1:]
        assert [again for _, again, _ in served.log.asked] == [False, True]

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            (Said("Label: 0"), MALFORMED),
            (Said(None), MALFORMED),
            (Said(None, refusal="I cannot help with that."), REFUSED),
            (Said("1", refusal="I cannot help with that."), REFUSED),
            (Said(None, finish_reason="content_filter"), FILTERED),
            (Said("1", finish_reason="length"), TRUNCATED),
            (Said("", finish_reason="length"), TRUNCATED),
        ],
    )
    def test_fault_39_what_is_no_answer_twice_is_unlabelled_and_never_guessed(
        self, served: Served, said: Said, reason: str
    ) -> None:
        served.brain = lambda _: said
        with sync_judge(served) as judge:
            asked = Asked(judge, [HARD])
        assert [(ask.attempt, ask.label, ask.probability, ask.reason) for ask in asked.kept] == [
            (1, None, None, reason),
            (2, None, None, reason),
        ]
        assert all(ask.prompt_tokens and ask.cost for ask in asked.kept)
        assert len(served.log.asked) == 2

    @pytest.mark.parametrize("content", ["0", "0\n", " 0 ", "\t0\r\n"])
    def test_fault_39_white_space_is_no_fault(self, served: Served, content: str) -> None:
        served.brain = only_first(Said(content))
        with sync_judge(served) as judge:
            assert [ask.attempt for ask in Asked(judge, [HARD]).kept] == [1]

    def test_fault_39_a_first_answer_of_an_earlier_run_is_not_asked_for_again(self, served: Served) -> None:
        with sync_judge(served) as judge:
            [asked] = questions(judge, [HARD])
            first = Ask(asked.key, 1, None, None, MALFORMED, None, 1, 1, 0.0, "sync", datetime.now(UTC), "run-0")
            assert [ask.attempt for ask in Asked(judge, [HARD], {asked.key: first}).kept] == [2]
        assert [again for _, again, _ in served.log.asked] == [True]

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            ({"code": "content_filter", "message": "filtered"}, FILTERED),
            ({"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "no"}, FILTERED),
            ({"code": "context_length_exceeded", "message": "too many tokens"}, TOO_LONG),
            ({"code": 400, "message": "This model's maximum context length is 4096 tokens"}, TOO_LONG),
        ],
    )
    def test_fault_39_a_request_that_the_service_declines_is_unlabelled_and_others_go_on(
        self, served: Served, error: dict[str, object], reason: str
    ) -> None:
        served.faults = repeatedly(Fault("status", 400, error), of="bad words")
        with sync_judge(served) as judge:
            asked = Asked(judge, ["bad words", HARD])
        assert asked.labels == [None, 0]
        assert asked.reasons == [reason, None]


class TestFailuresThatPass:
    @pytest.mark.parametrize(
        "fault",
        [
            RESET,
            Fault("cut"),
            Fault("no_json"),
            Fault("web_page"),
            Fault("odd_json"),
            Fault("status", 500),
            Fault("status", 503),
            Fault("status", 409),
            throttled("0.01"),
        ],
        ids=lambda fault: f"{fault.kind}-{fault.status}",
    )
    def test_each_question_is_sent_again(self, served: Served, fault: Fault) -> None:
        served.faults = first_times(fault, fault)
        with sync_judge(served) as judge:
            asked = Asked(judge, [HARD, EASY])
        assert asked.labels == [0, 1]
        assert len(served.log.asked) == 6
        assert [ask.attempt for ask in asked.asks] == [1, 1]

    def test_a_slow_answer_is_not_waited_for_forever(self, served: Served) -> None:
        served.faults = first_times(Fault("stuck"), of="slow")
        with sync_judge(served, timeout_seconds=2.0, retries=replace(SOON, attempts=30)) as judge:
            assert Asked(judge, ["Rename slow to fast"]).labels == [1]

    def test_retry_after_is_honoured(self, served: Served) -> None:
        pauses: list[float] = []

        class Noting(Retries):
            def _pause(self, state: object) -> float:
                pauses.append(super()._pause(state))  # pyright: ignore[reportArgumentType]
                return 0.0

        served.faults = first_times(
            throttled("7"), replace(throttled("9"), headers={"retry-after-ms": "3000"}), Fault("status", 503)
        )
        with sync_judge(served, retries=Noting(first_seconds=0.5, longest_seconds=0.5)) as judge:
            assert Asked(judge, [HARD]).labels == [0]
        assert 7.0 <= pauses[0] <= 7.5
        assert 3.0 <= pauses[1] <= 3.5
        assert 0.0 <= pauses[2] <= 0.5

    def test_a_failure_that_stays_ends_the_asking_and_keeps_the_answers(self, served: Served) -> None:
        served.faults = repeatedly(Fault("status", 503), of="unlucky")
        with sync_judge(served, concurrency=1) as judge:
            kept: list[Ask] = []
            asks = judge.answers(questions(judge, [HARD, "unlucky", EASY]), kept.append, known={})
            with pytest.raises(JudgeFailed, match="HTTP status 503, also after 4 attempts at http") as failed:
                list(asks)
        assert [ask.label for ask in kept] == [0]
        assert "run again" in failed.value.remedy
        assert len(served.log.asked) == 5

    def test_a_question_that_fails_while_others_are_answered_gets_no_label_and_is_not_kept(
        self, served: Served
    ) -> None:
        another_is_answered = Event()

        def fault(seen: Seen) -> Fault | None:
            if seen.request != "poison":
                return None
            assert another_is_answered.wait(60)
            return Fault("status", 500)

        def keep(ask: Ask) -> None:
            kept.append(ask)
            another_is_answered.set()

        served.faults, kept = fault, list[Ask]()
        with sync_judge(served, concurrency=2) as judge:
            asks = list(judge.answers(questions(judge, ["poison", HARD, EASY]), keep, known={}))
        assert [(ask.label, ask.reason) for ask in asks] == [(None, "no_answer"), (0, None), (1, None)]
        assert asks[0].decides
        assert sorted(ask.key for ask in kept) == sorted(ask.key for ask in asks[1:])

    def test_a_long_pause_ends_when_another_question_has_failed_for_good(self, served: Served) -> None:
        waiting = Event()

        def fault(seen: Seen) -> Fault | None:
            if seen.request == "patient":
                waiting.set()
                return throttled("600")
            assert waiting.wait(60)
            return Fault("status", 401)

        served.faults = fault
        with sync_judge(served, retries=Retries(attempts=3)) as judge:
            asks = judge.answers(questions(judge, ["hopeless", "patient"]), list[Ask]().append, known={})
            with pytest.raises(JudgeFailed, match="401"):
                list(asks)


class TestFailuresThatLast:
    @pytest.mark.parametrize(
        ("fault", "told"),
        [
            (Fault("status", 401, {"code": "invalid_api_key", "message": KEY}), "SFT_JUDGE_API_KEY"),
            (Fault("status", 403), "SFT_JUDGE_API_KEY"),
            (Fault("status", 404, {"code": "model_not_found"}), "name a model"),
            (Fault("status", 400, {"code": "unsupported_parameter", "param": "max_tokens"}), "parameters"),
            (Fault("status", 400, {"param": "logprobs", "message": "no logprobs"}), "parameters"),
            (Fault("status", 429, {"code": "insufficient_quota", "message": "pay"}), "raise its limit"),
        ],
        ids=lambda value: str(value.status) if isinstance(value, Fault) else None,
    )
    def test_they_are_told_at_once_with_a_remedy(self, served: Served, fault: Fault, told: str) -> None:
        served.faults = repeatedly(fault)
        with sync_judge(served, concurrency=1) as judge, pytest.raises(JudgeFailed) as failed:
            Asked(judge, [HARD, EASY])
        assert told in failed.value.remedy
        assert len(served.log.asked) <= 2

    def test_a_wrong_key_is_one(self, served: Served) -> None:
        served.key = "another"
        with sync_judge(served) as judge, pytest.raises(JudgeFailed, match="401"):
            Asked(judge, [HARD])

    def test_a_model_that_is_not_there_is_one(self, served: Served) -> None:
        with sync_judge(served, model=language_model(name="gpt-9")) as judge, pytest.raises(JudgeFailed, match="404"):
            Asked(judge, [HARD])

    def test_a_server_that_is_not_there_is_told(self) -> None:
        service = Service("openai", "http://127.0.0.1:9/v1", KEY)
        paying = Paying(PRICE, "sync", "r")
        judge = OpenAIJudge(language_model(), service, paying, concurrency=1, retries=SOON)
        with closing(judge), pytest.raises(JudgeFailed, match="connection failed"):
            Asked(judge, [HARD])


class TestSecrecy:
    TEXT = "The plaintiff's maiden name is Wagstaff"

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("status", 400, {"message": f"bad: {TEXT} {KEY}", "code": TEXT, "param": KEY, "type": TEXT}),
            Fault("status", 401, {"message": f"Incorrect API key provided: {KEY}", "code": KEY}),
            Fault("status", 500, {"message": TEXT}),
            Fault("no_json"),
            RESET,
        ],
        ids=lambda fault: f"{fault.kind}-{fault.status}",
    )
    def test_fault_50_no_failure_and_no_log_carries_text_or_key(
        self, served: Served, caplog: pytest.LogCaptureFixture, fault: Fault
    ) -> None:
        served.faults = repeatedly(fault)
        served.brain = lambda seen: Said(seen.request)
        with caplog.at_level(logging.DEBUG), sync_judge(served) as judge, pytest.raises(JudgeFailed) as failed:
            Asked(judge, [self.TEXT])
        shown = "".join(traceback.format_exception(failed.value)) + caplog.text
        assert caplog.text
        for secret in (KEY, "Wagstaff", "maiden"):
            assert secret not in shown

    def test_fault_50_no_log_of_good_answers_does_either(
        self, served: Served, caplog: pytest.LogCaptureFixture
    ) -> None:
        served.brain = only_first(Said(self.TEXT))
        with caplog.at_level(logging.DEBUG), sync_judge(served) as judge:
            asked = Asked(judge, [self.TEXT])
        for secret in (KEY, "Wagstaff"):
            assert secret not in caplog.text + repr(asked.kept) + repr(Service("openai", "", KEY))
