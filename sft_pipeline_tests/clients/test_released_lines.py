"""Reading releases as ids and digests: all of them, bounded, and what cannot be read is refused by name."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients import blocks
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.clients.released_lines import line_blocks, open_release, read_placed
from sft_pipeline.curation.comparison import PLACED
from sft_pipeline.curation.identities import identities
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.clients.test_published import overwrite, published, release_in, untold
from sft_pipeline_tests.records_world import MOMENT, NAME, SMALL, samples_of

SAMPLES = samples_of(SMALL)
PATH = "train/short_3_to_5_turns.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a published release."""
    published(tmp_path)
    return release_in(tmp_path)


def test_every_conversation_is_read_with_its_cell_and_digest(folder: Path):
    told: list[tuple[int, int]] = []
    placed = read_placed(open_release(LocalReleaseStore(folder)), lambda done, total: told.append((done, total)))
    expected = [
        (row["conversationId"], key, bytes.fromhex(row["digest"]))
        for key, sample in SAMPLES.items()
        for row in sample.iter_rows(named=True)
    ]
    assert placed.rows.schema == PLACED
    assert placed.rows.rows() == expected
    assert placed.altered == ()
    assert told[-1] == (15, 15)


def test_a_release_knows_its_name_cells_and_records(folder: Path):
    release = open_release(LocalReleaseStore(folder))
    assert release.name == NAME
    assert release.cells == tuple(cell.key for cell in SMALL.cells)
    assert release.records == 15
    assert release.claimed.curation_info.curation_date == MOMENT
    assert release.verify.startswith(f"`sft-pipeline verify {folder}`")


def test_a_folder_without_metadata_is_refused(folder: Path):
    (folder / "metadata.json").unlink()
    with pytest.raises(Refused, match=r"is not a release: it has no metadata\.json") as refusal:
        open_release(LocalReleaseStore(folder))
    assert "sft-pipeline releases" in refusal.value.remedy


def test_metadata_of_another_form_is_refused(folder: Path):
    overwrite(folder / "metadata.json", b'{"curation_info": 5}')
    with pytest.raises(Refused, match=r"metadata\.json cannot be read as a release's: curation_info"):
        open_release(LocalReleaseStore(folder))


def test_a_missing_file_is_refused_by_its_name(folder: Path):
    (folder / PATH).unlink()
    with pytest.raises(Refused, match=f"lacks {PATH}") as refusal:
        read_placed(open_release(LocalReleaseStore(folder)), untold)
    assert "sft-pipeline verify" in refusal.value.remedy


@pytest.mark.parametrize("odd", [b"\n", b"private words\n", b'{"turnCount": 3}\n'])
def test_a_line_that_is_no_record_is_refused_by_file_and_number_without_its_text(folder: Path, odd: bytes):
    content = (folder / PATH).read_bytes()
    overwrite(folder / PATH, content + odd)
    with pytest.raises(Refused, match=f"{PATH}: line 5 is no record") as refusal:
        read_placed(open_release(LocalReleaseStore(folder)), untold)
    assert "sft-pipeline verify" in refusal.value.remedy
    assert "private" not in str(refusal.value)


def test_a_file_that_was_cut_off_is_refused_at_its_last_line(folder: Path):
    overwrite(folder / PATH, (folder / PATH).read_bytes()[:-10])
    with pytest.raises(Refused, match=f"{PATH}: line 4 is no record"):
        read_placed(open_release(LocalReleaseStore(folder)), untold)


def test_a_file_that_was_altered_is_read_as_it_is_and_named(folder: Path):
    content = (folder / PATH).read_bytes()
    overwrite(folder / PATH, content.replace(b"answer 1", b"answer 2", 1))
    placed = read_placed(open_release(LocalReleaseStore(folder)), untold)
    assert placed.altered == (PATH,)
    changed = placed.rows.filter(pl.col("cell") == "train-short")["digest"].to_list()
    expected = [bytes.fromhex(digest) for digest in SAMPLES["train-short"]["digest"]]
    assert [one == other for one, other in zip(changed, expected, strict=True)] == [False, True, True, True]


def test_a_conversation_that_stands_twice_is_refused(folder: Path):
    content = (folder / PATH).read_bytes()
    overwrite(folder / PATH, content + content.splitlines(keepends=True)[1])
    with pytest.raises(Refused, match=f"holds {SAMPLES['train-short']['conversationId'][1]} more than once"):
        read_placed(open_release(LocalReleaseStore(folder)), untold)


def test_a_metadata_that_names_files_outside_is_not_followed(folder: Path):
    overwrite(folder / "metadata.json", (folder / "metadata.json").read_bytes().replace(PATH.encode(), b"../../x"))
    with pytest.raises(Refused, match=r"lacks \.\./\.\./x"):
        read_placed(open_release(LocalReleaseStore(folder)), untold)


def test_blocks_come_in_order_with_the_lines_before_them_and_few_are_fetched_ahead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    lines = [f'{{"conversationId":"{number:06d}"}}\n'.encode() for number in range(2000)]
    monkeypatch.setattr(blocks.whole_lines, "__kwdefaults__", {"size": 1000, "longest": 10_000})
    fetched: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number, line in enumerate(lines):
            fetched.append(number)
            yield line

    release = open_release(LocalReleaseStore(folder))
    read: list[str] = []
    for before, rows in line_blocks(
        release, release.claimed.output_files["train/short_3_to_5_turns"], pieces(), identities
    ):
        assert before == len(read)
        read += rows["conversationId"].to_list()
        assert len(fetched) - len(read) <= blocks.WORKERS * 50
    assert read == [f"{number:06d}" for number in range(2000)]
