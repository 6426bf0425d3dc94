"""The sections of an SFT release's metadata.json, each computed from what it tells about: plan, accounts, counts.

Belongs here: what the verification of an SFT release computes a second time from the files alone.
Does not belong here: names and the whole of metadata.json (sft_release), statistics (agreement).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from sft_pipeline.curation.agreement import cohen_kappa
from sft_pipeline.curation.filling import share_interval
from sft_pipeline.curation.label_account import LabelAccount, Pairs
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.routers import ROUTERS, RouterName, Routers
from sft_pipeline.curation.sections import FORMAT
from sft_pipeline.curation.variants import Variant

SFT_FORMAT: dict[str, str] = {
    "sft": FORMAT,
    "labels": "Parquet; row n tells about line n of the SFT file of the same split and ratio",
}

SAME_TEXT = (
    "texts are the same when they are equal after NFKC, case folding, removal of zero-width characters and collapsing "
    "of white space"
)
ONCE = (
    "a text stands in a file at most once, in files of one split alone, and with one label; of requests with the same "
    "text the split that comes first in `precedence` keeps its own, and within a split the one of lowest priority"
)
DIGITS = 6
"""Shares and kappas are told with so many decimals."""


class Counts(NamedTuple):
    """How many lines of a file have which label."""

    label0: int
    label1: int

    @property
    def records(self) -> int:
        """How many lines there are."""
        return self.label0 + self.label1


class Slot(NamedTuple):
    """A router's files at one variant: the SFT lines and the table of labels."""

    router: RouterName
    variant: Variant

    @property
    def key(self) -> str:
        """`session_router/train-70r30n` and the like."""
        return f"{self.router}/{self.variant.key}"

    @property
    def paths(self) -> dict[str, str]:
        """The paths of its files, relative to the release folder, by kind."""
        return {
            "sft": f"{self.router}/{self.variant.file_name}",
            "labels": f"{self.router}/{self.variant.labels_name}",
        }


def slots(routers: Routers) -> tuple[Slot, ...]:
    """Every router at every variant, in the order of the plan."""
    return tuple(Slot(router, variant) for router in ROUTERS for variant in routers.variants)


def output_files(routers: Routers, artifacts: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The data files, keyed by path without the ending, in the order of the plan."""
    rows = {row["path"]: row for row in artifacts.iter_rows(named=True)}
    told = ("records", "label0", "label1", "bytes", "md5", "sha256")
    return {
        path.rpartition(".")[0]: {**placed(slot, kind), **{name: rows[path][name] for name in told}}
        for slot in slots(routers)
        for kind, path in slot.paths.items()
        if path in rows
    }


def placed(slot: Slot, kind: str) -> dict[str, Any]:
    """What the plan alone says of a file."""
    variant = slot.variant
    return {
        "path": slot.paths[kind],
        "router": slot.router,
        "split": variant.split,
        "ratio": variant.ratio.key,
        "kind": kind,
    }


def balance(routers: Routers, held: Mapping[str, Counts]) -> dict[str, dict[str, Any]]:
    """Per slot, how many lines were wanted, how many there are of each label, and by what they were chosen."""
    return {slot.key: _balanced(routers, slot, held.get(slot.key, Counts(0, 0))) for slot in slots(routers)}


def _balanced(routers: Routers, slot: Slot, counts: Counts) -> dict[str, Any]:
    return {
        "want": slot.variant.total,
        "records": counts.records,
        **counts._asdict(),
        "ratio": slot.variant.ratio.key,
        "strategies": list(routers.router(slot.router).strategies),
        "by_turn_position": slot.router == "conversation_router",
        "capped": counts.records < slot.variant.total,
    }


def sft_shortfall(routers: Routers, held: Mapping[str, Counts]) -> dict[str, dict[str, int]]:
    """The slots that hold fewer lines than wanted, because a class fell short."""
    return {
        slot.key: {"want": slot.variant.total, "have": held[slot.key].records if slot.key in held else 0}
        for slot in slots(routers)
        if slot.key not in held or held[slot.key].records < slot.variant.total
    }


def router_sections(accounts: Sequence[LabelAccount], held: Mapping[str, Counts]) -> dict[str, dict[str, Any]]:
    """Per router, who judged, how far the labels can be trusted, what they cost, and the classes before and after."""
    return {router: _router_section(router, given, held) for router, given in by_router(accounts).items()}


def by_router(accounts: Sequence[LabelAccount]) -> dict[str, list[LabelAccount]]:
    """The accounts of each router that has any."""
    groups: dict[str, list[LabelAccount]] = {}
    for account in accounts:
        groups.setdefault(account.router, []).append(account)
    return groups


def _router_section(router: str, accounts: Sequence[LabelAccount], held: Mapping[str, Counts]) -> dict[str, Any]:
    released = {key.removeprefix(f"{router}/"): count for key, count in held.items() if key.startswith(f"{router}/")}
    return {
        "judge": accounts[0].who.model_dump(mode="json"),
        "second_judge": accounts[0].second.model_dump(mode="json"),
        "agreement": agreement(accounts),
        "canaries": {
            "asked": sum(account.canaries for account in accounts),
            "missed": sorted({name for account in accounts for name in account.canaries_missed}),
        },
        "tokens": {
            "prompt": sum(account.prompt_tokens for account in accounts),
            "completion": sum(account.completion_tokens for account in accounts),
        },
        "cost": cost(accounts),
        "class_shares": {
            "labelled": {account.split: class_shares(account.label0, account.label1) for account in accounts},
            "released": {variant: released_shares(count) for variant, count in released.items()},
        },
        "splits": {
            account.split: {"account": account.model_dump(mode="json"), "agreement": agreement([account])}
            for account in accounts
        },
    }


def agreement(accounts: Sequence[LabelAccount]) -> dict[str, dict[str, Any]]:
    """Cohen's kappa of requests labelled twice, over the accounts together; votes are weak evidence, shown apart."""
    pairs: dict[str, list[Pairs]] = {
        "retest": [account.retest for account in accounts],
        "second_opinion": [account.second_opinion for account in accounts],
        "human": [account.human for account in accounts],
        "votes": [account.votes for account in accounts],
    }
    return {name: _agreed(sum(given, Pairs())) for name, given in pairs.items()}


def _agreed(pairs: Pairs) -> dict[str, Any]:
    kappa = cohen_kappa(pairs)
    return {
        "pairs": kappa.pairs,
        "agreement": _rounded(kappa.agreement),
        "kappa": _rounded(kappa.value),
        "low": _rounded(kappa.low),
        "high": _rounded(kappa.high),
    }


def class_shares(label0: int, label1: int) -> dict[str, Any]:
    """The share of label 0 among what was labelled, with its 95 % interval."""
    share, low, high = share_interval(label0, label1)
    return {
        "label0": label0,
        "label1": label1,
        "share_of_label0": _rounded(share),
        "low": _rounded(low),
        "high": _rounded(high),
    }


def released_shares(counts: Counts) -> dict[str, Any]:
    """The share of label 0 among what is released: chosen, so without an interval."""
    share = counts.label0 / counts.records if counts.records else None
    return {**counts._asdict(), "share_of_label0": _rounded(share)}


def cost(accounts: Sequence[LabelAccount]) -> dict[str, Any]:
    """What all asking cost, by currency."""
    currencies = sorted({account.currency for account in accounts})
    sums = {
        currency: sum(account.cost for account in accounts if account.currency == currency) for currency in currencies
    }
    return {currency: round(amount, DIGITS) for currency, amount in sums.items()}


def leakage(plan: Plan, accounts: Sequence[LabelAccount]) -> dict[str, Any]:
    """How one text is kept from standing in two splits or with two labels, and how many requests that left out."""
    return {
        "same_text": SAME_TEXT,
        "rule": ONCE,
        "precedence": list(reversed(plan.splits)),
        "left_out": {f"{account.router}/{account.split}": dict(_same_texts(account)) for account in accounts},
    }


def _same_texts(account: LabelAccount) -> Iterator[tuple[str, int]]:
    for reason, count in account.left_out.items():
        if reason.startswith("same_text"):
            yield reason, count


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, DIGITS)
