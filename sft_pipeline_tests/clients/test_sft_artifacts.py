"""The files of a variant: lines and label table lie by their content, say the same, and never change."""

import json
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.release_store import LocalReleaseStore, ReleaseConflict
from sft_pipeline.clients.sft_artifacts import upload_sft
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.router_tables import TRAINING_TABLE_FIELDS, SftArtifact
from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT, sft_lines
from sft_pipeline.curation.tables import schema_of
from sft_pipeline_tests.labelling_world import SMALL, sets_of
from sft_pipeline_tests.records_world import ODD_TEXT

VARIANT = routers_of(SMALL).variant("train-70r30n")
ROWS = sets_of()["session_router/train-70r30n"]
VERSION = "v" * 64


def content(store: LocalReleaseStore, path: str) -> bytes:
    return b"".join(store.read(path))


def test_a_variant_is_its_lines_in_order_and_the_table_of_all_but_the_text(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    artifacts = upload_sft(store, "session_router", VARIANT, ROWS, VERSION)
    assert artifacts.schema == schema_of(SftArtifact)
    lines, labels = artifacts.iter_rows(named=True)
    assert content(store, lines["origin"]) == sft_lines(ROWS)
    assert pl.read_parquet(BytesIO(content(store, labels["origin"]))).equals(ROWS.select(TRAINING_TABLE_FIELDS))
    assert (lines["path"], lines["kind"]) == ("session_router/datav3_train_70r_30n_sft.jsonl", "sft")
    assert (labels["path"], labels["kind"]) == ("session_router/datav3_train_70r_30n_labels.parquet", "labels")
    for row in (lines, labels):
        assert (row["variant"], row["trainingVersion"]) == ("train-70r30n", VERSION)
        assert (row["records"], row["label0"], row["label1"]) == (20, 14, 6)
        assert store.find(row["origin"]) == (row["origin"], row["url"], row["bytes"], row["md5"], row["sha256"])


def test_every_line_is_a_prompt_a_request_and_a_digit(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    rows = ROWS.with_columns(content=pl.lit(ODD_TEXT))
    artifacts = upload_sft(store, "session_router", VARIANT, rows, VERSION)
    lines = content(store, artifacts["origin"][0]).splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "messages": [
                {"role": "system", "content": SYSTEM_PROMPT},
                {"role": "user", "content": ODD_TEXT},
                {"role": "assistant", "content": str(label)},
            ]
        }
        for label in ROWS["label"]
    ]


def test_uploading_again_is_done_and_other_rows_of_one_version_are_refused(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    first = upload_sft(store, "session_router", VARIANT, ROWS, VERSION)
    assert upload_sft(store, "session_router", VARIANT, ROWS, VERSION).equals(first)
    with pytest.raises(ReleaseConflict):
        upload_sft(store, "session_router", VARIANT, ROWS.head(10), VERSION)


def test_a_table_that_another_version_of_polars_writes_otherwise_lies_beside(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    first = upload_sft(store, "session_router", VARIANT, ROWS, VERSION)
    other = upload_sft(store, "session_router", VARIANT, ROWS.with_columns(weight=pl.lit(9.0)), VERSION)
    assert first["origin"][0] == other["origin"][0]
    assert first["origin"][1] != other["origin"][1]
    assert len(store.list("")) == 3


def test_routers_and_variants_lie_apart(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    even = routers_of(SMALL).variant("train-50r50n")
    for router in ("session_router", "conversation_router"):
        for variant in (VARIANT, even):
            upload_sft(store, router, variant, ROWS, VERSION)
    assert len(store.list("artifacts")) == 8


def test_an_empty_set_is_an_empty_file_and_a_table_without_rows(tmp_path: Path):
    store = LocalReleaseStore(tmp_path)
    lines, labels = upload_sft(store, "session_router", VARIANT, ROWS.clear(), VERSION).iter_rows(named=True)
    assert (lines["records"], lines["bytes"]) == (0, 0)
    assert pl.read_parquet(BytesIO(content(store, labels["origin"]))).height == 0
