"""A record is one line of JSON, the same bytes for the same conversation, whatever its texts hold."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.records import record_lines, record_pieces, table_version, with_digests
from sft_pipeline.curation.tables import RECORD_FIELDS, REPAIRS, TURN_SCHEMA
from sft_pipeline_tests.conversations_world import Row, candidate, conversation, conversations, light_rows, turn

GOLDEN = (
    '{"conversationId":"c-1","userName":"user-a6f7ef47ee8dc84af9056a30","split":"train","bucket":"short","turnCount":3,'
    '"minTurnIndex":1,"maxTurnIndex":3,"capturedTurnCount":3,"isComplete":true,"promptTokens":300,'
    '"completionTokens":30,"llmCallCount":3,"firstTime":"2025-08-02T09:30:00.000000Z",'
    '"lastTime":"2025-08-02T09:33:00.000000Z","models":["gpt-5"],"turnsArray":[{"turnIndex":1,'
    '"messageId":"message-1","userMessage":"say \\"hé\\"\\n\u2028👍","modelMessage":"answer 1","model":null,'
    '"responseType":"success","numRequests":1,"toolCounts":"{\\"read_file\\":2}","turnDurationMs":2000,'
    '"isContinuation":false,"llmCallCount":1,"promptTokens":100,"promptTokenDelta":100,"completionTokens":10,'
    '"llmCalls":[{"callIndex":1,"modelCallId":"call-1","model":"gpt-5","promptTokens":100,'
    '"promptTokenDelta":100,"contextReset":false,"completionTokens":10}]}]}\n'
)
ODD_TEXTS = (
    "a\nb\r\nc\rd",
    "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e",
    "NUL \x00 DEL \x7f",
    '"quoted" \\ {"turnIndex":1}',
    "👩\u200d💻\U0010ffff",
    "\ufeff",
    "x" * 100_000,
    "",
)


def golden_conversation() -> Row:
    first = turn(1, userMessage='say "hé"\n\u2028👍', model=None, toolCounts='{"read_file":2}')
    return conversation("c-1", turnsArray=[first])


def three() -> pl.DataFrame:
    return conversations(*(conversation(f"c-{turns}", turns=turns) for turns in (3, 7, 12)))


def parsed(lines: bytes) -> list[Row]:
    return [json.loads(line) for line in lines.split(b"\n")[:-1]]


class TestLines:
    def test_golden_bytes_of_one_record(self) -> None:
        assert record_lines(conversations(golden_conversation())) == GOLDEN.encode()

    def test_fields_stand_in_their_order(self) -> None:
        for record in parsed(record_lines(three())):
            assert tuple(record) == RECORD_FIELDS
            assert [tuple(one) for one in record["turnsArray"]] == [tuple(TURN_SCHEMA)] * record["turnCount"]

    def test_columns_in_another_order_make_the_same_bytes(self) -> None:
        frame = three()
        assert record_lines(frame.select(reversed(frame.columns))) == record_lines(frame)

    def test_records_stand_in_the_order_of_the_rows(self) -> None:
        assert [record["conversationId"] for record in parsed(record_lines(three()))] == ["c-3", "c-7", "c-12"]

    def test_what_the_pipeline_keeps_for_itself_is_not_released(self) -> None:
        lines = record_lines(three()).decode()
        assert not any(f'"{name}"' in lines for name in (*REPAIRS, "priority", "digest", "rank", "chunk"))

    def test_fault_29_a_record_is_one_line_whatever_its_texts_hold(self) -> None:
        turns = [turn(number, userMessage=text, modelMessage=text) for number, text in enumerate(ODD_TEXTS, 1)]
        lines = record_lines(conversations(conversation("c-1", userName="a\nb", turnsArray=turns)))
        assert lines.count(b"\n") == 1
        assert lines.splitlines() == [lines[:-1]]
        (record,) = parsed(lines)
        assert record["userName"] == "a\nb"
        assert [one["userMessage"] for one in record["turnsArray"]] == list(ODD_TEXTS)
        assert [one["modelMessage"] for one in record["turnsArray"]] == list(ODD_TEXTS)

    def test_times_are_utc_to_the_microsecond(self) -> None:
        time = datetime(2025, 10, 26, 0, 59, 59, 5, tzinfo=UTC)
        (record,) = parsed(record_lines(conversations(conversation("c-1", firstTime=time))))
        assert record["firstTime"] == "2025-10-26T00:59:59.000005Z"
        assert datetime.fromisoformat(record["firstTime"]) == time

    def test_what_is_unknown_is_null(self) -> None:
        (record,) = parsed(record_lines(conversations(conversation("c-1", promptTokens=None, userName=None))))
        assert (record["promptTokens"], record["userName"]) == (None, None)

    def test_no_conversations_are_no_bytes(self) -> None:
        assert record_lines(conversations()) == b""
        assert list(record_pieces(conversations())) == []

    @given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
    @settings(max_examples=60)
    def test_every_text_comes_back(self, texts: list[str]) -> None:
        turns = [turn(number, userMessage=text) for number, text in enumerate(texts, 1)]
        lines = record_lines(conversations(conversation("c-1", models=texts, turnsArray=turns)))
        assert lines.count(b"\n") == 1
        (record,) = parsed(lines)
        assert [one["userMessage"] for one in record["turnsArray"]] == texts
        assert record["models"] == texts

    def test_a_record_read_back_is_the_conversation(self) -> None:
        frame = three()
        (back,) = (pl.read_ndjson(record_lines(frame)),)
        assert back.drop("firstTime", "lastTime").equals(frame.select(RECORD_FIELDS).drop("firstTime", "lastTime"))


class TestPieces:
    @given(st.integers(0, 9), st.integers(1, 11))
    @settings(max_examples=30)
    def test_pieces_of_any_size_are_the_lines(self, count: int, rows: int) -> None:
        frame = conversations(*(conversation(f"c-{number}") for number in range(count)))
        for table in (frame, frame.lazy()):
            pieces = list(record_pieces(table, rows=rows))
            assert b"".join(pieces) == record_lines(frame)
            assert len(pieces) == -(-count // rows)

    def test_each_piece_holds_whole_lines(self) -> None:
        assert [piece.count(b"\n") for piece in record_pieces(three(), rows=2)] == [2, 1]


def of_turn_2(**fields: object) -> Row:
    return conversation("c-1", turnsArray=[turn(1), {**turn(2), **fields}, turn(3)])


OTHER_RECORDS: dict[str, Row] = {
    "user message": of_turn_2(userMessage="question 2 "),
    "no model message": of_turn_2(modelMessage=None),
    "tool counts": of_turn_2(toolCounts='{"read_file":1}'),
    "no calls": of_turn_2(llmCalls=[]),
    "order of turns": conversation("c-1", turnsArray=[turn(1), turn(3), turn(2)]),
    "id": {**conversation("c-1"), "conversationId": "c-2"},
    "split": conversation("c-1", split="val"),
    "bucket": conversation("c-1", bucket="long"),
    "completeness": conversation("c-1", isComplete=False),
    "unknown tokens": conversation("c-1", promptTokens=None),
    "models": conversation("c-1", models=["gpt-5", "o3"]),
    "user": conversation("c-1", userName="someone else"),
    "a microsecond": conversation("c-1", lastTime=conversation("c-1")["lastTime"] + timedelta(microseconds=1)),
}
OTHER_TABLES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "order": lambda table: table.reverse(),
    "rows": lambda table: table.head(2),
    "text": lambda table: table.with_columns(userName=pl.lit("someone")),
    "number": lambda table: table.with_columns(turnCount=pl.col("turnCount") + 1),
    "digest": lambda table: table.with_columns(digest=pl.lit("0")),
}


def digest_of(row: Row) -> str:
    return with_digests(conversations(row))["digest"][0]


class TestDigests:
    def test_a_digest_is_the_sha256_of_the_line_with_no_line_end(self) -> None:
        assert digest_of(golden_conversation()) == sha256(GOLDEN.removesuffix("\n").encode()).hexdigest()

    @pytest.mark.parametrize("changed", OTHER_RECORDS.values(), ids=OTHER_RECORDS.keys())
    def test_a_change_of_the_record_changes_it(self, changed: Row) -> None:
        assert digest_of(changed) != digest_of(conversation("c-1"))

    @pytest.mark.parametrize("field", [*REPAIRS, "priority"])
    def test_a_change_beside_the_record_does_not(self, field: str) -> None:
        assert digest_of({**conversation("c-1"), field: 7}) == digest_of(conversation("c-1"))

    def test_neither_neighbours_nor_an_old_digest_change_it(self) -> None:
        frame = three()
        alone = [with_digests(frame.slice(row, 1))["digest"][0] for row in range(3)]
        assert with_digests(frame)["digest"].to_list() == alone
        assert with_digests(with_digests(frame)).equals(with_digests(frame))
        assert len(set(alone)) == 3

    def test_more_rows_than_a_piece_holds_each_get_their_own(self) -> None:
        rows = [conversation(f"c-{number}", turnsArray=[turn(1)]) for number in range(1001)]
        digests = with_digests(conversations(*rows))["digest"]
        assert digests.n_unique() == 1001
        assert digests[1000] == digest_of(rows[1000])

    def test_no_conversations_have_a_typed_empty_column(self) -> None:
        assert with_digests(conversations()).schema["digest"] == pl.String()

    def test_texts_with_line_ends_keep_digests_with_their_rows(self) -> None:
        odd = conversation("c-0", turnsArray=[turn(1, userMessage="\n".join(ODD_TEXTS))])
        digests = with_digests(conversations(odd, conversation("c-1")))["digest"].to_list()
        assert digests == [digest_of(odd), digest_of(conversation("c-1"))]


class TestVersions:
    @pytest.mark.parametrize("change", OTHER_TABLES.values(), ids=OTHER_TABLES.keys())
    def test_a_table_with_other_rows_has_another_version(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        for table in (with_digests(three()), light_rows(*(candidate(f"c-{n}") for n in range(3)))):
            assert table_version(change(table)) != table_version(table)

    def test_the_digest_stands_for_the_turns(self) -> None:
        table = with_digests(conversations(conversation("c-1")))
        texts = with_digests(conversations(of_turn_2(userMessage="other")))
        assert table_version(texts) != table_version(table)
        assert table_version(table.drop("turnsArray")) == table_version(table)
