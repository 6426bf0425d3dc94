"""A language model as a judge, asked by files of the Batch API: half the price, an answer within a day.

Belongs here: rounds of sending and collecting until every question is decided. A killed run finds what it had sent.
Does not belong here: files (batch_files), the service (batch_service), what was sent (sent_batches).
"""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sft_pipeline.clients.judges.batch_files import (
    MOST_BYTES,
    MOST_REQUESTS,
    Line,
    RequestFile,
    Results,
    StrangeResult,
    read_results,
    write_requests,
)
from sft_pipeline.clients.judges.batch_service import BatchService, State
from sft_pipeline.clients.judges.completions import no_answer
from sft_pipeline.clients.judges.connecting import Service
from sft_pipeline.clients.judges.failures import RUN_AGAIN, Declined, Lasting, NoLogprobs, Passing
from sft_pipeline.clients.judges.model import LanguageModel
from sft_pipeline.clients.judges.paying import Paying
from sft_pipeline.clients.judges.protocol import JudgeFailed, Keep, Tell
from sft_pipeline.clients.judges.retries import Retries
from sft_pipeline.clients.judges.sent_batches import SentBatch, SentBatches
from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.judging import CONFLICT, NO_ANSWER, Ask, Identity, Question

VAIN_ROUNDS = 3
"""After so many rounds in a row without one answer, asking on is useless."""


class BatchJudge:
    """A model of OpenAI, of Azure OpenAI, or of any server that has their Batch API.

    Args:
        model: which, and with which words.
        service: where.
        paying: what it costs.
        folder: where sent batches are remembered.
        poll_seconds: between looks at a batch.
        tell: is told how far a batch is, at every look; nothing when it has ended.
        retries: how patient to be.
        most_requests: of a file.
        most_bytes: of a file.
    """

    at_once = MOST_REQUESTS
    at_least = 1_000

    def __init__(
        self,
        model: LanguageModel,
        service: Service,
        paying: Paying,
        *,
        folder: Path,
        poll_seconds: float,
        tell: Tell,
        retries: Retries | None = None,
        most_requests: int = MOST_REQUESTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._model = model
        self._paying = paying
        self._poll_seconds = poll_seconds
        self._tell = tell
        self._limits = {"most_requests": most_requests, "most_bytes": most_bytes}
        self._sent = SentBatches(folder / content_version([*model.identity, service.address])[:16])
        self._leaving = ExitStack()
        client = self._leaving.enter_context(service.client())
        self._service = BatchService(client, service.kind, retries or Retries())

    @property
    def identity(self) -> Identity:
        """Who it is, exactly."""
        return self._model.identity

    def close(self) -> None:
        """Let go of the connections; batches go on at the service."""
        self._leaving.close()

    def answers(
        self, questions: Iterable[Question], keep: Keep, *, known: Mapping[str, Ask]
    ) -> Generator[Ask, None, None]:
        """See `Judge`; questions are taken by the file."""
        waiting = iter(questions)
        while group := list(islice(waiting, self.at_once)):
            asks = self._settled(group, keep, known)
            yield from (asks[question.key] for question in group)

    def _settled(self, group: list[Question], keep: Keep, known: Mapping[str, Ask]) -> dict[str, Ask]:
        """The deciding ask of each question, by key."""
        due = {custom_id(question.key, 2 if question.key in known else 1): question for question in group}
        settled = dict[str, Ask]()
        vain = 0
        while due:
            try:
                errors, asks = self._round(due, keep)
            except (Lasting, Passing, Declined, NoLogprobs) as failure:
                remedy = failure.remedy if isinstance(failure, Lasting) else RUN_AGAIN
                raise JudgeFailed(self.identity.name, str(failure), remedy=remedy) from None
            vain = 0 if asks.keys() & due.keys() else vain + 1
            if vain == VAIN_ROUNDS:
                return settled | self._given_up(due.values(), errors, others=bool(settled))
            if vain:
                time.sleep(self._poll_seconds)
            for ask_id, ask in asks.items():
                question = due.pop(ask_id, None)
                if question and not (ask.decides or ask.reason == CONFLICT):
                    due[custom_id(question.key, 2)] = question
                elif question:
                    settled[question.key] = ask
        return settled

    def _given_up(self, questions: Iterable[Question], errors: str, *, others: bool) -> dict[str, Ask]:
        """No labels for questions that the service fails on while it answered others; not kept, for that may pass.

        Raises:
            JudgeFailed: no others were answered either.
        """
        if not others:
            raise JudgeFailed(self.identity.name, f"batches end without answers{errors}", remedy=RUN_AGAIN)
        at = datetime.now(UTC)
        return {question.key: self._paying.ask(question.key, 2, no_answer(NO_ANSWER), at=at) for question in questions}

    def _round(self, due: Mapping[str, Question], keep: Keep) -> tuple[str, dict[str, Ask]]:
        """What one round of batches says, those that an earlier run had sent among them."""
        asks = dict[str, Ask]()
        errors = set[str]()
        with ExitStack() as held:
            batches = self._sent_before(due, held)
            there = set[str]().union(*(self._sent.ids(sent) for sent in batches))
            batches += self._send({ask_id: due[ask_id] for ask_id in due if ask_id not in there}, held)
            for sent in batches:
                state = self._ended(sent)
                errors |= {state.errors} - {""}
                asks |= self._collected(sent, state, keep)
        return f" ({'; '.join(sorted(errors))})" if errors else "", asks

    def _sent_before(self, due: Mapping[str, Question], held: ExitStack) -> list[SentBatch]:
        """Batches of an earlier run, which is gone, with questions that are due."""
        found = list[SentBatch]()
        for sent in self._sent.open_ones():
            if not due.keys() & self._sent.ids(sent) or not held.enter_context(self._sent.alone(sent)):
                continue
            state = None if sent.batch else self._service.named(sent.name)
            if sent.batch or state:
                found.append(self._sent.know(sent, state.id) if state else sent)
            else:
                self._sent.forget(sent)
        return found

    def _send(self, due: Mapping[str, Question], held: ExitStack) -> list[SentBatch]:
        lines = (Line(ask_id, self._model.body(question, attempt_of(ask_id))) for ask_id, question in due.items())
        with closing(write_requests(lines, self._sent.folder, self._service.url, **self._limits)) as files:
            return [self._send_file(file, held) for file in files]

    def _send_file(self, file: RequestFile, held: ExitStack) -> SentBatch:
        uploaded = self._service.upload(file.path)
        while uploaded.is_being_read:
            time.sleep(self._poll_seconds)
            uploaded = self._service.look_at_file(uploaded.id)
        sent = self._sent.note(self._paying.run, uploaded.id, file.ids)
        held.enter_context(self._sent.alone(sent))
        return self._sent.know(sent, self._service.created(uploaded.id, sent.name).id)

    def _ended(self, sent: SentBatch) -> State:
        while not (state := self._service.look(sent.batch)).ended:
            self._tell(state.told)
            time.sleep(self._poll_seconds)
        self._tell("")
        return state

    def _collected(self, sent: SentBatch, state: State, keep: Keep) -> dict[str, Ask]:
        """The answers of a batch, all of them kept, by custom_id; with that it is forgotten."""
        results = self._results(sent, state)
        asks = {
            ask_id: self._paying.ask(key_of(ask_id), attempt_of(ask_id), answer, at=state.moment, run=sent.run)
            for ask_id, answer in results.answers.items()
        }
        for ask in asks.values():
            keep(ask)
        self._sent.forget(sent)
        if results.without_logprobs:
            self._model.forgo_logprobs()
        if results.lasting:
            raise results.lasting
        return asks

    def _results(self, sent: SentBatch, state: State) -> Results:
        ids = self._sent.ids(sent)

        def read(contents: Iterator[bytes]) -> Results:
            return read_results(contents, ids)

        try:
            return self._service.read(state.files, read)
        except StrangeResult:
            raise JudgeFailed(
                self.identity.name,
                f"file {' or '.join(state.files)} of batch {state.id} answers a question that was not in the batch",
                remedy=f"none of it was kept; remove {self._sent.folder / sent.name}.json to send its questions again",
            ) from None


def custom_id(key: str, attempt: int) -> str:
    """The name of a request in a batch: the question's key and which attempt it is."""
    return f"{key}-{attempt}"


def key_of(ask_id: str) -> str:
    """The inverse of `custom_id`: the question's key."""
    return ask_id.rpartition("-")[0]


def attempt_of(ask_id: str) -> int:
    """The inverse of `custom_id`: which attempt it is."""
    return int(ask_id.rpartition("-")[2])
