"""What must be true of stored tables and between them: the statements that asset checks report on.

Belongs here: claims that need a whole table or two tables, and the outcome of any claim or rule.
Does not belong here: rules over single records (rules), reading tables and telling Dagster (orchestration.checks).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.rules import Rule
from sft_pipeline.curation.sampling import cell_counts, choose
from sft_pipeline.curation.token_accounting import Account, delta_accuracy, requests_formula, token_accumulation
from sft_pipeline.curation.validating import IDS_SHOWN, violations

GROWTH_PERCENT = 80
"""Steps in which promptTokens must grow. Summaries, truncation and model switches break it now and then (Q17, Q19);
fewer say that calls are out of order, or that promptTokens no longer means the whole context."""

FORMULA_PERCENT = 50
"""Turns in which numRequests must be the sum of toolCounts plus one. Parallel calls are known to break it (Q12); fewer
than half of the turns keep it only where clients count otherwise than they did."""


@dataclass(frozen=True)
class Claim:
    """A true statement about good tables; fatal ones stop what is downstream."""

    name: str
    statement: str
    severity: Literal["fatal", "warning"] = "fatal"


@dataclass(frozen=True)
class Outcome:
    """How a claim turned out: how many things break it, up to five of their ids, and what to know beside.

    Args:
        tolerated: how many may break it.
        figures: counts and rates to draw over time.
    """

    name: str
    broken: int
    ids: tuple[str, ...] = ()
    detail: str = ""
    tolerated: int = 0
    figures: Mapping[str, int | float] = field(default_factory=dict[str, int | float])

    @property
    def passed(self) -> bool:
        """Whether no more things break the claim than may."""
        return self.broken <= self.tolerated


STORED_AS_WRITTEN = Claim("table_is_stored_as_written", "The content is what its recorded version says")
COUNTS_ADD_UP = Claim(
    "no_conversation_is_lost", "Kept and rejected conversations add up to those that the query looked at"
)
CHUNKS_ADD_UP = Claim("chunks_add_up", "The candidates are all conversations of all chunks, none twice")
TOKENS_GROW = Claim(
    "prompt_tokens_grow", f"promptTokens grows in at least {GROWTH_PERCENT} % of the steps from call to call", "warning"
)
REQUESTS_FOLLOW = Claim(
    "num_requests_follow_tool_counts",
    f"numRequests is the sum of toolCounts plus one in at least {FORMULA_PERCENT} % of the turns",
    "warning",
)
DELTAS_ADD_UP = Claim(
    "token_deltas_add_up", "The token deltas of calls add up to the promptTokens of their conversation", "warning"
)
ONE_PLAN = Claim("chunks_share_one_plan", "All chunks were extracted by the same plan and query")
ONE_SPLIT = Claim("no_conversation_in_two_splits", "No conversation, by the split key of the plan, is in two splits")
CELLS_FILLED = Claim("cells_can_be_filled", "Every cell has as many candidates as the plan wants, or may fall short")
EXACT_COUNT = Claim("sample_has_its_count", "The sample has as many conversations as wanted, or all there are")
BOTTOM_K = Claim("sample_is_the_lowest_priorities", "No candidate left out ranks before one that was taken")
SAME_BYTES = Claim("file_has_its_hashes", "The uploaded file has the bytes, the hashes and the records that it claims")
OF_THIS_SAMPLE = Claim("file_is_of_this_sample", "The uploaded file was written from the sample as it is now")
RELEASE_VERIFIES = Claim("release_verifies", "The published release proves what its metadata.json says")


def rule_claims(rules: Sequence[Rule]) -> tuple[Claim, ...]:
    """Each rule as a claim about its table."""
    return tuple(Claim(rule.name, rule.statement, rule.severity) for rule in rules)


def rule_outcomes(frame: pl.DataFrame, rules: Sequence[Rule], plan: Plan) -> Iterator[Outcome]:
    """One outcome per rule, also for those that nothing breaks."""
    found = violations(frame, rules, plan)
    for rule in rules:
        broken = found.filter(pl.col("rule") == rule.name)
        yield Outcome(rule.name, broken.height, _ids(broken))


def stored_as_written(version: str, recorded: str) -> Outcome:
    """Compare a recomputed content version with the recorded one."""
    return Outcome(STORED_AS_WRITTEN.name, int(version != recorded), detail=f"version {version[:12]}")


def counts_add_up(*, kept: int, rejected: int, looked_at: int) -> Outcome:
    """Compare counts over a chunk."""
    detail = f"{kept:,} kept + {rejected:,} rejected of {looked_at:,}"
    return Outcome(COUNTS_ADD_UP.name, abs(looked_at - kept - rejected), detail=detail)


def tokens_grow(chunk: pl.DataFrame) -> Outcome:
    """Count the steps in which promptTokens grows (queries/verification/token_accumulation.kql)."""
    return _accounted(TOKENS_GROW, token_accumulation(chunk), percent=GROWTH_PERCENT)


def requests_follow(chunk: pl.DataFrame) -> Outcome:
    """Count the turns whose numRequests follows from toolCounts (queries/verification/numRequests_formula.kql)."""
    return _accounted(REQUESTS_FOLLOW, requests_formula(chunk), percent=FORMULA_PERCENT)


def deltas_add_up(chunk: pl.DataFrame) -> Outcome:
    """Count the conversations whose token deltas add up (queries/verification/delta_accuracy.kql)."""
    return _accounted(DELTAS_ADD_UP, delta_accuracy(chunk), percent=100)


def chunks_add_up(chunks: pl.DataFrame, candidates: pl.DataFrame) -> Outcome:
    """Compare the candidates with the ids of all chunks."""
    twice = chunks.filter(pl.col("conversationId").is_duplicated())
    missing = chunks.join(candidates, on="conversationId", how="anti")
    unknown = candidates.join(chunks, on="conversationId", how="anti")
    odd = pl.concat([frame.select("conversationId") for frame in (twice, missing, unknown)]).unique(maintain_order=True)
    detail = f"{candidates.height:,} candidates, {chunks.height:,} conversations in chunks"
    return Outcome(CHUNKS_ADD_UP.name, odd.height, _ids(odd), detail)


def one_plan(code_versions: Sequence[str], expected: str) -> Outcome:
    """Compare the versions of plan and query that the chunks carry."""
    odd = [version for version in code_versions if version != expected]
    return Outcome(ONE_PLAN.name, len(odd), detail=f"{len(code_versions)} chunks, version {expected}")


def one_split(candidates: pl.DataFrame, plan: Plan) -> Outcome:
    """Find split keys that occur in more than one split."""
    key = "userName" if plan.split.by == "user" else "conversationId"
    splits = candidates.group_by(key).agg(pl.col("split").n_unique(), pl.col("conversationId").first().alias("id"))
    odd = splits.filter(pl.col("split") > 1).sort("id").select(conversationId="id")
    return Outcome(ONE_SPLIT.name, odd.height, _ids(odd))


def cells_filled(candidates: pl.DataFrame, plan: Plan) -> Outcome:
    """Find cells with fewer candidates than wanted."""
    short = cell_counts(candidates, plan).filter(pl.col("have") < pl.col("want"))
    rows = short.select("cell", "want", "have").iter_rows()
    told = "; ".join(f"{cell}: want {want:,}, have {have:,}" for cell, want, have in rows)
    broken = 0 if plan.sample.allow_shortfall else short.height
    return Outcome(CELLS_FILLED.name, broken, tuple(short["cell"].head(IDS_SHOWN)), told)


def exact_count(sample: pl.DataFrame, candidates: pl.DataFrame, cell: Cell) -> Outcome:
    """Compare a sample's size with its target, or with all there is."""
    of_cell = (pl.col("split") == cell.split) & (pl.col("bucket") == cell.bucket.name)
    expected = min(cell.target, candidates.filter(of_cell).height)
    detail = f"{sample.height:,} of {cell.target:,} wanted"
    return Outcome(EXACT_COUNT.name, abs(expected - sample.height), detail=detail)


def bottom_k(sample: pl.DataFrame, candidates: pl.DataFrame, cell: Cell) -> Outcome:
    """Compare a sample's ids, in order, with the lowest priorities of its cell."""
    lowest = choose(candidates, cell)["conversationId"]
    taken = sample["conversationId"]
    odd = pl.concat([taken.filter(~taken.is_in(lowest.implode())), lowest.filter(~lowest.is_in(taken.implode()))])
    disordered = int(odd.is_empty() and taken.to_list() != lowest.to_list())
    return Outcome(BOTTOM_K.name, odd.len() + disordered, tuple(odd.head(IDS_SHOWN)))


def same_bytes(claimed: Mapping[str, object], found: Mapping[str, object] | None) -> Outcome:
    """Compare what an artifact claims of its file (bytes, md5, sha256) with the file."""
    if found is None:
        return Outcome(SAME_BYTES.name, 1, detail="the file is not there")
    odd = [name for name in ("bytes", "md5", "sha256") if claimed[name] != found[name]]
    return Outcome(SAME_BYTES.name, len(odd), detail=f"other {', '.join(odd)} than claimed" if odd else "")


def of_this_sample(claimed_version: str, sample_version: str) -> Outcome:
    """Compare the version of the sample that a file was written from with the sample's version now."""
    return Outcome(OF_THIS_SAMPLE.name, int(claimed_version != sample_version), detail=f"sample {sample_version[:12]}")


def _accounted(claim: Claim, account: Account, *, percent: int) -> Outcome:
    """A claim that a percentage of what is checked must keep; nothing checked keeps it."""
    told = f"{account.broken:,} of {account.checked:,} checked" if account.checked else "nothing to check"
    return Outcome(
        claim.name,
        account.broken,
        tuple(account.conversations.head(IDS_SHOWN)),
        told,
        tolerated=account.checked * (100 - percent) // 100,
        figures={name: figure for name, figure in account.figures.items() if figure is not None},
    )


def _ids(frame: pl.DataFrame) -> tuple[str, ...]:
    return tuple(frame["conversationId"].head(IDS_SHOWN).fill_null("null"))
