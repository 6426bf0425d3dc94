"""Answers that cannot be read are refused by name; odd texts come through."""

import json
from collections.abc import Callable

import polars as pl
import pytest

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.tables import QUERY_COLUMNS
from sft_pipeline.curation.turns import decode
from sft_pipeline_tests.conversations_world import (
    nested_as_objects,
    nested_as_strings,
    query_row,
    query_rows,
    turn_json,
)
from sft_pipeline_tests.curation.decoding import both_nestings, decoded_turns

UNSHOWN = "do not show this"


def refusal(rows: pl.DataFrame) -> str:
    with pytest.raises(Refused) as caught:
        decode(rows)
    assert caught.value.remedy
    return str(caught.value)


class TestRefusals:
    @pytest.mark.parametrize("column", QUERY_COLUMNS.names())
    def test_fault_15_a_missing_column_is_named(self, column: str) -> None:
        assert f"{column} (missing, not {QUERY_COLUMNS[column]})" in refusal(query_rows().drop(column))

    @pytest.mark.parametrize("column", QUERY_COLUMNS.names())
    def test_a_column_of_another_type_is_named_with_both(self, column: str) -> None:
        rows = query_rows().with_columns(pl.lit(1.5).alias(column))
        assert f"{column} (Float64, not {QUERY_COLUMNS[column]})" in refusal(rows)

    def test_all_odd_columns_are_named_at_once(self) -> None:
        told = refusal(query_rows().drop("turnCount", "models"))
        assert "turnCount" in told
        assert "models" in told
        assert "userName" not in told

    def test_columns_in_another_order_and_a_new_one_are_no_reason(self) -> None:
        rows = query_rows(query_row("c-1")).with_columns(novelty=pl.lit(1))
        assert decode(rows.select(reversed(rows.columns))).candidates.height == 1

    @pytest.mark.parametrize(
        "text",
        [
            nested_as_objects([turn_json(1, userMessage=UNSHOWN)])[:-20],
            nested_as_objects([turn_json(1, userMessage=UNSHOWN, turnIndex="first")]),
            nested_as_objects([turn_json(1, userMessage=UNSHOWN, toolCounts={"read_file": 1})]),
            nested_as_objects([turn_json(1, userMessage=UNSHOWN)]).replace("[{", "[1,{", 1),
            json.dumps({"userMessage": UNSHOWN}),
            json.dumps([UNSHOWN]),
            json.dumps(UNSHOWN),
            f'[{{"userMessage":"{UNSHOWN}","promptTokens":1e400}}]',
            f'[{{"userMessage":"{UNSHOWN}","deep":{"[" * 100_000}{"]" * 100_000}}}]',
        ],
        ids=["cut off", "index", "object", "number", "no array", "text", "only text", "1e400", "too deep"],
    )
    def test_fault_16_and_30_what_holds_no_turns_is_named_by_id_and_never_shown(self, text: str) -> None:
        """Regression: the JSON decoder's own error quotes the turn that it could not read."""
        rows = query_rows(query_row("c-good"), query_row("c-odd", turnsArray=text))
        with pytest.raises(Refused) as caught:
            decode(rows)
        told = str(caught.value)
        assert "1 conversations: c-odd" in told
        assert UNSHOWN not in told
        assert caught.value.__suppress_context__
        assert caught.value.__cause__ is None

    def test_a_mixture_of_both_nestings_is_refused(self) -> None:
        texts = [nest([turn_json(1, userMessage=UNSHOWN)]) for nest in (nested_as_objects, nested_as_strings)]
        told = refusal(query_rows(*(query_row("c-1", turnsArray=text) for text in texts)))
        assert "some nested as objects and others as strings" in told
        assert UNSHOWN not in told

    def test_at_most_five_ids_are_named(self) -> None:
        told = refusal(query_rows(*(query_row(f"c-{number}", turnsArray="[1,") for number in range(7))))
        assert "7 conversations: c-0, c-1, c-2, c-3, c-4\n" in told


class TestTexts:
    TEXTS = (
        'she said "no" and \\ went',
        "line\nbreak\r\nand\ttab",
        "separators \u2028 and \u2029",
        "NUL \x00 and \x1f",
        "emoji 👩\u200d💻 and \U0010ffff",
        "\ufeffBOM",
        '["{\\"turnIndex\\":9}"]',
        "\u0645\u0631\u062d\u0628\u0627 עברית 中文",
        "",
        "x" * 100_000,
    )

    @both_nestings
    @pytest.mark.parametrize("ascii_only", [True, False])
    def test_fault_28_texts_come_through_unchanged(self, nest: Callable[..., str], *, ascii_only: bool) -> None:
        turns = [turn_json(number, userMessage=text, modelMessage=text) for number, text in enumerate(self.TEXTS, 1)]
        found = decoded_turns(nest(turns, ascii_only=ascii_only))
        assert [turn["userMessage"] for turn in found] == list(self.TEXTS)
        assert [turn["modelMessage"] for turn in found] == list(self.TEXTS)

    def test_fault_28_an_escaped_lone_surrogate_does_not_crash(self) -> None:
        """Polars 2.1 reads it as NUL; Kusto sends none."""
        (turn,) = decoded_turns('[{"turnIndex":1,"userMessage":"a\\ud800b"}]')
        assert turn["userMessage"] == "a\x00b"

    def test_a_repeated_key_does_not_crash(self) -> None:
        assert [turn["turnIndex"] for turn in decoded_turns('[{"turnIndex":1,"turnIndex":2}]')] in ([1], [2])
