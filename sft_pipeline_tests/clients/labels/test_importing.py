"""Annotated records as labels: counted, redacted, content-addressed, in bounded memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.clients.labels import importing
from sft_pipeline.clients.labels.importing import Imported, import_labels, imported_identity
from sft_pipeline.clients.labels.records import Annotated, read_annotated
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.judging import CONFLICT, Ask, input_text, question_key
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.clients.labels.label_world import record, segments, store_in, write_records
from sft_pipeline_tests.secret_texts import EVERY, GIVEAWAYS, written

JUDGE = imported_identity("annotator")


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return store_in(tmp_path)


def brought_in(store: LabelStore, tmp_path: Path, *records: dict[str, object] | bytes, **options: Any) -> Imported:
    file = write_records(tmp_path / "part-00000.json", records)
    return import_labels(file, store, "annotator", report=tmp_path / "reports" / "bad.csv", **options)


def label_of(store: LabelStore, request: str) -> list[Ask]:
    key = question_key(JUDGE, input_text(request, ""))
    return store.lookup(JUDGE, [key]).get(key, [])


def stored(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(one) for path in segments(folder, "records") for one in pl.read_parquet(path)["record"]]


class TestVerdicts:
    def test_a_record_is_a_label_of_the_named_judge(self, store: LabelStore, tmp_path: Path) -> None:
        told = brought_in(store, tmp_path, record("rename this", 1), record("design a cache", 0))
        assert told == Imported(lines=2, added=2, known=0, bad={}, requests=2, conflicts=0)
        [ask] = label_of(store, "rename this")
        assert (ask.label, ask.attempt, ask.mode, ask.cost) == (1, 1, "import", 0)
        assert [ask.label for ask in label_of(store, "design a cache")] == [0]
        assert label_of(store, "rename that") == []

    @pytest.mark.parametrize(("told", "label"), [(0, 0), (1, 1), (1.0, 1), (0.0, 0), ("0", 0), ("1", 1)])
    def test_verdicts_are_read_as_other_tools_write_them(
        self, store: LabelStore, tmp_path: Path, told: object, label: int
    ) -> None:
        assert brought_in(store, tmp_path, record("a", told)).added == 1
        assert label_of(store, "a")[0].label == label

    def test_the_same_file_twice_adds_nothing(self, store: LabelStore, tmp_path: Path) -> None:
        records = [record("a", 1), record("b", 0), record("b", 0, latency=9)]
        first = brought_in(store, tmp_path, *records)
        files = segments(tmp_path) + segments(tmp_path, "records")
        for opened in (store, store_in(tmp_path)):
            again = brought_in(opened, tmp_path, *records)
            assert again == first._replace(added=0, known=3)
        assert segments(tmp_path) + segments(tmp_path, "records") == files
        assert store.ledger()["asks"].item() == 2

    def test_the_same_record_with_its_fields_in_another_order_is_the_same(
        self, store: LabelStore, tmp_path: Path
    ) -> None:
        one = record("a", 1)
        assert brought_in(store, tmp_path, one, dict(reversed(one.items()))).known == 1

    def test_an_import_that_was_killed_adds_the_rest(
        self, store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        records = [record(f"request {number}", number % 2) for number in range(9)]
        monkeypatch.setattr(importing, "PIECE", 600)
        names = ["2", "1"]
        with monkeypatch.context() as broken, pytest.raises(IndexError):  # noqa: PT012
            broken.setattr(importing, "new_segment_name", names.pop)
            brought_in(store, tmp_path, *records)
        told = brought_in(store_in(tmp_path), tmp_path, *records)
        assert told.known > 0
        assert told.added + told.known == 9
        assert sorted(one["request"] for one in stored(tmp_path)) == [one["request"] for one in records]
        assert store_in(tmp_path).ledger()["asks"].item() == 9

    def test_two_verdicts_on_one_request_are_a_conflict(self, store: LabelStore, tmp_path: Path) -> None:
        told = brought_in(store, tmp_path, record("a", 0), record("b", 1), record("a", 1), record("a", 1, latency=1))
        assert (told.added, told.requests, told.conflicts) == (4, 2, 1)
        assert [(ask.label, ask.reason) for ask in label_of(store, "a")] == [(None, CONFLICT)]
        assert label_of(store, "b")[0].label == 1

    def test_judges_of_other_names_do_not_meet(self, store: LabelStore, tmp_path: Path) -> None:
        brought_in(store, tmp_path, record("a", 0))
        file = write_records(tmp_path / "other.json", [record("a", 1)])
        assert import_labels(file, store, "another", report=tmp_path / "bad.csv").conflicts == 0
        assert label_of(store, "a")[0].label == 0

    def test_a_judge_without_a_name_is_refused(self, store: LabelStore, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="without a name"):
            import_labels(tmp_path / "in.json", store, "  ", report=tmp_path / "bad.csv")


class TestVotes:
    @pytest.mark.parametrize(
        ("vote", "pairs"), [(1, [(1, 1)]), (0, [(1, 0)]), (-1, [(1, 0)]), (True, [(1, 1)]), (None, []), ("up", [])]
    )
    def test_a_thumb_is_told_with_the_label_of_its_record(
        self, store: LabelStore, tmp_path: Path, vote: object, pairs: list[tuple[int, int]]
    ) -> None:
        brought_in(store, tmp_path, record("a", 1, vote=vote), record("b", 0))
        assert store.votes(JUDGE, [question_key(JUDGE, input_text("a", ""))]) == pairs

    def test_every_record_of_a_request_votes_and_none_twice(self, store: LabelStore, tmp_path: Path) -> None:
        brought_in(store, tmp_path, record("a", 1, vote=0), record("a", 1, vote=1))
        for path in segments(tmp_path, "records"):
            path.with_name("20990101T000000000000-0123abcd.parquet").write_bytes(path.read_bytes())
        assert sorted(store.votes(JUDGE, [question_key(JUDGE, input_text("a", ""))])) == [(1, 0), (1, 1)]
        assert store.votes(JUDGE, []) == []
        assert store.votes(imported_identity("another"), ["a"]) == []


class TestWhatIsKept:
    def test_everything_but_user_names_and_responses(self, store: LabelStore, tmp_path: Path) -> None:
        one = record("a", 1, tags=["x", {"y": None}], turnNumber=2**60, share=0.1)
        brought_in(store, tmp_path, one)
        assert stored(tmp_path) == [{name: one[name] for name in one if name not in {"userName", "response"}}]

    def test_responses_where_they_are_asked_for(self, store: LabelStore, tmp_path: Path) -> None:
        brought_in(store, tmp_path, record("a", 1), with_responses=True)
        [kept] = stored(tmp_path)
        assert kept["response"] == "what the model said"
        assert "userName" not in kept

    def test_fault_49_no_secret_is_stored_and_the_key_is_of_the_redacted_request(
        self, store: LabelStore, tmp_path: Path
    ) -> None:
        texts = [f'see "{written(kind, secret)}" please' for kind, secret in EVERY]
        records = [record(text, 1, tags=[{"note": text}], response=text) for text in texts]
        brought_in(store, tmp_path, record("plain"), *records, with_responses=True)
        plain, *others = stored(tmp_path)
        assert plain["request"] == "plain"
        for one in others:
            assert one["request"] == one["tags"][0]["note"] == one["response"]
            assert one["request"].count("[REDACTED:") == 1
            assert label_of(store, one["request"])[0].label == 1
        assert [giveaway for giveaway in GIVEAWAYS if giveaway in orjson.dumps(others).decode()] == []


class TestBadLines:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"{broken", "not_json"),
            (b'{"request":"\xff","llm_vote":1}', "not_json"),
            (b'{"request":"\\ud800","llm_vote":1}', "not_json"),
            (b"[" * 2000 + b"]" * 2000, "not_json"),
            (b"[1]", "not_an_object"),
            (b'"text"', "not_an_object"),
            (b'{"llm_vote":1}', "no_request"),
            (b'{"llm_vote":1,"request":null}', "no_request"),
            (b'{"llm_vote":1,"request":7}', "no_request"),
            ('{"llm_vote":1,"request":" \u200b\u00a0"}'.encode(), "no_request"),
            (b'{"request":"a"}', "llm_vote_is_not_0_or_1"),
            (b'{"request":"a","llm_vote":null}', "llm_vote_is_not_0_or_1"),
            (b'{"request":"a","llm_vote":2}', "llm_vote_is_not_0_or_1"),
            (b'{"request":"a","llm_vote":0.5}', "llm_vote_is_not_0_or_1"),
            (b'{"request":"a","llm_vote":true}', "llm_vote_is_not_0_or_1"),
            (b'{"request":"a","llm_vote":"Label: 0"}', "llm_vote_is_not_0_or_1"),
            (b'{"request":"a","llm_vote":[0]}', "llm_vote_is_not_0_or_1"),
            (b'{"request":"a","llm_vote":0,"x":' + b"[" * 300 + b"]" * 300 + b"}", "nested_too_deep"),
            (b'{"request":"' + b"a" * 5000 + b'","llm_vote":0}', "line_too_long"),
        ],
    )
    def test_fault_30_a_line_that_is_no_record_is_counted_and_told_with_its_number_alone(
        self, store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, reason: str
    ) -> None:
        monkeypatch.setattr(importing, "LONGEST_LINE", 4500)
        told = brought_in(store, tmp_path, record("a"), line, b"", b"  ", record("b"))
        assert told == Imported(lines=3, added=2, known=0, bad={reason: 1}, requests=2, conflicts=0)
        assert (tmp_path / "reports" / "bad.csv").read_text() == f"line,reason\n2,{reason}\n"

    def test_without_one_there_is_no_report(self, store: LabelStore, tmp_path: Path) -> None:
        brought_in(store, tmp_path, record("a"))
        assert not (tmp_path / "reports").exists()

    def test_a_file_may_begin_with_a_byte_order_mark_and_end_without_an_end_of_line(
        self, store: LabelStore, tmp_path: Path
    ) -> None:
        file = tmp_path / "in.json"
        file.write_bytes(b"\xef\xbb\xbf" + orjson.dumps(record("a")) + b"\r\n" + orjson.dumps(record("b")))
        assert import_labels(file, store, "annotator", report=tmp_path / "bad.csv").added == 2

    @pytest.mark.parametrize("surplus", [-1, 0, 1])
    def test_a_line_of_the_longest_length_is_still_read(
        self, store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, surplus: int
    ) -> None:
        file = write_records(tmp_path / "in.json", [record("a")])
        file.write_bytes(file.read_bytes()[:-1])
        monkeypatch.setattr(importing, "LONGEST_LINE", file.stat().st_size - surplus)
        told = import_labels(file, store, "annotator", report=tmp_path / "bad.csv")
        assert (told.added, told.bad) == ((0, {"line_too_long": 1}) if surplus > 0 else (1, {}))

    def test_a_file_that_is_not_there_is_refused(self, store: LabelStore, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="there is no such file"):
            import_labels(tmp_path / "none.json", store, "annotator", report=tmp_path / "bad.csv")

    @settings(derandomize=True, deadline=None, max_examples=50)
    @given(
        st.binary(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode)
    )
    def test_any_line_is_a_record_or_has_a_reason(self, line: bytes) -> None:
        found = read_annotated(line)
        assert found if isinstance(found, str) else isinstance(found, Annotated)


class TestPieces:
    @pytest.mark.parametrize("size", [1, 700, 10_000])
    def test_how_much_is_held_at_a_time_makes_no_difference(
        self, store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        monkeypatch.setattr(importing, "PIECE", size)
        lines = [record(f"request {number % 7}", number % 3) for number in range(12)]
        told = brought_in(store, tmp_path, *lines, b"broken", lines[0])
        assert told == Imported(14, 8, 1, {"llm_vote_is_not_0_or_1": 4, "not_json": 1}, requests=6, conflicts=2)

    def test_progress_ends_with_all_bytes(self, store: LabelStore, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        note: Callable[[int, int], None] = lambda done, total: told.append((done, total))  # noqa: E731
        brought_in(store, tmp_path, record("a"), record("b"), progress=note)
        size = (tmp_path / "part-00000.json").stat().st_size
        assert told[-1] == (size, size)
