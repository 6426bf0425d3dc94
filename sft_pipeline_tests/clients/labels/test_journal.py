from collections import deque
from itertools import count
from pathlib import Path

import pytest

from sft_pipeline.clients.labels.asks import asks_table
from sft_pipeline.clients.labels.journal import Journal, abandoned, read_journal, read_on, writer_of
from sft_pipeline.curation.judging import Ask
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.clients.labels.label_world import JUDGE, ask

RUN = "demo 2026-11-01"


def asks_in(path: Path) -> list[Ask]:
    return [Ask(*row) for row in read_journal(path).asks.iter_rows()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / JUDGE.key / "20261101T120000000000-0123abcd.jsonl"


def written(path: Path, *asks: Ask) -> Path:
    journal = Journal(path, JUDGE, RUN)
    for one in asks:
        journal.append(one)
    journal.close()
    journal.release()
    return path


class TestReading:
    def test_it_tells_whose_asks_it_holds_and_for_which_run(self, path: Path) -> None:
        told = read_journal(written(path, ask(1), ask(2, None)))
        assert (told.identity, told.run) == (JUDGE, RUN)
        assert told.asks.equals(asks_table([ask(1), ask(2, None)]))
        assert writer_of(path) == JUDGE

    def test_an_ask_can_be_read_as_soon_as_it_is_appended(self, path: Path) -> None:
        journal = Journal(path, JUDGE, RUN)
        rows, offset = read_on(path, 0)
        assert rows.is_empty()
        for number in range(3):
            journal.append(ask(number))
            rows, offset = read_on(path, offset)
            assert [Ask(*row) for row in rows.iter_rows()] == [ask(number)]
        journal.close()
        journal.release()

    @pytest.mark.parametrize("torn", [b'{"key":"012', b"\0" * 40])
    def test_a_last_line_without_end_is_none(self, path: Path, torn: bytes) -> None:
        written(path, ask(1))
        path.write_bytes(path.read_bytes() + torn)
        assert asks_in(path) == [ask(1)]
        assert read_on(path, 0)[0].height == 1

    @pytest.mark.parametrize("content", [b"", b'{"kind":"op'])
    def test_one_that_was_hardly_begun_is_empty(self, path: Path, content: bytes) -> None:
        written(path)
        path.write_bytes(content)
        assert read_journal(path).identity is None
        assert writer_of(path) is None
        assert read_on(path, 0)[1] == 0

    @pytest.mark.parametrize("line", [b"{broken}\n", b"\0\0\0\n", b'{"key":7}\n'])
    def test_a_damaged_line_is_refused_and_the_file_named(self, path: Path, line: bytes) -> None:
        written(path, ask(1))
        path.write_bytes(path.read_bytes() + line)
        with pytest.raises(Refused, match=path.name):
            read_journal(path)
        with pytest.raises(Refused, match=path.name):
            read_on(path, 0)

    @pytest.mark.parametrize("head", [b"{}\n", b"nothing\n", b"[]\n"])
    def test_a_damaged_first_line_is_refused(self, path: Path, head: bytes) -> None:
        written(path)
        path.write_bytes(head)
        with pytest.raises(Refused, match="is damaged"):
            read_journal(path)


class TestOwner:
    def test_one_that_is_being_written_is_not_abandoned(self, path: Path) -> None:
        journal = Journal(path, JUDGE, RUN)
        with abandoned(path) as is_abandoned:
            assert not is_abandoned
        journal.close()
        journal.release()
        with abandoned(path) as is_abandoned:
            assert is_abandoned
            with abandoned(path) as by_another:
                assert not by_another

    def test_one_that_is_gone_is_not_abandoned_and_leaves_no_lock(self, path: Path) -> None:
        path.parent.mkdir()
        with abandoned(path) as is_abandoned:
            assert not is_abandoned
        assert list(path.parent.iterdir()) == []


def test_fault_46_a_full_disk_is_refused_and_no_half_line_spoils_what_is_appended_when_there_is_room(
    tiny_disk: Path,
) -> None:
    filler = tiny_disk / "filler"
    filler.write_bytes(bytes(64 << 10))
    path = tiny_disk / "0123.jsonl"
    journal = Journal(path, JUDGE, RUN)
    with pytest.raises(Refused, match="the disk is full"):
        deque(map(journal.append, map(ask, count())), maxlen=0)
    before = journal.asks
    assert asks_in(path) == [ask(number) for number in range(before)]
    filler.unlink()
    journal.append(ask(before))
    assert asks_in(path) == [ask(number) for number in range(before + 1)]
    journal.close()
    journal.release()
