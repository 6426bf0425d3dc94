"""The verification queries against the asset checks' computation of the same figures, and against figures by hand."""

from collections.abc import Callable

import polars as pl
import pytest

from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.curation.token_accounting import Account, delta_accuracy, requests_formula, token_accumulation
from sft_pipeline.curation.turns import decode
from sft_pipeline_tests.cases.emission import Turn, conversation
from sft_pipeline_tests.queries.catalog_world import CANDIDATES, Source, source_in
from sft_pipeline_tests.scenario import WINDOW_START, raw_events

ACCOUNTS: dict[str, Callable[[pl.DataFrame], Account]] = {
    "verification/token_accumulation": token_accumulation,
    "verification/numRequests_formula": requests_formula,
    "verification/delta_accuracy": delta_accuracy,
}
"""Query -> what the asset check of its chunk computes."""

every_query = pytest.mark.parametrize("name", ACCOUNTS)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Two candidates whose figures are counted by hand, and a conversation that is none."""
    calls = Turn(1, rounds=("", "", "Ok."), prompt_tokens=(20, 90, 90), tool_counts='{"grep":2}', num_requests=3)
    parallel = Turn(2, rounds=("", "Ok."), prompt_tokens=(30, 50), tool_counts='{"grep":4,"read":1}', num_requests=2)
    events = [
        *conversation("tells-all", calls, parallel, Turn(3, prompt_tokens=(60,), tool_counts="{}")),
        *conversation("tells-some", Turn(1, prompt_tokens=(None,)), Turn(2, num_requests=9), Turn(3, num_requests=2)),
        *conversation("too-short", Turn(1), Turn(2)),
    ]
    return source_in(tmp_path_factory.mktemp("known"), raw_events(events))


def told(source: Source, name: str, *, chunk: int = 0, count: int = 1) -> dict[str, object]:
    answer = source.ask(name, chunk=chunk, chunkCount=count)
    assert answer.height == 1
    return answer.row(0, named=True)


def curated(source: Source, *, chunk: int = 0, count: int = 1) -> pl.DataFrame:
    """The candidates of a chunk as the pipeline curates them, before its rules."""
    return decode(source.ask(CANDIDATES, chunk=chunk, chunkCount=count)).candidates


@every_query
@pytest.mark.parametrize(
    ("world", "chunk", "count"),
    [("production_world", 0, 1), ("lossy_telemetry", 0, 1), ("lossy_telemetry", 1, 2), ("known", 0, 1)],
)
def test_the_query_and_the_check_tell_the_same(
    request: pytest.FixtureRequest, name: str, world: str, chunk: int, count: int
) -> None:
    source: Source = request.getfixturevalue(world)
    account = ACCOUNTS[name](curated(source, chunk=chunk, count=count))
    assert told(source, name, chunk=chunk, count=count) == account.figures
    assert account.checked > 0


def test_growth_by_hand(known: Source) -> None:
    assert told(known, "verification/token_accumulation") == {
        "conversations": 2,
        "calls": 9,
        "checked": 6,  # five of the first conversation, and the last of the second
        "grows": 4,
        "stays": 1,
        "falls": 1,
        "rate": 4 / 6,
    }


def test_the_formula_by_hand(known: Source) -> None:
    assert told(known, "verification/numRequests_formula") == {
        "turns": 6,
        "checked": 6,
        "holds": 3,
        "above": 1,
        "below": 2,
        "rate": 0.5,
        "successes": 6,
        "roundsHold": 5,
        "roundsRate": 5 / 6,
    }


def test_deltas_by_hand(known: Source) -> None:
    assert told(known, "verification/delta_accuracy") == {
        "conversations": 2,
        "checked": 1,
        "addUp": 1,
        "rate": 1.0,
        "uncheckable": 1,
        "deltas": 7,
        "contextResets": 1,
        "resetShare": 1 / 7,
    }


@every_query
def test_a_window_without_events_has_one_row_of_noughts_without_rates(production_world: Source, name: str) -> None:
    row = production_world.kusto.execute(
        load_query(name), {"windowStart": WINDOW_START, "windowEnd": WINDOW_START}
    ).row(0, named=True)
    rates = {column for column in row if column.lower().endswith(("rate", "share"))}
    assert {row[column] for column in rates} == {None}
    assert {row[column] for column in row.keys() - rates} == {0}


@every_query
def test_chunks_add_up(lossy_telemetry: Source, name: str) -> None:
    whole = told(lossy_telemetry, name)
    chunks = [told(lossy_telemetry, name, chunk=chunk, count=2) for chunk in range(2)]
    counts = {column for column, value in whole.items() if isinstance(value, int)}
    assert {column: sum(int(str(chunk[column])) for chunk in chunks) for column in counts} == {
        column: whole[column] for column in counts
    }
