"""What must be true of the accounts of a release's labels, whoever looks: its publisher, or who verifies it.

Belongs here: whether they are whole, and whether the labels can be trusted as far as the plan wants.
Does not belong here: a single split's statements (label_claims), files (sft_release, sft_audit).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from sft_pipeline.curation.claims import Outcome
from sft_pipeline.curation.label_account import LabelAccount
from sft_pipeline.curation.label_claims import (
    canaries_keep_their_labels,
    judge_agrees_with_itself,
    people_agree,
    second_judge_agrees,
    unlabelled_are_few,
)
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.routers import ROUTERS, Routers
from sft_pipeline.curation.sft_sections import by_router

GROUNDS: tuple[Callable[[LabelAccount, Plan], Outcome], ...] = (
    judge_agrees_with_itself,
    second_judge_agrees,
    people_agree,
    canaries_keep_their_labels,
    unlabelled_are_few,
)
"""What the plan's thresholds are about; each fatal."""


def distrusted(plan: Plan, accounts: Sequence[LabelAccount]) -> Iterator[str]:
    """Which labels are worse than the plan allows, and why."""
    for account in accounts:
        for ground in GROUNDS:
            outcome = ground(account, plan)
            if not outcome.passed:
                yield f"{account.router}/{account.split}: {outcome.name} ({outcome.detail})"


def odd_accounts(routers: Routers, accounts: Sequence[LabelAccount]) -> Iterator[str]:
    """What is odd about the accounts of a release: one is missing or too many, does not add up, has another judge."""
    wanted = [f"{router}/{split}" for router in ROUTERS for split in routers.splits]
    given = Counter(f"{account.router}/{account.split}" for account in accounts)
    yield from (f"{name} has no account" for name in wanted if name not in given)
    yield from (f"{name} is not of the plan" for name in given if name not in wanted)
    yield from (f"{name} stands twice" for name, count in given.items() if count > 1)
    for account in accounts:
        yield from (f"{account.router}/{account.split}: {oddity}" for oddity in _oddities(account))
    for router, mine in by_router(accounts).items():
        if any((account.who, account.second) != (mine[0].who, mine[0].second) for account in mine):
            yield f"{router}: its splits have different judges"


def _oddities(account: LabelAccount) -> Iterator[str]:
    if not account.adds_up:
        yield f"does not add up to {account.requests:,} requests"
    if sum(account.judges.values()) != account.judged:
        yield f"judges do not add up to {account.judged:,} verdicts"
    if sum(account.served_models.values()) > account.judged:
        yield f"models gave more than {account.judged:,} verdicts"
    if len(account.canaries_missed) > account.canaries:
        yield "more canaries missed than asked"
    for who in (account.who, account.second):
        if who.is_language_model and not who.prompt.endswith(f"@{who.prompt_sha256[:12]}"):
            yield f"prompt {who.prompt} is not of its SHA-256"
