"""Which of several copies stays."""

from itertools import permutations

from sft_pipeline.telemetry.sessions.conversations import Call, Conversation, Turn, copy_keys, kept_copies


def conversation(
    conversation_id: str,
    *texts: str,
    sessions: tuple[str, ...] = (),
    requests: tuple[str, ...] = (),
    tokens: int | None = None,
) -> Conversation:
    turns = tuple(Turn(userMessage=text, mode="agent", calls=(Call(promptTokens=tokens),)) for text in texts)
    keys = copy_keys(session_ids=sessions, request_ids=requests)
    return Conversation(conversationId=conversation_id, turns=turns, copyKeys=keys)


def test_conversations_that_share_nothing_all_stay():
    assert kept_copies([conversation("a", "x"), conversation("b", "x"), conversation("c", "x")]) == [0, 1, 2]


def test_a_shared_id_of_any_kind_makes_copies():
    assert kept_copies([conversation("a", "x"), conversation("a", "x", "y")]) == [1, 1]
    assert kept_copies([conversation("a", "x", requests=("r",)), conversation("b", "x", "y", requests=("q", "r"))]) == [
        1,
        1,
    ]
    assert kept_copies([conversation("a", "x", "y", sessions=("s",)), conversation("b", "x", sessions=("s",))]) == [
        0,
        0,
    ]
    assert kept_copies([conversation("a", "x", "y"), conversation("b", "x", sessions=("a",))]) == [0, 0]


def test_request_and_session_ids_are_not_mixed_up():
    assert kept_copies([conversation("a", "x", requests=("n",)), conversation("b", "x", sessions=("n",))]) == [0, 1]


def test_copies_are_found_through_a_third():
    first, last = conversation("a", "x", requests=("1",)), conversation("b", "x", "y", requests=("2",))
    assert kept_copies([first, last, conversation("c", "x", requests=("1", "2"))]) == [1, 1, 1]


def test_among_equally_many_turns_token_counts_then_text_decide():
    told = conversation("a", "x", tokens=5)
    assert kept_copies([conversation("a", "xxxx"), told]) == [1, 1]
    assert kept_copies([conversation("a", "xxxx"), conversation("a", "x")]) == [0, 0]


def test_the_choice_does_not_depend_on_the_order():
    copies = [conversation("a", "one"), conversation("a", "two"), conversation("a", "six"), conversation("b", "one")]
    chosen = {
        frozenset(order[kept].turns[0].userMessage + order[kept].conversationId for kept in kept_copies(order))
        for order in permutations(copies)
    }
    assert len(chosen) == 1
