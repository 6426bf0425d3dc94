"""Writing a whole generation to a folder, batch by batch, and what there is to say of it.

Belongs here: files, totals, progress. Does not belong here: how a batch is made (batches).
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import events_folder, write_events
from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.batches import Made, batches_of, make
from sft_pipeline.telemetry.synthesis.population import Kind
from sft_pipeline.telemetry.synthesis.quirks import planned_quirks
from sft_pipeline.telemetry.synthesis.truth import TRUTH, expected_outcomes

TRUTH_FILE = "truth.parquet"


@dataclass(frozen=True)
class GenerationSummary:
    """What was written.

    Args:
        conversations: candidates, exactly as many as asked for.
        buckets: candidates by bucket.
        population: conversations by what they were made for.
        outcomes: conversations by the drop reason that the query must give, `""` for candidates, `invalid` for those a
            rule must reject; those that the query does not look at are not counted.
        quirks: how often each quirk was planned, by its id.
        text_bytes: UTF-8 bytes of all Properties and Measurements.
        file_bytes: bytes of all files of events.
    """

    conversations: int
    buckets: Mapping[str, int]
    population: Mapping[str, int]
    outcomes: Mapping[str, int]
    quirks: Mapping[str, int]
    events: int
    text_bytes: int
    files: int
    file_bytes: int


def generate(
    out: Path,
    *,
    conversations: int,
    seed: int,
    days: int,
    end: date,
    second_store: float = rates.SECOND_STORE,
    progress: Callable[[int, int], None] | None = None,
) -> GenerationSummary:
    """Write synthetic telemetry with every known quirk, and `truth.parquet` with what the candidates query must answer.

    The same arguments give the same bytes.

    Args:
        out: the telemetry folder; it may not hold events yet.
        conversations: candidates in the window; the conversations around them come at the rates of `rates`.
        seed: the only source of chance.
        days: length of the window, [end - days, end) in UTC. Some events lie outside of it.
        end: the first day after the window.
        second_store: share of conversations whose every event stands in two stores.
        progress: called with the candidates done and in total.

    Raises:
        Refused: an argument is out of range, or the folder holds events already.
    """
    _require(out, conversations=conversations, seed=seed, days=days, second_store=second_store)
    totals: Counter[str] = Counter()
    population: Counter[str] = Counter()
    quirks: Counter[str] = Counter()
    paths: list[Path] = []
    truth = [pl.DataFrame(schema=TRUTH)]
    done = 0
    for batch in batches_of(conversations=conversations, days=days, end=end):
        made = make(batch, seed=seed, second_store=second_store)
        paths += write_events(made.events, out, part=batch.number)
        truth.append(expected_outcomes(made.conversations, made.planned))
        totals += _sizes(made)
        population += _counts(made.conversations["kind"])
        quirks.update(planned_quirks(made.sending))
        done += batch.candidates
        if progress is not None:
            progress(done, conversations)
    outcomes = pl.concat(truth).unique().sort("conversationId")
    outcomes.write_parquet(out / TRUTH_FILE, compression="zstd", compression_level=1)
    return GenerationSummary(
        conversations=done,
        buckets=dict(_counts(outcomes.filter(dropReason="")["bucket"])),
        population={str(kind): population[str(kind)] for kind in Kind},
        outcomes=dict(_counts(outcomes["dropReason"])),
        quirks=dict(quirks),
        events=totals["events"],
        text_bytes=totals["text_bytes"],
        files=len(paths),
        file_bytes=sum(path.stat().st_size for path in paths),
    )


def _require(out: Path, *, conversations: int, seed: int, days: int, second_store: float) -> None:
    if conversations < 1 or days < 1:
        raise Refused(
            f"{conversations} conversations in {days} days cannot be made", remedy="ask for at least one of each"
        )
    if not 0 <= seed < 2**63:
        raise Refused(f"the seed {seed} is out of range", remedy="choose a seed from 0 to 2^63 - 1")
    if not 0 <= second_store <= 1:
        raise Refused(f"the share {second_store} is no share", remedy="choose second_store from 0 to 1")
    if any(events_folder(out).glob("*.parquet")):
        raise Refused(f"{out} holds events already", remedy="choose another folder, or remove its AppEvents folder")


def _sizes(made: Made) -> Counter[str]:
    sizes = made.events.select(pl.col("Properties", "Measurements").str.len_bytes().cast(pl.Int64).sum())
    return Counter({"events": made.events.height, "text_bytes": sum(sizes.row(0))})


def _counts(names: pl.Series) -> Counter[str]:
    counted = names.alias("name").value_counts(name="count").sort("name")
    return Counter(dict(counted.iter_rows()))
