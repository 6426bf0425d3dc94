"""Every statement that a verification makes has a release that breaks it, and a good release breaks none."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.clients.blocks import BLOCK_BYTES, whole_lines
from sft_pipeline.clients.release_store import LocalReleaseStore, open_release_store
from sft_pipeline.clients.verification import Verification, verify_release
from sft_pipeline.curation.invalid_records import invalid_records_reports
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import record_lines, with_digests
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA, metadata
from sft_pipeline.curation.sections import file_facts, render
from sft_pipeline_tests.records_world import (
    MOMENT,
    NAME,
    REJECTED,
    SMALL,
    conversations_of,
    curation_of,
    rejected_rows,
    samples_of,
    with_turns,
)

Samples = dict[str, pl.DataFrame]
GOOD = samples_of(SMALL)
PRIVATE = "what nobody may read in a report"


def forge(folder: Path, samples: Samples, plan: Plan = SMALL, rejected: pl.DataFrame = REJECTED) -> Path:
    """A release of any samples, its metadata.json telling the truth; no one refuses."""
    curation = curation_of(LocalReleaseStore(folder / "store"), plan, samples, rejected=rejected)
    document = metadata(curation, moment=MOMENT)
    release = folder / document["curation_info"]["curation_id"]
    files = {cell.path: record_lines(samples[cell.key]) for cell in plan.cells}
    files |= dict(invalid_records_reports(curation.left_out, "20250816_120000").values())
    for path, content in {**files, METADATA: render(document)}.items():
        (release / path).parent.mkdir(parents=True, exist_ok=True)
        (release / path).write_bytes(content)
    return release


def failed(verification: Verification) -> set[str]:
    return {finding.name for finding in verification.findings if not finding.passed}


def details(verification: Verification) -> dict[str, str]:
    return {finding.name: finding.detail for finding in verification.findings if not finding.passed}


def with_row(key: str, row: int = 0, **fields: Any) -> Samples:
    """The good samples with fields of one record replaced."""
    rows = GOOD[key].to_dicts()
    rows[row] = {**rows[row], **fields}
    return {**GOOD, key: with_digests(pl.DataFrame(rows, schema=GOOD[key].schema))}


def turns_of(key: str, indices: list[int]) -> list[dict[str, Any]]:
    turns = GOOD[key]["turnsArray"].to_list()[0]
    return [{**turns[position], "turnIndex": index} for position, index in enumerate(indices)]


def relabelled(key: str, donor: pl.DataFrame, **labels: str) -> Samples:
    """The good samples with one record replaced by another cell's first, under labels that lie."""
    return {**GOOD, key: donor.head(1).with_columns(**{name: pl.lit(label) for name, label in labels.items()})}


TRAIN_SHORT, VAL_LONG = GOOD["train-short"], GOOD["val-long"]
OTHER_TRAIN_LONG = conversations_of(SMALL, SMALL.cell("train-long"), 3).join(
    GOOD["train-long"], on="conversationId", how="anti"
)

FORGED: dict[str, tuple[Callable[[], Samples], set[str]]] = {
    "a record without a user": (lambda: with_row("val-long", userName=""), {"required_fields_are_present"}),
    "a record twice in its file": (
        lambda: {**GOOD, "val-short": pl.concat([GOOD["val-short"].head(1)] * 2)},
        {"ids_are_unique"},
    ),
    "a record in two splits": (
        lambda: {**GOOD, "val-medium": TRAIN_SHORT.head(1)},
        {
            "ids_are_unique",
            "splits_do_not_share_conversations",
            "records_lie_in_the_file_of_their_cell",
            "validation_is_true",
        },
    ),
    "a train record that calls itself val": (
        lambda: relabelled("val-long", OTHER_TRAIN_LONG, split="val"),
        {"split_matches_hash"},
    ),
    "a conversation with a lost turn": (
        lambda: with_row("val-long", maxTurnIndex=99),
        {"conversation_is_complete"},
    ),
    "a conversation that begins at turn 2": (
        lambda: with_row("train-short", turnsArray=turns_of("train-short", [2, 3, 4]), turnCount=3),
        {"first_turn_is_1", "turns_are_sequential"},
    ),
    "a conversation with a gap": (
        lambda: with_row("train-short", turnsArray=turns_of("train-short", [1, 2, 4]), turnCount=3),
        {"turns_are_sequential"},
    ),
    "a turnCount that lies": (
        lambda: with_row("train-short", turnsArray=turns_of("train-short", [1, 2, 3]), turnCount=4),
        {"turn_count_matches_turns"},
    ),
    "a short conversation that calls itself long": (
        lambda: relabelled(
            "val-long", GOOD["val-short"], bucket="long", conversationId=VAL_LONG["conversationId"].item()
        ),
        {"bucket_matches_turn_count"},
    ),
    "a blank user message": (
        lambda: {**GOOD, "val-short": with_turns(GOOD["val-short"], 0, userMessage=" \u200b\n")},
        {"every_turn_has_a_user_message"},
    ),
    "a secret in an answer": (
        lambda: {**GOOD, "val-short": with_turns(GOOD["val-short"], 0, modelMessage=f"export KEY=ghp_{36 * 'a'}")},
        {"no_secrets"},
    ),
    "records in another order": (
        lambda: {**GOOD, "train-short": TRAIN_SHORT.reverse()},
        {"records_are_in_priority_order"},
    ),
    "two files swapped": (
        lambda: {**GOOD, "val-medium": GOOD["val-long"], "val-long": GOOD["val-medium"]},
        {"records_lie_in_the_file_of_their_cell"},
    ),
    "a record more than wanted": (
        lambda: {**GOOD, "test-short": conversations_of(SMALL, SMALL.cell("test-short"), 2)},
        {"cells_hold_what_is_wanted"},
    ),
    "a record less than wanted, which the plan does not allow": (
        lambda: {**GOOD, "test-short": GOOD["test-short"].clear()},
        {"cells_hold_what_is_wanted"},
    ),
}


class Files:
    """A release's folder to be damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def change(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """Damage a file."""
        file = self.folder / path
        file.write_bytes(change(file.read_bytes()))

    def forge(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """Damage a file and let metadata.json claim the new bytes."""
        self.change(path, change)
        facts = file_facts((self.folder / path).read_bytes())
        self.claim(lambda document: entry(document, path).update(facts))

    def claim(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change what metadata.json claims."""
        document = json.loads((self.folder / METADATA).read_bytes())
        change(document)
        (self.folder / METADATA).write_bytes(render(document))


def entry(document: dict[str, Any], path: str) -> dict[str, Any]:
    """What a metadata.json, of whatever kind of release, claims of a file."""
    reports: dict[str, dict[str, Any]] = document.get("rejected", {}).get("invalid_records_files", {})
    files: list[dict[str, Any]] = [*document["output_files"].values(), *reports.values()]
    return next(file for file in files if file["path"] == path)


FILE = "train/short_3_to_5_turns.json"
REPORT = "invalid_records_train_20250816_120000.json"

DAMAGED: dict[str, tuple[Callable[[Files], object], set[str]]] = {
    "fault 47: a bit flipped": (
        lambda files: files.change(FILE, lambda content: content.replace(b"answer", b"anSwer", 1)),
        {"files_have_their_hashes"},
    ),
    "a line removed": (
        lambda files: files.change(FILE, lambda content: content.split(b"\n", 1)[1]),
        {
            "files_have_their_hashes",
            "counts_are_true",
            "cells_hold_what_is_wanted",
            "name_tells_what_is_inside",
            "validation_is_true",
        },
    ),
    "a file cut off": (
        lambda files: files.change(FILE, lambda content: content[:-20]),
        {
            "files_have_their_hashes",
            "lines_are_records",
            "counts_are_true",
            "cells_hold_what_is_wanted",
            "name_tells_what_is_inside",
            "validation_is_true",
        },
    ),
    "a file missing": (
        lambda files: (files.folder / FILE).unlink(),
        {
            "files_are_all_there_and_no_others",
            "counts_are_true",
            "cells_hold_what_is_wanted",
            "name_tells_what_is_inside",
            "validation_is_true",
        },
    ),
    "a redaction more than there is": (
        lambda files: files.claim(lambda document: document["privacy"]["redacted"].update(jwt=1)),
        {"privacy_is_told"},
    ),
    "names that are said to be pseudonyms": (
        lambda files: files.claim(lambda document: document["privacy"].update(user_names="pseudonym")),
        {"privacy_is_told"},
    ),
    "a report missing": (lambda files: (files.folder / REPORT).unlink(), {"files_are_all_there_and_no_others"}),
    "a file too many": (
        lambda files: (files.folder / "train/notes.txt").write_text("mine"),
        {"files_are_all_there_and_no_others"},
    ),
    "a hidden file too many": (
        lambda files: (files.folder / ".DS_Store").write_text("mine"),
        {"files_are_all_there_and_no_others"},
    ),
    "a record with an unknown field": (
        lambda files: files.forge(FILE, lambda content: content.replace(b"{", b'{"mode":"agent",', 1)),
        {"lines_are_records", "validation_is_true"},
    ),
    "a blank line": (
        lambda files: files.forge(FILE, lambda content: content + b"\n"),
        {"lines_are_records", "counts_are_true", "cells_hold_what_is_wanted", "name_tells_what_is_inside"},
    ),
    "an MD5 edited": (
        lambda files: files.claim(lambda document: entry(document, FILE).update(md5="0" * 32)),
        {"files_have_their_hashes"},
    ),
    "a size edited": (
        lambda files: files.claim(lambda document: entry(document, FILE).update(bytes=1)),
        {"files_have_their_hashes"},
    ),
    "a count of records edited": (
        lambda files: files.claim(lambda document: entry(document, FILE).update(records=5)),
        {"counts_are_true"},
    ),
    "a split edited": (
        lambda files: files.claim(lambda document: entry(document, FILE).update(split="val")),
        {"counts_are_true"},
    ),
    "a total edited": (
        lambda files: files.claim(lambda document: document["actual_counts"].update(total=16)),
        {"counts_are_true"},
    ),
    "a count left null": (
        lambda files: files.claim(lambda document: document["actual_counts"].update(short_3_to_5_turns=None)),
        {"counts_are_true"},
    ),
    "an unknown count left null": (
        lambda files: files.claim(lambda document: document["actual_counts"].update(tiny=None)),
        {"counts_are_true"},
    ),
    "a file that is not claimed": (
        lambda files: files.claim(lambda document: document["output_files"].pop("train/short_3_to_5_turns")),
        {"files_are_all_there_and_no_others", "counts_are_true"},
    ),
    "a shortfall made up": (
        lambda files: files.claim(lambda document: document["shortfall"].update({"val-long": {"want": 2, "have": 1}})),
        {"cells_hold_what_is_wanted"},
    ),
    "a target edited": (
        lambda files: files.claim(lambda document: document["stratification"].update(total_target=16)),
        {"metadata_follows_the_plan"},
    ),
    "a share edited": (
        lambda files: files.claim(lambda document: document["splits"]["shares"].update(val=10)),
        {"metadata_follows_the_plan"},
    ),
    "a window of another length": (
        lambda files: files.claim(
            lambda document: document["query_parameters"]["time_window"].update(start="2025-08-01T00:00:00Z")
        ),
        {"metadata_follows_the_plan"},
    ),
    "a repair that is not counted": (
        lambda files: files.claim(lambda document: document["repairs"].pop("retriedTurns")),
        {"metadata_follows_the_plan"},
    ),
    "a date edited": (
        lambda files: files.claim(
            lambda document: document["curation_info"].update(curation_date="2026-01-01T00:00:00Z")
        ),
        {"name_tells_what_is_inside", "files_are_all_there_and_no_others"},
    ),
    "an id edited": (
        lambda files: files.claim(lambda document: document["curation_info"].update(curation_id="vscodedata_120k")),
        {"name_tells_what_is_inside"},
    ),
    "a warning not counted": (
        lambda files: files.claim(
            lambda document: document["validation"]["prompt_tokens_are_positive"].update(broken=1)
        ),
        {"validation_is_true"},
    ),
    "a plan edited": (
        lambda files: files.claim(lambda document: document["curation_info"]["plan"]["sample"].update(salt="v5")),
        {"metadata_is_well_formed"},
    ),
    "a report changed": (
        lambda files: files.change(REPORT, lambda content: content.replace(b"Bucket", b"bucket", 1)),
        {"files_have_their_hashes", "invalid_records_are_told"},
    ),
    "a report that does not add up": (
        lambda files: files.forge(
            REPORT, lambda content: content.replace(b'"total_invalid": 2', b'"total_invalid": 3')
        ),
        {"invalid_records_are_told"},
    ),
    "a report that is none": (
        lambda files: files.forge(REPORT, lambda content: b"[" * len(content) * 100),
        {"invalid_records_are_told"},
    ),
    "a report of fewer records than claimed": (
        lambda files: files.claim(lambda document: entry(document, REPORT).update(records=1)),
        {"invalid_records_are_told"},
    ),
    "rejected conversations that do not add up": (
        lambda files: files.claim(lambda document: document["rejected"].update(total=4)),
        {"invalid_records_are_told"},
    ),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forge(tmp_path_factory.mktemp("good"), GOOD)


def test_a_good_release_verifies(good: Path):
    for location in (str(good), good.as_uri()):
        verification = verify_release(open_release_store(location))
        assert verification.passed
        assert verification.url == good.as_uri()
        assert details(verification) == {}


@pytest.mark.parametrize("case", FORGED)
def test_a_release_of_bad_records_does_not_verify(tmp_path: Path, case: str):
    samples, expected = FORGED[case]
    assert failed(verify_release(open_release_store(str(forge(tmp_path, samples()))))) == expected


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_release_does_not_verify(good: Path, tmp_path: Path, case: str):
    folder = tmp_path / NAME
    copytree(good, folder)
    damage, expected = DAMAGED[case]
    damage(Files(folder))
    verification = verify_release(open_release_store(str(folder)))
    assert failed(verification) == expected
    assert not verification.passed


def test_every_finding_has_a_counter_example(good: Path):
    expected = [expected for _, expected in FORGED.values()] + [expected for _, expected in DAMAGED.values()]
    assert {finding.name for finding in verify_release(open_release_store(str(good))).findings} == set.union(*expected)


def test_a_renamed_folder_does_not_verify(good: Path, tmp_path: Path):
    copytree(good, tmp_path / "renamed")
    told = details(verify_release(open_release_store(str(tmp_path / "renamed"))))
    assert set(told) == {"name_tells_what_is_inside"}
    assert "the folder says 'renamed'" in told["name_tells_what_is_inside"]


def test_an_interrupted_publication_is_not_a_release(good: Path, tmp_path: Path):
    copytree(good, tmp_path / NAME)
    (tmp_path / NAME / METADATA).unlink()
    with pytest.raises(Refused, match="is not a release") as refusal:
        verify_release(open_release_store(str(tmp_path / NAME)))
    assert "metadata.json is written last" in refusal.value.remedy
    with pytest.raises(Refused, match="is not a release"):
        verify_release(open_release_store(str(tmp_path / "nothing")))


def test_findings_name_files_lines_and_at_most_five_ids_and_no_text(good: Path, tmp_path: Path):
    blank = GOOD["train-short"].to_dicts()
    for row in blank:
        row["turnsArray"] = [{**turn, "userMessage": "", "modelMessage": PRIVATE} for turn in row["turnsArray"]]
    sample = with_digests(pl.DataFrame(blank, schema=TRAIN_SHORT.schema))
    samples = {**GOOD, "train-short": sample, "train-medium": with_turns(GOOD["train-medium"], 0, userMessage=" ")}
    samples["val-short"] = with_turns(with_turns(GOOD["val-short"], 0, userMessage=""), 1, userMessage="")
    told = details(verify_release(open_release_store(str(forge(tmp_path, samples)))))
    ids = [*sample["conversationId"], samples["train-medium"]["conversationId"][0]]
    assert told["every_turn_has_a_user_message"] == f"{', '.join(ids)} and more, 7 in all"
    copytree(good, tmp_path / NAME, dirs_exist_ok=True)
    Files(tmp_path / NAME).change(FILE, lambda content: content.replace(b'"turnCount":', f'"{PRIVATE}":'.encode()))
    verification = verify_release(open_release_store(str(tmp_path / NAME)))
    assert details(verification)["lines_are_records"] == ", ".join(f"{FILE} line {number}" for number in (1, 2, 3, 4))
    assert PRIVATE not in str(verification) + str(told)


@pytest.mark.parametrize(
    "content",
    [b"", b"not JSON", b"[]", b"null", b"{}", b"[" * 100_000, b"\xff", b'{"curation_info": 5}'],
    ids=["nothing", "text", "array", "null", "object", "deep", "bytes", "number"],
)
def test_a_metadata_file_of_another_kind_does_not_verify(tmp_path: Path, content: bytes):
    (tmp_path / METADATA).write_bytes(content)
    assert failed(verify_release(open_release_store(str(tmp_path)))) == {"metadata_is_well_formed"}


def test_reading_tells_how_far_it_is(good: Path):
    told: list[tuple[int, int]] = []
    verify_release(open_release_store(str(good)), progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (15, 15)


def test_a_file_of_many_blocks_is_read_in_order(tmp_path: Path):
    rows = TRAIN_SHORT.to_dicts()
    for row in rows:
        row["turnsArray"] = [{**turn, "modelMessage": "x" * 2_000_000} for turn in row["turnsArray"]]
    sample = with_digests(pl.DataFrame(rows, schema=TRAIN_SHORT.schema))
    told: list[tuple[int, int]] = []
    release = forge(tmp_path, {**GOOD, "train-short": sample})
    assert (release / FILE).stat().st_size > 1.5 * BLOCK_BYTES
    assert verify_release(
        open_release_store(str(release)), progress=lambda done, total: told.append((done, total))
    ).passed
    assert 0 < told[0][0] < 4
    Files(release).forge(FILE, lambda content: content + b"{}\n")
    assert details(verify_release(open_release_store(str(release))))["lines_are_records"] == f"{FILE} line 5"


def test_a_release_without_invalid_records_verifies(tmp_path: Path):
    assert verify_release(open_release_store(str(forge(tmp_path, GOOD, rejected=rejected_rows())))).passed


def test_an_invalid_record_may_not_be_released(tmp_path: Path):
    conversation_id = VAL_LONG["conversationId"].item()
    rejected = rejected_rows((conversation_id, "val", "long", 11, "invalid", ["First turn has index 2"]))
    told = details(verify_release(open_release_store(str(forge(tmp_path, GOOD, rejected=rejected)))))
    assert told == {"invalid_records_are_told": f"{conversation_id} is released and invalid"}


def test_fault_32_metadata_cannot_point_outside_the_release(good: Path, tmp_path: Path):
    copytree(good, tmp_path / NAME)
    (tmp_path / "outside.json").write_text("{}")
    Files(tmp_path / NAME).claim(lambda document: entry(document, REPORT).update(path="../outside.json"))
    assert "files_are_all_there_and_no_others" in failed(verify_release(open_release_store(str(tmp_path / NAME))))


@given(st.lists(st.binary(max_size=30).map(lambda piece: piece.replace(b"7", b"\n"))), st.integers(1, 40))
def test_blocks_are_the_same_bytes_and_end_where_lines_end(pieces: list[bytes], size: int):
    blocks = list(whole_lines(pieces, size=size, longest=10**9))
    assert b"".join(blocks) == b"".join(pieces)
    assert all(block.endswith(b"\n") for block in blocks[:-1])


@given(st.lists(st.binary(min_size=1, max_size=30)), st.integers(1, 40))
def test_a_line_without_end_is_cut(pieces: list[bytes], longest: int):
    blocks = list(whole_lines(pieces, size=1, longest=longest))
    assert b"".join(blocks) == b"".join(pieces)
    assert all(len(block) <= longest + 30 for block in blocks)
