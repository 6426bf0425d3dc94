"""What a store says of its releases by a cheap look, and that nothing odd in one release hides the others."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sft_pipeline.clients.published import Listed, list_published, prove
from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.records_world import MOMENT, NAME, SMALL, curation_of, samples_of

SAMPLES = samples_of(SMALL)
SHORT = {**SAMPLES, "val-short": SAMPLES["val-short"].head(1)}
LATER = MOMENT + timedelta(days=3)
LATER_NAME = "vscodedata_0.014k_complete_stratified_deduped_1d_20250819_120000"


def published(folder: Path) -> LocalReleaseStore:
    """A store with one release."""
    return published_also(LocalReleaseStore(folder), SMALL)


def published_also(store: LocalReleaseStore, plan: Plan, **changes: Any) -> LocalReleaseStore:
    moment = changes.pop("moment", MOMENT)
    publish(store, curation_of(store, plan, **{"samples": SAMPLES, **changes}), moment=moment)
    return store


def release_in(folder: Path) -> Path:
    return folder / NAME


class Reading(LocalReleaseStore):
    """Remembers which files were read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read_paths: list[str] = []

    def read(self, path: str) -> Iterator[bytes]:
        self.read_paths.append(path)
        return super().read(path)


def untold(done: int, total: int) -> None:
    """Nobody wants to know."""


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.unlink()
    path.write_bytes(content)


def test_a_release_is_listed_with_what_its_metadata_says_and_no_data_file_is_read(tmp_path: Path):
    published(tmp_path)
    store = Reading(tmp_path)
    (listed,) = list_published(store)
    assert listed == Listed(
        NAME,
        (tmp_path / NAME).as_uri(),
        "complete",
        curated=MOMENT,
        plan="test",
        window=SMALL.bounds(MOMENT.date()),
        records=15,
        splits={"train": 8, "val": 4, "test": 3},
    )
    assert store.read_paths == [f"{NAME}/metadata.json"]


def test_the_newest_release_comes_first_and_a_shortfall_is_told(tmp_path: Path):
    store = published_also(published(tmp_path), SMALL.with_shortfall(), samples=SHORT, moment=LATER)
    newest, oldest = list_published(store)
    assert (newest.name, oldest.name) == (LATER_NAME, NAME)
    assert dict(newest.short) == {"val-short": {"want": 2, "have": 1}}
    assert dict(oldest.short) == {}


def test_what_never_held_anything_holds_no_releases(tmp_path: Path):
    assert list_published(LocalReleaseStore(tmp_path / "none")) == []


def test_files_beside_the_releases_and_the_artifacts_are_no_releases(tmp_path: Path):
    store = published(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "metadata.json").write_text("{}")
    assert [one.name for one in list_published(store)] == [NAME]


def test_a_release_is_not_a_place_of_releases(tmp_path: Path):
    published(tmp_path)
    with pytest.raises(Refused, match="is a release itself") as refusal:
        list_published(LocalReleaseStore(release_in(tmp_path)))
    assert "the folder above it" in refusal.value.remedy


def test_an_interrupted_publication_is_unfinished_and_says_what_to_do(tmp_path: Path):
    store = published(tmp_path)
    (release_in(tmp_path) / "metadata.json").unlink()
    (listed,) = list_published(store)
    assert (listed.name, listed.state, listed.records) == (NAME, "unfinished", None)
    assert "run again" in listed.detail
    assert prove(listed, LocalReleaseStore(release_in(tmp_path)), untold) == listed


def test_a_folder_that_no_run_began_is_not_said_to_be_one_run_away(tmp_path: Path):
    (tmp_path / "copy" / "train").mkdir(parents=True)
    (tmp_path / "copy" / "train" / "short.json").write_text("{}\n")
    (listed,) = list_published(LocalReleaseStore(tmp_path))
    assert (listed.state, "run again" in listed.detail) == ("unfinished", False)
    assert "no metadata.json" in listed.detail


def lose(release: Path) -> None:
    (release / "val" / "long_11_to_20_turns.json").unlink()


def add(release: Path) -> None:
    (release / "train" / "notes.txt").write_text("mine")


def empty_metadata(release: Path) -> None:
    overwrite(release / "metadata.json", b"{}")


def lose_all(release: Path) -> None:
    for path in release.glob("*/*.json"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lose, "lacks val/long_11_to_20_turns.json"),
        (lose_all, "and 4 more"),
        (add, "holds what is not its own: train/notes.txt"),
    ],
)
def test_a_release_whose_files_are_not_those_it_claims_is_damaged(
    tmp_path: Path, change: Callable[[Path], None], told: str
):
    store = published(tmp_path)
    change(release_in(tmp_path))
    (listed,) = list_published(store)
    assert (listed.state, listed.records) == ("damaged", 15)
    assert told in listed.detail


def test_a_release_under_another_name_is_damaged(tmp_path: Path):
    store = published(tmp_path)
    release_in(tmp_path).rename(tmp_path / "mine")
    (listed,) = list_published(store)
    assert (listed.name, listed.state, listed.detail) == ("mine", "damaged", f"was published as {NAME}")


FOREIGN: list[bytes] = [
    b"",
    b"not JSON",
    b"[]",
    b"5",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"curation_info": [], "output_files": [1], "query_parameters": {"time_window": 5}, "shortfall": []}',
    b'{"curation_info": {"curation_date": "0001-01-01T00:00:00+14:00", "plan": {"name": 5}}}',
    b'{"curation_info": {"curation_date": "yesterday", "plan": {"name": "\\u001b[2J"}}, "\\u001b[2J": 1}',
    b'{"output_files": {"a": {"split": "train", "records": "many"}, "b": 5}}',
]


@pytest.mark.parametrize("content", FOREIGN, ids=range(len(FOREIGN)))
def test_metadata_of_another_form_is_damage_and_hides_nothing_else(tmp_path: Path, content: bytes):
    store = published_also(published(tmp_path), SMALL.with_shortfall(), samples=SHORT, moment=LATER)
    overwrite(release_in(tmp_path) / "metadata.json", content)
    newest, foreign = list_published(store)
    assert (newest.name, newest.state) == (LATER_NAME, "complete")
    assert (foreign.name, foreign.state) == (NAME, "damaged")
    assert foreign.detail.startswith("metadata.json is not of the form that this version writes")
    assert foreign.detail.isprintable()
    assert foreign.plan.isprintable()


def test_what_can_be_read_of_another_version_is_told(tmp_path: Path):
    store = published(tmp_path)
    path = release_in(tmp_path) / "metadata.json"
    document = json.loads(path.read_bytes())
    del document["repairs"]
    overwrite(path, json.dumps({**document, "colour": "blue"}).encode())
    (listed,) = list_published(store)
    assert listed.state == "damaged"
    assert "repairs (missing)" in listed.detail
    assert (listed.plan, listed.records, listed.curated) == ("test", 15, MOMENT)


def test_a_folder_with_an_unspeakable_name_is_listed_without_obeying_it(tmp_path: Path):
    published(tmp_path)
    for name in ("\x1b[2J", "\udcff", "a b#?%"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metadata.json").write_text("{}")
    listed = list_published(LocalReleaseStore(tmp_path))
    assert [one.state for one in listed] == ["complete", "damaged", "damaged", "damaged"]
    assert all(one.name.isprintable() and one.url.isascii() for one in listed)
    (spaced,) = [one for one in listed if one.name == "a b#?%"]
    assert spaced.url.endswith("/a%20b%23%3F%25")


def test_a_good_release_is_verified(tmp_path: Path):
    (listed,) = list_published(published(tmp_path))
    told: list[tuple[int, int]] = []
    proved = prove(listed, LocalReleaseStore(release_in(tmp_path)), lambda done, total: told.append((done, total)))
    assert proved == replace(listed, state="verified")
    assert told[-1] == (15, 15)


def test_a_release_with_an_altered_file_is_complete_at_a_look_and_broken_when_verified(tmp_path: Path):
    store = published(tmp_path)
    path = release_in(tmp_path) / "val" / "long_11_to_20_turns.json"
    overwrite(path, path.read_bytes().replace(b"answer 1", b"answer 2"))
    (listed,) = list_published(store)
    assert listed.state == "complete"
    proved = prove(listed, LocalReleaseStore(release_in(tmp_path)), untold)
    assert proved.state == "broken"
    assert proved.detail.startswith("Every file has the bytes, the MD5 and the SHA-256")
    assert "val/long_11_to_20_turns.json" in proved.detail


@pytest.mark.parametrize("change", [lose, add, empty_metadata])
def test_what_is_damaged_is_broken_when_verified(tmp_path: Path, change: Callable[[Path], None]):
    store = published(tmp_path)
    change(release_in(tmp_path))
    (listed,) = list_published(store)
    proved = prove(listed, LocalReleaseStore(release_in(tmp_path)), untold)
    assert (listed.state, proved.state) == ("damaged", "broken")
    assert proved.detail


def test_a_release_that_vanishes_while_others_are_verified_is_broken(tmp_path: Path):
    (listed,) = list_published(published(tmp_path))
    proved = prove(listed, LocalReleaseStore(tmp_path / "gone"), untold)
    assert proved.state == "broken"
    assert "no metadata.json" in proved.detail
