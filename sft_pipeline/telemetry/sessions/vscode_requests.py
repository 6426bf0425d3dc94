"""One request of a VS Code chat session as a turn, whichever of its generations wrote it.

Belongs here: where each field of a turn is found, and what stands in for it in older files.
Does not belong here: the text and tools in a response (vscode_parts), the session around it (vscode).
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sft_pipeline.telemetry.sessions.conversations import CANCELLED, FAILED, SUCCESS, Call, Turn
from sft_pipeline.telemetry.sessions.fields import count, entries, instant, record, text, walk
from sft_pipeline.telemetry.sessions.vscode_parts import answer_text, invoked_tools

AGENT, ASK, EDIT, CUSTOM = "agent", "ask", "edit", "custom"

_AGENT_BACKENDS = ("copilotcli", "copilot-cloud-agent", "agent-host", "claude-code", "openai-codex")
"""Starts of the ids of agents that run outside the editor: always agent mode, whatever the picker said."""

_PARTICIPANT_MODES = {
    "github.copilot.editsAgent": AGENT,
    "github.copilot.editingSession": EDIT,
    "github.copilot.editingSession2": EDIT,
    "github.copilot.editor": EDIT,
    "github.copilot.default": ASK,
    "github.copilot.workspace": ASK,
    "github.copilot.vscode": ASK,
    "github.copilot.terminal": ASK,
    "github.copilot.terminalPanel": ASK,
    "copilot": ASK,
    "": ASK,
}
"""Mode by `agent.id`, for requests from before December 2025, which carry no `modeInfo`."""

_PENDING, _CANCELLED, _FAILED, _NEEDS_INPUT = 0, 2, 3, 4
"""Values of `modelState.value`."""


def read_turn(request: Mapping[str, object]) -> Turn:
    """The turn of one element of `requests`."""
    parts = entries(request.get("response"))
    rounds = [record(item) for item in entries(walk(request, "result", "metadata", "toolCallRounds"))]
    answer = answer_text(parts)
    tools = _tools_of_rounds(rounds) if rounds else invoked_tools(parts)
    # Without rounds, only an answer without tools tells how often the model was called: once.
    known = len(rounds) or int(bool(answer) and not tools)
    answered = bool(answer or tools)
    return Turn(
        userMessage=_user_text(request),
        mode=_mode(request),
        messageId=text(request.get("requestId")),
        modelMessage=answer,
        model=_model(request, parts),
        responseType=_response_type(request, answered=answered),
        toolCounts=dict(sorted(tools.items())),
        numRequests=known or None,
        calls=_calls(request, known, answered=answered),
        turnDurationMs=_duration(request),
        sentAt=instant(request.get("timestamp")),
    )


def _user_text(request: Mapping[str, object]) -> str:
    message = request.get("message")
    joined = "".join(text(record(part).get("text")) for part in entries(walk(message, "parts")))
    return text(message) or text(walk(message, "text")) or joined


def _tools_of_rounds(rounds: Sequence[Mapping[str, object]]) -> Counter[str]:
    calls = (record(call) for item in rounds for call in entries(item.get("toolCalls")))
    return Counter(name for call in calls if (name := text(call.get("name"))))


def _mode(request: Mapping[str, object]) -> str:
    agent = text(walk(request, "agent", "id"))
    if agent.startswith(_AGENT_BACKENDS):
        return AGENT
    info = record(request.get("modeInfo"))
    return _picked_mode(info) if info else _PARTICIPANT_MODES.get(agent, CUSTOM)


def _picked_mode(info: Mapping[str, object]) -> str:
    """A mode that the person defined builds on a built-in `kind`, hence the id and the name come first."""
    if info.get("isBuiltin") is False:
        return CUSTOM
    words = (text(info.get(key)).lower() for key in ("modeId", "modeName", "kind"))
    picked = next(filter(None, words), "")
    return picked if picked in {AGENT, ASK, EDIT} else CUSTOM


def _model(request: Mapping[str, object], parts: Sequence[object]) -> str | None:
    """The model's id; where the picker said `auto` or nothing, what it was resolved to."""
    resolved = [text(record(part).get("resolvedModel")) for part in parts]
    named = (
        text(request.get("modelId")),
        text(walk(request, "result", "metadata", "resolvedModel")),
        *resolved,
        _id_of_display_name(text(walk(request, "result", "details"))),
    )
    ids = (_without_provider(name) for name in named)
    return next((name for name in ids if name not in {"", "auto"}), None)


def _without_provider(name: str) -> str:
    """`copilot/gpt-4.1` and `agent-host-copilotcli:gpt-4.1` are gpt-4.1; other providers stay in the name."""
    if name.startswith("agent-host"):
        return name.partition(":")[2]
    return name.removeprefix("copilot/")


def _id_of_display_name(details: str) -> str:
    """`Claude Sonnet 4 (Preview) • 1x` is claude-sonnet-4."""
    name = details.partition("•")[0].partition("(")[0]
    return "-".join(name.lower().split())


def _response_type(request: Mapping[str, object], *, answered: bool) -> str | None:
    state = count(walk(request, "modelState", "value"))
    error = record(walk(request, "result", "errorDetails")) or record(request.get("responseErrorDetails"))
    if request.get("isCanceled") is True or state == _CANCELLED or error.get("code") == "canceled":
        return CANCELLED
    if error or state == _FAILED:
        return FAILED
    return SUCCESS if answered and state not in (_PENDING, _NEEDS_INPUT) else None


def _calls(request: Mapping[str, object], rounds: int, *, answered: bool) -> tuple[Call, ...]:
    """One call per round, at least one where there is an answer or a token count.

    The last call has the tokens: promptTokens of a turn are those of its last round, and completionTokens of the
    whole turn add up there. Where only the last round's completionTokens are known they stand for one round alone.
    """
    last = Call(promptTokens=_prompt_tokens(request), completionTokens=_completion_tokens(request, rounds))
    if not rounds and not answered and last == Call():
        return ()
    return (*[Call()] * (rounds - 1), last)


def _prompt_tokens(request: Mapping[str, object]) -> int | None:
    result = request.get("result")
    return _first_count(
        request.get("promptTokens"), walk(result, "metadata", "promptTokens"), walk(result, "usage", "promptTokens")
    )


def _completion_tokens(request: Mapping[str, object], rounds: int) -> int | None:
    result = request.get("result")
    of_turn = count(request.get("completionTokens"))
    if of_turn is not None or rounds != 1:
        return of_turn
    return _first_count(walk(result, "metadata", "outputTokens"), walk(result, "usage", "completionTokens"))


def _first_count(*values: object) -> int | None:
    return next((known for value in values if (known := count(value)) is not None), None)


def _duration(request: Mapping[str, object]) -> int | None:
    """Wall clock in ms. Waiting for confirmations stays in, as in telemetry's `turnDuration` (Q20)."""
    told = _first_count(walk(request, "result", "timings", "totalElapsed"), request.get("elapsedMs"))
    if told is not None:
        return told
    sent, done = count(request.get("timestamp")), count(walk(request, "modelState", "completedAt"))
    return count(done - sent) if sent and done else None
