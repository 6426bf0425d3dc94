"""Cases about metrics and model calls: what counts as a call, whose model, how many tokens."""

from dataclasses import replace

from sft_pipeline_tests.cases.case import Case
from sft_pipeline_tests.cases.emission import BEGIN, Turn, conversation, failed_call, output_call
from sft_pipeline_tests.cases.event import SECOND

ANSWERS = ("Answer 1", "Answer 2", "Answer 3")
DETAILS = (
    Case(
        name="parallel-tool-calls",
        quirk="Q12",
        events=conversation(
            "parallel-tool-calls",
            Turn(1, tool_counts='{"read_file":3,"grep_search":2}', num_requests=2),
            Turn(2, tool_counts="{}"),
            Turn(3, tool_counts=None),
        ),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        turns={
            1: {"toolCounts": '{"read_file":3,"grep_search":2}', "numRequests": 2, "turnDurationMs": 10_000},
            2: {"toolCounts": "{}"},
            3: {"toolCounts": "{}"},
        },
    ),
    Case(
        name="tools-of-any-name",
        quirk="Q25",
        events=conversation(
            "tools-of-any-name",
            Turn(1, tool_counts='{"activate_git": 1, "mcp_files_read": 2}'),
            Turn(2, tool_counts='{"invented \\"tool\\"":1}'),
            Turn(3),
        ),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        turns={
            1: {"toolCounts": '{"activate_git": 1, "mcp_files_read": 2}'},
            2: {"toolCounts": '{"invented \\"tool\\"":1}'},
        },
    ),
    Case(
        name="details-lost",
        events=conversation("details-lost", Turn(1), Turn(2, response_type=None, model="gpt-4.1"), Turn(3)),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        fields={"models": ["gpt-4.1", "gpt-5"]},
        turns={
            2: {
                "model": "gpt-4.1",
                "responseType": None,
                "numRequests": None,
                "toolCounts": "{}",
                "turnDurationMs": None,
                "llmCallCount": 1,
            }
        },
    ),
    Case(
        name="all-but-messages-lost",
        events=tuple(
            event
            for event in conversation("all-but-messages-lost", Turn(1), Turn(2), Turn(3))
            if event.name.endswith("messageText")
        ),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        fields={"models": [], "promptTokens": None, "completionTokens": None, "llmCallCount": 0},
        turns={1: {"model": None, "responseType": None, "promptTokens": None, "llmCalls": []}},
    ),
    Case(
        name="properties-sent-empty",
        events=conversation(
            "properties-sent-empty",
            Turn(1, user_name=""),
            Turn(2, response_type="", model="", tool_counts=""),
            Turn(3),
        ),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        fields={"userName": "", "models": ["gpt-5"]},
        turns={2: {"model": None, "responseType": None, "toolCounts": "{}", "numRequests": 1}},
    ),
    Case(
        name="details-twice-in-one-instant",
        quirk="Q9",
        events=tuple(
            replace(event, measurements={**event.measurements, "numRequests": requests})
            for requests in (4, 2)
            for event in conversation("details-twice-in-one-instant", Turn(1), Turn(2), Turn(3))
        ),
        turn_count=3,
        finals=ANSWERS,
        repairs={"duplicateMessages": 9, "finalMessages": 3},
        turns={1: {"numRequests": 4}, 3: {"numRequests": 4}},
    ),
    Case(
        name="model-switched",
        quirk="Q19",
        events=conversation(
            "model-switched", Turn(1), Turn(2, model="claude-sonnet-4.5"), Turn(3, model="gpt-4.1"), Turn(4)
        ),
        turn_count=4,
        finals=(*ANSWERS, "Answer 4"),
        repairs={"finalMessages": 4},
        fields={"models": ["claude-sonnet-4.5", "gpt-4.1", "gpt-5"]},
        turns={2: {"model": "claude-sonnet-4.5"}, 4: {"model": "gpt-5"}},
    ),
)

CALLS = (
    Case(
        name="more-calls-than-requests",
        quirk="Q13",
        events=conversation(
            "more-calls-than-requests", Turn(1, rounds=("", "", "Ok."), num_requests=2), Turn(2), Turn(3)
        ),
        turn_count=3,
        finals=("Ok.", "Answer 2", "Answer 3"),
        repairs={"duplicateMessages": 4, "finalMessages": 3},
        turns={1: {"llmCallCount": 3, "numRequests": 2}},
    ),
    Case(
        name="call-without-output",
        quirk="Q14",
        events=conversation("call-without-output", Turn(1), Turn(2), Turn(3))
        + tuple(failed_call("call-without-output", "call-without-output/2", BEGIN + 1205 * SECOND)),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        fields={"llmCallCount": 3},
        turns={2: {"llmCallCount": 1, "llmCalls": ["call-without-output/2/call-1"]}},
    ),
    Case(
        name="calls-beside-the-turn",
        quirk="Q15",
        events=(
            *conversation("calls-beside-the-turn", Turn(1), Turn(2), Turn(3)),
            output_call(None, "calls-beside-the-turn/1", BEGIN + 605 * SECOND, source="title"),
            output_call(None, "calls-beside-the-turn/1", BEGIN + 606 * SECOND),
            output_call("calls-beside-the-turn", "calls-beside-the-turn/1", BEGIN + 607 * SECOND, source="summarize"),
            output_call("calls-beside-the-turn", None, BEGIN + 608 * SECOND),
            output_call("calls-beside-the-turn", "some other turn", BEGIN + 609 * SECOND),
        ),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        fields={"llmCallCount": 3, "completionTokens": 30},
        turns={1: {"llmCalls": ["calls-beside-the-turn/1/call-1"]}},
    ),
    Case(
        name="calls-in-one-instant",
        quirk="Q16",
        events=(
            *conversation("calls-in-one-instant", Turn(1), Turn(2), Turn(3)),
            output_call("calls-in-one-instant", "calls-in-one-instant/1", BEGIN + 610 * SECOND, call="zz"),
            output_call("calls-in-one-instant", "calls-in-one-instant/2", BEGIN + 1210 * SECOND, call="aa"),
            output_call("calls-in-one-instant", "calls-in-one-instant/3", BEGIN + 1811 * SECOND, call="aa later"),
        ),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        fields={"llmCallCount": 6, "completionTokens": 51, "promptTokens": 7},
        turns={
            1: {"llmCalls": ["calls-in-one-instant/1/call-1", "zz"], "promptTokens": 7, "model": "gpt-5"},
            2: {"llmCalls": ["aa", "calls-in-one-instant/2/call-1"], "promptTokens": 2100},
            3: {"llmCalls": ["calls-in-one-instant/3/call-1", "aa later"], "promptTokens": 7},
        },
    ),
    Case(
        name="late-call-delays-the-answer",
        quirk="Q2",
        events=(
            *conversation("late-call-delays-the-answer", Turn(1, rounds=("Narrated.", "End.")), Turn(2), Turn(3)),
            output_call("late-call-delays-the-answer", "late-call-delays-the-answer/1", BEGIN + 650 * SECOND),
        ),
        turn_count=3,
        finals=("Narrated.", "Answer 2", "Answer 3"),
        repairs={"duplicateMessages": 2, "finalMessages": 2, "unattachedFinals": 1},
        turns={1: {"llmCallCount": 3}},
    ),
    Case(
        name="context-reset",
        quirk="Q17",
        events=conversation(
            "context-reset",
            Turn(1, rounds=("", "", "Ok."), prompt_tokens=(20_000, 90_000, 104_000)),
            Turn(2, prompt_tokens=(31_000,)),
            Turn(3, rounds=("", "Ok."), prompt_tokens=(33_000, 32_000)),
        ),
        turn_count=3,
        finals=("Ok.", "Answer 2", "Ok."),
        repairs={"duplicateMessages": 6, "finalMessages": 3},
        fields={"promptTokens": 32_000, "completionTokens": 60},
        turns={1: {"promptTokens": 104_000}, 2: {"promptTokens": 31_000}, 3: {"promptTokens": 32_000}},
    ),
    Case(
        name="no-token-counts",
        quirk="Q26",
        events=conversation("no-token-counts", *(Turn(index, prompt_tokens=(None,)) for index in (1, 2, 3))),
        turn_count=3,
        finals=ANSWERS,
        repairs={"finalMessages": 3},
        fields={"promptTokens": None, "completionTokens": None, "llmCallCount": 3},
        turns={1: {"promptTokens": None, "completionTokens": None, "llmCallCount": 1}},
    ),
    Case(
        name="last-call-does-not-tell",
        quirk="Q26",
        events=conversation(
            "last-call-does-not-tell",
            Turn(1),
            Turn(2, rounds=("", "Ok."), prompt_tokens=(5000, None)),
            Turn(3, prompt_tokens=(None,)),
        ),
        turn_count=3,
        finals=("Answer 1", "Ok.", "Answer 3"),
        repairs={"duplicateMessages": 2, "finalMessages": 3},
        fields={"promptTokens": 5000, "completionTokens": 20},
        turns={2: {"promptTokens": 5000, "completionTokens": 10, "llmCallCount": 2}, 3: {"promptTokens": None}},
    ),
)

METRICS = (*DETAILS, *CALLS)
