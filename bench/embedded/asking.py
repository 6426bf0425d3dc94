"""What both sides ask: the production query, and the parameters of a chunk."""

from datetime import datetime

from bench.inputs import END, QUERY
from sft_pipeline.clients.queries.catalog import Query, load_query
from sft_pipeline.curation.extraction import chunk_parameters
from sft_pipeline.plans import read_plan


def question(chunk: int, count: int) -> tuple[Query, dict[str, datetime | int]]:
    """The query and its parameters for a chunk of so many; the plan's targets do not matter to it."""
    return load_query(QUERY), chunk_parameters(read_plan("production"), END, chunk=chunk) | {"chunkCount": count}
