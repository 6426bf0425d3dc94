"""Every statement about an SFT release has a release that breaks it, and a good release breaks none."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from shutil import copytree
from typing import Any

import polars as pl
import pytest

from sft_pipeline.clients import release_store, sft_verification
from sft_pipeline.clients.release_store import LocalReleaseStore, open_release_store
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.balancing import in_line_order
from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.label_account import Pairs
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.requests import content_key, routers_of
from sft_pipeline.curation.sections import plan_sha256, render
from sft_pipeline.curation.sft_release import sft_metadata
from sft_pipeline_tests.clients.test_verification import Files, details, entry, failed
from sft_pipeline_tests.labelling_world import (
    JUDGE,
    MOMENT,
    NAME,
    SMALL,
    WHO,
    Sets,
    accounts_of,
    labelled,
    labelling_of,
    row_of,
    sets_of,
    with_training,
)

GOOD = sets_of()
TRAIN, TRAIN_EVEN, VAL, TEST_EVEN = (
    f"session_router/{variant}" for variant in ("train-70r30n", "train-50r50n", "val-70r30n", "test-50r50n")
)
TURNS, VAL_TURNS = "conversation_router/train-70r30n", "conversation_router/val-70r30n"
LINES = "session_router/datav3_train_70r_30n_sft.jsonl"
TABLE = "session_router/datav3_train_70r_30n_labels.parquet"
PRIVATE = "what nobody may read in a report"
SECRET = "ghp_" + "a1B2" * 9
BY_USER = SMALL.model_copy(update={"split": SMALL.split.model_copy(update={"by": "user"})})


def forge(folder: Path, sets: Sets, plan: Plan = SMALL, **changes: Any) -> Path:
    """A release of any sets, its metadata.json telling the truth; no one refuses."""
    store = LocalReleaseStore(folder / "store")
    labelling = labelling_of(store, plan, sets, **changes)
    release = folder / NAME
    for path, origin in labelling.artifacts.select("path", "origin").iter_rows():
        (release / path).parent.mkdir(parents=True, exist_ok=True)
        (release / path).write_bytes(b"".join(store.read(origin)))
    (release / METADATA).write_bytes(render(sft_metadata(labelling, MOMENT)))
    return release


def verified(folder: Path) -> set[str]:
    return failed(verify_release(open_release_store(str(folder))))


def only_in(key: str, other: str, label: int) -> int:
    """A row of a set that the other ratio of its split does not have."""
    rows = GOOD[key].with_row_index("row").filter(label=label)
    return rows.join(GOOD[other], on="requestId", how="anti")["row"][0]


ALONE, ALONE_EVEN = only_in(TRAIN, TRAIN_EVEN, 0), only_in(TRAIN_EVEN, TRAIN, 1)
VAL_ALONE = only_in(VAL, "session_router/val-50r50n", 0)
TEST_ALONE = only_in(TEST_EVEN, "session_router/test-70r30n", 1)
FIRST, LAST = GOOD[TRAIN]["label"].to_list().index(0), GOOD[TRAIN].height - 1


def with_row(key: str, row: int, sets: Sets = GOOD, **fields: Any) -> Sets:
    """The sets with fields of one row replaced, in the same order."""
    rows = sets[key].to_dicts()
    rows[row] = {**rows[row], **fields}
    return {**sets, key: pl.DataFrame(rows, schema=sets[key].schema)}


def with_text(key: str, row: int, text: str) -> Sets:
    """The sets with another text in a row, which is ranked by it."""
    return replaced(key, row, texted(text))


def texted(text: str) -> dict[str, Any]:
    """What of a row follows from its text."""
    key = content_key(text)
    return {"content": text, "contentKey": key, "priority": priority_of(key, salt=routers_of(SMALL).salt)}


def replaced(key: str, row: int, by: dict[str, Any]) -> Sets:
    """The sets with a row replaced by another one, in priority order."""
    sets = with_row(key, row, **by)
    return {**sets, key: in_line_order(sets[key], routers_of(SMALL).salt)}


def text_of(key: str, row: int) -> str:
    return GOOD[key]["content"][row]


def spare(split: str, label: int) -> dict[str, Any]:
    """A labelled request that no file has."""
    pool = labelled(SMALL, "session_router", split).filter(label=label)
    return pool.row(pool.height - 1, named=True)


def later_turn() -> dict[str, Any]:
    """A row of the second turn of a conversation."""
    row = GOOD[TRAIN].row(ALONE, named=True)
    request_id = f"{row['conversationId']}#2"
    return {
        **row,
        "requestId": request_id,
        "turnIndex": 2,
        "turnPosition": ("early", "mid", "late")[3 // row["turnCount"]],
    }


def opposed() -> Sets:
    """The sets with a text in train and in test, with opposite labels."""
    return with_text(TEST_EVEN, TEST_ALONE, text_of(TRAIN, ALONE))


IMPOSSIBLE: tuple[dict[str, Any], ...] = (
    {"priority": 2**60},
    {"turnPosition": "late"},
    {"turnCount": 2},
    {"stratum": "early"},
    {"bucket": "tiny"},
    {"bucket": "short", "turnCount": 15},
    {"weight": 0.5},
    {"weight": float("nan")},
    {"weight": float("inf")},
    {"probability": 1.5},
    {"probability": float("nan")},
)

FORGED: dict[str, tuple[Callable[[], Sets], set[str]]] = {
    "a label too many of one class": (
        lambda: with_row(TRAIN, ALONE, label=1),
        {"ratios_are_exact"},
    ),
    "a text twice in a file, in other letters": (
        lambda: with_text(TRAIN, ALONE, f"  {text_of(TRAIN, FIRST).upper()}\u200b"),
        {"texts_stand_once"},
    ),
    "a text in two splits": (
        lambda: with_text(VAL, VAL_ALONE, text_of(TRAIN, ALONE)),
        {"splits_share_no_text"},
    ),
    "a text in train and in test with opposite labels": (
        opposed,
        {"splits_share_no_text", "texts_have_one_label"},
    ),
    "a text with two labels in two ratios of a split": (
        lambda: with_text(TRAIN_EVEN, ALONE_EVEN, text_of(TRAIN, ALONE)),
        {"texts_have_one_label"},
    ),
    "a request with two texts": (
        lambda: with_text(
            TRAIN, GOOD[TRAIN].with_row_index("row").join(GOOD[TRAIN_EVEN], on="requestId")["row"][0], "?"
        ),
        {"requests_have_one_text"},
    ),
    "a request twice in a file": (
        lambda: replaced(
            TRAIN,
            ALONE,
            {**GOOD[TRAIN].row(LAST, named=True), "label": 0, **texted("?")},
        ),
        {"requests_stand_once", "requests_have_one_text"},
    ),
    "a request of train in val": (
        lambda: replaced(VAL, VAL_ALONE, {**spare("train", 0), "split": "val"}),
        {"requests_lie_in_their_split"},
    ),
    "a request that calls itself one of val": (
        lambda: with_row(TRAIN, ALONE, split="val"),
        {"requests_lie_in_their_split"},
    ),
    "rows in another order": (
        lambda: {**GOOD, TRAIN: GOOD[TRAIN].reverse()},
        {"rows_are_in_line_order"},
    ),
    "a text with a token of someone": (
        lambda: with_text(TRAIN, ALONE, f"why does {SECRET} not work"),
        {"texts_hold_no_secrets"},
    ),
    "a line that is too long": (
        lambda: with_text(TRAIN, ALONE, "x" * 3 * 16_001),
        {"lines_are_short_enough"},
    ),
    "a judge without an account": (
        lambda: with_row(TRAIN, ALONE, judge="openai/another"),
        {"accounts_cover_the_files"},
    ),
    "a later request of a conversation among first ones": (
        lambda: replaced(TRAIN, ALONE, later_turn()),
        {"rows_follow_from_their_request"},
    ),
    **{
        f"a row with an impossible {fields}": (
            lambda fields=fields: with_row(TRAIN, LAST, **fields),
            {"rows_follow_from_their_request"},
        )
        for fields in IMPOSSIBLE
    },
}


def table_of(content: bytes) -> pl.DataFrame:
    return pl.read_parquet(BytesIO(content))


def parquet(table: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def tabled(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Files], None]:
    """The label table changed, metadata.json claiming the new bytes."""
    return lambda files: files.forge(TABLE, lambda content: parquet(change(table_of(content))))


def swapped(table: pl.DataFrame) -> pl.DataFrame:
    """The first row of each label in the place of the other."""
    rows = table.to_dicts()
    other = next(number for number, row in enumerate(rows) if row["label"] != rows[0]["label"])
    rows[0], rows[other] = rows[other], rows[0]
    return pl.DataFrame(rows, schema=table.schema)


def line(number: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A change of one line."""

    def changed(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join([*lines[:number], change(lines[number]), *lines[number + 1 :]])

    return changed


def other_label(text: bytes) -> bytes:
    return text.replace(b'"content":"0"', b'"content":"1"')


def account(document: dict[str, Any], split: str = "train") -> dict[str, Any]:
    return document["routers"]["session_router"]["splits"][split]["account"]


def claims(change: Callable[[dict[str, Any]], object]) -> Callable[[Files], None]:
    return lambda files: files.claim(change)


COUNTED = {"counts_are_true", "labels_are_told_as_counted", "ratios_are_exact"}
GONE = {"counts_are_true", "labels_are_told_as_counted", "files_hold_what_is_wanted"}

DAMAGED: dict[str, tuple[Callable[[Files], object], set[str]]] = {
    "a letter changed in a text": (
        lambda files: files.change(LINES, line(ALONE, lambda text: text.replace(b"request of", b"requesu of"))),
        {"files_have_their_hashes", "tables_match_their_lines"},
    ),
    "a bit flipped in a table": (
        lambda files: files.change(TABLE, lambda content: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]),
        {"files_have_their_hashes", "tables_are_label_tables"},
    ),
    "another text in a line, with its hashes": (
        lambda files: files.forge(LINES, line(ALONE, lambda text: text.replace(b"request of", b"requesu of"))),
        {"tables_match_their_lines"},
    ),
    "another label in a line": (
        lambda files: files.forge(LINES, line(ALONE, other_label)),
        {*COUNTED, "tables_match_their_lines"},
    ),
    "a line removed": (
        lambda files: files.forge(LINES, line(ALONE, lambda _: b"")),
        {*COUNTED, "files_hold_what_is_wanted", "tables_are_label_tables"},
    ),
    "another system prompt": (
        lambda files: files.forge(LINES, line(ALONE, lambda text: text.replace(b"Assess whether", b"Assess if"))),
        {*COUNTED, "lines_are_sft_lines", "files_hold_what_is_wanted"},
    ),
    "a line of another shape": (
        lambda files: files.forge(LINES, line(ALONE, lambda text: text.replace(b'"user"', f'"{PRIVATE}"'.encode()))),
        {*COUNTED, "lines_are_sft_lines", "files_hold_what_is_wanted"},
    ),
    "a last line without its end": (
        lambda files: files.forge(LINES, lambda content: content[:-1]),
        {*COUNTED, "lines_are_sft_lines", "files_hold_what_is_wanted", "tables_are_label_tables"},
    ),
    "a blank line": (
        lambda files: files.forge(LINES, lambda content: content + b"\n"),
        {"lines_are_sft_lines", "tables_are_label_tables"},
    ),
    "no line at all": (
        lambda files: files.forge(LINES, lambda _: b""),
        {*GONE, "tables_are_label_tables"},
    ),
    "lines missing": (
        lambda files: (files.folder / LINES).unlink(),
        {*GONE, "files_are_all_there_and_no_others"},
    ),
    "a table missing": (lambda files: (files.folder / TABLE).unlink(), {"files_are_all_there_and_no_others"}),
    "a file too many": (
        lambda files: (files.folder / "session_router/notes.txt").write_text("mine"),
        {"files_are_all_there_and_no_others"},
    ),
    "a table that is none": (
        lambda files: files.forge(TABLE, lambda _: PRIVATE.encode()),
        {"tables_are_label_tables"},
    ),
    "a table cut off": (
        lambda files: files.forge(TABLE, lambda content: content[: len(content) // 2]),
        {"tables_are_label_tables"},
    ),
    "a table with texts": (
        tabled(lambda table: table.with_columns(content=pl.lit(PRIVATE))),
        {"tables_are_label_tables"},
    ),
    "a table without a column": (tabled(lambda table: table.drop("weight")), {"tables_are_label_tables"}),
    "a table in another order of columns": (
        tabled(lambda table: table.select(reversed(table.columns))),
        {"tables_are_label_tables"},
    ),
    "a table with a column of another type": (
        tabled(lambda table: table.cast({"label": pl.Int8})),
        {"tables_are_label_tables"},
    ),
    "a table without a value": (
        tabled(lambda table: table.with_columns(judge=pl.lit(None, pl.String()))),
        {"tables_are_label_tables"},
    ),
    "a table with a row less": (tabled(lambda table: table.head(-1)), {"tables_are_label_tables"}),
    "rows of a table swapped": (tabled(swapped), {"tables_match_their_lines", "rows_are_in_line_order"}),
    "another label in a table": (
        tabled(lambda table: table.with_columns(label=1 - pl.col("label"))),
        {"tables_match_their_lines"},
    ),
    "another contentKey in a table": (
        tabled(lambda table: table.with_columns(contentKey=pl.col("contentKey").reverse())),
        {
            *("tables_match_their_lines", "requests_have_one_text"),
            *("rows_follow_from_their_request", "rows_are_in_line_order"),
        },
    ),
    "an MD5 edited": (
        claims(lambda document: entry(document, LINES).update(md5="0" * 32)),
        {"files_have_their_hashes"},
    ),
    "a size edited": (claims(lambda document: entry(document, TABLE).update(bytes=1)), {"files_have_their_hashes"}),
    "a count of lines edited": (
        claims(lambda document: entry(document, LINES).update(records=21)),
        {"counts_are_true"},
    ),
    "a count of a label edited": (
        claims(lambda document: entry(document, TABLE).update(label1=7)),
        {"counts_are_true"},
    ),
    "a split edited": (claims(lambda document: entry(document, LINES).update(split="val")), {"counts_are_true"}),
    "a kind edited": (claims(lambda document: entry(document, LINES).update(kind="labels")), {"counts_are_true"}),
    "a balance edited": (
        claims(lambda document: document["balance"][TRAIN].update(strategies=["complexity"])),
        {"counts_are_true"},
    ),
    "a file that is not claimed": (
        claims(lambda document: document["output_files"].pop(LINES.removesuffix(".jsonl"))),
        {"files_are_all_there_and_no_others", "counts_are_true"},
    ),
    "fault 32: a file outside of the release": (
        claims(lambda document: entry(document, LINES).update(path="../outside.jsonl")),
        {"files_are_all_there_and_no_others", "counts_are_true"},
    ),
    "a shortfall made up": (
        claims(lambda document: document["shortfall"].update({TRAIN: {"want": 30, "have": 20}})),
        {"files_hold_what_is_wanted"},
    ),
    "a system prompt edited": (
        claims(lambda document: document.update(system_prompt=document["system_prompt"].replace("\t", "    "))),
        {"metadata_follows_the_plan"},
    ),
    "a precedence edited": (
        claims(lambda document: document["leakage"]["precedence"].reverse()),
        {"metadata_follows_the_plan"},
    ),
    "same texts edited": (
        claims(lambda document: document["leakage"]["left_out"]["session_router/train"].update(same_text=0)),
        {"metadata_follows_the_plan"},
    ),
    "names that are said to be pseudonyms": (
        claims(lambda document: document["privacy"].update(user_names="pseudonym")),
        {"metadata_follows_the_plan"},
    ),
    "a format edited": (claims(lambda document: document["format"].pop("labels")), {"metadata_follows_the_plan"}),
    "a source edited": (
        claims(lambda document: document["curation_info"].update(data_source="elsewhere")),
        {"metadata_follows_the_plan"},
    ),
    "a window of another length": (
        claims(lambda document: document["query_parameters"]["time_window"].update(start="2025-08-01T00:00:00Z")),
        {"metadata_follows_the_plan"},
    ),
    "a date edited": (
        claims(lambda document: document["curation_info"].update(curation_date="2026-01-01T00:00:00Z")),
        {"name_tells_what_is_inside"},
    ),
    "an id edited": (
        claims(lambda document: document["curation_info"].update(curation_id="vscodedata_sft")),
        {"name_tells_what_is_inside"},
    ),
    "a plan edited": (
        claims(lambda document: document["curation_info"]["plan"]["routers"].update(salt="another")),
        {"metadata_is_well_formed"},
    ),
    "an unknown section": (claims(lambda document: document.update(notes=PRIVATE)), {"metadata_is_well_formed"}),
    "a kappa edited": (
        claims(lambda document: document["routers"]["session_router"]["agreement"]["retest"].update(kappa=1.0)),
        {"labels_are_told_as_counted"},
    ),
    "a kappa of a split edited": (
        claims(
            lambda document: document["routers"]["session_router"]["splits"]["val"]["agreement"]["human"].update(
                kappa=1
            )
        ),
        {"labels_are_told_as_counted"},
    ),
    "a missed canary kept silent": (
        claims(lambda document: document["routers"]["session_router"]["canaries"].update(missed=[])),
        {"labels_are_told_as_counted"},
    ),
    "a judge edited": (
        claims(lambda document: document["routers"]["session_router"]["judge"].update(is_language_model=False)),
        {"labels_are_told_as_counted"},
    ),
    "a class share edited": (
        claims(
            lambda document: document["routers"]["session_router"]["class_shares"]["labelled"]["train"].update(low=0.1)
        ),
        {"labels_are_told_as_counted"},
    ),
    "a cost edited": (claims(lambda document: document["cost"].update(USD=0.1)), {"labels_are_told_as_counted"}),
    "a request that is in no account": (
        claims(lambda document: account(document).update(requests=account(document)["requests"] + 1)),
        {"accounts_are_whole"},
    ),
    "an account missing": (
        claims(lambda document: document["routers"]["session_router"]["splits"].pop("val")),
        {
            "accounts_are_whole",
            "labels_are_told_as_counted",
            "metadata_follows_the_plan",
            "accounts_cover_the_files",
        },
    ),
    "an account in another's place": (
        claims(lambda document: account(document, "val").update(split="test")),
        {
            "accounts_are_whole",
            "labels_are_told_as_counted",
            "metadata_follows_the_plan",
            "accounts_cover_the_files",
        },
    ),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forge(tmp_path_factory.mktemp("good"), GOOD)


def test_a_good_release_verifies(good: Path):
    for location in (str(good), good.as_uri()):
        verification = verify_release(open_release_store(location))
        assert details(verification) == {}
        assert verification.passed
        assert verification.url == good.as_uri()


@pytest.mark.parametrize("case", FORGED)
def test_a_release_of_bad_sets_does_not_verify(tmp_path: Path, case: str):
    sets, expected = FORGED[case]
    assert verified(forge(tmp_path, sets())) == expected


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_release_does_not_verify(good: Path, tmp_path: Path, case: str):
    folder = tmp_path / NAME
    copytree(good, folder)
    damage, expected = DAMAGED[case]
    damage(Files(folder))
    verification = verify_release(open_release_store(str(folder)))
    assert failed(verification) == expected
    assert PRIVATE not in str(verification)


def test_fault_36_a_text_in_train_and_in_test_with_opposite_labels_does_not_verify(tmp_path: Path):
    told = details(verify_release(open_release_store(str(forge(tmp_path, opposed())))))
    where = f"{LINES.replace('train_70r_30n', 'test_50r_50n')} line {TEST_ALONE + 1}"
    assert told == {"splits_share_no_text": where, "texts_have_one_label": where}


def test_fault_47_a_bit_that_flipped_after_publication_is_told_by_its_file(good: Path, tmp_path: Path):
    copytree(good, tmp_path / NAME)
    flip = bytes([0x21])
    Files(tmp_path / NAME).change(LINES, lambda content: content[:500] + flip + content[501:])
    told = details(verify_release(open_release_store(str(tmp_path / NAME))))
    assert f"{LINES}.sha256 says" in told["files_have_their_hashes"]


MISTRUSTED: dict[str, dict[str, Any]] = {
    "judge_agrees_with_itself": {"retest": Pairs(both0=20, first0_second1=5, first1_second0=5, both1=10)},
    "second_judge_agrees": {"second_opinion": Pairs(both0=10, first0_second1=10, first1_second0=10, both1=10)},
    "people_agree": {"human": Pairs(both0=10, first0_second1=10, first1_second0=10, both1=10)},
    "canaries_keep_their_labels": {"canaries_missed": ("one", "two", "three")},
    "unlabelled_are_few": {"unlabelled": {"malformed_answer": 6}, "not_asked": 0, "judges": {JUDGE: 44}},
}


@pytest.mark.parametrize("ground", MISTRUSTED)
def test_fault_43_labels_below_a_threshold_do_not_verify(tmp_path: Path, ground: str):
    told = details(
        verify_release(open_release_store(str(forge(tmp_path, GOOD, accounts=accounts_of(**MISTRUSTED[ground])))))
    )
    assert list(told) == ["labels_are_trusted"]
    assert told["labels_are_trusted"].startswith(f"session_router/train: {ground}")


def test_a_split_that_another_judge_judged_does_not_verify(tmp_path: Path):
    other = WHO.model_copy(update={"judge": "heuristic/proxies", "is_language_model": False})
    assert verified(forge(tmp_path, GOOD, accounts=accounts_of(who=other))) == {"accounts_are_whole"}


def test_files_of_more_labels_than_were_given_do_not_verify(tmp_path: Path):
    accounts = accounts_of(label0=4, judges={JUDGE: 24}, requests=32, served_models={})
    assert verified(forge(tmp_path, GOOD, accounts=accounts)) == {"accounts_cover_the_files"}


def test_a_file_of_more_lines_than_wanted_does_not_verify(tmp_path: Path):
    plan = with_training(SMALL, totals={"train": 10, "val": 10, "test": 10})
    assert verified(forge(tmp_path, GOOD, plan, accounts=accounts_of())) == {"files_hold_what_is_wanted"}


def shortened(sets: Sets) -> Sets:
    """The sets with ten lines less in one of them, at the exact ratio."""
    classes = [sets[TRAIN].filter(label=label).head(number) for label, number in ((0, 7), (1, 3))]
    return {**sets, TRAIN: in_line_order(pl.concat(classes), routers_of(SMALL).salt)}


def test_a_shortfall_verifies_where_the_plan_allows_it(tmp_path: Path):
    release = forge(tmp_path / "cap", shortened(GOOD))
    assert verified(release) == set()
    document = json.loads((release / METADATA).read_bytes())
    assert document["shortfall"] == {TRAIN: {"want": 20, "have": 10}}
    assert (document["balance"][TRAIN]["capped"], document["balance"][TRAIN_EVEN]["capped"]) == (True, False)
    strict = with_training(SMALL, short_class="refuse")
    assert verified(forge(tmp_path / "refuse", shortened(GOOD), strict)) == {"files_hold_what_is_wanted"}


def test_a_conversation_in_two_splits_does_not_verify_where_users_are_split(tmp_path: Path):
    theirs, mine = GOOD[TURNS].row(0, named=True), GOOD[VAL_TURNS].with_row_index("row").filter(label=0)
    row = row_of(BY_USER, "conversation_router", "val", theirs["conversationId"], 14, 0)
    assert row["requestId"] not in set(GOOD[TURNS]["requestId"])
    moved = replaced(VAL_TURNS, mine["row"][0], {**row, **texted("?")})
    assert verified(forge(tmp_path / "by user", moved, BY_USER)) == {"splits_share_no_conversation"}
    assert verified(forge(tmp_path / "by conversation", moved)) == {
        "splits_share_no_conversation",
        "requests_lie_in_their_split",
    }


def test_secrets_may_stand_where_the_plan_keeps_them(tmp_path: Path):
    keeping = SMALL.model_copy(update={"privacy": SMALL.privacy.model_copy(update={"secrets": "keep"})})
    assert verified(forge(tmp_path, with_text(TRAIN, ALONE, f"why does {SECRET} not work"), keeping)) == set()


def test_every_finding_has_a_counter_example(good: Path):
    expected = [expected for _, expected in FORGED.values()] + [expected for _, expected in DAMAGED.values()]
    by_themselves = {"labels_are_trusted", "splits_share_no_conversation"}
    found = {finding.name for finding in verify_release(open_release_store(str(good))).findings}
    assert found == by_themselves.union(*expected)


def test_a_table_that_is_too_large_is_not_read(good: Path, monkeypatch: pytest.MonkeyPatch):
    size = (good / TABLE).stat().st_size
    monkeypatch.setattr(sft_verification, "LARGEST_TABLE_BYTES", size - 1)
    told = details(verify_release(open_release_store(str(good))))
    assert told["tables_are_label_tables"].startswith(f"{TABLE} is larger than {size - 1:,} bytes")
    assert "files_have_their_hashes" not in told


def test_a_file_of_many_blocks_is_read_in_order(good: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sft_verification, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(release_store, "PIECE_BYTES", 300)
    told: list[tuple[int, int]] = []
    verification = verify_release(open_release_store(str(good)), lambda done, total: told.append((done, total)))
    assert details(verification) == {}
    assert told == sorted(told)
    assert (len(told) > 24, told[-1]) == (True, (160, 160))


def test_odd_lines_are_told_by_file_and_number(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sft_verification, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(release_store, "PIECE_BYTES", 300)
    copytree(good, tmp_path / NAME)
    for number in (3, 18):
        Files(tmp_path / NAME).forge(LINES, line(number, lambda text: text.replace(b'"user"', b'"User"')))
    told = details(verify_release(open_release_store(str(tmp_path / NAME))))
    assert told["lines_are_sft_lines"] == f"{LINES} line 4, {LINES} line 19"


def test_a_plan_without_routers_makes_no_sft_release(good: Path, tmp_path: Path):
    copytree(good, tmp_path / NAME)
    plan = SMALL.model_copy(update={"routers": None})
    info = forge_info(plan)
    Files(tmp_path / NAME).claim(lambda document: document["curation_info"].update(info))
    told = details(verify_release(open_release_store(str(tmp_path / NAME))))
    assert told == {"metadata_is_well_formed": "curation_info.plan.routers (missing)"}


def forge_info(plan: Plan) -> dict[str, Any]:
    return {"plan": plan.model_dump(mode="json", exclude_none=True), "plan_sha256": plan_sha256(plan)}
