"""What an SFT release is called, what it is made of, and what its `metadata.json` says.

Belongs here: the content version, the name, metadata.json as a whole, and what is refused before anything is written.
Does not belong here: its sections (sft_sections), writing it (clients.publishing), proving it (sft_audit).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.label_account import LabelAccount
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.publication import Origin, Publication
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import Made, curation_info, instant, query_parameters, stamp_of
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import Routers
from sft_pipeline.curation.sft_accounts import distrusted, odd_accounts
from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT
from sft_pipeline.curation.sft_sections import (
    SFT_FORMAT,
    Counts,
    balance,
    cost,
    leakage,
    output_files,
    router_sections,
    sft_shortfall,
    slots,
)

SFT = "sft"
"""What the `release_kind` of an SFT release says; a release of samples has none."""


MONEY = {"cost", "currency", "prompt_tokens", "completion_tokens"}
"""What of an account says nothing of the labels."""


@dataclass(frozen=True, kw_only=True)
class Labelling(Made):
    """All that an SFT release is made of and that its metadata.json tells about.

    Args:
        artifacts: `SftArtifact` rows of both routers, two per variant; a path begins with its router.
        accounts: one per router and split.
        tokens: exact counts of tokens by path, and by which vocabulary; None where none was at hand.
    """

    artifacts: pl.DataFrame
    accounts: tuple[LabelAccount, ...]
    tokens: Mapping[str, Any] | None = None

    @property
    def routers(self) -> Routers:
        """The plan's knobs of the routers.

        Raises:
            Refused: it has none.
        """
        return routers_of(self.plan)

    @property
    def held(self) -> dict[str, Counts]:
        """How many lines of each label the SFT files hold, by slot."""
        rows = {row["path"]: row for row in self.artifacts.iter_rows(named=True)}
        return {
            slot.key: Counts(rows[path]["label0"], rows[path]["label1"])
            for slot in slots(self.routers)
            if (path := slot.paths["sft"]) in rows
        }

    @property
    def records(self) -> int:
        """How many SFT lines the release holds."""
        return sum(counts.records for counts in self.held.values())


def sft_release_version(labelling: Labelling) -> str:
    """The content version: equal versions are the same files of the same window by the same plan, trusted as far."""
    files = labelling.artifacts.select("path", "sha256").sort("path").iter_rows()
    plans = (labelling.plan.version(), labelling.routers.version())
    trust = (account.model_dump_json(exclude=MONEY) for account in labelling.accounts)
    parts = (part for file in files for part in file)
    return content_version([SFT, *parts, *plans, *trust, *map(instant, labelling.window)])


def sft_release_name(plan: Plan, routers: Routers, *, stamp: str) -> str:
    """The release's folder, e.g. `vscodedata_sft_datav3_15d_20250816_120000`."""
    return f"{plan.release.prefix}_sft_datav{routers.training.version}_{plan.window.days}d_{stamp}"


def sft_metadata(labelling: Labelling, moment: datetime) -> dict[str, Any]:
    """metadata.json of an SFT release.

    Args:
        labelling: what is released.
        moment: when this content was first curated.
    """
    plan, routers, held = labelling.plan, labelling.routers, labelling.held
    name = sft_release_name(plan, routers, stamp=stamp_of(moment, plan))
    return {
        "release_kind": SFT,
        "curation_info": curation_info(labelling, name=name, moment=moment),
        "query_parameters": query_parameters(labelling),
        "system_prompt": SYSTEM_PROMPT,
        "routers": router_sections(labelling.accounts, held),
        "balance": balance(routers, held),
        "output_files": output_files(routers, labelling.artifacts),
        "leakage": leakage(plan, labelling.accounts),
        "privacy": plan.privacy.model_dump(mode="json"),
        "shortfall": sft_shortfall(routers, held),
        "cost": cost(labelling.accounts),
        "tokens": dict(labelling.tokens) if labelling.tokens is not None else None,
        "format": SFT_FORMAT,
    }


def sft_publication(labelling: Labelling) -> Publication:
    """The release as the publisher sees it.

    Raises:
        Refused: see `require_whole_labelling`.
    """
    require_whole_labelling(labelling)
    plan, routers = labelling.plan, labelling.routers
    return Publication(
        plan=plan,
        run_id=labelling.run_id,
        version=sft_release_version(labelling),
        name=lambda stamp: sft_release_name(plan, routers, stamp=stamp),
        origins=tuple(_origin(row) for row in labelling.artifacts.iter_rows(named=True)),
        reports=lambda _: {},
        metadata=partial(sft_metadata, labelling),
        files=lambda document: {file["path"]: file for file in document["output_files"].values()},
    )


def _origin(row: Mapping[str, Any]) -> Origin:
    remedy = "move it away if it is there, and materialize sft_artifacts of this router and variant anew"
    return Origin(row["path"], row["origin"], row["bytes"], row["md5"], row["sha256"], remedy)


def require_whole_labelling(labelling: Labelling) -> None:
    """Refuse to release what is not whole, exact and trusted.

    Raises:
        Refused: a file is missing or unknown, files of a slot differ, a ratio is not exact, a class falls short where
            the plan refuses that, an account is missing or does not add up, labels cannot be trusted, there is no line.
    """
    files = "materialize training_sets and sft_artifacts of these variants anew"
    if odd := [*_odd_files(labelling)]:
        raise Refused(f"SFT files are not those of the plan: {', '.join(odd)}", remedy=files)
    if odd := [*_inexact(labelling)]:
        raise Refused(f"SFT files are not balanced as the plan says: {', '.join(odd)}", remedy=files)
    short = sft_shortfall(labelling.routers, labelling.held)
    if short and labelling.routers.training.short_class == "refuse":
        remedy = "widen window.days, lower totals or conversations in the plan, or allow it with --allow-shortfall"
        raise Refused(f"too few requests of a class for {', '.join(short)}", remedy=remedy)
    if labelling.records == 0:
        raise Refused("every SFT file is empty: nothing to release", remedy="choose a window that has conversations")
    if odd := [*odd_accounts(labelling.routers, labelling.accounts)]:
        remedy = "materialize verdicts of these splits anew"
        raise Refused(f"the labels do not account for every request: {', '.join(odd)}", remedy=remedy)
    if odd := [*_beyond_accounts(labelling)]:
        raise Refused(f"SFT files hold more than was labelled: {', '.join(odd)}", remedy=files)
    if odd := [*distrusted(labelling.plan, labelling.accounts)]:
        remedy = "see the checks of verdicts; another judge or prompt may do better, and [routers.trust] says how good"
        raise Refused(f"the labels cannot be trusted: {'; '.join(odd)}", remedy=remedy)


def _odd_files(labelling: Labelling) -> Iterator[str]:
    """Files that are missing, too many, of another kind or variant, or of another training set than their lines."""
    rows = {row["path"]: row for row in labelling.artifacts.iter_rows(named=True)}
    expected = {path: (slot, kind) for slot in slots(labelling.routers) for kind, path in slot.paths.items()}
    yield from (f"{path} is missing" for path in expected.keys() - rows.keys())
    yield from (f"{path} is not of the plan" for path in rows.keys() - expected.keys())
    if labelling.artifacts.height != len(rows):
        yield "a path stands twice"
    for path, (slot, kind) in expected.items():
        row, lines = rows.get(path), rows.get(slot.paths["sft"])
        if row and (row["variant"], row["kind"]) != (slot.variant.key, kind):
            yield f"{path} is of {row['variant']}, {row['kind']}"
        same = ("records", "label0", "label1", "trainingVersion")
        if row and lines and any(row[name] != lines[name] for name in same):
            yield f"{path} and its lines are not of one training set"


def _inexact(labelling: Labelling) -> Iterator[str]:
    rows = {row["path"]: row["records"] for row in labelling.artifacts.iter_rows(named=True)}
    for slot in slots(labelling.routers):
        counts, (parts0, parts1) = labelling.held[slot.key], slot.variant.ratio.parts
        if counts.records != rows[slot.paths["sft"]]:
            yield f"{slot.key} has lines without a label"
        if counts.label0 * parts1 != counts.label1 * parts0:
            yield f"{slot.key} holds {counts.label0:,} : {counts.label1:,}"
        if counts.records > slot.variant.total:
            yield f"{slot.key} holds more than {slot.variant.total:,}"


def _beyond_accounts(labelling: Labelling) -> Iterator[str]:
    accounts = {(account.router, account.split): account for account in labelling.accounts}
    for slot in slots(labelling.routers):
        account, counts = accounts[slot.router, slot.variant.split], labelling.held[slot.key]
        if counts.label0 > account.label0 or counts.label1 > account.label1:
            yield slot.key
