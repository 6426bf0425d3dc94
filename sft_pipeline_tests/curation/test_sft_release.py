"""What an SFT release is called, what it tells, and what is refused before anything is written."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.label_account import Pairs
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.sections import render
from sft_pipeline.curation.sft_release import (
    Labelling,
    require_whole_labelling,
    sft_metadata,
    sft_publication,
    sft_release_name,
    sft_release_version,
)
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.labelling_world import (
    JUDGE,
    MOMENT,
    NAME,
    SECOND,
    SMALL,
    WHO,
    account_of,
    accounts_of,
    labelling_of,
    with_training,
)

LINES = "session_router/datav3_train_70r_30n_sft.jsonl"
TABLE = "session_router/datav3_train_70r_30n_labels.parquet"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Labelling:
    folder: Path = tmp_path_factory.mktemp("releases")
    return labelling_of(LocalReleaseStore(folder))


def with_file(labelling: Labelling, path: str, /, **fields: Any) -> Labelling:
    """The labelling with other facts of one file."""
    rows = [{**row, **(fields if row["path"] == path else {})} for row in labelling.artifacts.to_dicts()]
    return replace(labelling, artifacts=pl.DataFrame(rows, schema=labelling.artifacts.schema))


def with_counts(labelling: Labelling, label0: int, label1: int) -> Labelling:
    """Both files of a slot with other counts."""
    counts = {"records": label0 + label1, "label0": label0, "label1": label1}
    return with_file(with_file(labelling, LINES, **counts), TABLE, **counts)


def test_a_release_is_named_by_what_it_is_for():
    plan = read_plan("production")
    name = sft_release_name(plan, routers_of(plan), stamp="20250816")
    assert name == "vscodedata_sft_datav3_15d_20250816"
    assert sft_release_name(SMALL, routers_of(SMALL), stamp="20250816_120000") == NAME


def test_equal_versions_are_the_same_files_by_the_same_plan(good: Labelling):
    version = sft_release_version(good)
    assert sft_release_version(replace(good, run_id="another", versions={}, accounts=accounts_of(cost=7.0))) == version
    assert sft_release_version(replace(good, artifacts=good.artifacts.reverse())) == version
    others = [
        with_file(good, TABLE, sha256="0" * 64),
        replace(good, plan=with_training(SMALL, max_line_tokens=1000)),
        replace(good, plan=SMALL.model_copy(update={"query": "another"})),
        replace(good, window=(good.window[0], good.window[0])),
    ]
    assert len({version, *map(sft_release_version, others)}) == 5


def test_metadata_is_the_same_for_the_same_labelling(good: Labelling):
    assert render(sft_metadata(good, MOMENT)) == render(sft_metadata(replace(good), MOMENT))


def test_metadata_tells_judge_agreement_cost_and_classes_before_and_after(good: Labelling):
    document = sft_metadata(good, MOMENT)
    assert document["release_kind"] == "sft"
    assert document["curation_info"]["curation_id"] == NAME
    router = document["routers"]["session_router"]
    assert (router["judge"], router["second_judge"]) == (WHO.model_dump(), SECOND.model_dump())
    assert router["agreement"]["retest"]["pairs"] == 3 * 40
    assert router["agreement"]["retest"]["kappa"] == pytest.approx(0.8997, abs=1e-4)
    assert router["agreement"]["human"] == dict.fromkeys(("agreement", "kappa", "low", "high")) | {"pairs": 0}
    assert router["canaries"] == {"asked": 60, "missed": ["rename_a_variable"]}
    assert router["tokens"] == {"prompt": 36_000, "completion": 120}
    assert (router["cost"], document["cost"]) == ({"USD": 0.3}, {"USD": 0.6})
    shares, labelled = router["class_shares"], router["class_shares"]["labelled"]["train"]
    assert (labelled["label0"], labelled["label1"], labelled["share_of_label0"]) == (19, 19, 0.5)
    assert labelled["low"] == pytest.approx(0.3485, abs=1e-4)
    assert labelled["high"] == pytest.approx(0.6515, abs=1e-4)
    assert shares["released"]["val-70r30n"] == {"label0": 7, "label1": 3, "share_of_label0": 0.7}
    assert router["splits"]["val"]["account"] == account_of(SMALL, "session_router", "val").model_dump(mode="json")


def test_metadata_tells_what_was_wanted_and_how_texts_are_kept_apart(good: Labelling):
    document = sft_metadata(good, MOMENT)
    assert len(document["balance"]) == 12
    assert document["balance"]["conversation_router/test-50r50n"] == {
        "want": 10,
        "records": 10,
        "label0": 5,
        "label1": 5,
        "ratio": "50r50n",
        "strategies": [],
        "by_turn_position": True,
        "capped": False,
    }
    assert document["shortfall"] == {}
    assert document["leakage"]["precedence"] == ["test", "val", "train"]
    assert document["leakage"]["left_out"]["session_router/val"] == {"same_text": 2}
    assert document["tokens"] is None
    counted = {"counter": "o200k_base", LINES: {"total": 2000, "longest": 100}}
    assert sft_metadata(replace(good, tokens=counted), MOMENT)["tokens"] == counted


def test_a_whole_labelling_is_published_as_its_files(good: Labelling):
    publication = sft_publication(good)
    assert publication.name("20250816_120000") == NAME
    assert {origin.path for origin in publication.origins} == set(good.artifacts["path"])
    assert publication.files(publication.metadata(MOMENT)).keys() == set(good.artifacts["path"])
    assert publication.reports("20250816_120000") == {}


def refused(labelling: Labelling) -> str:
    with pytest.raises(Refused) as refusal:
        require_whole_labelling(labelling)
    assert refusal.value.remedy
    return refusal.value.what


def test_a_plan_without_routers_has_nothing_to_release(good: Labelling):
    assert "has no [routers]" in refused(replace(good, plan=SMALL.model_copy(update={"routers": None})))


def test_a_file_that_is_missing_or_unknown_or_told_twice_is_refused(good: Labelling):
    rows = good.artifacts
    assert f"{TABLE} is missing" in refused(replace(good, artifacts=rows.filter(pl.col("path") != TABLE)))
    assert "x.jsonl is not of the plan" in refused(with_file(good, LINES, path="x.jsonl"))
    assert "a path stands twice" in refused(replace(good, artifacts=pl.concat([rows, rows.head(1)])))


def test_a_file_of_another_variant_kind_or_training_set_is_refused(good: Labelling):
    assert f"{LINES} is of val-70r30n, sft" in refused(with_file(good, LINES, variant="val-70r30n"))
    assert f"{TABLE} is of train-70r30n, sft" in refused(with_file(good, TABLE, kind="sft"))
    assert f"{TABLE} and its lines are not of one" in refused(with_file(good, TABLE, trainingVersion="x"))
    assert f"{TABLE} and its lines are not of one" in refused(with_file(good, TABLE, label0=13))


def test_a_ratio_that_is_not_exact_is_refused(good: Labelling):
    assert "session_router/train-70r30n holds 13 : 7" in refused(with_counts(good, 13, 7))
    assert "holds more than 20" in refused(with_counts(good, 28, 12))
    unlabelled = with_file(with_file(good, LINES, records=21), TABLE, records=21)
    assert "lines without a label" in refused(unlabelled)


def test_a_short_class_is_refused_where_the_plan_refuses_it(good: Labelling):
    short = with_counts(good, 7, 3)
    require_whole_labelling(short)
    strict = replace(short, plan=with_training(SMALL, short_class="refuse"))
    assert refused(strict) == "too few requests of a class for session_router/train-70r30n"


def test_nothing_at_all_is_refused(good: Labelling):
    empty = good.artifacts.with_columns(pl.col("records", "label0", "label1") * 0)
    assert "nothing to release" in refused(replace(good, artifacts=empty))


def test_an_account_that_is_missing_or_odd_is_refused(good: Labelling):
    assert "conversation_router/test has no account" in refused(replace(good, accounts=good.accounts[:-1]))
    assert "session_router/train stands twice" in refused(replace(good, accounts=(*good.accounts, good.accounts[0])))
    unknown = good.accounts[0].model_copy(update={"split": "dev"})
    assert "session_router/dev is not of the plan" in refused(replace(good, accounts=(*good.accounts, unknown)))


ODD_ACCOUNTS: dict[str, tuple[dict[str, Any], str]] = {
    "a lost request": ({"requests": 99}, "does not add up to 99 requests"),
    "a verdict of no judge": ({"judges": {JUDGE: 38}}, "judges do not add up to 39 verdicts"),
    "more models than verdicts": ({"served_models": {"gpt": 40}}, "models gave more than 39 verdicts"),
    "canaries that were not asked": ({"canaries": 0}, "more canaries missed than asked"),
    "a prompt of another text": (
        {"who": WHO.model_copy(update={"prompt_sha256": "e" * 64})},
        "prompt session_router_1@0123456789ab is not of its SHA-256",
    ),
    "a second prompt of another text": (
        {"second": SECOND.model_copy(update={"prompt": "another"})},
        "prompt another is not of its SHA-256",
    ),
    "another judge than the other splits": (
        {"who": WHO.model_copy(update={"parameters": "{}"})},
        "session_router: its splits have different judges",
    ),
}


@pytest.mark.parametrize("case", ODD_ACCOUNTS)
def test_an_odd_account_is_refused(good: Labelling, case: str):
    changes, told = ODD_ACCOUNTS[case]
    assert told in refused(replace(good, accounts=accounts_of(**changes)))


def test_proxies_have_no_prompt_that_could_be_checked(good: Labelling):
    def by(**who: Any) -> Labelling:
        accounts = (account.model_copy(update={"who": WHO.model_copy(update=who)}) for account in good.accounts)
        return replace(good, accounts=tuple(accounts))

    require_whole_labelling(by(is_language_model=False, prompt="proxies"))
    assert "prompt" in refused(by(prompt="proxies"))


def test_more_lines_than_labels_are_refused(good: Labelling):
    accounts = accounts_of(label1=5, judges={JUDGE: 25}, requests=33, served_models={})
    assert refused(replace(good, accounts=accounts)) == (
        "SFT files hold more than was labelled: session_router/train-70r30n, session_router/train-50r50n"
    )


def test_fault_43_labels_below_a_threshold_are_refused(good: Labelling):
    low = accounts_of(retest=Pairs(both0=20, first0_second1=5, first1_second0=5, both1=10))
    told = refused(replace(good, accounts=low))
    assert re.search(r"cannot be trusted: session_router/train: judge_agrees_with_itself \(kappa 0\.467", told)
    few = accounts_of(retest=Pairs(both0=2, first0_second1=5))
    require_whole_labelling(replace(good, accounts=few))
