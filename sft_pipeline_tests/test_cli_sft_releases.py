"""`verify`, `releases`, `diff` and `explain --release` on an SFT release, as a user types them."""

import json
import shutil
from pathlib import Path

import pytest

from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline_tests.clients.test_published import overwrite
from sft_pipeline_tests.labelling_world import MOMENT, NAME, labelling_of
from sft_pipeline_tests.test_cli_releases import sft


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an SFT release."""
    folder = tmp_path_factory.mktemp("releases")
    store = LocalReleaseStore(folder)
    publish(store, labelling_of(store), moment=MOMENT)
    return folder


def test_an_sft_release_is_verified_from_its_files(place: Path, tmp_path: Path):
    told = sft(place, "verify", NAME)
    assert told.returncode == 0, told.stderr
    assert "verified: the files hold what metadata.json claims" in told.stdout
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    path = tmp_path / NAME / "session_router" / "datav3_train_70r_30n_sft.jsonl"
    overwrite(path, path.read_bytes().replace(b"request of", b"requesu of", 1))
    told = sft(tmp_path, "verify", NAME)
    assert told.returncode == 1
    assert "BROKEN" in told.stdout


def test_an_sft_release_is_listed_by_its_lines(place: Path):
    told = sft(place, "releases")
    assert told.returncode == 0, told.stderr
    assert "  160 SFT lines of both routers, at all ratios: train 80, val 40, test 40" in told.stdout.splitlines()
    (one,) = json.loads(sft(place, "releases", "--json").stdout)["releases"]
    assert (one["release_kind"], one["records"], one["state"]) == ("sft", 160, "complete")


@pytest.mark.parametrize("words", [("diff", NAME, NAME), ("explain", "some-conversation", "--release", NAME)])
def test_what_is_about_conversations_says_what_to_use_instead(place: Path, words: tuple[str, ...]):
    told = sft(place, *words)
    assert told.returncode == 1
    said = " ".join(told.stderr.split())
    assert "is an SFT release: it holds labelled requests and no conversations" in said
    assert "name the release of samples of the same window" in said
