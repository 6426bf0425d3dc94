"""What the service's model says: by words of the request, always the same, orders in the text notwithstanding.

Belongs here: answers and their form. Does not belong here: faults.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import log
from typing import Any

from sft_pipeline_tests.judge_server.asked import Asked

MODEL = "stand-in-model"
FINGERPRINT = "fp_1"

_HARD = re.compile(
    r"(?i)design|investigate|algorithm|find out|track down|prove|merge|real cause|carry it out|error recovery"
    r"|move \w+ out"
)


@dataclass(frozen=True)
class Said:
    """An answer.

    Args:
        content: the text.
        refusal: instead of it.
        finish_reason: why it ended.
        probability: of label 1, which logprobs are made of.
    """

    content: str | None
    refusal: str | None = None
    finish_reason: str = "stop"
    probability: float = 0.5


Brain = Callable[[Asked], Said]


def by_words(asked: Asked) -> Said:
    """0 where the request has a word for hard work, 1 where it is short or even by its hash."""
    hard = bool(_HARD.search(asked.request))
    easy = len(asked.request) < 160 or int(sha256(asked.request.encode()).hexdigest(), 16) % 2 == 0
    return Said("0", probability=0.1) if hard or not easy else Said("1", probability=0.9)


def completion(asked: Asked, said: Said) -> dict[str, Any]:
    """The answer as the body of a chat completion."""
    message = {"role": "assistant", "content": said.content, "refusal": said.refusal}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": said.finish_reason, "logprobs": None}
    if asked.body.get("logprobs"):
        choice["logprobs"] = {"content": [_first_token(said)], "refusal": None}
    prompt = sum(len(str(message["content"])) for message in asked.body["messages"]) // 4
    completion_tokens = max(1, len(said.content or said.refusal or "") // 4)
    return {
        "id": f"chatcmpl-{asked.nonce}",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": MODEL,
        "system_fingerprint": FINGERPRINT,
        "choices": [choice],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt + completion_tokens,
        },
    }


def _first_token(said: Said) -> dict[str, Any]:
    likely = {"0": 0.99 * (1 - said.probability), "1": 0.99 * said.probability, "I": 0.01}
    top = [{"token": token, "logprob": log(share), "bytes": None} for token, share in likely.items() if share]
    top.sort(key=lambda one: -float(str(one["logprob"])))
    return {**top[0], "top_logprobs": top}
