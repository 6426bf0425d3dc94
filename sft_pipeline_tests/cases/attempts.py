"""Cases about who asked and how often: retries, edits, subagents, button presses."""

from sft_pipeline_tests.cases.case import Case
from sft_pipeline_tests.cases.emission import Turn, conversation

RETRIES = (
    Case(
        name="last-turn-retried",
        quirk="Q8",
        events=conversation(
            "last-turn-retried", Turn(1), Turn(2), Turn(3), Turn(3, "Once more", ("Better.",), at=2400, id="retry")
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Better."),
        repairs={"retriedTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
        fields={"llmCallCount": 3, "promptTokens": 3100, "lastTime": "09:40:10"},
        turns={3: {"messageId": "retry", "userMessage": "Once more"}},
    ),
    Case(
        name="first-turn-retried",
        quirk="Q8",
        events=conversation(
            "first-turn-retried", Turn(1), Turn(1, "Once more", ("Better.",), at=900, id="retry"), Turn(2), Turn(3)
        ),
        turn_count=3,
        finals=("Better.", "Answer 2", "Answer 3"),
        repairs={"retriedTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
        fields={"firstTime": "09:15:10"},
    ),
    Case(
        name="retry-without-final-answer",
        quirk="Q8",
        events=conversation(
            "retry-without-final-answer",
            Turn(1),
            Turn(2),
            Turn(3),
            Turn(3, rounds=("Narrated.", "End."), at=2400, id="retry", final_after=None),
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Narrated."),
        repairs={"duplicateMessages": 2, "retriedTurns": 1, "finalMessages": 2, "unattachedFinals": 1},
    ),
    Case(
        name="attempts-in-one-instant",
        quirk="Q8",
        events=conversation(
            "attempts-in-one-instant", Turn(1), Turn(2), Turn(3, "Left", id="b1"), Turn(3, "Right", ("R",), id="b2")
        ),
        turn_count=3,
        # Both final answers are as early: the smaller messageId is taken, whoever it was for.
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"retriedTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
        turns={3: {"messageId": "b2", "userMessage": "Right"}},
    ),
    Case(
        name="edited-and-all-redone",
        quirk="Q8",
        events=conversation(
            "edited-and-all-redone",
            *(Turn(index) for index in (1, 2, 3, 4)),
            *(Turn(index, at=3000 + 600 * index, id=f"redone/{index}") for index in (2, 3, 4)),
        ),
        turn_count=4,
        finals=("Answer 1", "Answer 2", "Answer 3", "Answer 4"),
        repairs={"retriedTurns": 3, "finalMessages": 4, "unattachedFinals": 3},
        fields={"llmCallCount": 4},
        turns={2: {"messageId": "redone/2"}, 4: {"messageId": "redone/4"}},
    ),
    Case(
        name="edited-and-abandoned",
        quirk="Q8",
        events=conversation(
            "edited-and-abandoned",
            *(Turn(index) for index in (1, 2, 3, 4)),
            *(Turn(index, at=3000 + 600 * index, id=f"redone/{index}") for index in (2, 3)),
        ),
        drop_reason="turns_out_of_order",
        turn_count=4,
        repairs={"retriedTurns": 2, "finalMessages": 4, "unattachedFinals": 2},
    ),
    Case(
        name="retry-hides-a-gap",
        quirk="Q8",
        events=conversation("retry-hides-a-gap", Turn(1), Turn(2), Turn(2, at=1500, id="retry"), Turn(4)),
        drop_reason="turn_missing",
        turn_count=3,
        repairs={"retriedTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
    ),
    Case(
        name="rate-limited-first-turn",
        quirk="Q9",
        events=conversation(
            "rate-limited-first-turn",
            Turn(1, rounds=(), response_type="rateLimited", num_requests=5),
            Turn(1, at=640, model="gpt-4.1", num_requests=2),
            Turn(2, model="gpt-4.1"),
            Turn(3, model="gpt-4.1"),
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"duplicateMessages": 1, "finalMessages": 3},
        fields={"models": ["gpt-4.1"], "firstTime": "09:10:10"},
        turns={1: {"model": "gpt-4.1", "responseType": "success", "numRequests": 2, "llmCallCount": 1}},
    ),
)

SUBAGENTS = (
    Case(
        name="subagent-in-first-turn",
        quirk="Q10",
        events=conversation(
            "subagent-in-first-turn",
            Turn(1, rounds=("Asking a subagent.", "", "It found two.")),
            Turn(1, "Find all callers", ("Two callers.",), at=603, id="sub", sub_type="subagent", model="gpt-5-mini"),
            Turn(2),
            Turn(3),
        ),
        turn_count=3,
        finals=("It found two.", "Answer 2", "Answer 3"),
        repairs={"duplicateMessages": 4, "subagentTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
        fields={"models": ["gpt-5"], "llmCallCount": 5},
        turns={1: {"userMessage": "Question 1", "llmCallCount": 3}},
    ),
    Case(
        name="subagent-in-second-turn",
        quirk="Q10",
        events=conversation(
            "subagent-in-second-turn",
            Turn(1),
            Turn(2, rounds=("Asking a subagent.", "It found two.")),
            Turn(1, "Find all callers", ("Looking.", "Two callers."), at=1203, id="sub", sub_type="subagent"),
            Turn(3),
        ),
        turn_count=3,
        finals=("Answer 1", "It found two.", "Answer 3"),
        # The subagent's own pair repeats as well and counts among the copies removed.
        repairs={"duplicateMessages": 4, "subagentTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
        fields={"llmCallCount": 4},
    ),
    Case(
        name="subagent-in-other-mode",
        quirk="Q10",
        events=conversation(
            "subagent-in-other-mode",
            Turn(1),
            Turn(2),
            Turn(1, at=1203, id="sub", sub_type="subagent", mode="custom"),
            Turn(3),
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"subagentTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
    ),
    Case(
        name="subagent-alone",
        quirk="Q10",
        events=conversation("subagent-alone", Turn(1, sub_type="subagent")),
        drop_reason="too_few_turns",
        turn_count=0,
        repairs={"subagentTurns": 1, "unattachedFinals": 1},
        fields={
            "userName": "",
            "minTurnIndex": None,
            "maxTurnIndex": None,
            "llmCallCount": 0,
            "completionTokens": None,
        },
    ),
    Case(
        name="unmarked-subagent-in-second-turn",
        quirk="Q10",
        events=conversation(
            "unmarked-subagent-in-second-turn",
            Turn(1),
            Turn(2, rounds=("", "")),
            Turn(1, at=1215, id="sub"),
            Turn(3),
        ),
        drop_reason="turns_out_of_order",
        turn_count=3,
        repairs={"duplicateMessages": 2, "retriedTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
    ),
)

BUTTONS = (
    Case(
        name="buttons-pressed",
        quirk="Q11",
        events=conversation(
            "buttons-pressed",
            Turn(1),
            Turn(2, "Continue"),
            Turn(3, "  Try Again \n"),
            Turn(4, '@agent Continue: "Continue to iterate?"'),
            Turn(5, "Continue with the tests"),
            Turn(6, "Continue to iterate?"),
            Turn(7, "Switch to Auto"),
            Turn(8, "\u00a0Continue"),
        ),
        turn_count=8,
        finals=tuple(f"Answer {index}" for index in range(1, 9)),
        repairs={"continuationTurns": 5, "finalMessages": 8},
        fields={"bucket": "medium"},
        turns={
            1: {"isContinuation": False},
            2: {"isContinuation": True},
            3: {"isContinuation": True, "userMessage": "  Try Again \n"},
            4: {"isContinuation": True},
            5: {"isContinuation": False},
            8: {"isContinuation": False},
        },
    ),
)

ATTEMPTS = (*RETRIES, *SUBAGENTS, *BUTTONS)
