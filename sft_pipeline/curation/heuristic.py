"""The offline stand-in for a judge: a label from the proxies of source 003, and no language model.

Belongs here: the two ways to make a label of the proxies, who they say they are, what they go by.
Does not belong here: the proxies and their thresholds (signals), the way in which judges are asked (clients.judges).
"""

import json
from collections.abc import Mapping
from datetime import datetime

from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.judging import Ask, Identity, Question
from sft_pipeline.curation.router_tables import SIGNALS
from sft_pipeline.curation.routers import NON_REASONING, REASONING, RouterName
from sft_pipeline.curation.signals import PROXIES, votes

HEURISTIC = "heuristic"
MODEL = "proxies_of_source_003"

MAJORITY, STRICT = "proxies", "proxies_strict"
"""The two ways; the second stands in for a second judge."""

NO_SIGNALS = "no_signals"

_STRONG: Mapping[str, int] = {"numRequests": 10, "toolDiversity": 3, "promptTokenDelta": 5_000}
"""Signals that alone speak for reasoning, from these values on. To read a file and to change it takes two tools
already; duration is none: it includes waiting for a person."""


def heuristic_identity(router: RouterName, *, second: bool) -> Identity:
    """Who labels by proxies: other proxies, thresholds or ways are another identity."""
    way = STRICT if second else MAJORITY
    version = content_version([way, *(repr(tuple(proxy)) for proxy in PROXIES), repr(_STRONG)])
    return Identity(HEURISTIC, MODEL, f"{router}_{way}@{version[:12]}", "{}")


def heuristic_text(signals: Mapping[str, int | None]) -> str:
    """All that the heuristic goes by, as JSON: requests with equal signals get one label."""
    return json.dumps({name: signals.get(name) for name in SIGNALS}, separators=(",", ":"))


def heuristic_label(signals: Mapping[str, int | None], *, strict: bool) -> int | None:
    """The label that the known proxies stand for; None where no signal is known, never a guess.

    By majority: label 1 where more of them speak for simple work than for complex, else label 0. Strict: label 0 where
    there is a strong sign of reasoning, else label 1.
    """
    said = votes(signals)
    if not said:
        return None
    if strict:
        return REASONING if _is_strong(signals) else NON_REASONING
    return NON_REASONING if sum(said.values()) < 0 else REASONING


def heuristic_ask(question: Question, identity: Identity, *, at: datetime, run: str) -> Ask:
    """The heuristic's answer, for nothing; where there is no label it decides all the same: asking again is vain."""
    strict = identity.prompt.partition("@")[0].endswith(STRICT)
    label = heuristic_label(question.signals, strict=strict)
    return Ask(
        key=question.key,
        attempt=2 if label is None else 1,
        label=label,
        probability=None,
        reason=NO_SIGNALS if label is None else None,
        served_model=None,
        prompt_tokens=0,
        completion_tokens=0,
        cost=0.0,
        mode="local",
        at=at,
        run=run,
    )


def _is_strong(signals: Mapping[str, int | None]) -> bool:
    return any((signals.get(name) or 0) >= least for name, least in _STRONG.items())
