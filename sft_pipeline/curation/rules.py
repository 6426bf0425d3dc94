"""What must be true of every conversation: each rule once, for the writer that raises, the checks and the tests.

Belongs here: rules over rows of `Conversation` frames.
Does not belong here: what becomes of rows that break them (validating), column types (tables), rules that need two
stored tables (orchestration.checks).
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from sft_pipeline.curation.hashing import chunks_of
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.secrets import turns_with_secrets

BLANK = r"^[\s\p{Cc}\p{Default_Ignorable_Code_Point}\u{2800}]*$"
"""Nothing a person would see: white space, controls, what Unicode tells to show as nothing, the empty Braille cell."""

PSEUDONYM = r"^user-[0-9a-f]{24}$"
"""The shape of all pseudonyms (curation.privacy makes them)."""


@dataclass(frozen=True)
class Rule:
    """A statement that is true of good records.

    Args:
        name: the statement as an identifier; the asset check has the same name.
        statement: the statement as a sentence.
        severity: a fatal rule keeps a record out, a warning is counted.
        broken: true on rows that break it; null counts as broken.
        message: what is wrong with such a row, without text or names.
    """

    name: str
    statement: str
    severity: Literal["fatal", "warning"]
    broken: pl.Expr
    message: pl.Expr


def conversation_rules(plan: Plan) -> tuple[Rule, ...]:
    """The rules of a record (requirements of the curated dataset), in the order in which errors are told."""
    return (*_identity_rules(), *_turn_rules(plan), *_privacy_rules(plan), *_warnings())


def _identity_rules() -> tuple[Rule, ...]:
    required = ("conversationId", "userName", "bucket", "turnsArray")
    missing = [
        pl.when(_is_missing(field)).then(pl.lit(field)).otherwise(pl.lit(None, pl.String())) for field in required
    ]
    return (
        Rule(
            "required_fields_are_present",
            "conversationId, userName, bucket and turnsArray are there and not empty",
            "fatal",
            pl.any_horizontal(*[_is_missing(field) for field in required]),
            pl.format("Missing required fields: {}", pl.concat_list(missing).list.drop_nulls().list.join(", ")),
        ),
        Rule(
            "ids_are_unique",
            "No conversationId stands twice",
            "fatal",
            pl.col("conversationId").is_duplicated(),
            pl.lit("Duplicate conversationId"),
        ),
        Rule(
            "split_matches_hash",
            "The split is the one that the hash of the split key gives",
            "fatal",
            pl.col("split") != pl.col("_expectedSplit"),
            pl.format("Split mismatch: {} by hash is in {}", pl.col("_expectedSplit"), pl.col("split")),
        ),
    )


def _turn_rules(plan: Plan) -> tuple[Rule, ...]:
    indices = pl.col("turnsArray").list.eval(pl.element().struct.field("turnIndex"))
    count = pl.col("turnsArray").list.len()
    return (
        Rule(
            "conversation_is_complete",
            "minTurnIndex is 1 and capturedTurnCount equals maxTurnIndex",
            "fatal",
            (pl.col("minTurnIndex") != 1) | (pl.col("capturedTurnCount") != pl.col("maxTurnIndex")),
            pl.format("Incomplete: {} of {} turns captured", pl.col("capturedTurnCount"), pl.col("maxTurnIndex")),
        ),
        Rule(
            "first_turn_is_1",
            "The first turn has turnIndex 1",
            "fatal",
            indices.list.first() != 1,
            pl.format("First turn has index {}", indices.list.first()),
        ),
        Rule(
            "turns_are_sequential",
            "Turn indices are 1, 2, 3 ... without gap or repeat",
            "fatal",
            indices.list.eval(pl.element().ne_missing(pl.int_range(1, pl.len() + 1))).list.any(),
            pl.lit("Turn indices are not sequential"),
        ),
        Rule(
            "turn_count_matches_turns",
            "turnCount is the number of turns",
            "fatal",
            pl.col("turnCount") != count,
            pl.format("Turn count mismatch: turnCount is {}, turnsArray has {} turns", pl.col("turnCount"), count),
        ),
        Rule(
            "bucket_matches_turn_count",
            "turnCount lies in the range of the bucket",
            "fatal",
            ~_in_bucket(plan),
            pl.format("Bucket mismatch: {} bucket has {} turns", pl.col("bucket"), pl.col("turnCount")),
        ),
        Rule(
            "every_turn_has_a_user_message",
            "Every turn has a userMessage that a person would see; white space and zero-width characters do not count",
            "fatal",
            _turns_with_blank("userMessage") > 0,
            pl.format("Empty userMessage in {} turns", _turns_with_blank("userMessage")),
        ),
    )


def _privacy_rules(plan: Plan) -> tuple[Rule, ...]:
    """What must not leave, as far as the plan says so."""
    pseudonyms = Rule(
        "user_names_are_pseudonyms",
        "userName, where there is one, is a pseudonym: user- and 24 hex digits",
        "fatal",
        ~(pl.col("userName").str.contains(PSEUDONYM) | pl.col("userName").str.contains(BLANK)),
        pl.lit("userName is no pseudonym"),
    )
    no_secrets = Rule(
        "no_secrets",
        "No userMessage and no modelMessage holds a secret of a known kind",
        "fatal",
        turns_with_secrets() > 0,
        pl.format("Secrets in {} turns", turns_with_secrets()),
    )
    return (
        *([pseudonyms] if plan.privacy.user_names == "pseudonym" else []),
        *([no_secrets] if plan.privacy.secrets == "redact" else []),
    )


def _warnings() -> tuple[Rule, ...]:
    return (
        Rule(
            "every_turn_has_a_model_message",
            "Every turn has a modelMessage; tool-only turns have none",
            "warning",
            _turns_with_blank("modelMessage") > 0,
            pl.format("Empty modelMessage in {} turns", _turns_with_blank("modelMessage")),
        ),
        Rule(
            "prompt_tokens_are_positive",
            "promptTokens is known and above 0",
            "warning",
            (pl.col("promptTokens") > 0).not_(),
            pl.format("promptTokens is {}", pl.col("promptTokens").cast(pl.String()).fill_null("unknown")),
        ),
        Rule(
            "completion_tokens_are_not_negative",
            "completionTokens is known and at least 0",
            "warning",
            (pl.col("completionTokens") >= 0).not_(),
            pl.format("completionTokens is {}", pl.col("completionTokens").cast(pl.String()).fill_null("unknown")),
        ),
    )


def chunk_rule(chunk: int, count: int) -> Rule:
    """The rule of a chunk: its conversations are those whose hash says so, so that chunks never overlap."""
    ids = pl.col("conversationId")
    return Rule(
        "chunk_matches_hash",
        "Every conversation belongs to this chunk by the hash of its id",
        "fatal",
        ids.is_null() | (ids.map_batches(lambda column: chunks_of(column, count=count), pl.Int64()) != chunk),
        pl.format("Not of chunk {} of {} by hash", pl.lit(chunk), pl.lit(count)),
    )


def split_rule(split: str) -> Rule:
    """The rule of a sample: all of it is of one split."""
    return Rule(
        "sample_is_of_its_split",
        "Every conversation of the sample is of the sample's split",
        "fatal",
        pl.col("split") != split,
        pl.format("{} conversation in a sample of {}", pl.col("split"), pl.lit(split)),
    )


def _is_missing(field: str) -> pl.Expr:
    empty = pl.col(field).list.len() == 0 if field == "turnsArray" else pl.col(field).str.contains(BLANK)
    return empty.fill_null(value=True)


def _in_bucket(plan: Plan) -> pl.Expr:
    return pl.any_horizontal(
        *[(pl.col("bucket") == bucket.name) & pl.col("turnCount").is_between(*bucket.turns) for bucket in plan.buckets]
    )


def _turns_with_blank(field: str) -> pl.Expr:
    blank = pl.element().struct.field(field).str.contains(BLANK).fill_null(value=True)
    return pl.col("turnsArray").list.eval(blank).list.sum()
