"""A language model and the words it is asked with: everything that a verdict is known by.

Belongs here: identity and the body of a request. Does not belong here: sending it.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from sft_pipeline.clients.judges.prompting import messages
from sft_pipeline.curation.judging import Identity, Question
from sft_pipeline.prompts import Prompt

Kind = Literal["openai", "azure_openai"]
"""Whose paths and headers a service speaks."""

Parameter = bool | int | float | str

_LOGPROBS = frozenset({"logprobs", "top_logprobs"})


class LanguageModel:
    """A model, a prompt, parameters.

    Args:
        kind: openai or azure_openai.
        name: of the model, as it is asked for; with Azure that of the deployment.
        prompt: the words.
        parameters: handed over as they are.
    """

    def __init__(self, kind: Kind, name: str, prompt: Prompt, parameters: Mapping[str, Parameter]) -> None:
        self.kind: Kind = kind
        self.identity = identity_of(kind, name, prompt, parameters)
        self._prompt = prompt
        self._parameters = dict(parameters)

    def body(self, question: Question, attempt: int) -> dict[str, Any]:
        """The body of a request."""
        said = messages(question, self._prompt, again=attempt > 1)
        return {**self._parameters, "model": self.identity.model, "messages": said}

    def forgo_logprobs(self) -> None:
        """Ask without probabilities from now on, for a service that does not tell them.

        A verdict is still known by the parameters of the plan: what is not told changes no label.
        """
        self._parameters = {name: value for name, value in self._parameters.items() if name not in _LOGPROBS}


def identity_of(kind: str, name: str, prompt: Prompt, parameters: Mapping[str, Parameter]) -> Identity:
    """Who a language model is as a judge."""
    return Identity(kind, name, prompt.version, json.dumps(parameters, sort_keys=True, separators=(",", ":")))
