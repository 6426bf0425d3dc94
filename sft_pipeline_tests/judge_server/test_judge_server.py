"""The service of the tests speaks as the SDK expects it to, refuses as services do, and ends cleanly."""

import openai
import pytest

from sft_pipeline.clients.judges.prompting import messages
from sft_pipeline.curation.judging import Identity, Question, input_text, question_key
from sft_pipeline.prompts import Canary, read_canaries, read_prompt
from sft_pipeline_tests.judge_server import Served, judge_server
from sft_pipeline_tests.judge_server.brain import MODEL


def said(client: openai.OpenAI, canary: Canary, prompt: str) -> str | None:
    identity = Identity("openai", MODEL, prompt, "{}")
    key = question_key(identity, input_text(canary.request, canary.history))
    question = Question(key, canary.request, canary.history, canary.signals)
    completion = client.chat.completions.create(model=MODEL, messages=messages(question, read_prompt(prompt)))  # pyright: ignore[reportArgumentType]
    return completion.choices[0].message.content


def client_of(served: Served, key: str = "k") -> openai.OpenAI:
    return openai.OpenAI(base_url=served.url, api_key=key, max_retries=0)


@pytest.mark.parametrize("prompt", ["conversation_router_1", "conversation_router_1b"])
def test_its_model_knows_all_canaries_whatever_they_order(prompt: str) -> None:
    with judge_server() as served, client_of(served) as client:
        told = {canary.name: said(client, canary, prompt) for canary in read_canaries()}
    assert told == {canary.name: str(canary.label) for canary in read_canaries()}
    assert served.log.questions == len(told)


def test_it_lets_in_by_key_alone() -> None:
    with judge_server(key="right") as served:
        with client_of(served, "wrong") as client, pytest.raises(openai.AuthenticationError):
            client.models.list()
        with client_of(served, "right") as client:
            assert [model.id for model in client.models.list()] == [MODEL]
    assert served.log.asked == []


def test_it_has_no_other_model_and_no_other_path() -> None:
    with judge_server() as served, client_of(served) as client:
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "x"}])
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model=MODEL, input="x")
