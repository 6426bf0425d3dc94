"""Cases about which conversations are whole: lost turns, the edges of the window, the order of reasons."""

from datetime import datetime

from sft_pipeline_tests.cases.case import Case
from sft_pipeline_tests.cases.emission import BEGIN, WINDOW_END, WINDOW_START, Turn, conversation
from sft_pipeline_tests.cases.event import with_properties


def _told_at(moment: datetime) -> float:
    """The `at` of a turn whose first round is told at this moment."""
    return (moment - BEGIN).total_seconds() - 10


HOLES = (
    Case(
        name="head-lost",
        quirk="Q7b",
        events=conversation("head-lost", *(Turn(index) for index in range(2, 6))),
        drop_reason="head_missing",
        turn_count=4,
        repairs={"finalMessages": 4},
        fields={"minTurnIndex": 2, "maxTurnIndex": 5},
    ),
    Case(
        name="begun-before-the-window",
        quirk="Q7d",
        events=conversation(
            "begun-before-the-window", Turn(1, at=_told_at(WINDOW_START) - 3600), Turn(2), Turn(3), Turn(4)
        ),
        drop_reason="head_missing",
        turn_count=3,
        repairs={"finalMessages": 3},
        fields={"minTurnIndex": 2},
    ),
    Case(
        name="a-moment-before-the-window",
        quirk="Q18",
        events=conversation(
            "a-moment-before-the-window", Turn(1, at=_told_at(WINDOW_START) - 0.001), Turn(2), Turn(3), Turn(4)
        ),
        drop_reason="head_missing",
        turn_count=3,
        repairs={"finalMessages": 3, "unattachedFinals": 1},
        fields={"minTurnIndex": 2},
    ),
    Case(
        name="at-the-window-start",
        events=conversation("at-the-window-start", Turn(1, at=_told_at(WINDOW_START)), Turn(2), Turn(3)),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"finalMessages": 3},
        fields={"firstTime": WINDOW_START},
    ),
    Case(
        name="at-the-window-end",
        quirk="Q23",
        events=conversation("at-the-window-end", Turn(1), Turn(2), Turn(3), Turn(4, at=_told_at(WINDOW_END))),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"finalMessages": 3},
    ),
    Case(
        name="a-moment-before-the-end",
        quirk="Q23",
        events=conversation(
            "a-moment-before-the-end", Turn(1), Turn(2), Turn(3), Turn(4, at=_told_at(WINDOW_END) - 0.001)
        ),
        turn_count=4,
        finals=("Answer 1", "Answer 2", "Answer 3", "Answer 4"),
        repairs={"finalMessages": 3},
        turns={4: {"responseType": None, "llmCallCount": 1}},
    ),
    Case(
        name="turn-lost",
        quirk="Q7a",
        events=conversation("turn-lost", Turn(1), Turn(2), Turn(4)),
        drop_reason="turn_missing",
        turn_count=3,
        repairs={"finalMessages": 3},
        fields={"minTurnIndex": 1, "maxTurnIndex": 4, "capturedTurnCount": 3},
    ),
    Case(
        name="turn-index-lost",
        quirk="Q7b",
        events=conversation("turn-index-lost", Turn(1), Turn(2))
        + with_properties(conversation("turn-index-lost", Turn(3)), "user", turnIndex=None)
        + conversation("turn-index-lost", Turn(4)),
        drop_reason="turn_missing",
        turn_count=3,
        repairs={"finalMessages": 3, "unattachedFinals": 1},
    ),
    Case(
        name="holes-before-size",
        quirk="Q7a",
        events=conversation("holes-before-size", Turn(1), Turn(3)),
        drop_reason="turn_missing",
        turn_count=2,
        repairs={"finalMessages": 2},
    ),
    Case(
        name="turns-in-one-instant",
        events=conversation("turns-in-one-instant", Turn(1), Turn(2), Turn(3, at=1200)),
        turn_count=3,
        finals=("Answer 1", "Answer 2", "Answer 3"),
        repairs={"finalMessages": 3},
    ),
    Case(
        name="order-before-size",
        quirk="Q8",
        events=conversation("order-before-size", Turn(1), Turn(2), Turn(1, at=2400, id="again")),
        drop_reason="turns_out_of_order",
        turn_count=2,
        repairs={"retriedTurns": 1, "finalMessages": 2, "unattachedFinals": 1},
    ),
)
