"""What is asked of a judge, what an answer is worth, and by what a verdict is known.

Belongs here: identities, keys, questions and asks as values; reading an answer.
Does not belong here: asking (clients.judges), keeping (clients.labels), the offline proxies (heuristic).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sft_pipeline.curation.hashing import content_version

Mode = Literal["sync", "batch", "local", "import"]
"""How an answer came: one request each, a batch file, computed here, or brought in."""

LANGUAGE_MODELS = ("openai", "azure_openai")
"""The kinds of judges that read what they judge."""

MALFORMED = "malformed_answer"
REFUSED = "refused_by_model"
FILTERED = "content_filtered"
TRUNCATED = "answer_cut_off"
NO_ANSWER = "no_answer"
CONFLICT = "conflicting_answers"
NOT_STORED = "no_stored_label"
SUSPECT = "judges_disagree_on_suspect"

_LABEL = re.compile(r"[ \t\r\n]*([01])[ \t\r\n]*")
_HINTS = re.compile(r"(?i)[\s\"'`:=][01]\b|ignore|disregard|forget|system|you are")
"""No order is without one of these, and most texts are: a look that is quick."""

_ORDERS = re.compile(
    r"(?i)(?:(?:ignore|disregard|forget)\b.{0,40}\b(?:above|previous|prior|earlier|instructions?|prompt)"
    r"|(?:output|answer|respond|reply|label|classify)\b.{0,40}[\s\"'`:=]+[01]\b"
    r"|\bsystem\s*(?:prompt|message)\b|\byou are (?:now )?(?:a|the) (?:judge|classifier))"
)


class Identity(NamedTuple):
    """Who judges, exactly: another of any of these is another judge, whose verdicts are other ones.

    Args:
        kind: heuristic, openai, azure_openai or imported.
        model: as it is asked for.
        prompt: name and first 12 hex digits of the SHA-256 of the prompt's text, joined by @.
        parameters: as compact JSON with sorted keys.
    """

    kind: str
    model: str
    prompt: str
    parameters: str

    @property
    def name(self) -> str:
        """`openai/gpt-4.1-mini`; a heuristic is called one."""
        return f"{self.kind}/{self.model}"

    @property
    def key(self) -> str:
        """The first 16 hex digits of its content version: the name of its folder in the label store."""
        return content_version(self)[:16]


class Question(NamedTuple):
    """A request to be judged.

    Args:
        key: the content address of its verdict (`question_key`).
        request: the user's message.
        history: what was said before; empty for the session router.
        signals: what the client told, by the names of `SIGNALS`; a language model never sees them.
    """

    key: str
    request: str
    history: str
    signals: dict[str, int | None]


def question_key(identity: Identity, text: str, *, occasion: str = "") -> str:
    """The content address of a verdict: 32 hex digits over judge, model, prompt, parameters and input.

    Args:
        identity: the judge.
        text: all that the judge goes by, as `input_text` or the heuristic's own gives it.
        occasion: empty for the first asking; a retest names its own, or it would be answered from the store.
    """
    return content_version([*identity, text, occasion])[:32]


def input_text(request: str, history: str) -> str:
    """What a language model goes by, unambiguous about where the history ends."""
    return f"{len(history)}:{history}{request}"


@dataclass(frozen=True)
class Ask:
    """One answer of a judge, paid or not: a row of the label store and of the ledger.

    Args:
        key: of the question.
        attempt: 1, or 2 for a re-ask.
        label: 0, 1, or None where the answer is none.
        probability: of label 1, where the judge tells.
        reason: why there is no label.
        served_model: the model that the service says it used.
        prompt_tokens: paid for.
        completion_tokens: paid for.
        cost: in the plan's currency.
        mode: how it was asked.
        at: when, in UTC; for the ledger alone.
        run: the id of the run that asked; for the ledger alone.
    """

    key: str
    attempt: int
    label: int | None
    probability: float | None
    reason: str | None
    served_model: str | None
    prompt_tokens: int
    completion_tokens: int
    cost: float
    mode: Mode
    at: datetime
    run: str

    @property
    def decides(self) -> bool:
        """Whether no further asking would change the verdict: a label, or a second answer that is none."""
        return self.label is not None or self.attempt > 1


def read_label(answer: str) -> int | None:
    """The label of an answer that is exactly 0 or 1, white space aside; None for anything else, never a guess."""
    found = _LABEL.fullmatch(answer)
    return int(found[1]) if found else None


def looks_like_an_order(text: str) -> bool:
    """Whether a text reads as if it told the judge what to answer: such a request is asked of the second judge too."""
    return _HINTS.search(text) is not None and _ORDERS.search(text) is not None
