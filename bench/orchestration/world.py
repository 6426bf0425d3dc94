"""What all sides are given: a plan, a service with its answers ready, and the environment that names both.

Belongs here: making them, untimed. Does not belong here: what the sides do with them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.inputs import END, QUERY, telemetry
from sft_pipeline.clients.kusto.chunk_queries import ChunkQueries
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.curation.extraction import chunk_parameters
from sft_pipeline.orchestration.assembly import kusto_resource
from sft_pipeline.orchestration.settings import read_settings
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.stand_in import Answers, stand_in

CONVERSATIONS = 400
"""Ten for a chunk: enough for every cell and every label, and nothing to do."""

PLAN = Path(__file__).parents[2] / "sft_pipeline/plans/production.toml"
AS_FAR_AS_IT_GOES = {
    "allow_shortfall = false": "allow_shortfall = true",
    'short_class = "refuse"': 'short_class = "cap"',
    "min_second_kappa = 0.6": "min_second_kappa = 0.0",
}
"""So few conversations fill no cell and no training set, and the offline judge's second opinion is another rule."""


def small_plan(folder: Path, chunks: int) -> Path:
    """Plan `production` in so many chunks, taking what there is."""
    text = PLAN.read_text(encoding="utf-8")
    for told, instead in {**AS_FAR_AS_IT_GOES, "count = 40": f"count = {chunks}"}.items():
        if told not in text:
            raise SystemExit(f"plan production says no longer: {told}")
        text = text.replace(told, instead)
    path = folder / "production.toml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def served(work: Path, chunks: int) -> Generator[dict[str, str]]:
    """The service while the context lasts; the environment of its users, who still need a home."""
    folder = work / "orchestration"
    folder.mkdir(parents=True, exist_ok=True)
    engine = EmbeddedKusto(telemetry(work, CONVERSATIONS), store=folder / f"store-{chunks}", staged_chunks=chunks)
    with stand_in(Answers(engine, folder)) as service:
        environment = {
            "SFT_PLAN": str(small_plan(folder, chunks)),
            "SFT_PSEUDONYM_KEY": "the key of a benchmark",
            "SFT_JUDGE": "",
            "COLUMNS": "160",
            **service.settings,
        }
        answer_once(environment)
        yield environment


def answer_once(environment: dict[str, str]) -> None:
    """Ask for every chunk, so that later answers are there at once."""
    chunks: ChunkQueries = kusto_resource(read_settings({**environment, "SFT_HOME": "."})).chunks()
    plan, query = read_plan(environment["SFT_PLAN"]), load_query(QUERY)
    for chunk in range(plan.chunks.count):
        chunks.take(query, chunk_parameters(plan, END, chunk=chunk))
