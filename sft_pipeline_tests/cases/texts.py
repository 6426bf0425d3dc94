"""Cases about messages and their texts: copies, cuts, final answers, odd characters."""

from datetime import timedelta

from sft_pipeline_tests.cases.case import Case
from sft_pipeline_tests.cases.emission import BEGIN, Turn, conversation, final_answer, turn_events
from sft_pipeline_tests.cases.event import cut, delivered_again, in_both_stores, with_properties

LONG = "long " * 1800
"""9,000 characters: more than one store keeps."""
AWKWARD = (
    'He said "no" twice',
    r"C:\temp\new \\share \" \u0041",
    "line one\nline two\r\n\ttab",
    "before\u2028after\u2029end",
    "👍🏽 done, größer, 完了",
    '"',
    '{"a": [1, null]}',
    "null",
    "it's 100 % | `code` $1 ; -- {0}",
    "\u00a0 spaces \u00a0",
)

COPIES = (
    Case(
        name="rounds-repeat-the-pair",
        quirk="Q1",
        events=conversation(
            "rounds-repeat-the-pair",
            Turn(1),
            Turn(2, rounds=("I will look at the three places where this is set.", "", "Fixed.")),
            Turn(3),
        ),
        turn_count=3,
        finals=("Answer 1", "Fixed.", "Answer 3"),
        repairs={"duplicateMessages": 4, "finalMessages": 3},
        fields={"llmCallCount": 5, "completionTokens": 50, "promptTokens": 3100},
        turns={
            2: {
                "llmCallCount": 3,
                "promptTokens": 2300,
                "completionTokens": 30,
                "llmCalls": [f"rounds-repeat-the-pair/2/call-{number}" for number in (1, 2, 3)],
            }
        },
    ),
    Case(
        name="two-stores",
        quirk="Q3",
        events=in_both_stores(conversation("two-stores", Turn(1, LONG), Turn(2, rounds=(LONG,)), Turn(3))),
        turn_count=3,
        finals=("Answer 1", LONG, "Answer 3"),
        repairs={"duplicateMessages": 9, "restoredMessages": 1, "finalMessages": 3},
        fields={"llmCallCount": 3, "firstTime": "09:10:10", "lastTime": "09:30:10"},
        turns={1: {"userMessage": LONG}, 2: {"llmCallCount": 1}},
    ),
    Case(
        name="only-the-cut-copy",
        quirk="Q24",
        events=tuple(cut(event) for event in conversation("only-the-cut-copy", Turn(1, LONG), Turn(2), Turn(3))),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"truncatedMessages": 1, "finalMessages": 3},
        turns={1: {"userMessage": LONG[:8192]}},
    ),
    Case(
        name="transport-repeats-a-turn",
        quirk="Q4",
        events=conversation("transport-repeats-a-turn", Turn(1), Turn(2), Turn(3))
        + delivered_again(turn_events("transport-repeats-a-turn", Turn(3))),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"duplicateMessages": 3, "finalMessages": 3},
        fields={"llmCallCount": 3, "lastTime": "09:30:10"},
        turns={3: {"llmCalls": ["transport-repeats-a-turn/3/call-1"]}},
    ),
    Case(
        name="texts-in-parts",
        quirk="Q5",
        events=conversation(
            "texts-in-parts", Turn(1, "one, two, three", part=5), Turn(2, rounds=("a" * 50,), part=1), Turn(3)
        ),
        turn_count=3,
        finals=("Answer 1", "a" * 50, "Answer 3"),
        repairs={"finalMessages": 3},
        turns={1: {"userMessage": "one, two, three"}},
    ),
    Case(
        name="third-part-without-second",
        quirk="Q5",
        events=with_properties(
            conversation("third-part-without-second", Turn(1), Turn(2), Turn(3)), "user", messageText_03="!"
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"finalMessages": 3},
        turns={2: {"userMessage": "Question 2"}},
    ),
)

ANSWERS = (
    Case(
        name="no-text-at-all",
        quirk="Q5",
        events=conversation("no-text-at-all", Turn(1), Turn(2, rounds=("",)), Turn(3)),
        turn_count=3,
        finals=("Answer 1", "", "Answer 3"),
        repairs={"finalMessages": 3},
    ),
    Case(
        name="final-answer-is-empty",
        quirk="Q2",
        events=conversation("final-answer-is-empty", Turn(1), Turn(2, rounds=("Looking.", "Found it.", "")), Turn(3)),
        turn_count=3,
        finals=("Answer 1", "Found it.", "Answer 3"),
        repairs={"duplicateMessages": 4, "finalMessages": 3},
    ),
    Case(
        name="final-answer-is-lost",
        quirk="Q2",
        events=conversation(
            "final-answer-is-lost", Turn(1), Turn(2, rounds=("Here is all of it.", "Done."), final_after=None), Turn(3)
        ),
        turn_count=3,
        finals=("Answer 1", "Here is all of it.", "Answer 3"),
        repairs={"duplicateMessages": 2, "finalMessages": 2},
    ),
    Case(
        name="final-answer-at-once",
        quirk="Q2",
        events=conversation(
            "final-answer-at-once", Turn(1, rounds=("Looking around.", "Yes."), final_after=0), Turn(2), Turn(3)
        ),
        turn_count=3,
        finals=("Yes.", "Answer 2", "Answer 3"),
        repairs={"duplicateMessages": 2, "finalMessages": 3},
    ),
    Case(
        name="final-answer-too-early",
        quirk="Q2",
        events=conversation(
            "final-answer-too-early", Turn(1, rounds=("Looking around.", "Yes."), final_after=-1), Turn(2), Turn(3)
        ),
        turn_count=3,
        finals=("Looking around.", "Answer 2", "Answer 3"),
        repairs={"duplicateMessages": 2, "finalMessages": 2, "unattachedFinals": 1},
    ),
    Case(
        name="failed-turn",
        quirk="Q6",
        events=conversation("failed-turn", Turn(1), Turn(2, rounds=(), response_type="failed"), Turn(3)),
        turn_count=3,
        finals=("Answer 1", "", "Answer 3"),
        repairs={"finalMessages": 2},
        fields={"llmCallCount": 2, "completionTokens": 20, "models": ["gpt-5"]},
        turns={
            2: {
                "responseType": "failed",
                "model": "gpt-5",
                "llmCallCount": 0,
                "promptTokens": None,
                "completionTokens": None,
                "llmCalls": [],
            }
        },
    ),
    Case(
        name="cancelled-after-a-round",
        quirk="Q6",
        events=conversation(
            "cancelled-after-a-round", Turn(1), Turn(2), Turn(3, rounds=("Looking.",), response_type="cancelled")
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Looking."),
        repairs={"duplicateMessages": 1, "finalMessages": 2},
        turns={3: {"responseType": "cancelled", "llmCallCount": 1}},
    ),
    Case(
        name="failed-turn-takes-no-answer",
        quirk="Q6",
        events=(
            *conversation("failed-turn-takes-no-answer", Turn(1), Turn(2), Turn(3, rounds=(), response_type="failed")),
            final_answer("failed-turn-takes-no-answer", Turn(3), BEGIN + timedelta(hours=1)),
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", ""),
        repairs={"finalMessages": 2, "unattachedFinals": 1},
    ),
)

CHARACTERS = (
    Case(
        name="awkward-texts",
        quirk="Q28",
        events=in_both_stores(
            conversation(
                "awkward-texts", *(Turn(index, text, rounds=(text,)) for index, text in enumerate(AWKWARD, start=1))
            )
        ),
        turn_count=10,
        finals=AWKWARD,
        # The emoji counts as truncated: the client counts UTF-16 units, the query code points.
        repairs={"duplicateMessages": 30, "truncatedMessages": 1, "finalMessages": 10},
        turns={index: {"userMessage": text} for index, text in enumerate(AWKWARD, start=1)},
    ),
    Case(
        name="zero-width-request",
        events=conversation("zero-width-request", Turn(1), Turn(2, "\u200b"), Turn(3)),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"finalMessages": 3},
        turns={2: {"userMessage": "\u200b"}},
    ),
    Case(
        name="empty-request",
        events=conversation("empty-request", Turn(1), Turn(2, ""), Turn(3)),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"finalMessages": 3},
        turns={2: {"userMessage": "", "isContinuation": False}},
    ),
    Case(
        name="awkward-ids",
        id="""ids|"quoted"|'single'|back\\slash""",
        events=conversation(
            """ids|"quoted"|'single'|back\\slash""",
            Turn(1, id='m|1"', user_name='o\'neil|"x"'),
            Turn(2, id="m|1'"),
            Turn(3, id="m|1\\"),
        ),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"finalMessages": 3},
        fields={"userName": 'o\'neil|"x"'},
        turns={1: {"messageId": 'm|1"', "llmCalls": ['m|1"/call-1']}, 3: {"messageId": "m|1\\"}},
    ),
)

TEXTS = (*COPIES, *ANSWERS, *CHARACTERS)
