"""Turns that hold no secret may read as one when they are joined: no SFT line may."""

import polars as pl

from sft_pipeline.curation.requests import content_key, content_of
from sft_pipeline.curation.secrets import holds_secret
from sft_pipeline_tests.curation.requests_world import HISTORY_IN_CONTENT, asked, only, said

TALK = said("c", "Where does -----BEGIN PRIVATE KEY----- come from?", "And -----END PRIVATE KEY-----, what is that?")


def content(table: pl.DataFrame) -> pl.Series:
    return content_of(table, HISTORY_IN_CONTENT, "conversation_router")


def test_no_turn_of_it_holds_a_secret() -> None:
    assert not asked(TALK)["request"].to_frame().select(holds_secret(pl.col("request"))).to_series().any()


def test_joined_turns_are_redacted_and_known_by_what_stands_in_the_line() -> None:
    table = asked(TALK, plan=HISTORY_IN_CONTENT)
    lines = content(table)
    assert not lines.to_frame("text").select(holds_secret(pl.col("text"))).to_series().any()
    second = table["requestId"].to_list().index("c#2")
    assert lines[second] == "User: Where does [REDACTED:private_key], what is that?"
    assert only(table, "c#2")["contentKey"] == content_key(lines[second])


def test_a_plan_that_keeps_secrets_keeps_them() -> None:
    privacy = HISTORY_IN_CONTENT.privacy.model_copy(update={"secrets": "keep"})
    plan = HISTORY_IN_CONTENT.model_copy(update={"privacy": privacy})
    table = asked(TALK, plan=plan)
    assert not content_of(table, plan, "conversation_router").str.contains("REDACTED", literal=True).any()
