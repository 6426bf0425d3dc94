"""A message that nobody would see is none; one that holds such characters among others is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.validating import violations
from sft_pipeline_tests.conversations_world import PLAN, conversations
from sft_pipeline_tests.curation.counter_examples import broken_rules, good, messages, with_turn_2

INVISIBLE = [
    *("", " ", "\n\t\r", "\u00a0", "\u200b", "\u3164", "\ufeff\u2060", " \u200d \u3000", "\u2028", "\u00ad"),
    *("\u2066\u2069", "\u061c", "\u115f", "\u1160", "\uffa0", "\u2800", "\u034f", "\ufe0f", "\x00", "\x1b"),
    *("\U000e0020", "\u0085", "\u180e", "\u200b" * 10_000),
]
VISIBLE = [
    ".",
    "a\u200bb",
    "\u00a0x\u00a0",
    "👩\u200d💻",
    "❤\ufe0f",
    "\u3164hi",
    "한",
    "0",
    "\n?\n",
    "\u0645",
    "́a",
    "\\n",
]


class TestBlankMessages:
    @pytest.mark.parametrize("text", INVISIBLE, ids=lambda text: text[:4].encode("unicode_escape").decode())
    def test_fault_26_what_nobody_would_see_is_no_message(self, text: str) -> None:
        assert messages(good(turnsArray=with_turn_2(userMessage=text))) == ["Empty userMessage in 1 turns"]

    @pytest.mark.parametrize("text", VISIBLE, ids=lambda text: text.encode("unicode_escape").decode())
    def test_visible_text_with_such_characters_inside_is_one(self, text: str) -> None:
        assert messages(good(turnsArray=with_turn_2(userMessage=text, modelMessage=text))) == []

    def test_the_same_goes_for_user_names_and_ids(self) -> None:
        assert messages(good(userName="\u200b\u3164"))[0] == "Missing required fields: userName"
        assert messages(good(conversationId="\u00a0"))[0] == "Missing required fields: conversationId"

    def test_a_user_that_the_client_did_not_know_is_there(self) -> None:
        rows = conversations(good(userName="undefined"))
        assert violations(rows, conversation_rules(PLAN), PLAN).is_empty()

    @given(st.text(st.sampled_from("".join(INVISIBLE[:20])), max_size=20))
    def test_any_mixture_of_them_is_no_message(self, text: str) -> None:
        assert broken_rules(good(turnsArray=with_turn_2(userMessage=text))) == ["every_turn_has_a_user_message"]

    @given(st.text(st.sampled_from("".join(INVISIBLE[:20])), max_size=9), st.characters(categories=["L", "N", "P"]))
    def test_one_letter_among_them_makes_a_message(self, text: str, letter: str) -> None:
        if letter not in "\u115f\u1160\u3164\uffa0":  # letters to Unicode, and invisible
            assert broken_rules(good(turnsArray=with_turn_2(userMessage=text + letter + text))) == []
