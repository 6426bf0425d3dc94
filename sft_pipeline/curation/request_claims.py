"""What must be true of a split's requests and of the files of its training sets.

Belongs here: claims that need no judge. Does not belong here: those over labels (label_claims, training_claims).
"""

from collections.abc import Mapping, Sequence

import polars as pl

from sft_pipeline.curation.claims import SAME_BYTES, Claim, Outcome, same_bytes
from sft_pipeline.curation.hashing import priorities
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import choose_conversations, routers_of
from sft_pipeline.curation.routers import RouterName
from sft_pipeline.curation.validating import IDS_SHOWN

RANKED = Claim("requests_are_in_priority_order", "Requests stand in the order of the hashes of their texts, none twice")
NO_TURN_LOST = Claim("no_turn_is_lost", "Every turn that the router looks at is a request, judged or left out")
TEXTS_ONCE = Claim("no_text_is_judged_twice", "No two requests that can be judged have the same text")
OF_THIS_TRAINING_SET = Claim("files_are_of_this_training_set", "Both files were written from the training set of now")

FILES_OF_A_VARIANT = 2
"""The SFT lines, and the table of labels beside them."""

REQUEST_CLAIMS: tuple[Claim, ...] = (RANKED, NO_TURN_LOST, TEXTS_ONCE)
FILE_CLAIMS: tuple[Claim, ...] = (SAME_BYTES, OF_THIS_TRAINING_SET)


def requests_are_in_priority_order(requests: pl.DataFrame, plan: Plan) -> Outcome:
    """Compute the priorities anew and compare the order; equal priorities stand by id."""
    ranked = requests.select(
        "requestId", "priority", expected=priorities(requests["contentKey"], salt=routers_of(plan).salt)
    )
    place = pl.struct("priority", "requestId")
    odd = ranked.filter(
        (pl.col("priority") != pl.col("expected"))
        | ~pl.col("requestId").is_first_distinct()
        | (place.rank("ordinal") != pl.int_range(1, pl.len() + 1))
    )
    return Outcome(RANKED.name, odd.height, _ids(odd))


def no_turn_is_lost(
    requests: pl.DataFrame, candidates: pl.DataFrame, plan: Plan, of: tuple[RouterName, str]
) -> Outcome:
    """Compare the requests of each conversation with its turns from 1 on; the session router looks at first ones alone.

    Args:
        requests: `Request` rows.
        candidates: `Candidate` rows of the window.
        plan: which conversations are chosen.
        of: the router and the split.
    """
    chosen = choose_conversations(candidates, plan, *of).select("conversationId")
    turns = pl.lit(1) if of[0] == "session_router" else pl.col("turnCount")
    wanted = candidates.join(chosen, on="conversationId", how="semi").select(
        "conversationId", want=turns.cast(pl.Int64())
    )
    turn = pl.col("turnIndex").sort()
    have = requests.group_by("conversationId").agg(
        have=pl.len().cast(pl.Int64()), counted=(turn == pl.int_range(1, pl.len() + 1)).all()
    )
    both = wanted.join(have, on="conversationId", how="full", coalesce=True)
    odd = both.filter(pl.col("want").ne_missing(pl.col("have")) | ~pl.col("counted")).sort("conversationId")
    ids = tuple(odd["conversationId"].head(IDS_SHOWN))
    return Outcome(
        NO_TURN_LOST.name, odd.height, ids, f"{requests.height:,} requests of {wanted.height:,} conversations"
    )


def no_text_is_judged_twice(requests: pl.DataFrame) -> Outcome:
    """Find requests that can be judged whose text stands before."""
    judgeable = requests.filter(pl.col("leftOut").is_null())
    odd = judgeable.filter(~pl.col("contentKey").is_first_distinct())
    return Outcome(TEXTS_ONCE.name, odd.height, _ids(odd), f"{judgeable.height:,} can be judged")


def files_have_their_hashes(
    claimed: Sequence[Mapping[str, object]], found: Mapping[str, Mapping[str, object]]
) -> Outcome:
    """Compare what `SftArtifact` rows claim of their files with the files, by where they lie."""
    outcomes = [(row["path"], same_bytes(row, found.get(str(row["origin"])))) for row in claimed]
    told = "; ".join(f"{path}: {outcome.detail}" for path, outcome in outcomes if outcome.broken)
    return Outcome(SAME_BYTES.name, sum(outcome.broken for _, outcome in outcomes), detail=told)


def files_are_of_this_training_set(versions: Sequence[str], now: str) -> Outcome:
    """Compare the version of the training set that each file was written from with the one of now."""
    odd = sum(version != now for version in versions) + abs(FILES_OF_A_VARIANT - len(versions))
    return Outcome(OF_THIS_TRAINING_SET.name, odd, detail=f"training set {now[:12]}")


def _ids(odd: pl.DataFrame) -> tuple[str, ...]:
    return tuple(odd["requestId"].head(IDS_SHOWN))
