"""Cases about which conversations come into view: how long, in which modes, whose."""

from dataclasses import replace

from sft_pipeline.telemetry.events import PREFIX
from sft_pipeline_tests.cases.case import Case
from sft_pipeline_tests.cases.emission import Turn, conversation
from sft_pipeline_tests.cases.event import Event, with_properties


def _plain(name: str, indices: range) -> tuple[Event, ...]:
    return conversation(name, *(Turn(index) for index in indices))


def _answers(count: int) -> tuple[str, ...]:
    return tuple(f"Answer {index}" for index in range(1, count + 1))


SIZES = (
    Case(
        name="three-turns",
        events=_plain("three-turns", range(1, 4)),
        turn_count=3,
        finals=_answers(3),
        repairs={"finalMessages": 3},
        fields={
            "userName": "ada",
            "minTurnIndex": 1,
            "maxTurnIndex": 3,
            "capturedTurnCount": 3,
            "bucket": "short",
            "promptTokens": 3100,
            "completionTokens": 30,
            "llmCallCount": 3,
            "firstTime": "09:10:10",
            "lastTime": "09:30:10",
            "models": ["gpt-5"],
        },
        turns={
            2: {
                "messageId": "three-turns/2",
                "userMessage": "Question 2",
                "model": "gpt-5",
                "responseType": "success",
                "numRequests": 1,
                "toolCounts": '{"read_file":1}',
                "turnDurationMs": 10_000,
                "isContinuation": False,
                "llmCallCount": 1,
                "promptTokens": 2100,
                "completionTokens": 10,
                "llmCalls": ["three-turns/2/call-1"],
            }
        },
    ),
    Case(
        name="six-turns",
        events=_plain("six-turns", range(1, 7)),
        turn_count=6,
        finals=_answers(6),
        repairs={"finalMessages": 6},
        fields={"bucket": "medium"},
    ),
    Case(
        name="eleven-turns",
        events=_plain("eleven-turns", range(1, 12)),
        turn_count=11,
        finals=_answers(11),
        repairs={"finalMessages": 11},
        fields={"bucket": "long"},
    ),
    Case(
        name="twenty-turns",
        events=_plain("twenty-turns", range(1, 21)),
        turn_count=20,
        finals=_answers(20),
        repairs={"finalMessages": 20},
        fields={"bucket": "long"},
    ),
    Case(
        name="two-turns",
        events=_plain("two-turns", range(1, 3)),
        drop_reason="too_few_turns",
        turn_count=2,
        repairs={"finalMessages": 2},
        fields={"bucket": ""},
    ),
    Case(
        name="twenty-one-turns",
        events=_plain("twenty-one-turns", range(1, 22)),
        drop_reason="too_many_turns",
        turn_count=21,
        repairs={"finalMessages": 21},
        fields={"bucket": ""},
    ),
)

MODES = (
    Case(
        name="mode-switched",
        quirk="Q7e",
        events=conversation("mode-switched", Turn(1), Turn(2, mode="ask"), Turn(3), Turn(4)),
        drop_reason="mode_switched",
        turn_count=4,
        repairs={"finalMessages": 4},
    ),
    Case(
        name="mode-of-a-replaced-attempt",
        quirk="Q7e",
        events=conversation(
            "mode-of-a-replaced-attempt", Turn(1), Turn(2, mode="ask"), Turn(2, at=1500, id="again"), Turn(3)
        ),
        drop_reason="mode_switched",
        turn_count=3,
        repairs={"retriedTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
    ),
    Case(
        name="mode-before-holes",
        quirk="Q7e",
        events=conversation("mode-before-holes", Turn(2, mode="plan"), Turn(4)),
        drop_reason="mode_switched",
        turn_count=2,
        repairs={"finalMessages": 2},
    ),
    Case(
        name="mode-unknown-once",
        quirk="Q7f",
        events=conversation("mode-unknown-once", Turn(1, mode=None), Turn(2), Turn(3)),
        drop_reason="mode_switched",
        turn_count=3,
        repairs={"finalMessages": 3},
    ),
    Case(
        name="mode-unknown-on-model-messages",
        quirk="Q7f",
        events=with_properties(_plain("mode-unknown-on-model-messages", range(1, 4)), "model", mode=None),
        turn_count=3,
        finals=_answers(3),
        repairs={"finalMessages": 3},
    ),
    Case(
        name="never-in-agent-mode",
        events=conversation("never-in-agent-mode", Turn(1, mode="ask"), Turn(2, mode="edit"), Turn(3, mode=None)),
        drop_reason=None,
        turn_count=0,
        repairs={},
    ),
    Case(
        name="other-sources-and-events",
        events=_plain("other-sources-and-events", range(1, 4))
        + tuple(
            replace(event, properties={**event.properties, "source": "offTopic"})
            for event in conversation("other-sources-and-events", Turn(4))
        )
        + tuple(
            replace(event, name=f"{PREFIX}inlineConversation.messageText")
            for event in conversation("other-sources-and-events", Turn(5))
        ),
        turn_count=3,
        finals=_answers(3),
        repairs={"finalMessages": 3},
    ),
)

PEOPLE = (
    Case(
        name="user-unknown",
        quirk="Q27",
        events=conversation("user-unknown", Turn(1, user_name="undefined"), Turn(2), Turn(3)),
        turn_count=3,
        finals=_answers(3),
        repairs={"finalMessages": 3},
        fields={"userName": "undefined"},
    ),
    Case(
        name="user-of-the-first-turn-left",
        quirk="Q27",
        events=conversation(
            "user-of-the-first-turn-left", Turn(1), Turn(1, user_name="ada2", at=900, id="again"), Turn(2), Turn(3)
        ),
        turn_count=3,
        finals=_answers(3),
        repairs={"retriedTurns": 1, "finalMessages": 3, "unattachedFinals": 1},
        fields={"userName": "ada2"},
    ),
    Case(
        name="no-conversation-id",
        id="",
        events=conversation(None, Turn(1, id="blank/1"))
        + conversation("", Turn(2, id="blank/2"), Turn(3, id="blank/3")),
        drop_reason="no_conversation_id",
        turn_count=3,
        repairs={"finalMessages": 3},
    ),
)

SCOPE = (*SIZES, *MODES, *PEOPLE)
