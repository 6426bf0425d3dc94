"""A language model as a judge, one request for each question, several at a time.

Belongs here: asking, asking again, and knowing when that is useless.
Does not belong here: wording (prompting), reading an answer (completions), pauses (retries), batches (batch_judge).
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Any

from openai import OpenAI

from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.judges.calls import document_of
from sft_pipeline.clients.judges.completions import Answer, no_answer, read_completion
from sft_pipeline.clients.judges.connecting import Service
from sft_pipeline.clients.judges.failures import (
    OTHER_PARAMETERS,
    RUN_AGAIN,
    Declined,
    Lasting,
    NoLogprobs,
    Passing,
)
from sft_pipeline.clients.judges.model import LanguageModel
from sft_pipeline.clients.judges.paying import Paying
from sft_pipeline.clients.judges.protocol import JudgeFailed, Keep
from sft_pipeline.clients.judges.retries import Retries
from sft_pipeline.curation.judging import NO_ANSWER, Ask, Identity, Question


class OpenAIJudge:
    """A model of OpenAI, of Azure OpenAI, or of any server that speaks like them.

    Args:
        model: which, and with which words.
        service: where.
        paying: what it costs.
        concurrency: how many requests are under way at most.
        retries: how patient to be.
    """

    at_once = 1_000
    at_least = 1

    def __init__(
        self,
        model: LanguageModel,
        service: Service,
        paying: Paying,
        *,
        concurrency: int,
        retries: Retries | None = None,
    ) -> None:
        self._model = model
        self._leaving = ExitStack()
        self._client = self._leaving.enter_context(service.client())
        self._told = service.told
        self._paying = paying
        self._concurrency = concurrency
        self._retries = retries or Retries()
        self._last_answer = 0.0

    @property
    def identity(self) -> Identity:
        """Who it is, exactly."""
        return self._model.identity

    def close(self) -> None:
        """Let go of the connections."""
        self._leaving.close()

    def answers(
        self, questions: Iterable[Question], keep: Keep, *, known: Mapping[str, Ask]
    ) -> Generator[Ask, None, None]:
        """See `Judge`."""
        over = Event()

        def settled(question: Question) -> Ask | None:
            return self._settled(question, keep, known.get(question.key), over)

        with closing(in_order(settled, questions, at_a_time=self._concurrency, over=over)) as asks:
            for ask in asks:
                if ask:
                    yield ask

    def _settled(self, question: Question, keep: Keep, ask: Ask | None, over: Event) -> Ask | None:
        """The ask that decides; None when nobody waits for it any more."""
        while ask is None or not ask.decides:
            if over.is_set():
                return None
            attempt, begun = ask.attempt + 1 if ask else 1, monotonic()
            try:
                answer = self._answer(question, attempt, over)
            except Passing as failure:
                return self._given_up(question, failure, begun)
            ask = self._paying.ask(question.key, attempt, answer, at=datetime.now(UTC))
            self._last_answer = monotonic()
            keep(ask)
        return ask

    def _given_up(self, question: Question, failure: Passing, begun: float) -> Ask:
        """No label for a question that the service fails on while it answers others; not kept, for that may pass.

        Raises:
            JudgeFailed: no other was answered meanwhile either.
        """
        if self._last_answer > begun:
            return self._paying.ask(question.key, 2, no_answer(NO_ANSWER), at=datetime.now(UTC))
        raise JudgeFailed(
            self.identity.name,
            f"{failure.what}, also after {self._retries.attempts} attempts at {self._told}",
            remedy=RUN_AGAIN,
        ) from None

    def _answer(self, question: Question, attempt: int, over: Event) -> Answer:
        try:
            return self._retries.call(lambda: self._asked(question, attempt), over)
        except Declined as declined:
            return no_answer(declined.reason)
        except Lasting as failure:
            raise JudgeFailed(self.identity.name, failure.what, remedy=failure.remedy) from None
        except NoLogprobs:
            raise JudgeFailed(
                self.identity.name, "it refuses logprobs even where it is asked for none", remedy=OTHER_PARAMETERS
            ) from None

    def _asked(self, question: Question, attempt: int) -> Answer:
        try:
            return read_completion(_completion(self._client, self._model.body(question, attempt)))
        except NoLogprobs:
            self._model.forgo_logprobs()
            return read_completion(_completion(self._client, self._model.body(question, attempt)))


def _completion(client: OpenAI, body: Mapping[str, Any]) -> object:
    rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
    return document_of(
        lambda: client.chat.completions.with_raw_response.create(
            model=body["model"], messages=body["messages"], extra_body=rest
        )
    )
