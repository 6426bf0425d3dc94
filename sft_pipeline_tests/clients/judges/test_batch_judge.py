"""A language model asked by files of the Batch API, by the real SDK over HTTP."""

import json
import logging
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sft_pipeline.clients.judges.protocol import TOO_LONG, JudgeFailed
from sft_pipeline.curation.judging import CONFLICT, FILTERED, MALFORMED, Ask
from sft_pipeline_tests.clients.judges.asking import (
    EASY,
    HARD,
    KEY,
    Asked,
    batch_judge,
    language_model,
    questions,
)
from sft_pipeline_tests.judge_server import BatchFault, Fault, Said, Served, by_words, repeatedly
from sft_pipeline_tests.judge_server.faults import first_times

MANY = [f"{HARD if number % 3 else EASY} {number}" for number in range(30)]
LABELS = [0 if number % 3 else 1 for number in range(30)]


def of_third(number: int) -> bool:
    return number % 3 == 0


class TestAnswers:
    def test_they_come_in_the_order_of_the_questions_for_less(self, served: Served, tmp_path: Path) -> None:
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == LABELS
        assert {ask.mode for ask in asked.asks} == {"batch"}
        first = asked.asks[0]
        assert first.cost == pytest.approx((first.prompt_tokens * 2 + first.completion_tokens * 8) / 1e6 / 2)
        assert round(first.probability or 0, 6) == 0.9
        assert served.log.count("POST /v1/batches") == 1
        assert sorted(ask.key for ask in asked.kept) == sorted(ask.key for ask in asked.asks)

    def test_nothing_is_left_on_the_disk(self, served: Served, tmp_path: Path) -> None:
        with batch_judge(served, tmp_path) as judge:
            Asked(judge, MANY)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_files_hold_no_more_requests_than_they_may(self, served: Served, tmp_path: Path) -> None:
        with batch_judge(served, tmp_path, most_requests=7) as judge:
            assert Asked(judge, MANY).labels == LABELS
        sizes = [len(content.splitlines()) for name, content in served.batches.files.items() if "in" in name]
        assert sizes == [7, 7, 7, 7, 2]

    def test_files_are_no_larger_than_they_may_be(self, served: Served, tmp_path: Path) -> None:
        with batch_judge(served, tmp_path, most_bytes=20_000) as judge:
            assert Asked(judge, MANY).labels == LABELS
        sizes = [len(content) for name, content in served.batches.files.items() if "in" in name]
        assert len(sizes) > 3
        assert max(sizes) <= 20_000
        assert sum(sizes) > 4 * 20_000

    def test_questions_are_taken_by_the_file(self, served: Served, tmp_path: Path) -> None:
        with batch_judge(served, tmp_path) as judge:
            judge.at_once = 10
            asks = judge.answers(questions(judge, MANY), list[Ask]().append, known={})
            next(asks)
            asks.close()
        assert served.log.questions == 10

    def test_a_line_is_what_a_single_request_would_be(self, served: Served, tmp_path: Path) -> None:
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, [HARD])
        [line] = [json.loads(content) for name, content in served.batches.files.items() if "in" in name]
        assert line["url"] == "/v1/chat/completions"
        assert line["custom_id"] == f"{asked.asks[0].key}-1"
        assert line["body"]["temperature"] == 0
        assert HARD in line["body"]["messages"][1]["content"]

    def test_a_batch_that_takes_its_time_and_a_file_that_does_are_waited_for(
        self, served: Served, tmp_path: Path
    ) -> None:
        served.next_batches(BatchFault(polls=4))
        served.batches.slow_files = 3
        told: list[str] = []
        with batch_judge(served, tmp_path, tell=told.append) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert told == [*[f"batch batch_1 in_progress, 0 of {len(MANY)} answered"] * 3, ""]
        assert served.log.count("GET /v1/batches/batch_1") == 4
        assert served.log.count("GET /v1/files/file-in-1") == 3


class TestFault39:
    def test_fault_39_what_is_no_digit_goes_into_a_second_file_once(self, served: Served, tmp_path: Path) -> None:
        served.brain = lambda seen: by_words(seen) if EASY in seen.request or seen.again else Said("Label: 0")
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == LABELS
        assert Counter(ask.attempt for ask in asked.kept) == {1: 30, 2: 20}
        assert Counter(ask.reason for ask in asked.kept) == {None: 30, MALFORMED: 20}
        assert served.log.count("POST /v1/batches") == 2

    def test_fault_39_what_is_none_twice_is_unlabelled(self, served: Served, tmp_path: Path) -> None:
        served.brain = lambda _: Said("maybe")
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, [HARD])
        assert [(ask.attempt, ask.label) for ask in asked.kept] == [(1, None), (2, None)]
        assert {ask.reason for ask in asked.kept} == {MALFORMED}
        assert served.log.count("POST /v1/batches") == 2

    def test_fault_39_a_first_answer_of_an_earlier_run_is_not_asked_for_again(
        self, served: Served, tmp_path: Path
    ) -> None:
        served.brain = lambda seen: by_words(seen) if seen.again else Said("maybe")
        with batch_judge(served, tmp_path) as judge:
            [first, _] = Asked(judge, [HARD]).kept
            assert [ask.attempt for ask in Asked(judge, [HARD], {first.key: first}).kept] == [2]

    def test_fault_39_lines_that_the_service_declines_are_unlabelled(self, served: Served, tmp_path: Path) -> None:
        filtered = Fault("status", 400, {"code": "content_filter", "message": "no"})
        too_long = Fault("status", 400, {"code": "context_length_exceeded", "message": "no"})
        served.faults = lambda seen: {"odd": filtered, "long": too_long}.get(seen.request)
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, ["odd", "long", HARD])
        assert asked.reasons == [FILTERED, TOO_LONG, None]
        assert asked.labels == [None, None, 0]


class TestFault41:
    def test_fault_41_shuffled_results_are_joined_by_id(self, served: Served, tmp_path: Path) -> None:
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        lines = [json.loads(line)["custom_id"] for line in served.batches.files["file-out-2"].splitlines()]
        sent = [json.loads(line)["custom_id"] for line in served.batches.files["file-in-1"].splitlines()]
        assert sorted(lines) == sorted(sent)
        assert lines != sent

    def test_fault_41_an_answer_that_comes_twice_counts_once(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(twice=of_third))
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == LABELS
        assert len(asked.kept) == len(MANY)

    def test_fault_41_two_answers_that_differ_are_a_conflict_and_no_label(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(twice=of_third, opposite=True))
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == [None if of_third(number) else 0 for number in range(30)]
        assert set(asked.reasons) == {None, CONFLICT}
        assert len(asked.kept) == len(MANY)
        assert served.log.count("POST /v1/batches") == 1

    def test_fault_41_missing_answers_are_asked_for_again_and_no_others(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(finishes=lambda number: not of_third(number)))
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        again = [content for name, content in served.batches.files.items() if "in" in name][1]
        assert len(again.splitlines()) == 10

    def test_fault_41_an_answer_that_nobody_asked_for_rejects_the_file(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(unknown=True))
        kept: list[Ask] = []
        with batch_judge(served, tmp_path) as judge:
            asked = questions(judge, MANY)
            with pytest.raises(JudgeFailed, match=r"file-out-2.* of batch batch_1 answers a question"):
                list(judge.answers(asked, kept.append, known={}))
            with pytest.raises(JudgeFailed, match="answers a question") as failed:  # also when it is collected again
                list(judge.answers(asked, kept.append, known={}))
            assert kept == []
            assert served.log.count("POST /v1/batches") == 1
            [path] = tmp_path.rglob("*.json")
            assert str(path) in failed.value.remedy
            path.unlink()
            assert Asked(judge, MANY).labels == LABELS

    def test_fault_41_a_file_that_arrives_damaged_is_fetched_again(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(damaged=True))
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == LABELS
        assert len(asked.kept) == len(MANY)
        assert served.log.count("GET /v1/files/file-out-2/content") == 2

    def test_fault_41_a_file_that_stays_damaged_is_told_and_its_batch_not_forgotten(
        self, served: Served, tmp_path: Path
    ) -> None:
        served.next_batches(BatchFault(damaged=True, times_damaged=4))
        with batch_judge(served, tmp_path) as judge:
            with pytest.raises(JudgeFailed, match="damaged"):
                Asked(judge, MANY)
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 1


class TestFault42:
    @pytest.mark.parametrize("status", ["expired", "cancelled"])
    def test_fault_42_what_was_finished_is_kept_and_the_rest_sent_again(
        self, served: Served, tmp_path: Path, status: str
    ) -> None:
        served.next_batches(BatchFault(status=status, finishes=of_third))  # pyright: ignore[reportArgumentType]
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == LABELS
        assert len(asked.kept) == len(MANY)
        assert max(Counter(nonce for nonce, _, _ in served.log.asked).values()) == 1
        sizes = [len(content.splitlines()) for name, content in served.batches.files.items() if "in" in name]
        assert sizes == [30, 20]

    def test_fault_42_a_batch_that_failed_is_sent_again(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(status="failed"), BatchFault(status="failed"))
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 3

    def test_fault_42_batches_that_always_fail_are_told_with_the_service_s_code(
        self, served: Served, tmp_path: Path
    ) -> None:
        served.next_batches(*[BatchFault(status="failed")] * 3)
        with batch_judge(served, tmp_path) as judge, pytest.raises(JudgeFailed, match="token_limit_exceeded"):
            Asked(judge, MANY)
        assert served.log.count("POST /v1/batches") == 3

    def test_fault_42_lines_that_failed_in_passing_are_sent_again_alone(self, served: Served, tmp_path: Path) -> None:
        served.faults = first_times(Fault("status", 500), of=EASY)
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        sizes = [len(content.splitlines()) for name, content in served.batches.files.items() if "in" in name]
        assert sizes == [30, 10]

    def test_fault_42_a_line_that_fails_ever_again_gets_no_label_and_is_not_kept(
        self, served: Served, tmp_path: Path
    ) -> None:
        served.faults = repeatedly(Fault("status", 500), of="poison")
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, [*MANY, "poison"])
        assert asked.labels == [*LABELS, None]
        assert asked.reasons[-1] == "no_answer"
        assert len(asked.kept) == len(MANY)
        assert served.log.count("POST /v1/batches") == 4

    def test_fault_42_a_failure_of_all_lines_is_told_once_with_its_remedy(self, served: Served, tmp_path: Path) -> None:
        model = language_model(name="gpt-9")
        with batch_judge(served, tmp_path, model=model) as judge, pytest.raises(JudgeFailed, match="404") as failed:
            Asked(judge, MANY)
        assert "name a model" in failed.value.remedy
        assert served.log.count("POST /v1/batches") == 1

    def test_fault_42_a_service_without_logprobs_is_asked_without(self, served: Served, tmp_path: Path) -> None:
        served.tells_logprobs = False
        with batch_judge(served, tmp_path) as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == LABELS
        assert {ask.probability for ask in asked.asks} == {None}


class Killed(BaseException):
    """Nobody catches it."""


class TestResuming:
    def test_a_run_that_ended_while_it_waited_collects_what_it_had_sent(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served.next_batches(BatchFault(polls=2))
        with monkeypatch.context() as patched:
            patched.setattr("sft_pipeline.clients.judges.batch_judge.time.sleep", _killed)
            with batch_judge(served, tmp_path) as judge, pytest.raises(Killed):
                Asked(judge, MANY)
        assert served.log.asked == []
        with batch_judge(served, tmp_path, run="run-2") as judge:
            asked = Asked(judge, MANY)
        assert asked.labels == LABELS
        assert {ask.run for ask in asked.kept} == {"run-1"}
        assert served.log.count("POST /v1/batches") == served.log.count("POST /v1/files") == 1

    def test_one_that_was_killed_while_it_kept_answers_keeps_the_same_again_and_asks_none(
        self, served: Served, tmp_path: Path
    ) -> None:
        kept: list[Ask] = []

        def keep(ask: Ask) -> None:
            kept.append(ask)
            if len(kept) == 12:
                raise Killed

        with batch_judge(served, tmp_path) as judge:
            with pytest.raises(Killed):
                list(judge.answers(questions(judge, MANY), keep, known={}))
            left = [text for text, asked in zip(MANY, questions(judge, MANY), strict=True) if not _has(kept, asked.key)]
            again = Asked(judge, left)
        assert len(left) == 18
        assert set(kept) <= set(again.kept)
        assert len(again.kept) == 30
        assert served.log.count("POST /v1/batches") == 1
        assert len(served.log.asked) == 30

    def test_questions_that_came_since_are_sent_beside_what_was_sent_before(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served.next_batches(BatchFault(polls=2))
        with monkeypatch.context() as patched:
            patched.setattr("sft_pipeline.clients.judges.batch_judge.time.sleep", _killed)
            with batch_judge(served, tmp_path) as judge, pytest.raises(Killed):
                Asked(judge, MANY[:10])
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        sizes = [len(content.splitlines()) for name, content in served.batches.files.items() if "in" in name]
        assert sizes == [10, 20]

    def test_a_batch_whose_id_never_arrived_is_found_by_its_name(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("sft_pipeline.clients.judges.sent_batches.SentBatches.know", _killed)
            with batch_judge(served, tmp_path) as judge, pytest.raises(Killed):
                Asked(judge, MANY)
        assert served.log.count("POST /v1/batches") == 1
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 1

    def test_a_batch_whose_creation_was_never_answered_is_found_and_not_made_twice(
        self, served: Served, tmp_path: Path
    ) -> None:
        served.next_batches(BatchFault(lost=True))
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 1
        assert len(served.log.asked) == 30

    def test_a_batch_that_the_service_never_began_is_sent(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("sft_pipeline.clients.judges.batch_service.BatchService.created", _killed)
            with batch_judge(served, tmp_path) as judge, pytest.raises(Killed):
                Asked(judge, MANY)
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 1
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_a_batch_that_the_service_forgot_is_sent_again(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served.next_batches(BatchFault(polls=2))
        with monkeypatch.context() as patched:
            patched.setattr("sft_pipeline.clients.judges.batch_judge.time.sleep", _killed)
            with batch_judge(served, tmp_path) as judge, pytest.raises(Killed):
                Asked(judge, MANY)
        served.batches.made.clear()
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 2

    def test_kill_9_while_a_batch_is_under_way_costs_nothing(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(status="in_progress"))
        with waiting_process(served, tmp_path):
            pass
        served.batches.made["batch_1"].fault = BatchFault()
        with batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 1
        assert len(served.log.asked) == 30

    def test_a_batch_that_another_process_is_at_is_left_to_it(self, served: Served, tmp_path: Path) -> None:
        served.next_batches(BatchFault(status="in_progress"))
        with waiting_process(served, tmp_path), batch_judge(served, tmp_path) as judge:
            assert Asked(judge, MANY).labels == LABELS
        assert served.log.count("POST /v1/batches") == 2


class TestSecrecy:
    def test_fault_50_no_failure_log_or_file_left_behind_carries_text_or_key(
        self, served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = "The plaintiff's maiden name is Wagstaff"
        served.faults = repeatedly(Fault("status", 400, {"message": f"{text} {KEY}", "code": text, "param": KEY}))
        with (
            caplog.at_level(logging.DEBUG),
            batch_judge(served, tmp_path) as judge,
            pytest.raises(JudgeFailed) as failed,
        ):
            Asked(judge, [text])
        written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
        shown = "".join(traceback.format_exception(failed.value)) + caplog.text + written
        for secret in (KEY, "Wagstaff"):
            assert secret not in shown

    def test_fault_50_what_a_waiting_run_leaves_on_the_disk_holds_no_text(
        self, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served.next_batches(BatchFault(polls=2))
        with monkeypatch.context() as patched:
            patched.setattr("sft_pipeline.clients.judges.batch_judge.time.sleep", _killed)
            with batch_judge(served, tmp_path) as judge, pytest.raises(Killed):
                Asked(judge, MANY)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) >= 2
        assert not any(KEY in path.read_text() or "cache" in path.read_text() for path in files)


@contextmanager
def waiting_process(served: Served, folder: Path) -> Generator[None]:
    """Another process that has sent a batch and waits for it; killed at the end."""
    arguments = [sys.executable, "-c", _CHILD, served.url, str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout
            assert child.stdout.readline() == b"looked\n"
            yield
        finally:
            child.kill()


def _killed(*_: object) -> None:
    raise Killed


def _has(kept: list[Ask], key: str) -> bool:
    return any(ask.key == key for ask in kept)


_CHILD = """
import sys
from pathlib import Path
from threading import Event
from sft_pipeline.clients.judges import batch_judge
from sft_pipeline_tests.clients.judges.asking import Asked, batch_judge as opened
from sft_pipeline_tests.clients.judges.test_batch_judge import MANY
from sft_pipeline_tests.judge_server import Served

def wait(seconds):
    print("looked", flush=True)
    Event().wait()

batch_judge.time.sleep = wait
with opened(Served(sys.argv[1].removesuffix("/v1")), Path(sys.argv[2])) as judge:
    Asked(judge, MANY)
"""
