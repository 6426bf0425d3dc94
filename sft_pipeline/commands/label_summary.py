"""What a run shows of labels: the account of each split, the files of each variant, and where the release lies.

Belongs here: reading tables into rows. Does not belong here: rendering (terminal).
"""

from collections.abc import Collection

import polars as pl
from rich.markup import escape

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.agreement import cohen_kappa
from sft_pipeline.curation.label_account import LabelAccount, Pairs
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.orchestration.assets.sft_release import accounts_of
from sft_pipeline.terminal import out, print_frame, print_next, print_table

COLUMNS = ("requests of", "all", "left out", "label 0", "label 1", "no label", "not asked")
TRUST = ("kappa of", "asked again", "second opinion", "people", "canaries", "cost")


def show_labels(plan: Plan, tables: TableStore, window: str, routers: Collection[RouterName]) -> None:
    """The accounts of routers; the counts of a row add up to its requests."""
    accounts = accounts_of(plan, tables, window, routers)
    print_table("Labels", COLUMNS, [_counted(account) for account in accounts])
    print_table("Trust: Cohen's kappa, its 95 % interval", TRUST, [_trusted(account) for account in accounts])
    judges = sorted({judge for account in accounts for judge in account.judges})
    out.print(f"judged by {escape(', '.join(judges))}", soft_wrap=True)
    if any(judge.startswith("heuristic/") for judge in judges):
        out.print(
            "[yellow]labels of heuristic/... are no language model's:[/] they are proxies from what clients told; "
            "SFT_JUDGE names a judge",
            soft_wrap=True,
        )


def show_sft_release(plan: Plan, tables: TableStore, window: str, *, when: str) -> None:
    """The SFT files with their classes, and how to prove them."""
    variants = [(router, variant) for router in ROUTERS for variant in routers_of(plan).variants]
    files = [
        tables.read(TableKey(f"{router}/sft_artifacts", window, variant.key))
        .filter(kind="sft")
        .select(
            pl.lit(f"{router.removesuffix('_router')} {variant.key}").alias("file of"),
            want=pl.lit(variant.total),
            lines="records",
            label0="label0",
            label1="label1",
        )
        for router, variant in variants
    ]
    print_frame("SFT files", pl.concat(files))
    short = sum(file["lines"][0] < file["want"][0] for file in files)
    if short:
        out.print(
            f"[yellow]{short} of {len(files)} files hold fewer lines than wanted:[/] "
            "too few of a class were labelled, and the plan allows it",
            soft_wrap=True,
        )
    release = tables.read(TableKey("sft_release", window)).row(0, named=True)
    out.print(f"{release['records']:,} SFT lines released {when}; verify them with")
    print_next(f"verify {release['url'].removeprefix('file://')}")


def _counted(account: LabelAccount) -> tuple[object, ...]:
    left_out, unlabelled = sum(account.left_out.values()), sum(account.unlabelled.values())
    told = (account.requests, left_out, account.label0, account.label1, unlabelled, account.not_asked)
    return (_of(account), *told)


def _trusted(account: LabelAccount) -> tuple[object, ...]:
    kept = account.canaries - len(account.canaries_missed)
    return (
        _of(account),
        *map(_kappa, (account.retest, account.second_opinion, account.human)),
        f"{kept} of {account.canaries}",
        f"{account.cost:,.2f} {account.currency}",
    )


def _of(account: LabelAccount) -> str:
    """`session train` and the like: what tells rows apart, in the width of a terminal."""
    return f"{account.router.removesuffix('_router')} {account.split}"


def _kappa(pairs: Pairs) -> str:
    if not pairs.total:
        return "-"
    kappa = cohen_kappa(pairs)
    if kappa.value is None:
        return "one class alone"
    return f"{kappa.value:.2f} ({kappa.low:.2f}-{kappa.high:.2f})"
