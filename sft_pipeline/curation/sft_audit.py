"""What must be true of an SFT release: what its files say against what its metadata.json claims.

Belongs here: one function per statement, named as the statement; it tells what is odd, by path, line and id alone.
Does not belong here: reading files (clients.sft_verification), the shape of metadata.json (sft_claimed).
"""

from collections.abc import Callable, Iterable, Iterator

from sft_pipeline.curation.audit import asked_as_planned
from sft_pipeline.curation.findings import Finding, differences, finding
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.sft_accounts import distrusted, odd_accounts
from sft_pipeline.curation.sft_evidence import SftEvidence
from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT
from sft_pipeline.curation.sft_release import sft_release_name
from sft_pipeline.curation.sft_row_audit import ROW_STATEMENTS
from sft_pipeline.curation.sft_sections import (
    SFT_FORMAT,
    Counts,
    balance,
    cost,
    leakage,
    placed,
    router_sections,
    sft_shortfall,
    slots,
)


def sft_audit(evidence: SftEvidence) -> tuple[Finding, ...]:
    """Every statement about the release, with what speaks against it."""
    return tuple(finding(check, evidence) for check in (*STATEMENTS, *ROW_STATEMENTS))


def metadata_follows_the_plan(evidence: SftEvidence) -> Iterator[str]:
    """What metadata.json says of query, window, system prompt, leakage, privacy and format is what the plan says."""
    claimed, plan = evidence.claimed, evidence.plan
    yield from asked_as_planned(claimed)
    yield from differences("system_prompt", claimed.system_prompt, SYSTEM_PROMPT)
    yield from differences("leakage", claimed.leakage, leakage(plan, claimed.accounts))
    yield from differences("privacy", claimed.privacy, plan.privacy.model_dump(mode="json"))
    yield from differences("format", claimed.format, SFT_FORMAT)


def name_tells_what_is_inside(evidence: SftEvidence) -> Iterator[str]:
    """curation_id and the folder's name follow from the plan and curation_date."""
    name = sft_release_name(evidence.plan, evidence.routers, stamp=evidence.stamp)
    yield from differences("curation_id", evidence.claimed.curation_info.curation_id, name)
    yield from differences("the folder", evidence.folder, name)


def files_are_all_there_and_no_others(evidence: SftEvidence) -> Iterator[str]:
    """The folder holds both files of every router, split and ratio, and metadata.json, and nothing else."""
    expected = {METADATA, *(path for slot in slots(evidence.routers) for path in slot.paths.values())}
    yield from (f"{path} is missing" for path in sorted(expected - {*evidence.paths}))
    yield from (f"{path} does not belong" for path in sorted({*evidence.paths} - expected))
    yield from (f"{path} is not claimed" for path in sorted(expected - {METADATA, *evidence.claimed_files}))


def files_have_their_hashes(evidence: SftEvidence) -> Iterator[str]:
    """Every file has the bytes, the MD5 and the SHA-256 that metadata.json claims."""
    for path, file in evidence.claimed_files.items():
        facts = evidence.facts.get(path, {})
        yield from differences(path, file.model_dump(include={*facts}), facts)


def counts_are_true(evidence: SftEvidence) -> Iterator[str]:
    """output_files and balance have as many lines of each label as there are, at the paths of the plan."""
    claimed, held = evidence.claimed, evidence.held
    told = {"path", "router", "split", "ratio", "kind", "records", "label0", "label1"}
    files = {key: file.model_dump(include=told) for key, file in claimed.output_files.items()}
    found = {
        path.rpartition(".")[0]: {**placed(slot, kind), **_counted(held[slot.key])}
        for slot in slots(evidence.routers)
        for kind, path in slot.paths.items()
    }
    yield from differences("output_files", files, found)
    yield from differences("balance", claimed.balance, balance(evidence.routers, held))


def ratios_are_exact(evidence: SftEvidence) -> Iterator[str]:
    """In every file the labels 0 and 1 stand exactly in the ratio of its name."""
    for slot in slots(evidence.routers):
        (label0, label1), (parts0, parts1) = evidence.held[slot.key], slot.variant.ratio.parts
        if label0 * parts1 != label1 * parts0:
            yield f"{slot.paths['sft']} holds {label0:,} : {label1:,}"


def files_hold_what_is_wanted(evidence: SftEvidence) -> Iterator[str]:
    """No file holds more lines than the plan wants; those that hold fewer are told, and the plan allows it."""
    found = sft_shortfall(evidence.routers, evidence.held)
    yield from differences("shortfall", evidence.claimed.shortfall, found)
    for slot in slots(evidence.routers):
        if evidence.held[slot.key].records > slot.variant.total:
            yield f"{slot.paths['sft']} holds more than {slot.variant.total:,}"
    if found and evidence.routers.training.short_class == "refuse":
        yield "the plan does not allow a shortfall"


def accounts_are_whole(evidence: SftEvidence) -> Iterator[str]:
    """Every router and split has an account of its labels that adds up, of one judge and one second judge a router."""
    yield from odd_accounts(evidence.routers, evidence.claimed.accounts)
    for name, router in evidence.claimed.routers.items():
        for split, labels in router.splits.items():
            if (labels.account.router, labels.account.split) != (name, split):
                yield f"{name}/{split} has another's account"


def labels_are_told_as_counted(evidence: SftEvidence) -> Iterator[str]:
    """Kappas, canaries, tokens, costs and class shares follow from the accounts and from the lines that are there."""
    claimed = evidence.claimed
    told = {name: router.model_dump(mode="json") for name, router in claimed.routers.items()}
    yield from differences("routers", told, router_sections(claimed.accounts, evidence.held))
    yield from differences("cost", claimed.cost, cost(claimed.accounts))


def labels_are_trusted(evidence: SftEvidence) -> Iterator[str]:
    """Retest, second judge, people, canaries and unlabelled requests keep the thresholds of the plan."""
    yield from distrusted(evidence.plan, evidence.claimed.accounts)


def accounts_cover_the_files(evidence: SftEvidence) -> Iterator[str]:
    """No file holds more requests of a label, or of a judge, than the account of its router and split has."""
    accounts = {(account.router, account.split): account for account in evidence.claimed.accounts}
    for slot in slots(evidence.routers):
        account, counts = accounts.get((slot.router, slot.variant.split)), evidence.held[slot.key]
        if account and (counts.label0 > account.label0 or counts.label1 > account.label1):
            yield f"{slot.paths['sft']} holds more than was labelled"
    for table in evidence.each_table:
        account = accounts.get((table.slot.router, table.slot.variant.split))
        judges = account.judges if account else {}
        for judge, count in table.rows["judge"].value_counts(sort=True).iter_rows():
            if count > judges.get(judge, 0):
                yield f"{table.path} has {count:,} labels of a judge who gave {judges.get(judge, 0):,}"


STATEMENTS: tuple[Callable[[SftEvidence], Iterable[str]], ...] = (
    metadata_follows_the_plan,
    name_tells_what_is_inside,
    files_are_all_there_and_no_others,
    files_have_their_hashes,
    counts_are_true,
    ratios_are_exact,
    files_hold_what_is_wanted,
    accounts_are_whole,
    labels_are_told_as_counted,
    labels_are_trusted,
    accounts_cover_the_files,
)


def _counted(counts: Counts) -> dict[str, int]:
    return {"records": counts.records, **counts._asdict()}
