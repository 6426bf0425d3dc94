"""Questions, and judges that ask a server of the test, closed at its end."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sft_pipeline.clients.judges.batch_judge import BatchJudge
from sft_pipeline.clients.judges.connecting import Service
from sft_pipeline.clients.judges.model import LanguageModel
from sft_pipeline.clients.judges.openai_judge import OpenAIJudge
from sft_pipeline.clients.judges.paying import Paying
from sft_pipeline.clients.judges.protocol import Judge
from sft_pipeline.clients.judges.retries import Retries
from sft_pipeline.curation.judge_knobs import Price
from sft_pipeline.curation.judging import Ask, Identity, Question, input_text, question_key
from sft_pipeline.prompts import read_prompt
from sft_pipeline_tests.judge_server import Served
from sft_pipeline_tests.judge_server.brain import MODEL

PRICE = Price(input=2.0, output=8.0)
PARAMETERS: dict[str, bool | int | float | str] = {
    "temperature": 0,
    "max_tokens": 4,
    "logprobs": True,
    "top_logprobs": 5,
}
KEY = "sk-test-4f9a1c"
SOON = Retries(attempts=4, first_seconds=0.001, longest_seconds=0.001)
"""As many attempts as a test needs, without the pauses."""

HARD, EASY = "Design a cache that several regions share", "Rename the variable x to y"


def language_model(**changes: Any) -> LanguageModel:
    told: dict[str, Any] = {"kind": "openai", "name": MODEL, "parameters": PARAMETERS, **changes}
    return LanguageModel(prompt=read_prompt("session_router_1"), **told)


@contextmanager
def sync_judge(served: Served, **options: Any) -> Generator[OpenAIJudge]:
    """A judge that asks one by one."""
    model = options.pop("model", None) or language_model()
    service = Service("openai", served.url, KEY, timeout_seconds=options.pop("timeout_seconds", 60.0))
    given: dict[str, Any] = {"concurrency": 4, "retries": SOON, **options}
    judge = OpenAIJudge(model, service, Paying(PRICE, "sync", "run-1"), **given)
    with closing(judge):
        yield judge


@contextmanager
def batch_judge(served: Served, folder: Path, **options: Any) -> Generator[BatchJudge]:
    """A judge that sends batches."""
    model = options.pop("model", None) or language_model()
    paying = Paying(PRICE, "batch", options.pop("run", "run-1"))
    given: dict[str, Any] = {"poll_seconds": 0.0, "tell": str, "retries": SOON, **options}
    with closing(BatchJudge(model, Service("openai", served.url, KEY), paying, folder=folder, **given)) as judge:
        yield judge


def question(identity: Identity, request: str) -> Question:
    return Question(question_key(identity, input_text(request, "")), request, "", {})


def questions(judge: Judge, requests: Iterable[str]) -> list[Question]:
    return [question(judge.identity, request) for request in requests]


class Asked:
    """What came of asking a judge."""

    def __init__(self, judge: Judge, requests: Iterable[str], known: Mapping[str, Ask] | None = None) -> None:
        self.kept: list[Ask] = []
        asked = questions(judge, requests)
        with closing(judge.answers(asked, self.kept.append, known=known or {})) as asks:
            self.asks = list(asks)
        assert [ask.key for ask in self.asks] == [question.key for question in asked]

    @property
    def labels(self) -> list[int | None]:
        return [ask.label for ask in self.asks]

    @property
    def reasons(self) -> list[str | None]:
        return [ask.reason for ask in self.asks]
