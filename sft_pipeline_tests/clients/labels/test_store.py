"""The label store in a folder: what is kept is found, by any process, and none of it twice."""

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest

from sft_pipeline.clients.labels import store as label_store
from sft_pipeline.clients.labels.store import decided
from sft_pipeline.curation.judging import CONFLICT, Ask
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.clients.labels.label_world import (
    JUDGE,
    MOMENT,
    OTHER_JUDGE,
    ask,
    journals,
    kept,
    key_of,
    segments,
    store_in,
)

KEEP_UNTIL_KILLED = """
import sys
from itertools import count
from pathlib import Path
from sft_pipeline_tests.clients.labels.label_world import JUDGE, ask, store_in
with store_in(Path(sys.argv[1])).writing(JUDGE, "killed") as writer:
    for number in count():
        writer.keep(ask(number))
        print(number, flush=True)
"""

KEEP_SOME = """
import sys
from pathlib import Path
from sft_pipeline.clients.labels import store
from sft_pipeline_tests.clients.labels.label_world import JUDGE, ask, key_of, store_in
store.JOURNAL_ASKS = 40
labels, run, first, last = store_in(Path(sys.argv[1])), *sys.argv[2:]
with labels.writing(JUDGE, run) as writer:
    print("writing", flush=True)
    sys.stdin.readline()
    for number in range(int(first), int(last)):
        writer.keep(ask(number, number % 2, run=run))
        assert labels.lookup(JUDGE, [key_of(number)])
"""


@contextmanager
def process(program: str, *words: str) -> Generator[subprocess.Popen[str]]:
    """A Python process that is gone after the block."""
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def lines_of(running: subprocess.Popen[str]) -> Iterator[str]:
    assert running.stdout
    return iter(running.stdout)


def found(folder: Path, numbers: range) -> dict[str, list[Ask]]:
    return store_in(folder).lookup(JUDGE, [key_of(number) for number in numbers])


class TestKeeping:
    def test_what_is_kept_is_found_by_who_opens_the_store_later(self, tmp_path: Path) -> None:
        kept(store_in(tmp_path), ask(1, 0), ask(2, None), ask(2, 1, attempt=2))
        assert found(tmp_path, range(5)) == {
            key_of(1): [ask(1, 0)],
            key_of(2): [ask(2, None), ask(2, 1, attempt=2)],
        }

    def test_an_empty_store_knows_nothing(self, tmp_path: Path) -> None:
        store = store_in(tmp_path)
        assert store.lookup(JUDGE, [key_of(1)]) == {}
        assert store.lookup(JUDGE, []) == {}
        assert store.ledger().is_empty()
        assert store.asks(JUDGE).collect().is_empty()
        assert store.spent("demo 2026-11-01") == 0

    def test_another_judge_knows_nothing_of_it(self, tmp_path: Path) -> None:
        kept(store_in(tmp_path), ask(1))
        for field, value in (("model", "b"), ("prompt", "b"), ("parameters", "b"), ("kind", "b")):
            assert store_in(tmp_path).lookup(JUDGE._replace(**{field: value}), [key_of(1)]) == {}

    def test_an_ask_is_found_before_the_writer_is_closed(self, tmp_path: Path) -> None:
        store = store_in(tmp_path)
        with store.writing(JUDGE, "run") as writer:
            for number in range(3):
                writer.keep(ask(number))
                assert store.lookup(JUDGE, [key_of(number)]) == {key_of(number): [ask(number)]}
                assert found(tmp_path, range(10)).keys() == {key_of(one) for one in range(number + 1)}
        assert store.lookup(JUDGE, [key_of(2)]) == {key_of(2): [ask(2)]}

    def test_closed_it_is_one_segment_that_tells_whose_it_is_and_no_journal(self, tmp_path: Path) -> None:
        store = store_in(tmp_path)
        kept(store, ask(1), ask(2))
        [segment] = segments(tmp_path)
        assert segment.parent.name == JUDGE.key
        assert store.segments.identity(JUDGE.key, segment.stem) == JUDGE
        assert [path for path in (tmp_path / "judging").rglob("*") if path.is_file()] == []

    def test_a_writer_that_was_given_nothing_leaves_nothing(self, tmp_path: Path) -> None:
        with store_in(tmp_path).writing(JUDGE, "run") as writer:
            writer.keep_all([])
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_what_was_kept_before_a_failure_stays(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), store_in(tmp_path).writing(JUDGE, "run") as writer:  # noqa: PT012
            writer.keep(ask(1))
            raise ZeroDivisionError
        assert found(tmp_path, range(5)) == {key_of(1): [ask(1)]}
        assert journals(tmp_path) == []

    def test_many_at_once_are_a_segment_of_their_own(self, tmp_path: Path) -> None:
        with store_in(tmp_path).writing(JUDGE, "run") as writer:
            writer.keep_all(ask(number, number % 2) for number in range(1000))
            assert journals(tmp_path) == []
        assert len(segments(tmp_path)) == 1
        assert len(found(tmp_path, range(2000))) == 1000

    def test_a_journal_that_grows_long_becomes_a_segment_meanwhile(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(label_store, "JOURNAL_ASKS", 10)
        store = store_in(tmp_path)
        with store.writing(JUDGE, "run") as writer:
            for number in range(35):
                writer.keep(ask(number))
                store.lookup(JUDGE, [])
            assert len(segments(tmp_path)) == 3
            assert len(journals(tmp_path)) == 1
            assert store.asks(JUDGE).collect().height == 35
        assert store.asks(JUDGE).collect().height == 35
        assert found(tmp_path, range(50)) == {key_of(number): [ask(number)] for number in range(35)}

    def test_threads_do_not_tear_each_others_asks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(label_store, "JOURNAL_ASKS", 20)
        with store_in(tmp_path).writing(JUDGE, "run") as writer, ThreadPoolExecutor(8) as pool:
            deque(pool.map(writer.keep, map(ask, range(1600))), maxlen=0)
        assert found(tmp_path, range(1600)) == {key_of(number): [ask(number)] for number in range(1600)}

    def test_two_labels_for_one_question_are_a_conflict_that_is_not_asked_again(self, tmp_path: Path) -> None:
        kept(store_in(tmp_path), ask(1, 0))
        kept(store_in(tmp_path), ask(1, 1))
        [conflict] = found(tmp_path, range(2))[key_of(1)]
        assert (conflict.label, conflict.reason) == (None, CONFLICT)
        assert decided([conflict]) == conflict

    def test_a_damaged_segment_is_refused_by_name(self, tmp_path: Path) -> None:
        kept(store_in(tmp_path), ask(1))
        [segment] = segments(tmp_path)
        segment.write_bytes(segment.read_bytes()[:-20])
        with pytest.raises(Refused, match=segment.name):
            found(tmp_path, range(2))


class TestProcesses:
    def test_kill_9_in_the_midst_of_writing_loses_nothing_that_was_kept(self, tmp_path: Path) -> None:
        with process(KEEP_UNTIL_KILLED, str(tmp_path)) as running:
            told = [int(line) for line in islice(lines_of(running), 300)]
            running.send_signal(signal.SIGKILL)
            told += [int(line) for line in lines_of(running) if line.endswith("\n")]
            assert running.wait(60) == -signal.SIGKILL
        assert len(journals(tmp_path)) == 1
        after = found(tmp_path, range(len(told) + 10))
        assert {key_of(number): [ask(number)] for number in told}.items() <= after.items()
        assert journals(tmp_path) == []
        assert len(segments(tmp_path)) == 1
        assert found(tmp_path, range(len(told) + 10)) == after

    def test_what_a_living_process_keeps_is_seen_and_left_to_it(self, tmp_path: Path) -> None:
        with process(KEEP_UNTIL_KILLED, str(tmp_path)) as running:
            assert int(next(lines_of(running))) == 0
            assert found(tmp_path, range(1)) == {key_of(0): [ask(0)]}
            assert store_in(tmp_path).ledger()["asks"].item() >= 1
            kept(store_in(tmp_path), ask(-1))
            assert len(journals(tmp_path)) == 1
            assert len(segments(tmp_path)) == 1
            running.kill()
            running.wait(60)

    def test_two_processes_write_at_once_and_nothing_is_lost_or_counted_twice(self, tmp_path: Path) -> None:
        with (
            process(KEEP_SOME, str(tmp_path), "a", "0", "100") as one,
            process(KEEP_SOME, str(tmp_path), "b", "50", "150") as other,
        ):
            for running in (one, other):
                assert next(lines_of(running)) == "writing\n"
            for running in (one, other):
                running.communicate("go\n", timeout=120)
                assert running.returncode == 0
        after = found(tmp_path, range(200))
        assert {key: asks[0].label for key, asks in after.items()} == {
            key_of(number): number % 2 for number in range(150)
        }
        assert all(len(asks) == 1 for asks in after.values())
        assert store_in(tmp_path).ledger()["asks"].item() == 200
        assert journals(tmp_path) == []
        assert len(segments(tmp_path)) == 6

    def test_killed_between_writing_the_segment_and_removing_the_journal_is_no_harm(self, tmp_path: Path) -> None:
        store = store_in(tmp_path)
        with store.writing(JUDGE, "run") as writer:
            writer.keep(ask(1))
            [journal] = journals(tmp_path)
            content = journal.read_bytes()
        journal.write_bytes(content)
        for opened in (store, store_in(tmp_path)):
            assert opened.ledger()["asks"].item() == 1
            assert opened.lookup(JUDGE, [key_of(1)]) == {key_of(1): [ask(1)]}
        assert journals(tmp_path) == []
        assert len(segments(tmp_path)) == 1

    def test_a_journal_whose_place_is_away_waits_until_it_is_back(self, tmp_path: Path) -> None:
        store = store_in(tmp_path)
        with pytest.raises(Refused, match="cannot write"), store.writing(JUDGE, "run") as writer:  # noqa: PT012
            writer.keep(ask(1))
            (tmp_path / "label-store").write_bytes(b"in the way")
        assert len(journals(tmp_path)) == 1
        (tmp_path / "label-store").unlink()
        assert found(tmp_path, range(2)) == {key_of(1): [ask(1)]}
        assert journals(tmp_path) == []

    def test_journals_of_another_store_are_left_alone(self, tmp_path: Path) -> None:
        with store_in(tmp_path).writing(JUDGE, "run") as writer:
            writer.keep(ask(1))
            [journal] = journals(tmp_path)
            content = journal.read_bytes()
        journal.write_bytes(content)
        other = label_store.LabelStore(str(tmp_path / "others"), tmp_path / "judging")
        assert other.lookup(JUDGE, [key_of(1)]) == {}
        assert journals(tmp_path) == [journal]


class TestLedger:
    def test_every_ask_counts_by_judge(self, tmp_path: Path) -> None:
        store = store_in(tmp_path)
        kept(store, ask(1, 0), ask(2, None), ask(2, 1, attempt=2, at=MOMENT + timedelta(hours=1)))
        kept(store, ask(1, None), judge=OTHER_JUDGE)
        for ledger in (store.ledger(), store_in(tmp_path).ledger()):
            rows = {row["judge"]: row for row in ledger.iter_rows(named=True)}
            assert rows["openai/gpt-4.1-mini"] == {
                "judge": "openai/gpt-4.1-mini",
                "prompt": JUDGE.prompt,
                "parameters": JUDGE.parameters,
                "asks": 3,
                "labelled": 2,
                "unlabelled": 1,
                "promptTokens": 900,
                "completionTokens": 3,
                "cost": pytest.approx(0.0015),
                "first": MOMENT,
                "last": MOMENT + timedelta(hours=1),
            }
            assert rows["openai/gpt-4.1"]["unlabelled"] == 1

    def test_both_of_two_equal_answers_were_paid_for(self, tmp_path: Path) -> None:
        for run in ("a", "b"):
            kept(store_in(tmp_path), replace(ask(1), run=run))
        assert store_in(tmp_path).ledger()["asks"].item() == 2
        assert len(found(tmp_path, range(2))[key_of(1)]) == 1

    def test_spending_is_told_by_run_over_all_judges(self, tmp_path: Path) -> None:
        store = store_in(tmp_path)
        kept(store, ask(1, run="a"), ask(2, run="a"), ask(3, run="b"))
        kept(store, ask(1, run="a"), judge=OTHER_JUDGE)
        assert store.spent("a") == pytest.approx(0.0015)
        assert store.spent("b") == pytest.approx(0.0005)
        assert store.spent("c") == 0
