from datetime import date
from hashlib import sha256
from pathlib import Path

import orjson
import polars as pl
import pytest

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import RAW_SCHEMA, STORE_A_KEY, STORE_A_LIMIT, STORE_B_KEY, events_folder
from sft_pipeline.telemetry.synthesis import GenerationSummary, generate
from sft_pipeline.telemetry.synthesis.batches import BATCH_CANDIDATES, batches_of, make
from sft_pipeline_tests.telemetry.synthesis.conftest import END, Generated

SMALL = 30


def small(out: Path, *, seed: int = 1, second_store: float = 0.05, days: int = 2) -> GenerationSummary:
    return generate(out, conversations=SMALL, seed=seed, days=days, end=END, second_store=second_store)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = small(tmp_path / "a"), small(tmp_path / "b")
    assert first == second
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_another_seed_gives_other_conversations(tmp_path: Path) -> None:
    small(tmp_path / "a", seed=1)
    small(tmp_path / "b", seed=2)
    ids = [set(pl.read_parquet(tmp_path / name / "truth.parquet")["conversationId"]) - {""} for name in ("a", "b")]
    assert not ids[0] & ids[1]


def test_a_batch_does_not_depend_on_the_batches_before_it() -> None:
    batches = batches_of(conversations=SMALL, days=3, end=END)
    alone = make(batches[2], seed=5, second_store=0.1).events
    after_others = [make(batch, seed=5, second_store=0.1).events for batch in batches][2]
    assert alone.equals(after_others)


@pytest.mark.parametrize("conversations", [1, 7, BATCH_CANDIDATES, 3 * BATCH_CANDIDATES + 1])
def test_batches_share_all_candidates(conversations: int) -> None:
    batches = batches_of(conversations=conversations, days=15, end=END)
    assert sum(batch.candidates for batch in batches) == conversations
    assert max(batch.candidates for batch in batches) <= BATCH_CANDIDATES
    assert all(date(2026, 10, 17) <= batch.days.day < END for batch in batches)
    assert [batch.before for batch in batches] == [
        sum(batch.candidates for batch in batches[:place]) for place in range(len(batches))
    ]


def test_one_candidate_is_enough_to_meet_every_kind_of_conversation(tmp_path: Path) -> None:
    summary = generate(tmp_path, conversations=1, seed=3, days=1, end=END)
    assert summary.conversations == 1
    assert min(summary.population.values()) == 1


def test_progress_tells_candidates_done_and_in_total(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    generate(
        tmp_path, conversations=SMALL, seed=1, days=2, end=END, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (SMALL, SMALL)
    assert told == sorted(told)


def test_a_folder_with_events_is_refused(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(Refused, match="holds events already"):
        small(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"conversations": 0}, "cannot be made"),
        ({"days": 0}, "cannot be made"),
        ({"seed": -1}, "out of range"),
        ({"second_store": 1.5}, "no share"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, change: dict[str, int], told: str) -> None:
    arguments = {"conversations": 1, "seed": 0, "days": 1, **change}
    with pytest.raises(Refused, match=told):
        generate(tmp_path, end=END, **arguments)  # pyright: ignore[reportArgumentType]


def test_files_hold_the_raw_schema_and_are_counted(generated: Generated) -> None:
    paths = sorted(events_folder(generated.folder).iterdir())
    assert generated.events.schema == RAW_SCHEMA
    assert generated.summary.events == generated.events.height
    assert generated.summary.files == len(paths)
    assert generated.summary.file_bytes == sum(path.stat().st_size for path in paths)
    assert generated.events.null_count().sum_horizontal().item() == 0


def test_properties_are_json_texts_and_measurements_json_numbers(generated: Generated) -> None:
    for properties, measurements in generated.events.select("Properties", "Measurements").gather_every(7).iter_rows():
        assert all(isinstance(value, str) for value in orjson.loads(properties).values())
        assert all(type(value) is int for value in orjson.loads(measurements).values())


def test_text_bytes_are_those_of_the_json(generated: Generated) -> None:
    sizes = generated.events.select(pl.col("Properties", "Measurements").str.len_bytes().cast(pl.Int64).sum())
    assert generated.summary.text_bytes == sum(sizes.row(0))


def test_texts_hold_what_escaping_gets_wrong(generated: Generated) -> None:
    texts = generated.observed["messageText"].drop_nulls()
    for awkward in ("\u2028", "\\", '"', "\n", "\t", "\u001b", "\u200b", "🤔", "名前", "größe"):
        assert texts.str.contains(awkward, literal=True).any()
    assert texts.n_unique() > 10_000


def test_store_a_cuts_texts_and_store_b_does_not(generated: Generated) -> None:
    lengths = generated.observed.with_columns(length=pl.col("messageText").str.len_chars())
    assert lengths.filter(IKey=STORE_A_KEY)["length"].max() == STORE_A_LIMIT
    longest = lengths.filter(IKey=STORE_B_KEY)["length"].max()
    assert isinstance(longest, int)
    assert longest > STORE_A_LIMIT


def test_long_texts_may_come_in_parts(generated: Generated) -> None:
    parts = generated.events.filter(pl.col("Properties").str.contains('"messageText_02":"', literal=True))
    assert parts.height > 0
    assert generated.answer["restoredMessages"].sum() > 0


def test_without_a_second_store_only_long_texts_stand_twice(tmp_path: Path) -> None:
    small(tmp_path, second_store=0.0)
    stored = pl.read_parquet(events_folder(tmp_path) / "*.parquet")
    twins = stored.filter(IKey=STORE_B_KEY)
    assert twins["Properties"].str.len_bytes().gt(STORE_A_LIMIT).all()


def test_with_a_second_store_for_all_every_event_stands_twice(tmp_path: Path) -> None:
    small(tmp_path, second_store=1.0)
    stored = pl.read_parquet(events_folder(tmp_path) / "*.parquet")
    short = stored.filter(pl.col("Properties").str.len_bytes() < STORE_A_LIMIT).drop("IKey", "TimeGenerated")
    stores = [stored.filter(IKey=key).drop("IKey", "TimeGenerated").unique() for key in (STORE_A_KEY, STORE_B_KEY)]
    assert (
        stores[0].join(short, on=short.columns, how="semi").height
        == stores[1].join(short, on=short.columns, how="semi").height
    )
    assert stores[0].height == stores[1].height
