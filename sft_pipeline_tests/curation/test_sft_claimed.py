"""Reading an SFT release's metadata.json back: what has another shape is told by field, without its values."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.claimed import MalformedMetadataError
from sft_pipeline.curation.release import metadata
from sft_pipeline.curation.sections import render
from sft_pipeline.curation.sft_claimed import is_sft, read_sft_claimed
from sft_pipeline.curation.sft_release import sft_metadata
from sft_pipeline_tests.labelling_world import MOMENT, SMALL, accounts_of, labelling_of
from sft_pipeline_tests.records_world import curation_of

SECTIONS = (
    "release_kind",
    "curation_info",
    "query_parameters",
    "system_prompt",
    "routers",
    "balance",
    "output_files",
    "leakage",
    "privacy",
    "shortfall",
    "cost",
    "tokens",
    "format",
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("releases")
    return sft_metadata(labelling_of(LocalReleaseStore(folder)), MOMENT)


def test_what_a_release_writes_is_read_back(document: dict[str, Any]):
    claimed = read_sft_claimed(render(document))
    assert tuple(document) == SECTIONS
    assert claimed.plan == SMALL
    assert claimed.accounts == accounts_of()
    own = {"curation_info", "query_parameters"}
    assert claimed.model_dump(mode="json", exclude=own) == {
        name: document[name] for name in SECTIONS if name not in own
    }


def test_shares_are_told_by_router_and_split(document: dict[str, Any]):
    shares = read_sft_claimed(render(document)).shares_of_label_0
    assert (len(shares), shares["session_router", "val"]) == (6, 0.5)


def test_a_split_without_labels_has_no_share(document: dict[str, Any]):
    changed = deepcopy(document)
    account = changed["routers"]["session_router"]["splits"]["val"]["account"]
    account.update(label0=0, label1=0)
    assert ("session_router", "val") not in read_sft_claimed(render(changed)).shares_of_label_0


@pytest.mark.parametrize("section", SECTIONS)
def test_no_section_may_be_missing(document: dict[str, Any], section: str):
    with pytest.raises(MalformedMetadataError, match=rf"{section} \(missing\)"):
        read_sft_claimed(render({name: value for name, value in document.items() if name != section}))


Change = Callable[[dict[str, Any]], object]

MALFORMED: dict[str, tuple[Change, str]] = {
    "an unknown section": (lambda d: d.update(notes="private"), "notes (extra_forbidden)"),
    "another kind": (lambda d: d.update(release_kind="private"), "release_kind (literal_error)"),
    "an unknown router": (lambda d: d["routers"].update(private={}), "routers.private.[key] (literal_error)"),
    "an unknown figure": (
        lambda d: d["routers"]["session_router"]["splits"]["val"]["account"].update(extra=1),
        "routers.session_router.splits.val.account.extra (extra_forbidden)",
    ),
    "a count below 0": (
        lambda d: d["routers"]["session_router"]["splits"]["val"]["account"].update(label0=-1),
        "routers.session_router.splits.val.account.label0 (greater_than_equal)",
    ),
    "a kind of file that is none": (
        lambda d: d["output_files"]["session_router/datav3_val_70r_30n_sft"].update(kind="private"),
        "kind (literal_error)",
    ),
    "a plan without routers": (lambda d: d["curation_info"]["plan"].pop("routers"), "plan_sha256 is of another plan"),
    "another plan than was hashed": (
        lambda d: d["curation_info"]["plan"]["routers"].update(salt="private"),
        "curation_info.plan_sha256 is of another plan",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_has_another_shape_is_told_without_its_value(document: dict[str, Any], case: str):
    change, told = MALFORMED[case]
    changed = deepcopy(document)
    change(changed)
    with pytest.raises(MalformedMetadataError) as error:
        read_sft_claimed(render(changed))
    assert told in str(error.value)


def test_the_kind_of_a_release_is_told_from_its_metadata(document: dict[str, Any], tmp_path: Path):
    assert is_sft(render(document))
    assert not is_sft(render(metadata(curation_of(LocalReleaseStore(tmp_path)), moment=MOMENT)))


@pytest.mark.parametrize("content", [b"", b"not JSON", b"[]", b'"sft"', b"[" * 100_000, b'{"release_kind": ["sft"]}'])
def test_what_is_no_metadata_is_no_sft_release(content: bytes):
    assert not is_sft(content)
