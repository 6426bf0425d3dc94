"""VS Code chat sessions: exports, session files and what a delta log replays to, all with a `requests` array.

Belongs here: what is a session, its ids and its turns as a conversation.
Does not belong here: one request (vscode_requests), logs (delta_log).
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sft_pipeline.telemetry.sessions.conversations import UNKNOWN_USER, Conversation, Turn, copy_keys, derived_id
from sft_pipeline.telemetry.sessions.fields import entries, instant, record, text, walk
from sft_pipeline.telemetry.sessions.vscode_requests import read_turn

UNDONE = "undone"
NOT_A_REQUEST = "not a request"

_MARKS = ("responderUsername", "sessionId", "initialLocation", "creationDate")
"""One of them stands in every export and session file, beside `requests`."""


def is_session(value: object) -> bool:
    """Whether a JSON value is a chat session, also an empty one."""
    session = record(value)
    return isinstance(session.get("requests"), list) and any(mark in session for mark in _MARKS)


def is_export(value: object) -> bool:
    """Whether a session came from the export command, which leaves out the session's id."""
    return "sessionId" not in record(value)


def read_session(value: object) -> Conversation:
    """The conversation of a session; turns that the person took back are left out and counted."""
    session = record(value)
    items = entries(session.get("requests"))
    objects = [request for item in items if (request := record(item))]
    requests = [request for request in objects if not _is_undone(request)]
    turns = tuple(read_turn(request) for request in requests)
    own_ids = [text(walk(request, "result", "metadata", "sessionId")) for request in requests]
    session_id = text(session.get("sessionId"))
    dropped = Counter({UNDONE: len(objects) - len(requests), NOT_A_REQUEST: len(items) - len(objects)})
    return Conversation(
        conversationId=session_id or next(filter(None, own_ids), "") or _id_of_first(requests, turns),
        turns=turns,
        userName=text(session.get("requesterUsername")) or UNKNOWN_USER,
        startedAt=instant(session.get("creationDate")),
        copyKeys=copy_keys(session_ids=[session_id, *own_ids], request_ids=[turn.messageId for turn in turns]),
        droppedTurns=+dropped,
    )


def _is_undone(request: Mapping[str, object]) -> bool:
    """`isHidden` is the older name of the mark."""
    return bool(request.get("shouldBeRemovedOnSend")) or request.get("isHidden") is True


def _id_of_first(requests: Sequence[Mapping[str, object]], turns: Sequence[Turn]) -> str:
    """For exports that name no session: the same first turn gives the same id, in a longer export of it too."""
    if not turns:
        return ""
    sent = str(requests[0].get("timestamp", ""))
    return derived_id("first request", turns[0].userMessage, turns[0].modelMessage, sent)
