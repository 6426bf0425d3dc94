"""A chunk's query: whole, in smaller parts where it is too large, counted, and asked ahead of its turn.

Belongs here: what makes a chunk's answer one that can be trusted, over any Kusto.
Does not belong here: one query's way (cluster), what the rows mean (curation.extraction).
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

import polars as pl

from sft_pipeline.clients.kusto.asking_ahead import AskingAhead, Progress
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.kusto.parameters import ParameterValue
from sft_pipeline.clients.kusto.protocol import Kusto, Saved
from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.curation.refusal import Refused

MOST_PARTS = 64
"""A chunk that does not fit as 64 parts holds a conversation that does not fit: no smaller part would help."""

COUNTED_AGAIN = 3
"""So often a chunk is asked for when its rows are not as many as counted: events may arrive between the two queries."""

COUNTED = "production/sft_candidates_hash_chunked"
"""The query whose rows are counted: another one may leave out what the count counts."""

NOT_COUNTED = -(10**9)
"""In place of a count whose row got lost: no number of rows equals it."""

Parameters = Mapping[str, ParameterValue]
T = TypeVar("T")


@dataclass(frozen=True)
class Chunk:
    """The conversations whose hash leaves the remainder `number` when divided by `count`."""

    number: int
    count: int

    @property
    def name(self) -> str:
        """`07-of-40`."""
        return f"{self.number:0{len(str(self.count))}d}-of-{self.count}"

    def split(self, parts: int) -> list["Chunk"]:
        """Smaller chunks that together are this one: h mod n == k is h mod 2n in {k, k + n}."""
        return [Chunk(self.number + self.count * part, self.count * parts) for part in range(parts)]

    def of(self, parameters: Parameters) -> dict[str, ParameterValue]:
        """The same parameters for this chunk."""
        return {**parameters, "chunk": self.number, "chunkCount": self.count}


@dataclass(frozen=True)
class ChunkAnswer:
    """The rows of a chunk.

    Args:
        rows: of all parts together.
        parts: the queries they came from: `07-of-40`, or `07-of-80` and `47-of-80` when that was too large.
        seconds: from the first question to the last answer.
    """

    rows: pl.DataFrame
    parts: tuple[str, ...]
    seconds: float


class _Answered(NamedTuple, Generic[T]):
    """A part of a chunk with what it gave."""

    part: Chunk
    rows: int
    answer: T


Ask = Callable[[dict[str, ParameterValue]], tuple[int, T]]
"""Gives the number of rows and the answer."""


class ChunkQueries:
    """Chunks of one Kusto.

    Args:
        kusto: where to ask.
        count_query: tells how many rows a chunk has, by another way than the chunk's query; asked where answers come
            over a network. None: answers are not counted.
    """

    def __init__(self, kusto: Kusto, count_query: Query | None) -> None:
        self.kusto = kusto
        self._count_query = count_query if kusto.remote else None
        self._needed = deque([1, 1], maxlen=2)
        self._ahead: dict[object, Callable[[], ChunkAnswer]] = {}

    def take(self, query: Query, parameters: Parameters) -> ChunkAnswer:
        """A chunk's rows, asked for now unless they were asked for ahead; each answer is given once.

        Args:
            query: it has one row per conversation of the chunk.
            parameters: with `chunk` and `chunkCount`.

        Raises:
            Refused: a parameter is not one of the query's.
            KustoQueryFailed: there is no answer that can be trusted; it names chunk and window.
        """
        asked = self._ahead.pop(_key(query, parameters), None)
        return asked() if asked else self._now(query, parameters)

    @contextmanager
    def ahead(self, query: Query, chunks: Sequence[Parameters]) -> Generator[tuple[Iterator[int], Progress]]:
        """Ask for chunks, as many at a time as there are slots, while the caller works on those that are there.

        Yields:
            The positions in `chunks` in the order in which `take` will not have to wait for them, and how far it is.
        """
        jobs = [lambda one=one: self._saved(query, one) for one in chunks]
        with AskingAhead(jobs, self.kusto.slots, self.kusto.interrupt) as asking:
            keys = [_key(query, one) for one in chunks]
            self._ahead |= {key: lambda number=number: asking.result(number)() for number, key in enumerate(keys)}
            try:
                yield asking.as_ready(), asking.progress
            finally:
                for key in keys:
                    self._ahead.pop(key, None)

    def _now(self, query: Query, parameters: Parameters) -> ChunkAnswer:
        def ask(one: dict[str, ParameterValue]) -> tuple[int, pl.DataFrame]:
            rows = self.kusto.execute(query, one)
            return rows.height, rows

        started = monotonic()
        answered = self._counted(query, parameters, ask)
        return _joined([(part.name, rows) for part, _, rows in answered], monotonic() - started)

    def _saved(self, query: Query, parameters: Parameters) -> tuple[int, int, Callable[[], ChunkAnswer]]:
        """Rows, bytes and the answer, which waits for its turn as compressed Parquet."""

        def ask(one: dict[str, ParameterValue]) -> tuple[int, Saved]:
            saved = self.kusto.save(query, one)
            return saved.rows, saved

        started = monotonic()
        answered = self._counted(query, parameters, ask)
        seconds = monotonic() - started
        rows, size = sum(one.rows for one in answered), sum(one.answer.size for one in answered)
        files = [(one.part.name, one.answer.content) for one in answered]
        return rows, size, lambda: _joined([(name, pl.read_parquet(file)) for name, file in files], seconds)

    def _counted(self, query: Query, parameters: Parameters, ask: Ask[T]) -> list[_Answered[T]]:
        """The parts of a chunk, with as many rows together as the service counts."""
        chunk = _chunk(query, parameters)
        told = ""
        try:
            for _ in range(COUNTED_AGAIN):
                answered = self._as_fitted_lately(chunk, parameters, ask)
                rows, counted = sum(one.rows for one in answered), self._count(query, chunk, parameters)
                if counted is None or counted == rows:
                    return answered
                told = f"the answer holds {rows} conversations, but the cluster counts {counted}"
            raise KustoQueryFailed(told, query.name, kind="transient")
        except KustoQueryFailed as failed:
            told = f"chunk {chunk.name}{_window(parameters)}: {failed.message}"
            raise KustoQueryFailed(told, failed.query, kind=failed.kind) from None

    def _as_fitted_lately(self, chunk: Chunk, parameters: Parameters, ask: Ask[T]) -> list[_Answered[T]]:
        """In as many parts as both of the last two chunks needed: one alone may have met a passing trouble."""
        answered = _in_parts(chunk, min(self._needed), parameters, ask)
        self._needed.append(max(one.part.count for one in answered) // chunk.count)
        return answered

    def _count(self, query: Query, chunk: Chunk, parameters: Parameters) -> int | None:
        count = self._count_query
        if count is None or query.name != COUNTED:
            return None

        def ask(one: dict[str, ParameterValue]) -> tuple[int, None]:
            counted = self.kusto.execute(count, {name: one[name] for name in count.parameters if name in one})
            return (int(counted.item()) if counted.shape == (1, 1) else NOT_COUNTED), None

        return sum(one.rows for one in _in_parts(chunk, 1, parameters, ask))


def _in_parts(chunk: Chunk, parts: int, parameters: Parameters, ask: Ask[T]) -> list[_Answered[T]]:
    """Ask for a chunk in so many parts, and for those that do not fit in halves; for the smallest ones twice."""
    waiting, answered, again = deque(chunk.split(parts)), list[_Answered[T]](), set[Chunk]()
    while waiting:
        part = waiting.popleft()
        try:
            answered.append(_Answered(part, *ask(part.of(parameters))))
        except KustoQueryFailed as failed:
            if failed.kind != "too_large" or part in again:
                raise
            smallest = part.count >= chunk.count * MOST_PARTS
            waiting.extendleft([part] if smallest else reversed(part.split(2)))
            again |= {part} if smallest else set()
    return answered


def _joined(parts: Sequence[tuple[str, pl.DataFrame]], seconds: float) -> ChunkAnswer:
    return ChunkAnswer(pl.concat([rows for _, rows in parts]), tuple(name for name, _ in parts), seconds)


def _chunk(query: Query, parameters: Parameters) -> Chunk:
    match parameters:
        case {"chunk": int(number), "chunkCount": int(count)}:
            return Chunk(number, count)
        case _:
            remedy = "a plan's query declares chunk:long and chunkCount:long"
            raise Refused(f"query {query.name} is not asked for a chunk", remedy=remedy)


def _window(parameters: Parameters) -> str:
    match parameters:
        case {"windowStart": datetime() as start, "windowEnd": datetime() as end}:
            return f" of {start:%Y-%m-%d} to {end:%Y-%m-%d}"
        case _:
            return ""


def _key(query: Query, parameters: Parameters) -> object:
    return query.sha256, frozenset(parameters.items())
