"""What asking for several chunks at a time gives, against a service that makes everybody wait.

Belongs here: the service, and what is told. Answers are ready beforehand: the two seconds are waiting, not work.
"""

from collections.abc import Mapping
from pathlib import Path

from bench.inputs import telemetry
from bench.measuring import Run, Side, run_alone
from bench.orchestration.world import CONVERSATIONS, small_plan
from bench.results import Benchmark, Goal, rounded
from bench.scale import Scale
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline_tests.stand_in import Answers, Limits, stand_in

SERVICE_SECONDS = 2.0
ONE, FIVE = "one query at a time", "ours"
SHARE_ALLOWED = 0.3


def service_seconds(parameters: Mapping[str, object]) -> float:
    """How long the service takes: for chunks; their counts are quick."""
    return SERVICE_SECONDS if "minTurns" in parameters else 0.0


def slots(scale: Scale, work: Path) -> Benchmark:
    """The chunks of a window, by five queries at a time and by one."""
    folder = work / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    plan = small_plan(folder, scale.chunks)
    answers = Answers(EmbeddedKusto(telemetry(work, CONVERSATIONS), store=folder / "store"), folder)
    with stand_in(answers) as service:
        ready = _walked(folder, plan, service.settings, 5)
    with stand_in(answers, limits=Limits(seconds=service_seconds)) as service:
        runs = {FIVE: _walked(folder, plan, service.settings, 5), ONE: _walked(folder, plan, service.settings, 1)}
    if any(run.answer != ready.answer for run in runs.values()):
        raise SystemExit("the chunks differ")
    seconds = {name: rounded(run.seconds) for name, run in runs.items()}
    chunks = len(ready.answer["chunks"])
    return Benchmark(
        id="kusto_slots",
        value=rounded(seconds[ONE] / seconds[FIVE]),
        unit="times one query at a time",
        ours=seconds[FIVE],
        peers={ONE: seconds[ONE]},
        measure="seconds",
        limit=rounded(chunks * SERVICE_SECONDS / 5),
        rss_mb={name: run.rss_mb for name, run in runs.items()},
        note=(
            f"`sft-pipeline run --until conversation_chunks`, five queries at a time, from a service that makes each "
            f"chunk wait {SERVICE_SECONDS:g} s; one run each, most of which is waiting. Five is what Log Analytics "
            "allows a user. The limit is the waiting alone; beyond it stand start-up and the record of each run."
        ),
        size=f"{chunks} chunks, {CONVERSATIONS} conversations",
        runs=1,
        goals=[Goal(f"at most {SHARE_ALLOWED:g} of the time", seconds[FIVE] <= SHARE_ALLOWED * seconds[ONE])],
    )


def _walked(folder: Path, plan: Path, service: Mapping[str, str], queries: int) -> Run:
    variables = {
        **service,
        "SFT_HOME": str(folder / "home"),
        "SFT_PLAN": str(plan),
        "SFT_PSEUDONYM_KEY": "the key of a benchmark",
        "SFT_KUSTO_QUERIES": str(queries),
        "SFT_JUDGE": "",
        "COLUMNS": "160",
    }
    return run_alone(Side(f"{queries} at a time", "bench.slots.chunks_side", variables=variables))
