"""Facts of a file are the joined facts of its parts, wherever it is cut."""

import json

import pytest
from polars.testing import assert_frame_equal

from sft_pipeline.curation.records import record_lines
from sft_pipeline.curation.survey import Broken, join_surveys, survey_lines
from sft_pipeline_tests.conversations_world import conversation, conversations, turns_up_to
from sft_pipeline_tests.records_world import SMALL

BLANK_TURNS = [{**turn, "userMessage": ""} for turn in turns_up_to(3)]
LINES = [
    record_lines(conversations(conversation(f"c-{number}", turnsArray=BLANK_TURNS if number % 2 else turns_up_to(3))))
    for number in range(14)
]
LINES[3] = b"\n"
LINES[9] = b"{}\n"


@pytest.mark.parametrize("cut", range(len(LINES) + 1))
def test_the_parts_of_a_file_add_up_to_the_whole(cut: int):
    whole = survey_lines(b"".join(LINES), SMALL)
    parts = [survey_lines(b"".join(part), SMALL) for part in (LINES[:cut], LINES[cut:])]
    joined = join_surveys(parts, SMALL)
    assert (joined.lines, joined.odd, joined.broken) == (whole.lines, whole.odd, whole.broken)
    assert_frame_equal(joined.records, whole.records)


def test_a_survey_tells_odd_lines_from_1_and_the_first_broken_ids():
    survey = survey_lines(b"".join(LINES), SMALL)
    assert (survey.lines, survey.odd) == (14, (4, 10))
    assert survey.records["conversationId"].to_list() == [f"c-{number}" for number in range(14) if number not in {3, 9}]
    blank = survey.broken["every_turn_has_a_user_message"]
    assert blank == Broken(5, ("c-1", "c-5", "c-7", "c-11", "c-13"))
    assert survey.broken["first_turn_is_1"] == Broken(0, ())


def test_a_join_keeps_the_first_five_of_everything():
    joined = join_surveys([survey_lines(LINES[1] + b"\n", SMALL)] * 7, SMALL)
    assert joined.odd == (2, 4, 6, 8, 10)
    assert joined.broken["every_turn_has_a_user_message"] == Broken(7, ("c-1",) * 5)


def test_a_record_without_an_id_is_told_as_null():
    line = json.dumps({**json.loads(LINES[0]), "conversationId": None}, separators=(",", ":")).encode() + b"\n"
    survey = survey_lines(line, SMALL)
    assert survey.odd == ()
    assert survey.broken["required_fields_are_present"] == Broken(1, ("null",))


def test_nothing_has_no_facts():
    survey = join_surveys([], SMALL)
    assert (survey.lines, survey.odd, survey.records.height) == (0, (), 0)
    assert all(broken == Broken() for broken in survey.broken.values())
