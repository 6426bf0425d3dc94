"""From conversations to requests: what is judged of a split, in which order, and what is left out and why.

Belongs here: choosing conversations, priorities, content and its key, reasons to leave out.
Does not belong here: what was said before (history), what clients told of the work (signals), judging (judging).
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from hashlib import sha256

import polars as pl

from sft_pipeline.curation.hashing import priorities
from sft_pipeline.curation.history import histories
from sft_pipeline.curation.judging import looks_like_an_order
from sft_pipeline.curation.line_tokens import estimated_line_tokens
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.router_tables import Request
from sft_pipeline.curation.routers import RouterName, Routers
from sft_pipeline.curation.rules import BLANK
from sft_pipeline.curation.secrets import redacted
from sft_pipeline.curation.signals import complexity, model_class, signals
from sft_pipeline.curation.tables import schema_of

CONTINUATION, EMPTY, TOO_LONG, SAME_TEXT = "continuation", "empty", "too_long", "same_text"
POSITIONS: tuple[str, ...] = ("early", "mid", "late")

CONVERSATIONS_PER_PIECE = 2_000
"""Histories are made of a piece at a time: rendered whole, the turns before each turn are a multiple of all texts."""

_NEEDED: tuple[str, ...] = ("conversationId", "bucket", "turnCount", "turnsArray")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Unicode's Default_Ignorable_Code_Point, zero-width characters among them."""


def routers_of(plan: Plan) -> Routers:
    """The plan's knobs of the routers.

    Raises:
        Refused: it has none.
    """
    if plan.routers is None:
        raise Refused(f"plan {plan.name} has no [routers]", remedy="add the section, as the demo plan has it")
    return plan.routers


def higher_splits(plan: Plan, split: str) -> tuple[str, ...]:
    """The splits whose texts go before this one's, the highest first: the plan's last split keeps all its texts."""
    return tuple(reversed(plan.splits[plan.splits.index(split) + 1 :]))


def choose_conversations(candidates: pl.DataFrame, plan: Plan, router: RouterName, split: str) -> pl.DataFrame:
    """The conversations of a split that requests are made of: conversationId, bucket, split, and the chunk to read.

    The session router takes all; the conversation router of each bucket as many as the plan says (source 003,
    strategy 1), the lowest by their rank under the routers' salt, so that a larger number keeps the smaller one's.

    Args:
        candidates: columns of `Candidate`.
        plan: how many, and the salt.
        router: which one.
        split: a split that the plan does not give a number for has none in the conversation router.
    """
    of_split = candidates.filter(split=split).select("conversationId", "bucket", "split", "chunk")
    if router == "session_router":
        return of_split.sort("conversationId")
    routers = routers_of(plan)
    wanted = routers.conversation_router.conversations.get(split, {})
    ranks = priorities(of_split["conversationId"], salt=routers.salt)
    ordered = of_split.with_columns(ranks).sort("priority", "conversationId").drop("priority")
    chosen = [ordered.filter(bucket=bucket).head(number) for bucket, number in wanted.items()]
    return pl.concat([ordered.clear(), *chosen])


def trimmed(conversations: pl.LazyFrame, router: RouterName) -> pl.LazyFrame:
    """The columns, turns and calls of `Conversation` that requests are made of: the rest need not be kept in memory."""
    turns = pl.col("turnsArray")
    if router == "session_router":
        turns = turns.list.head(1)
    calls = pl.element().struct.field("llmCalls").list.head(1)
    return conversations.select(_NEEDED).with_columns(turns.list.eval(pl.element().struct.with_fields(llmCalls=calls)))


def requests_of(
    conversations: pl.DataFrame, plan: Plan, router: RouterName, split: str, taken: Mapping[str, str]
) -> pl.DataFrame:
    """All requests of a split's conversations by priority, those left out with the reason.

    The priority is the hash of the text, not of the request: of requests with one text the first alone is judged, and
    a text that many sent would otherwise come early.

    Reasons, the first that holds: a button press (`continuation`), nothing to see (`empty`), an SFT line above the
    plan's limit (`too_long`), a text of a split that goes before (`same_text_in_<split>`), a text that stands earlier
    in this order (`same_text`). So no text is judged as two requests, nor stands in two splits.

    Args:
        conversations: columns of `Conversation`, at least those that `trimmed` leaves; the chosen ones.
        plan: limits, salt, and what is content.
        router: the session router asks for first turns alone.
        split: of all the conversations.
        taken: contentKey -> the highest split that has it, of `content_keys` of the `higher_splits`.
    """
    routers = routers_of(plan)
    rows = pl.concat([_described(piece, plan, router) for piece in _pieces(conversations)])
    ranked = rows.with_columns(priorities(rows["contentKey"], salt=routers.salt), split=pl.lit(split))
    ordered = ranked.sort("priority", "requestId")
    holders = pl.DataFrame([[*taken], [*taken.values()]], schema={"contentKey": pl.String(), "holder": pl.String()})
    told = ordered.join(holders, on="contentKey", how="left", maintain_order="left").with_columns(
        leftOut=pl.coalesce("leftOut", pl.lit("same_text_in_") + pl.col("holder"))
    )
    judgeable = pl.when(pl.col("leftOut").is_null()).then("contentKey")
    again = judgeable.is_not_null() & ~judgeable.is_first_distinct()
    return told.with_columns(leftOut=pl.when(again).then(pl.lit(SAME_TEXT)).otherwise("leftOut")).select(
        schema_of(Request).names()
    )


def content_keys(conversations: pl.DataFrame, plan: Plan, router: RouterName) -> pl.Series:
    """The texts that a split takes from those that go after it: the contentKey of all that could be judged, each once.

    Args:
        conversations: as `requests_of` takes them.
        plan: limits, and what is content.
        router: which one.
    """
    routers = routers_of(plan)
    needs_history = router == "conversation_router" and routers.conversation_router.content == "history_and_request"
    pieces = [_rows(piece, plan, router, with_history=needs_history) for piece in _pieces(conversations)]
    judgeable = [rows.filter(pl.col("leftOut").is_null())["contentKey"] for rows in pieces]
    return pl.concat(judgeable).unique(maintain_order=True)


def content_of(requests: pl.DataFrame, plan: Plan, router: RouterName) -> pl.Series:
    """What stands as the user's message in the SFT lines of requests: the request, or after it what the judge saw.

    Args:
        requests: request and history of `Request`.
        plan: says which, for the conversation router.
        router: which one.
    """
    return requests.select(content=_content(plan, router))["content"]


def content_key(content: str) -> str:
    """SHA-256 of a content as `normalised`: equal keys are the same text to a reader."""
    return sha256(normalised(content).encode("utf-8", "surrogatepass")).hexdigest()


def normalised(text: str) -> str:
    """A text less what a reader does not see or mind: NFKC, case folded, white space as one space, none around it."""
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _pieces(conversations: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """At least one, so that no conversations have a frame of their own too."""
    for offset in range(0, max(conversations.height, 1), CONVERSATIONS_PER_PIECE):
        yield conversations.select(_NEEDED).slice(offset, CONVERSATIONS_PER_PIECE)


def _rows(conversations: pl.DataFrame, plan: Plan, router: RouterName, *, with_history: bool) -> pl.DataFrame:
    """A row per turn that the router looks at: its fields, request, history, contentKey, and why it is not judged."""
    routers = routers_of(plan)
    first = pl.col("turnsArray").list.head(1)
    of_router = conversations.with_columns(first) if router == "session_router" else conversations
    turns = of_router.explode("turnsArray").drop_nulls("turnsArray").unnest("turnsArray")
    history = histories(turns, routers.conversation_router.history) if with_history else pl.lit("")
    rows = turns.with_columns(request=pl.col("userMessage").fill_null(""), history=history)
    content = _content(plan, router)
    keys = [content_key(text) for text in rows.select(content).to_series()]
    return rows.with_columns(
        pl.Series("contentKey", keys, pl.String()), leftOut=_reason(content, routers.training.max_line_tokens)
    )


def _described(conversations: pl.DataFrame, plan: Plan, router: RouterName) -> pl.DataFrame:
    """The columns of `Request` that follow from a conversation alone; leftOut without the texts that stand twice."""
    routers = routers_of(plan)
    rows = _rows(conversations, plan, router, with_history=router == "conversation_router")
    third = pl.col("turnIndex").sub(1).mul(len(POSITIONS)).floordiv("turnCount")
    orders = pl.Series("suspect", [looks_like_an_order(text) for text in rows["request"]], pl.Boolean())
    shown = range(1, routers.conversation_router.history.turns + 1)
    before = [pl.col("suspect").shift(turn, fill_value=False).over("conversationId") for turn in shown]
    described = rows.with_columns(
        *signals(),
        model_class(routers),
        orders,
        requestId=pl.format("{}#{}", "conversationId", "turnIndex"),
        turnPosition=third.replace_strict(dict(enumerate(POSITIONS)), return_dtype=pl.String()),
    ).with_columns(complexity(), suspect=pl.any_horizontal("suspect", *before))
    return described.select(name for name in schema_of(Request).names() if name in described.columns)


def _content(plan: Plan, router: RouterName) -> pl.Expr:
    if router == "session_router" or routers_of(plan).conversation_router.content == "request":
        return pl.col("request")
    said_before = pl.when(pl.col("history") != "").then("history")
    content = pl.concat_str(said_before, "request", separator="\n\n", ignore_nulls=True)
    # Turns without a secret may read as one when they are joined, as the first and the last line of a key.
    return redacted(content) if plan.privacy.secrets == "redact" else content


def _reason(content: pl.Expr, max_tokens: int) -> pl.Expr:
    """Why a turn cannot be judged, whatever other turns hold."""
    return (
        pl.when(pl.col("isContinuation"))
        .then(pl.lit(CONTINUATION))
        .when(pl.col("request").str.contains(BLANK))
        .then(pl.lit(EMPTY))
        .when(estimated_line_tokens(content) > max_tokens)
        .then(pl.lit(TOO_LONG))
    )
