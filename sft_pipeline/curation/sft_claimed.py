"""The metadata.json of an SFT release as it is read back: every field typed, none missing, none unknown.

Belongs here: telling an SFT release from a release of samples, the shape of its document, and reading it.
Does not belong here: whether what it claims is true (sft_audit).
"""

import json
from typing import Any, Literal, cast

from sft_pipeline.curation.claimed import (
    Count,
    File,
    MalformedMetadataError,
    Part,
    ReleaseDocument,
    Text,
    read_document,
)
from sft_pipeline.curation.label_account import LabelAccount, Who
from sft_pipeline.curation.routers import RouterName
from sft_pipeline.curation.sft_release import SFT


class SftFile(File):
    """The SFT lines of a router, split and ratio, or the table of labels beside them."""

    router: RouterName
    split: Text
    ratio: Text
    kind: Literal["sft", "labels"]
    label0: Count
    label1: Count


class Labels(Part):
    """The labels of a split, and how far they agree with others."""

    account: LabelAccount
    agreement: dict[str, Any]


class Router(Part):
    """A router: who judged its requests, and what came of it."""

    judge: Who
    second_judge: Who
    agreement: dict[str, Any]
    canaries: dict[str, Any]
    tokens: dict[str, Any]
    cost: dict[str, Any]
    class_shares: dict[str, Any]
    splits: dict[str, Labels]


class SftClaimed(ReleaseDocument):
    """All of it; what follows from plan, accounts and files is compared with them as a whole and so left untyped."""

    release_kind: Literal["sft"]
    system_prompt: str
    routers: dict[RouterName, Router]
    balance: dict[str, Any]
    output_files: dict[str, SftFile]
    leakage: dict[str, Any]
    privacy: dict[str, Any]
    shortfall: dict[str, Any]
    cost: dict[str, Any]
    tokens: dict[str, Any] | None
    format: dict[str, Any]

    @property
    def accounts(self) -> tuple[LabelAccount, ...]:
        """The accounts of all routers and splits."""
        return tuple(labels.account for router in self.routers.values() for labels in router.splits.values())

    @property
    def shares_of_label_0(self) -> dict[tuple[str, str], float]:
        """The share of label 0 among the labelled requests of each router and split that has any."""
        return {
            (account.router, account.split): account.label0 / (account.label0 + account.label1)
            for account in self.accounts
            if account.label0 + account.label1
        }


def is_sft(content: bytes) -> bool:
    """Whether a metadata.json, of whatever form, calls itself that of an SFT release."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and cast("dict[str, object]", document).get("release_kind") == SFT


def read_sft_claimed(content: bytes) -> SftClaimed:
    """Read metadata.json.

    Raises:
        MalformedMetadataError: see `read_document`; or its plan trains no router.
    """
    claimed = read_document(SftClaimed, content)
    if claimed.plan.routers is None:
        raise MalformedMetadataError("curation_info.plan.routers (missing)")
    return claimed
