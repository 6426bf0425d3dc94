"""Accepted labels of others count as they are; a suspect keeps its label where two judges agree."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.judges.heuristic_judge import HeuristicJudge
from sft_pipeline.clients.judges.stored_judge import StoredJudge
from sft_pipeline.clients.labels.importing import import_labels, imported_identity
from sft_pipeline.curation.heuristic import heuristic_identity
from sft_pipeline.curation.judging import MALFORMED, NOT_STORED, SUSPECT, Identity
from sft_pipeline.curation.label_claims import labels_are_0_or_1
from sft_pipeline_tests.clients.labelling.judged_world import (
    RUN,
    CountingJudge,
    always,
    by_text,
    only_judged,
    other_judge,
    rows,
    store_in,
    with_totals,
)
from sft_pipeline_tests.clients.labels.label_world import record, write_records
from sft_pipeline_tests.curation.labels_world import request, requests

SIX, TEN = with_totals(6), with_totals(10)
STORED = Identity("stored", "no_model", "none", "{}")


def _texts(table: pl.DataFrame) -> list[str]:
    return table["request"].to_list()


class TestAcceptedLabels:
    @pytest.fixture
    def imported(self, tmp_path: Path) -> Identity:
        """Labels of yesterday for the first three of ten, one of them with both labels."""
        texts = _texts(rows(10))
        records = [record(texts[0], 1), record(texts[1], 0), record(texts[2], 0), record(texts[2], 1)]
        path = write_records(tmp_path / "records.jsonl", records)
        import_labels(path, store_in(tmp_path), "yesterday", report=tmp_path / "bad.csv")
        return imported_identity("yesterday")

    def test_they_count_and_name_their_judge_and_nobody_is_asked_for_them(
        self, tmp_path: Path, imported: Identity
    ) -> None:
        judge = CountingJudge(says=always(1))
        verdicts = only_judged(tmp_path, rows(10), judge, plan=SIX, accepted=[imported]).table()
        assert verdicts["judge"].to_list() == ["imported/yesterday"] * 2 + ["openai/model-a"] * 8
        assert verdicts["label"].to_list() == [1, 0, *[1] * 8]
        assert verdicts["prompt"].head(2).to_list() == ["as_annotated"] * 2
        assert len(judge.questions) == 8

    @pytest.mark.usefixtures("imported")
    def test_they_do_not_count_where_they_are_not_accepted(self, tmp_path: Path) -> None:
        verdicts = only_judged(tmp_path, rows(10), judge := CountingJudge(says=always(1)), plan=SIX).table()
        assert set(verdicts["judge"]) == {"openai/model-a"}
        assert len(judge.questions) == 10

    def test_the_first_accepted_judge_goes_before_others(self, tmp_path: Path, imported: Identity) -> None:
        path = write_records(tmp_path / "more.jsonl", [record(text, 0) for text in _texts(rows(10))])
        import_labels(path, store_in(tmp_path), "earlier", report=tmp_path / "bad.csv")
        both = [imported, imported_identity("earlier")]
        verdicts = only_judged(tmp_path, rows(10), judge := CountingJudge(), plan=SIX, accepted=both).table()
        assert verdicts["label"].to_list() == [1, *[0] * 9]
        assert verdicts["judge"].to_list() == ["imported/yesterday"] * 2 + ["imported/earlier"] * 8
        assert judge.asked == []

    def test_where_only_they_count_others_have_no_label_and_may_get_one_later(
        self, tmp_path: Path, imported: Identity
    ) -> None:
        verdicts = only_judged(tmp_path, rows(10), StoredJudge(STORED, RUN), plan=SIX, accepted=[imported]).table()
        assert verdicts["label"].to_list() == [1, 0, *[None] * 8]
        assert verdicts["reason"].to_list() == [None, None, *[NOT_STORED] * 8]
        path = write_records(tmp_path / "more.jsonl", [record(text, 0) for text in _texts(rows(10))[3:]])
        import_labels(path, store_in(tmp_path), "yesterday", report=tmp_path / "bad.csv")
        later = only_judged(tmp_path, rows(10), StoredJudge(STORED, RUN), plan=SIX, accepted=[imported]).table()
        assert later["label"].to_list() == [1, 0, None, *[0] * 7]


class TestSuspects:
    """Requests that read like orders to the judge, fault 40."""

    @pytest.mark.parametrize(
        ("first", "second", "label", "reason"),
        [(1, 1, 1, None), (0, 0, 0, None), (1, 0, None, SUSPECT), (0, 1, None, SUSPECT), (1, None, None, SUSPECT)],
    )
    def test_fault_40_a_suspect_keeps_its_label_only_if_the_second_judge_gives_the_same(
        self, tmp_path: Path, first: int, second: int | None, label: int | None, reason: str | None
    ) -> None:
        other = other_judge(always(second))
        judge = CountingJudge(says=always(first))
        table = rows(1, suspect=True)
        [row] = only_judged(tmp_path, table, judge, second=other, plan=SIX).rows
        assert (row["label"], row["reason"], row["secondLabel"]) == (label, reason, second)
        assert (row["probability"] is None) == (label is None)
        assert labels_are_0_or_1(only_judged(tmp_path, table, judge, second=other, plan=SIX).table()).passed
        assert len(other.questions) == 1

    def test_what_is_above_suspicion_is_asked_of_one_judge_alone(self, tmp_path: Path) -> None:
        table = requests([request(f"c-{number}", suspect=number == 3) for number in range(12)])
        other = other_judge()
        judged = only_judged(tmp_path, table, CountingJudge(), second=other, plan=TEN)
        assert len(other.questions) == 1
        assert judged.table()["secondLabel"].count() == 1

    def test_a_suspect_without_a_first_label_needs_no_second_one(self, tmp_path: Path) -> None:
        other = other_judge()
        judge = CountingJudge(says=always(None))
        [row] = only_judged(tmp_path, rows(1, suspect=True), judge, second=other, plan=SIX).rows
        assert (row["reason"], other.asked) == (MALFORMED, [])

    def test_proxies_read_no_text_and_have_nothing_to_obey(self, tmp_path: Path) -> None:
        main, second = (heuristic_identity("session_router", second=second) for second in (False, True))
        table = rows(1, suspect=True)
        [row] = only_judged(
            tmp_path, table, HeuristicJudge(main, RUN), second=HeuristicJudge(second, RUN), plan=SIX
        ).rows
        assert (row["label"], row["secondLabel"]) == (1, None)

    def test_a_suspect_that_lost_its_label_fills_no_quota(self, tmp_path: Path) -> None:
        table = requests([request(f"c-{number}", suspect=number % 2 == 0) for number in range(40)])
        other = other_judge(lambda question, _: 1 - by_text(question))
        verdicts = only_judged(tmp_path, table, CountingJudge(), second=other, plan=SIX).table()
        assert Counter(verdicts["label"].drop_nulls()) >= Counter({0: 3, 1: 3})
        assert min(Counter(verdicts["label"].drop_nulls()).values()) == 3
        assert verdicts["label"].to_list()[-1] is not None
