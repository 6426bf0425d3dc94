"""Every claim about the routers' tables fails on a table that was tampered with, and none on a finished walk."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.curation.label_account import LabelAccount, Pairs
from sft_pipeline.orchestration.io_managers import ACCOUNT
from sft_pipeline.orchestration.jobs import evaluate_stored
from sft_pipeline_tests.orchestration.labelled_world import TRAIN, VAL, LabelledWorld
from sft_pipeline_tests.orchestration.test_checks import first, rewrite
from sft_pipeline_tests.orchestration.walked_world import KEY

Change = Callable[[LabelledWorld], None]

REQUESTS = TableKey("conversation_router/requests", KEY, "train")
VERDICTS = TableKey("conversation_router/verdicts", KEY, "train")
TRAINING = TableKey("conversation_router/training_sets", KEY, TRAIN)
OTHER_TRAINING = TableKey("conversation_router/training_sets", KEY, VAL)
ARTIFACTS = TableKey("conversation_router/sft_artifacts", KEY, TRAIN)
RELEASE = TableKey("sft_release", KEY)
DISAGREEING = Pairs(both0=10, first0_second1=10, first1_second0=10, both1=10)


def table(key: TableKey, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    """Change a stored table behind the pipeline's back."""
    return lambda world: rewrite(world, key, change)


def account(**changes: object) -> Change:
    """Change the account of the verdicts."""

    def tamper(world: LabelledWorld) -> None:
        told = LabelAccount.model_validate_json(world.tables.notes(VERDICTS)[ACCOUNT])
        changed = told.model_copy(update=changes).model_dump_json()
        rewrite(world, VERDICTS, lambda frame: frame, **{ACCOUNT: changed})

    return tamper


def same_text(frame: pl.DataFrame) -> pl.DataFrame:
    """The first two requests that can be judged have one text."""
    [one, other, *_] = frame.filter(pl.col("leftOut").is_null()).rows(named=True)
    key = pl.when(requestId=other["requestId"]).then(pl.lit(one["contentKey"])).otherwise("contentKey")
    return frame.with_columns(contentKey=key)


def text_with_two_labels(frame: pl.DataFrame) -> pl.DataFrame:
    """A row of label 1 has the text of one of label 0."""
    [zero, one] = [frame.filter(label=label).row(0, named=True) for label in (0, 1)]
    key = pl.when(requestId=one["requestId"]).then(pl.lit(zero["contentKey"])).otherwise("contentKey")
    return frame.with_columns(contentKey=key)


def text_of_another_split(into: TableKey, of: TableKey) -> Change:
    """A row has the text and the label of a row of another split."""

    def tamper(world: LabelledWorld) -> None:
        row = world.tables.read(of).row(0, named=True)
        label = pl.col("label") == row["label"]
        mine = label & (label.cum_sum() == 1)
        rewrite(
            world,
            into,
            lambda frame: frame.with_columns(
                contentKey=pl.when(mine).then(pl.lit(row["contentKey"])).otherwise("contentKey")
            ),
        )

    return tamper


def flipped_bit(world: LabelledWorld) -> None:
    file = Path(world.settings.releases) / world.tables.read(ARTIFACTS)["origin"][0]
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def folder_of(world: LabelledWorld) -> Path:
    """The SFT release of a copied world."""
    folder = Path(world.settings.releases) / world.table("sft_release")["name"][0]
    rewrite(world, RELEASE, lambda frame: frame.with_columns(url=pl.lit(folder.as_uri())))
    return folder


def removed_line(world: LabelledWorld) -> None:
    file = folder_of(world) / "session_router" / "datav3_val_70r_30n_sft.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.unlink()
    file.write_bytes(b"".join(lines[1:]))


def released_with_other_shares(world: LabelledWorld) -> None:
    """The release is of an earlier window, where all labels were 1."""
    file = folder_of(world) / "metadata.json"
    document = json.loads(file.read_text())
    document["query_parameters"]["time_window"] |= {"start": "2026-10-01T00:00:00Z", "end": "2026-10-16T00:00:00Z"}
    [told] = [part for name, part in document["routers"].items() if name == "conversation_router"]
    told["splits"]["train"]["account"] |= {"label0": 0}
    file.unlink()
    file.write_text(json.dumps(document))


COUNTER_EXAMPLES: dict[tuple[TableKey, str], Change] = {
    (REQUESTS, "table_is_stored_as_written"): table(REQUESTS, first("something else")("request")),
    (REQUESTS, "requests_are_in_priority_order"): table(REQUESTS, lambda frame: frame.reverse()),
    (REQUESTS, "no_turn_is_lost"): table(REQUESTS, lambda frame: frame.tail(-1)),
    (REQUESTS, "no_text_is_judged_twice"): table(REQUESTS, same_text),
    (VERDICTS, "table_is_stored_as_written"): table(VERDICTS, first(0.123)("probability")),
    (VERDICTS, "every_request_is_accounted"): account(not_asked=0),
    (VERDICTS, "account_matches_the_tables"): account(label0=0),
    (VERDICTS, "verdicts_are_a_prefix"): table(VERDICTS, lambda frame: frame.tail(-1)),
    (VERDICTS, "labels_are_0_or_1"): table(VERDICTS, first(2)("label")),
    (VERDICTS, "judge_agrees_with_itself"): account(retest=DISAGREEING),
    (VERDICTS, "second_judge_agrees"): account(second_opinion=DISAGREEING),
    (VERDICTS, "canaries_keep_their_labels"): account(canaries=40, canaries_missed=tuple("abcde")),
    (VERDICTS, "people_agree"): account(human=DISAGREEING),
    (VERDICTS, "unlabelled_are_few"): account(unlabelled={"malformed_answer": 100}),
    (VERDICTS, "labels_do_not_drift"): released_with_other_shares,
    (TRAINING, "table_is_stored_as_written"): table(TRAINING, first("something else")("content")),
    (TRAINING, "ratio_is_exact"): table(TRAINING, lambda frame: frame.tail(-1)),
    (TRAINING, "no_request_twice"): table(TRAINING, lambda frame: pl.concat([frame, frame.head(1)])),
    (TRAINING, "rows_are_of_their_split"): table(TRAINING, first("val")("split")),
    (TRAINING, "labels_are_those_of_the_verdicts"): table(
        VERDICTS, lambda frame: frame.with_columns(label=1 - pl.col("label"))
    ),
    (TRAINING, "no_text_in_two_splits"): text_of_another_split(TRAINING, OTHER_TRAINING),
    (TRAINING, "no_text_with_two_labels"): table(TRAINING, text_with_two_labels),
    (ARTIFACTS, "file_has_its_hashes"): flipped_bit,
    (ARTIFACTS, "files_are_of_this_training_set"): lambda world: rewrite(
        world, TRAINING, lambda frame: frame, version="another"
    ),
    (RELEASE, "release_verifies"): removed_line,
}


def test_a_finished_walk_breaks_no_claim(labelled: LabelledWorld) -> None:
    checked = tuple(one for one in labelled.checked if "router" in one.asset or one.asset == "sft_release")
    found = list(evaluate_stored(checked, labelled.shelf, labelled.settings.plan))
    assert {evaluation.asset for evaluation in found} == {one.asset for one in checked}
    assert [evaluation for evaluation in found if not evaluation.outcome.passed] == []


@pytest.mark.parametrize(
    ("key", "claim"), COUNTER_EXAMPLES, ids=[f"{key.asset}-{claim}" for key, claim in COUNTER_EXAMPLES]
)
def test_what_was_tampered_with_is_found(labelled: LabelledWorld, tmp_path: Path, key: TableKey, claim: str) -> None:
    world = labelled.copy(tmp_path)
    assert claim not in world.broken(key.asset, key.part)
    COUNTER_EXAMPLES[key, claim](world)
    assert claim in world.broken(key.asset, key.part)


def test_every_claim_has_a_counter_example(labelled: LabelledWorld) -> None:
    claims = {
        (one.asset, claim.name)
        for one in labelled.checked
        for claim in one.claims
        if one.asset.startswith("conversation_router/") or one.asset == "sft_release"
    }
    assert {(key.asset, claim) for key, claim in COUNTER_EXAMPLES} == claims


def test_both_routers_have_the_same_claims(labelled: LabelledWorld) -> None:
    claims = {one.asset: {claim.name for claim in one.claims} for one in labelled.checked}
    for name in ("requests", "verdicts", "training_sets", "sft_artifacts"):
        assert claims[f"session_router/{name}"] == claims[f"conversation_router/{name}"]


@pytest.mark.parametrize(("mine", "changed"), [(TRAINING, OTHER_TRAINING), (OTHER_TRAINING, TRAINING)])
def test_fault_36_a_text_in_two_splits_is_found_from_either(
    labelled: LabelledWorld, tmp_path: Path, mine: TableKey, changed: TableKey
) -> None:
    world = labelled.copy(tmp_path)
    text_of_another_split(changed, mine)(world)
    assert world.broken(mine.asset, mine.part) == {"no_text_in_two_splits"}


def test_fault_36_a_text_with_another_label_at_another_ratio_is_found(labelled: LabelledWorld, tmp_path: Path) -> None:
    world = labelled.copy(tmp_path)
    other = TRAINING._replace(part="train-50r50n")
    row = world.tables.read(TRAINING).filter(label=0).row(0, named=True)
    mine = (pl.col("label") == 1) & ((pl.col("label") == 1).cum_sum() == 1)
    key = pl.when(mine).then(pl.lit(row["contentKey"])).otherwise("contentKey")
    rewrite(world, other, lambda frame: frame.with_columns(contentKey=key))
    assert world.broken(TRAINING.asset, TRAINING.part) == {"no_text_with_two_labels"}


def test_sets_whose_labels_are_no_more_do_not_speak_against_new_ones(labelled: LabelledWorld, tmp_path: Path) -> None:
    """A walk makes one set after the other: those that come later are still of the verdicts of before."""
    world = labelled.copy(tmp_path)
    text_of_another_split(OTHER_TRAINING, TRAINING)(world)
    rewrite(
        world,
        VERDICTS._replace(part="val"),
        lambda frame: frame.with_columns(label=1 - pl.col("label")),
    )
    assert world.broken(TRAINING.asset, TRAINING.part) == set()


def test_one_split_is_checked_alone_while_the_others_have_no_verdicts(labelled: LabelledWorld, tmp_path: Path) -> None:
    """Regression: the checks of one split's training set could not be evaluated without the verdicts of all."""
    world = labelled.copy(tmp_path)
    Path(world.tables.uri(VERDICTS)).unlink()
    assert world.broken(OTHER_TRAINING.asset, OTHER_TRAINING.part) == set()
