"""The count probe against the candidates query, chunk by chunk."""

from collections import Counter

import pytest

from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline_tests.queries.catalog_world import CANDIDATES, Source
from sft_pipeline_tests.scenario import WINDOW_START

COUNT = "production/sft_conversation_count"


class TestConversationCount:
    @pytest.mark.parametrize("count", [1, 4, 7])
    @pytest.mark.parametrize("name", ["production_world", "lossy_telemetry"])
    def test_each_chunk_holds_what_the_candidates_query_looks_at(
        self, request: pytest.FixtureRequest, name: str, count: int
    ) -> None:
        asked: Source = request.getfixturevalue(name)
        chunks = Counter(
            chunk_of(conversation_id, count) for conversation_id in asked.ask(CANDIDATES)["conversationId"]
        )
        counted = [asked.ask(COUNT, chunk=chunk, chunkCount=count).to_dicts() for chunk in range(count)]
        assert counted == [[{"conversations": chunks[chunk]}] for chunk in range(count)]

    def test_it_is_the_height_of_the_candidates_query_in_the_same_chunk(self, lossy_telemetry: Source) -> None:
        rows = lossy_telemetry.ask(CANDIDATES, chunk=1, chunkCount=4)
        assert lossy_telemetry.ask(COUNT, chunk=1, chunkCount=4).item() == rows.height
        assert 0 < rows.height < lossy_telemetry.ask(CANDIDATES).height

    def test_an_empty_window_counts_none(self, production_world: Source) -> None:
        assert production_world.ask(COUNT, windowEnd=WINDOW_START).to_dicts() == [{"conversations": 0}]

    def test_it_asks_for_chunks_as_the_candidates_query_does(self) -> None:
        asked, reference = load_query(COUNT), load_query(CANDIDATES)
        assert asked.defaults == {name: reference.defaults[name] for name in asked.defaults}
        assert list(asked.parameters) == ["windowStart", "windowEnd", "chunk", "chunkCount"]
