"""Each generation of VS Code's requests, and what a turn takes from them."""

from datetime import UTC, datetime

import pytest

from sft_pipeline.telemetry.sessions.conversations import Call, Turn
from sft_pipeline.telemetry.sessions.vscode import is_session, read_session
from sft_pipeline.telemetry.sessions.vscode_parts import answer_text, invoked_tools
from sft_pipeline.telemetry.sessions.vscode_requests import read_turn
from sft_pipeline_tests.telemetry.sessions.invented import (
    MS,
    export,
    request_a,
    request_b,
    request_c,
    request_cli,
    request_d,
    request_e,
    request_f,
    rounds,
    session,
)

SENT = datetime.fromtimestamp(MS // 1000 + 60, UTC)


def test_generation_a_has_text_and_duration_and_nothing_else():
    assert read_turn(request_a()) == Turn(
        userMessage="What does this do?",
        mode="ask",
        modelMessage="It adds.",
        responseType="success",
        numRequests=1,
        calls=(Call(),),
        turnDurationMs=2000,
    )


def test_generation_b_adds_the_id_and_the_time():
    turn = read_turn(request_b(1))
    assert (turn.messageId, turn.sentAt, turn.mode, turn.model) == ("request_b1", SENT, "agent", None)


def test_generation_c_adds_the_model_and_counts_tools_once():
    turn = read_turn(request_c(1))
    assert (turn.model, turn.toolCounts, turn.numRequests) == ("gpt-4.1", {"read_file": 1}, 2)
    assert turn.modelMessage == "Reading app.py. Done."


def test_generation_d_takes_the_duration_from_its_state_with_the_waiting_in_it():
    turn = read_turn(request_d(1))
    assert (turn.mode, turn.turnDurationMs, turn.numRequests) == ("agent", 5000, 3)
    assert turn.toolCounts == {"grep_search": 1, "read_file": 2}
    assert turn.calls == (Call(), Call(), Call())


def test_generation_e_resolves_the_model_and_leaves_thinking_out():
    turn = read_turn(request_e(1))
    assert (turn.model, turn.modelMessage, turn.turnDurationMs) == ("claude-sonnet-4.5", "Fine.", 7000)
    assert turn.calls == (Call(promptTokens=1500, completionTokens=60),)


def test_generation_e_keeps_output_tokens_of_the_last_round_from_a_turn_of_several():
    metadata = {"promptTokens": 1500, "outputTokens": 60, "toolCallRounds": rounds(["read_file"], [])}
    turn = read_turn(request_e(1, result={"metadata": metadata}))
    assert turn.calls == (Call(), Call(promptTokens=1500))


def test_usage_stands_in_for_missing_metadata():
    turn = read_turn(request_e(1, result={"usage": {"promptTokens": 8, "completionTokens": 3}}))
    assert turn.calls == (Call(promptTokens=8, completionTokens=3),)


def test_generation_f_puts_the_tokens_of_the_turn_on_its_last_call():
    turn = read_turn(request_f(1))
    assert turn.calls == (Call(), Call(), Call(promptTokens=20_000, completionTokens=900))


def test_a_cli_backed_turn_counts_parts_but_not_those_of_subagents_and_makes_up_no_rounds():
    turn = read_turn(request_cli(1))
    assert (turn.mode, turn.model, turn.toolCounts) == ("agent", "claude-haiku-4.5", {"edit": 1, "view": 2})
    assert (turn.numRequests, turn.calls) == (None, (Call(completionTokens=700),))
    assert turn.turnDurationMs == 9000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"isCanceled": True}, "cancelled"),
        ({"modelState": {"value": 2}}, "cancelled"),
        ({"result": {"errorDetails": {"code": "canceled", "message": "Canceled"}}}, "cancelled"),
        ({"isCanceled": True, "result": {"errorDetails": {"message": "x"}}}, "cancelled"),
        ({"modelState": {"value": 3}}, "failed"),
        ({"result": {"errorDetails": {"code": "failed", "message": "no"}}}, "failed"),
        ({"responseErrorDetails": {"message": "no"}}, "failed"),
        ({"modelState": {"value": 0}}, None),
        ({"modelState": {"value": 4}}, None),
        ({"response": [], "result": None}, None),
        ({}, "success"),
    ],
)
def test_the_response_type_tells_success_from_cancelled_failed_and_unanswered(
    changes: dict[str, object], expected: str | None
):
    assert read_turn(request_b(1, **changes)).responseType == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"modeInfo": {"kind": "agent", "isBuiltin": False, "modeId": "custom", "modeName": "Reviewer"}}, "custom"),
        ({"modeInfo": {"kind": "agent", "isBuiltin": True, "modeId": "custom", "modeName": "Plan"}}, "custom"),
        ({"modeInfo": {"kind": "agent"}}, "agent"),
        ({"modeInfo": {"kind": "ask", "modeId": "ask"}}, "ask"),
        ({"modeInfo": {"modeName": "Edit"}}, "edit"),
        ({"agent": {"id": "github.copilot.editingSession2"}}, "edit"),
        ({"agent": {"id": "github.copilot.workspace"}}, "ask"),
        ({"agent": {"id": "setup.agent"}}, "custom"),
        ({"agent": {"id": "copilot-cloud-agent"}, "modeInfo": {"kind": "ask"}}, "agent"),
        ({"agent": None}, "ask"),
    ],
)
def test_the_mode_is_the_picked_one_then_the_participants(changes: dict[str, object], expected: str):
    assert read_turn(request_b(1, **changes)).mode == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"modelId": "copilot/auto", "response": [{"kind": "autoModeResolution", "resolvedModel": "gpt-5"}]}, "gpt-5"),
        ({"modelId": "copilot/auto", "result": {"details": "Claude Sonnet 4 (Preview) • 0.9x"}}, "claude-sonnet-4"),
        ({"modelId": None, "result": {"details": "GPT-5 mini • 1x"}}, "gpt-5-mini"),
        ({"modelId": "openrouter/some/model:free"}, "openrouter/some/model:free"),
        ({"modelId": "copilot/auto", "result": {}}, None),
    ],
)
def test_the_model_is_resolved_where_the_picker_said_auto(changes: dict[str, object], expected: str | None):
    assert read_turn(request_b(1, **changes)).model == expected


def test_a_turn_without_answer_has_no_calls():
    turn = read_turn(request_b(1, response=[], result={}))
    assert (turn.calls, turn.numRequests, turn.modelMessage) == ((), None, "")


@pytest.mark.parametrize("value", [-1, True, 1.5, "12", None, 2**60, float("inf")])
def test_counts_that_are_none_stay_unknown(value: object):
    turn = read_turn(
        request_b(1, promptTokens=value, completionTokens=value, elapsedMs=value, timestamp=value, result={})
    )
    assert turn.calls == (Call(),)
    assert (turn.turnDurationMs, turn.sentAt) == (None, None)


@pytest.mark.parametrize("junk", [None, 7, "text", [], {}, [None], {"text": None, "parts": [3, None]}, [[1]]])
def test_fields_of_any_type_do_not_stop_the_import(junk: object):
    keys = ("message", "response", "result", "agent", "modeInfo", "modelState", "modelId", "timestamp", "requestId")
    for key in keys:
        assert read_turn(request_d(1, **{key: junk})).mode
    deep = {
        "metadata": {"toolCallRounds": [junk, {"toolCalls": junk}], "sessionId": junk},
        "timings": junk,
        "usage": junk,
    }
    assert read_turn(request_d(1, result=deep)).mode == "agent"


def test_the_user_text_is_the_message_and_its_parts_only_where_there_is_none():
    assert read_turn(request_b(1, message="plain")).userMessage == "plain"
    assert read_turn(request_b(1, message={"parts": [{"text": "/fix"}, {"text": " it"}]})).userMessage == "/fix it"


def test_the_answer_is_markdown_and_names_of_references():
    symbol = {"name": "run", "location": {"uri": {"path": "/a/b.py"}}}
    parts: list[object] = [
        "plain ",
        {"value": "bold "},
        {"kind": "markdownContent", "content": {"value": "nested "}},
        {"kind": "markdownVuln", "content": {"value": "checked "}},
        {"kind": "inlineReference", "name": "given", "inlineReference": {"path": "/x/y.py"}},
        {"kind": "inlineReference", "inlineReference": symbol},
        {"kind": "inlineReference", "inlineReference": {"uri": {"path": "/x/z.py"}, "range": {}}},
        {"kind": "progressMessage", "value": "working"},
        {"kind": "of next year", "value": "unknown"},
        {"kind": 7, "value": "odd"},
    ]
    assert answer_text(parts) == "plain bold nested checked givenrunz.py"


def test_fences_around_edits_go_and_other_code_blocks_stay():
    uri = {"kind": "codeblockUri", "uri": {"path": "/a.py"}}
    edit = {"kind": "textEditGroup"}
    applied = [{"value": "Changing it.\n````\n"}, uri, {"value": "\n````\n"}, edit, {"value": "Done."}]
    assert answer_text(applied) == "Changing it.\n\nDone."
    shown = [{"value": "One:\n```\na\n```\n\n```\n"}, uri, {"value": "b\n```\n"}]
    assert answer_text(shown) == "One:\n```\na\n```\n\n```\nb\n```"


def test_tools_of_parts_are_counted_by_id():
    parts = [
        {"kind": "toolInvocationSerialized", "toolId": "view"},
        {"kind": "prepareToolInvocation", "toolName": "view"},
    ]
    assert invoked_tools([*parts, {"kind": "toolInvocation", "toolId": "edit", "fromSubAgent": True}]) == {"view": 1}


def test_a_session_is_known_by_its_own_id_then_the_extensions_then_its_first_turn():
    assert read_session(session(request_b(1))).conversationId == "session-1"
    assert read_session(export(request_b(1))).conversationId == "extension-b"
    short, longer = export(request_a()), export(request_a(), request_a("And this?"))
    assert read_session(short).conversationId == read_session(longer).conversationId
    assert read_session(short).conversationId != read_session(export(request_a("Another"))).conversationId


def test_undone_turns_and_things_that_are_no_requests_are_dropped_and_counted():
    undone = request_b(2, shouldBeRemovedOnSend={"requestId": "request_b2"})
    hidden = request_b(3, isHidden=True)
    found = read_session(session(request_b(1), undone, hidden, None, "x", request_b(4)))
    assert [turn.messageId for turn in found.turns] == ["request_b1", "request_b4"]
    assert found.droppedTurns == {"undone": 2, "not a request": 2}


def test_the_user_is_the_requester_or_undefined():
    assert read_session(session(request_b(1))).userName == "octo-user"
    assert read_session(export(request_b(1), requesterUsername="")).userName == "undefined"


@pytest.mark.parametrize(
    "value", [None, [], 3, {}, {"requests": []}, {"requests": {}, "sessionId": "x"}, {"version": 3}]
)
def test_other_json_is_no_session(value: object):
    assert not is_session(value)
