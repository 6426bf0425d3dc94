"""The queries that sample by bucket: who is in, with what turns."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.curation.hashing import chunk_of, priority_of
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.answers import first_difference
from sft_pipeline_tests.cases.emission import BEGIN, Turn, conversation
from sft_pipeline_tests.queries.catalog_world import CANDIDATES, Source, source_in
from sft_pipeline_tests.queries.nested import turns_of, typed_nested
from sft_pipeline_tests.scenario import raw_events

STRATIFIED = "production/sft_stratified_by_turn_count"
SAMPLE_100K = "production/sft_100k_production"
BUCKETS = ("short", "medium", "long")


class TestStratified:
    def test_all_candidates_where_there_are_fewer_than_wanted(
        self, production_world: Source, expected_conversations: pl.DataFrame
    ) -> None:
        found = production_world.ask(STRATIFIED)
        assert first_difference(expected_conversations.filter(dropReason=""), typed_nested(found)) == ""
        everybody = dict.fromkeys(BUCKETS, found.height)
        assert found["conversationId"].to_list() == lowest(found, salt="stratified", **everybody)

    def test_each_bucket_gives_its_lowest_priorities(self, production_world: Source) -> None:
        found = production_world.ask(STRATIFIED, shortCount=5, mediumCount=1, longCount=0)
        candidates = production_world.ask(CANDIDATES).filter(dropReason="")
        assert found["conversationId"].to_list() == lowest(candidates, salt="stratified", short=5, medium=1, long=0)
        assert found["priority"].to_list() == [priority_of(name, salt="stratified") for name in found["conversationId"]]
        assert Counter(found["bucket"]) == {"short": 5, "medium": 1}
        same = production_world.ask(STRATIFIED).join(found, on="conversationId", how="semi")
        assert first_difference(typed_nested(same), typed_nested(found)) == ""

    def test_a_chunk_holds_all_of_the_sample_that_lies_in_it(self, production_world: Source) -> None:
        wanted = {"shortCount": 5, "mediumCount": 1, "longCount": 0}
        whole, chunk = (
            production_world.ask(STRATIFIED, **wanted),
            production_world.ask(STRATIFIED, chunk=1, chunkCount=2, **wanted),
        )
        chunks = Counter(chunk_of(conversation_id, 2) for conversation_id in chunk["conversationId"])
        inside = {conversation_id for conversation_id in whole["conversationId"] if chunk_of(conversation_id, 2) == 1}
        assert chunks == {1: 6}
        assert set() < inside < set(chunk["conversationId"])


class TestSample100k:
    def test_it_is_the_sample_of_the_plan_without_splits(self, production_world: Source) -> None:
        plan = read_plan("production_100k")
        candidates = production_world.ask(CANDIDATES).filter(dropReason="")
        found = production_world.ask(SAMPLE_100K, shortCount=7, mediumCount=2, longCount=1)
        wanted = lowest(candidates, salt=plan.sample.salt, short=7, medium=2, long=1)
        assert found["conversationId"].to_list() == wanted
        told = candidates.join(found, on="conversationId", how="semi").sort("conversationId")
        found = found.sort("conversationId")
        assert found.select(told.columns).drop("turnsArray").equals(told.drop("turnsArray"))
        assert list(map(turns_of, found["turnsArray"])) == list(map(turns_of, told["turnsArray"]))

    def test_its_defaults_are_the_targets_and_the_window_of_that_plan(self) -> None:
        plan, defaults = read_plan("production_100k"), load_query(SAMPLE_100K).defaults
        (targets,) = plan.sample.targets.values()
        assert {name: int(defaults[f"{name}Count"]) for name in BUCKETS} == targets
        assert f"ago({plan.window.days}d)" in load_query(SAMPLE_100K).text

    def test_without_a_window_it_reads_the_last_60_days(self, tmp_path: Path) -> None:
        now = datetime.now(UTC)
        ages = {"59-days-old": 59, "61-days-old": 61, "not-yet-sent": -1}
        events = [
            replace(event, time=event.time + (now - timedelta(days=days) - BEGIN))
            for name, days in ages.items()
            for event in conversation(name, Turn(1), Turn(2), Turn(3))
        ]
        kusto = source_in(tmp_path, raw_events(events)).kusto
        assert kusto.execute(load_query(SAMPLE_100K), {})["conversationId"].to_list() == ["59-days-old"]


def lowest(candidates: pl.DataFrame, *, salt: str, **counts: int) -> list[str]:
    """The ids of the candidates with the lowest priorities of each bucket, bucket by bucket as sorted by name."""
    ranked = sorted(candidates["conversationId"], key=lambda name: priority_of(name, salt=salt))
    buckets = dict(candidates.select("conversationId", "bucket").iter_rows())
    return [name for bucket in sorted(counts) for name in [n for n in ranked if buckets[n] == bucket][: counts[bucket]]]
