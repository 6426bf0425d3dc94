"""From a question to the messages that a language model gets: a text by somebody else, wrapped so that it stays one.

Belongs here: filling in the frame. Does not belong here: any wording (prompts), sending (openai_judge, batch_judge).
"""

import re
from hashlib import sha256
from typing import TypedDict

from sft_pipeline.curation.judging import Question
from sft_pipeline.prompts import Canary, Prompt, read_canaries, read_prompt

__all__ = ["Canary", "Message", "Prompt", "messages", "nonce", "read_canaries", "read_prompt"]

NONCE_DIGITS = 16

_FIELD = re.compile(r"\{(nonce|history|request)\}")


class Message(TypedDict):
    """A message of a chat."""

    role: str
    content: str


def messages(question: Question, prompt: Prompt, *, again: bool = False) -> list[Message]:
    """What is sent to a language model: a function of question and prompt alone.

    Args:
        question: its text is handed over as it is, between markers with a nonce.
        prompt: all the words around it.
        again: whether this is the re-ask after an answer that was none.
    """
    parts = prompt.parts
    filling = {"nonce": nonce(question), "history": question.history, "request": question.request}
    framed = _FIELD.sub(lambda field: filling[field[1]], parts["User"])
    return [
        {"role": "system", "content": parts["System"]},
        {"role": "user", "content": f"{framed}\n\n{parts['Again']}" if again else framed},
    ]


def nonce(question: Question) -> str:
    """Digits that the text does not contain and its author cannot foresee, for they depend on all of the text."""
    for number in range(1 << 16):
        digits = sha256(f"nonce:{number}:{question.key}".encode()).hexdigest()[:NONCE_DIGITS]
        if digits not in question.request and digits not in question.history:
            return digits
    raise AssertionError("a text holds 65,536 numbers of 64 bits that depend on itself")
