"""The neutral record between session formats and raw events, and telling copies of one conversation.

Belongs here: `Turn` and `Conversation`, derived ids, which of several copies stays.
Does not belong here: reading a format (vscode, transcript, specstory), writing events (emission).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import orjson

UNKNOWN_USER = "undefined"
"""What the client writes for `common.userName` when it knows none (Q27)."""

SUCCESS = "success"
CANCELLED = "cancelled"
FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a language model; None where the session does not tell."""

    promptTokens: int | None = None
    completionTokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A user message and what came of it.

    Args:
        userMessage: what the person typed, without attachments.
        mode: agent, ask, edit or custom.
        messageId: empty where the session has none.
        modelMessage: the answer's text without thinking; empty after tool-only turns.
        responseType: success, cancelled, failed, or None while unanswered.
        numRequests: rounds as the client counts them.
        calls: the known calls, in order.
        turnDurationMs: wall clock, waiting for a person included.
        sentAt: when the user message was sent.
    """

    userMessage: str
    mode: str
    messageId: str = ""
    modelMessage: str = ""
    model: str | None = None
    responseType: str | None = None
    toolCounts: Mapping[str, int] = field(default_factory=dict[str, int])
    numRequests: int | None = None
    calls: tuple[Call, ...] = ()
    turnDurationMs: int | None = None
    sentAt: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A chat session as read from one file.

    Args:
        startedAt: when the session began, for turns without a time.
        copyKeys: what two copies of one conversation have in common, see `copy_keys`.
        droppedTurns: how many turns of the file are not among `turns`, by reason.
    """

    conversationId: str
    turns: tuple[Turn, ...]
    userName: str = UNKNOWN_USER
    startedAt: datetime | None = None
    copyKeys: frozenset[str] = frozenset()
    droppedTurns: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def has_time(self) -> bool:
        """Whether anything says when it happened."""
        return self.startedAt is not None or any(turn.sentAt for turn in self.turns)


def derived_id(*parts: str) -> str:
    """An id for what has none: a hash of the text parts."""
    return sha256(orjson.dumps(parts)).hexdigest()[:32]


def copy_keys(*, session_ids: Iterable[str], request_ids: Iterable[str]) -> frozenset[str]:
    """Keys by which copies of a conversation are found: any shared session or request id will do."""
    sessions = {f"session:{known}" for known in session_ids if known}
    return frozenset(sessions | {f"request:{known}" for known in request_ids if known})


def kept_copies(conversations: Sequence[Conversation]) -> list[int]:
    """For each conversation the position of the copy that stays, which is its own where it has no better copy.

    The longest stays: by turns, then by calls with token counts, then by characters; ties go to the greater digest.
    """
    groups = _groups(conversations)
    best: dict[int, int] = {}
    for position, group in enumerate(groups):
        rival = best.setdefault(group, position)
        if position != rival and _rank(conversations[position]) > _rank(conversations[rival]):
            best[group] = position
    return [best[group] for group in groups]


def _groups(conversations: Sequence[Conversation]) -> list[int]:
    """Connected components: equal numbers for conversations that share a key, directly or through others."""
    parents = list(range(len(conversations)))

    def root(position: int) -> int:
        while parents[position] != position:
            parents[position] = parents[parents[position]]
            position = parents[position]
        return position

    holders: dict[str, int] = {}
    for position, conversation in enumerate(conversations):
        for key in conversation.copyKeys | copy_keys(session_ids=[conversation.conversationId], request_ids=[]):
            parents[root(position)] = root(holders.setdefault(key, position))
    return [root(position) for position in range(len(conversations))]


def _rank(conversation: Conversation) -> tuple[int, int, int, str]:
    turns = conversation.turns
    told = sum(call.promptTokens is not None for turn in turns for call in turn.calls)
    characters = sum(len(turn.userMessage) + len(turn.modelMessage) for turn in turns)
    content = orjson.dumps(conversation, default=_sorted_keys, option=orjson.OPT_SORT_KEYS)
    return len(turns), told, characters, sha256(content).hexdigest()


def _sorted_keys(value: object) -> list[str]:
    if isinstance(value, frozenset):
        return sorted(str(key) for key in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise TypeError(type(value).__name__)
