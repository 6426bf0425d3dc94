from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Event, Lock

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.clients.kusto.asking_ahead import AskingAhead
from sft_pipeline.clients.kusto.chunk_queries import MOST_PARTS, Chunk, ChunkQueries
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.kusto.parameters import ParameterValue
from sft_pipeline.clients.kusto.protocol import Saved
from sft_pipeline.clients.kusto.slots import Slots
from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.curation.refusal import Refused

QUERY = load_query("production/sft_candidates_hash_chunked")
COUNT = load_query("production/sft_conversation_count")
WINDOW = {"windowStart": datetime(2026, 10, 17, tzinfo=UTC), "windowEnd": datetime(2026, 11, 1, tzinfo=UTC)}


def hashed(name: str) -> int:
    return int(sha256(f"chunk:{name}".encode()).hexdigest()[:8], 16)


@dataclass
class SmallKusto:
    """Conversations that are told a limited number at a time; what is asked for is remembered.

    Args:
        ids: the conversations.
        limit: how many of them an answer may hold.
        tight: question -> how often it is too large, whatever the answer.
        lost: how many answers lack a row; `lost_counts`, how many counts.
        failing: question -> how it fails every time.
    """

    ids: frozenset[str]
    limit: int = 1_000_000
    tight: dict[str, int] = field(default_factory=dict[str, int])
    lost: int = 0
    lost_counts: int = 0
    failing: dict[str, str] = field(default_factory=dict[str, str])
    asked: list[str] = field(default_factory=list[str])
    slots: Slots = field(default_factory=lambda: Slots(3))
    cluster: str = "small"
    database: str = "test"
    remote: bool = True
    lock: Lock = field(default_factory=Lock)

    def execute(self, query: object, parameters: Mapping[str, ParameterValue]) -> pl.DataFrame:
        chunk, count = int(str(parameters["chunk"])), int(str(parameters["chunkCount"]))
        mine = sorted(name for name in self.ids if hashed(name) % count == chunk)
        name = Chunk(chunk, count).name
        if query is COUNT:
            return self.count(name, len(mine))
        with self.slots.taken(), self.lock:
            self.asked.append(name)
            if name in self.failing:
                raise KustoQueryFailed(self.failing[name], "q", kind="transient")
            self.require_room(name)
            if len(mine) > self.limit:
                raise KustoQueryFailed("too large", "q", kind="too_large")
            drop, self.lost = (1, self.lost - 1) if self.lost and mine else (0, self.lost)
        return pl.DataFrame({"conversationId": mine[drop:]}, schema={"conversationId": pl.String()})

    def count(self, name: str, rows: int) -> pl.DataFrame:
        self.require_room(f"count {name}")
        told = [] if self.lost_counts else [rows]
        self.lost_counts = max(0, self.lost_counts - 1)
        return pl.DataFrame({"conversations": told}, schema={"conversations": pl.Int64()})

    def require_room(self, name: str) -> None:
        if self.tight.get(name):
            self.tight[name] -= 1
            raise KustoQueryFailed("too large", "q", kind="too_large")

    def save(self, query: object, parameters: Mapping[str, ParameterValue], path: Path | None = None) -> Saved:
        rows, file = self.execute(query, parameters), BytesIO()
        rows.write_parquet(path or file)
        return Saved(rows.height, 1, file.getvalue())

    def interrupt(self) -> None:
        """Nothing runs for long."""

    def fingerprint(self) -> str:
        return "0"

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Nothing to do."""


def chunk_of(number: int, count: int) -> dict[str, ParameterValue]:
    return {**WINDOW, "chunk": number, "chunkCount": count}


@given(st.frozensets(st.text(st.characters(codec="utf-8")), max_size=200), st.integers(1, 7), st.integers(3, 300))
def test_no_conversation_is_lost_or_doubled_however_chunks_are_split(
    ids: frozenset[str], count: int, limit: int
) -> None:
    chunks = ChunkQueries(SmallKusto(ids, limit=limit), COUNT)
    answers = [chunks.take(QUERY, chunk_of(number, count)) for number in range(count)]
    told = Counter(name for answer in answers for name in answer.rows["conversationId"])
    assert told == Counter(ids)
    assert all(len(set(answer.parts)) == len(answer.parts) for answer in answers)


@given(st.integers(0, 98), st.integers(1, 99), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_the_parts_of_a_chunk_are_the_chunk(number: int, count: int, level: int, value: int) -> None:
    chunk = Chunk(number % count, count)
    parts = chunk.split(2**level)
    inside = [part for part in parts if value % part.count == part.number]
    assert len(inside) == (1 if value % chunk.count == chunk.number else 0)


def test_the_parts_that_two_chunks_needed_are_asked_for_at_once_the_next_time() -> None:
    ids = frozenset(str(number) for number in range(600))
    kusto = SmallKusto(ids, limit=130)
    chunks = ChunkQueries(kusto, COUNT)
    assert [chunks.take(QUERY, chunk_of(number, 3)).parts for number in (0, 1)] == [
        ("0-of-6", "3-of-6"),
        ("1-of-6", "4-of-6"),
    ]
    kusto.asked.clear()
    assert chunks.take(QUERY, chunk_of(2, 3)).parts == ("2-of-6", "5-of-6")
    assert kusto.asked == ["2-of-6", "5-of-6"]


def test_a_passing_trouble_of_one_chunk_splits_no_other() -> None:
    kusto = SmallKusto(frozenset("abcdefgh"), tight={"0-of-4": 9})
    chunks = ChunkQueries(kusto, COUNT)
    assert len(chunks.take(QUERY, chunk_of(0, 4)).parts) == 2
    kusto.asked.clear()
    assert chunks.take(QUERY, chunk_of(1, 4)).parts == ("1-of-4",)


def test_the_smallest_part_is_asked_for_twice() -> None:
    path = [Chunk(hashed("a") % 2**level, 2**level).name for level in range(MOST_PARTS.bit_length())]
    kusto = SmallKusto(frozenset({"a"}), tight=dict.fromkeys(path, 1))
    answer = ChunkQueries(kusto, COUNT).take(QUERY, chunk_of(0, 1))
    assert answer.rows["conversationId"].to_list() == ["a"]
    assert path[-1] in answer.parts
    assert kusto.asked.count(path[-1]) == 2


def test_a_count_that_takes_too_much_is_split_as_well() -> None:
    kusto = SmallKusto(frozenset("abcdefgh"), tight={"count 0-of-1": 1})
    assert ChunkQueries(kusto, COUNT).take(QUERY, chunk_of(0, 1)).parts == ("0-of-1",)


def test_a_count_whose_row_got_lost_is_asked_for_again() -> None:
    kusto = SmallKusto(frozenset("abc"), lost_counts=1)
    assert ChunkQueries(kusto, COUNT).take(QUERY, chunk_of(0, 1)).rows.height == 3
    assert kusto.asked == ["0-of-1"] * 2


def test_a_conversation_that_never_fits_is_refused_with_its_chunk_and_window() -> None:
    kusto = SmallKusto(frozenset({"a"}), limit=0)
    with pytest.raises(KustoQueryFailed) as raised:
        ChunkQueries(kusto, COUNT).take(QUERY, chunk_of(hashed("a") % 4, 4))
    assert f"chunk {Chunk(hashed('a') % 4, 4).name} of 2026-10-17 to 2026-11-01: too large" in str(raised.value)
    assert "raise chunks.count" in raised.value.remedy
    assert len(kusto.asked) <= MOST_PARTS


def test_an_answer_with_fewer_rows_than_counted_is_asked_for_again() -> None:
    kusto = SmallKusto(frozenset("abc"), lost=2)
    assert ChunkQueries(kusto, COUNT).take(QUERY, chunk_of(0, 1)).rows.height == 3
    assert kusto.asked == ["0-of-1"] * 3


def test_an_answer_that_stays_short_is_refused() -> None:
    with pytest.raises(KustoQueryFailed, match="holds 2 conversations, but the cluster counts 3"):
        ChunkQueries(SmallKusto(frozenset("abc"), lost=99), COUNT).take(QUERY, chunk_of(0, 1))


def test_what_does_not_come_over_a_network_is_not_counted() -> None:
    kusto = SmallKusto(frozenset("abc"), lost=1, remote=False)
    assert ChunkQueries(kusto, COUNT).take(QUERY, chunk_of(0, 1)).rows.height == 2


def test_a_query_without_a_chunk_is_refused() -> None:
    with pytest.raises(Refused, match="is not asked for a chunk"):
        ChunkQueries(SmallKusto(frozenset()), COUNT).take(QUERY, WINDOW)


def test_answers_asked_for_ahead_are_those_asked_for_now() -> None:
    ids = frozenset(str(number) for number in range(300))
    asked = [chunk_of(number, 8) for number in range(8)]
    kusto = SmallKusto(ids, limit=30)
    chunks = ChunkQueries(kusto, COUNT)
    with chunks.ahead(QUERY, asked) as (ready, progress):
        taken = {number: chunks.take(QUERY, asked[number]) for number in ready}
        assert "300 rows" in progress.told()
    before = len(kusto.asked)
    now = {number: chunks.take(QUERY, asked[number]) for number in range(8)}
    assert len(kusto.asked) > before
    assert {
        number: answer.rows.sort("conversationId").to_dict(as_series=False) for number, answer in taken.items()
    } == {number: answer.rows.sort("conversationId").to_dict(as_series=False) for number, answer in now.items()}


def test_a_chunk_without_an_answer_leaves_the_others_theirs() -> None:
    asked = [chunk_of(number, 4) for number in range(4)]
    chunks = ChunkQueries(SmallKusto(frozenset("abcdefgh"), failing={"2-of-4": "down"}), COUNT)
    with chunks.ahead(QUERY, asked) as (ready, _):
        outcomes = {number: outcome(chunks, asked[number]) for number in ready}
    assert "chunk 2-of-4" in str(outcomes.pop(2))
    assert sum(int(height) for height in outcomes.values()) == len(
        [name for name in "abcdefgh" if hashed(name) % 4 != 2]
    )


def outcome(chunks: ChunkQueries, parameters: Mapping[str, ParameterValue]) -> str:
    try:
        return str(chunks.take(QUERY, parameters).rows.height)
    except KustoQueryFailed as failed:
        return str(failed)


def test_leaving_early_interrupts_what_runs() -> None:
    interrupted, running = Event(), Event()

    def long() -> tuple[int, int, str]:
        running.set()
        interrupted.wait(5)
        return 1, 1, "ended"

    with AskingAhead([long] * 9, Slots(2), interrupted.set) as asking:
        running.wait(5)
    assert interrupted.is_set()
    assert asking.progress.queries()[1] == 0


def test_results_wait_until_they_are_taken_and_no_more_than_slots() -> None:
    started: list[int] = []

    def job(number: int) -> Callable[[], tuple[int, int, int]]:
        def run() -> tuple[int, int, int]:
            started.append(number)
            return 1, 10, number

        return run

    with AskingAhead([job(number) for number in range(20)], Slots(2), lambda: None) as asking:
        ready = asking.as_ready()
        first = next(ready)
        assert asking.result(first) == first
        assert len(started) <= 1 + 2 + 2 + 1
        rest = [asking.result(number) for number in ready]
        assert sorted([first, *rest]) == list(range(20))
        assert asking.progress.told() == "0 running, 0 waiting, 20 rows, 0 MB"
