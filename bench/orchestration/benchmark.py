"""Running the four ways, and holding their releases against each other.

Belongs here: which sides there are, what is equal, what is told. Does not belong here: the ways (a module each).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.inputs import END
from bench.measuring import Run, Side, medians, peaks, run_in_turn, spreads
from bench.orchestration.world import CONVERSATIONS, served
from bench.results import Benchmark, Goal, rounded
from bench.scale import Scale
from sft_pipeline.orchestration.steps import walk_steps
from sft_pipeline.plans import read_plan

SECONDS_ALLOWED = 15
OURS, PLAIN = "ours", "plain Python"
IN_ONE, PROCESSES = "Dagster, execute_in_process", "Dagster, a process a run"
MODULES = {OURS: "ours", PLAIN: "plain", IN_ONE: "in_one_process", PROCESSES: "process_a_run"}


def orchestration(scale: Scale, work: Path) -> list[Benchmark]:
    """To the sample release in all ways; to the SFT release by `run`."""
    with served(work, scale.chunks) as environment:
        plan = read_plan(environment["SFT_PLAN"])
        to_samples, to_sft = [
            sum(len(step.partitions) for step in walk_steps(plan, END, labelled=labelled)) for labelled in (False, True)
        ]
        runs = run_in_turn([_side(name, environment, work) for name in MODULES], scale.runs)
        labelled = environment | {"SFT_JUDGE": "heuristic"}
        labelling = run_in_turn([_side(OURS, labelled, work)], scale.runs)
    return [_to_samples(runs, to_samples), _to_sft(labelling, to_sft)]


def _side(name: str, environment: Mapping[str, str], work: Path) -> Side:
    module = MODULES[name]
    home = {"SFT_HOME": str(work / "orchestration" / module)}
    return Side(name, f"bench.orchestration.{module}", variables={**environment, **home})


def _to_samples(runs: Mapping[str, Sequence[Run]], partitions: int) -> Benchmark:
    require_equal(runs)
    done = int(runs[PROCESSES][0].answer["runs"])
    scaled = {name: seconds * (partitions / done if name == PROCESSES else 1) for name, seconds in _medians(runs)}
    ours, rss, spread = scaled.pop(OURS), peaks(runs), spreads(runs)
    spread[PROCESSES] = [rounded(end * partitions / done) for end in spread[PROCESSES]]
    tax = 1000 * (ours - scaled[PLAIN]) / partitions
    return Benchmark(
        id="orchestration_tax",
        value=rounded(ours),
        unit="seconds",
        ours=ours,
        peers={name: rounded(seconds) for name, seconds in scaled.items()},
        measure="seconds",
        limit=scaled[PLAIN],
        rss_mb=rss,
        note=(
            f"{partitions} partitions of plan `production`, with next to nothing in them, from a service that answers "
            f"at once, to the sample release; each with all its checks. All ways leave the same files. Of {PROCESSES} "
            f"{done} chunks are run, two at a time, and scaled to {partitions} runs; memory is that of two runs and "
            "who starts them. Both of Dagster's ways keep its default storage. What ours takes beyond plain Python, "
            f"{tax:.0f} ms for a partition, is mostly the record of its run: about 70 events in SQLite."
        ),
        size=f"{partitions} partitions, {CONVERSATIONS} conversations",
        runs=len(runs[OURS]),
        spread=spread,
        goals=[Goal(f"`sft-pipeline run` takes under {SECONDS_ALLOWED} s", ours < SECONDS_ALLOWED)],
    )


def _to_sft(labelling: Mapping[str, Sequence[Run]], partitions: int) -> Benchmark:
    require_equal(labelling)
    ours = dict(_medians(labelling))[OURS]
    return Benchmark(
        id="orchestration_with_labels",
        value=ours,
        unit="seconds",
        ours=ours,
        peers={},
        measure="seconds",
        limit=None,
        rss_mb=peaks(labelling),
        note=(
            f"The same on to the SFT release, {partitions} partitions: both routers' requests, verdicts of the "
            "offline judge, training sets and files."
        ),
        size=f"{partitions} partitions, {CONVERSATIONS} conversations",
        runs=len(labelling[OURS]),
        spread=spreads(labelling),
    )


def _medians(runs: Mapping[str, Sequence[Run]]) -> list[tuple[str, float]]:
    return list(medians(runs).items())


def require_equal(runs: Mapping[str, Sequence[Run]]) -> None:
    """Refuse sides whose chunks or releases differ; a side that made less is held against as much as it made.

    Raises:
        SystemExit: names the side.
    """
    first = runs[OURS][0].answer
    for name, own in runs.items():
        for answer in (run.answer for run in own):
            if any(first["chunks"][part] != version for part, version in answer["chunks"].items()):
                raise SystemExit(f"{name} made other chunks than {OURS}")
            if answer.get("release", first["release"]) != first["release"]:
                raise SystemExit(f"{name} released other files than {OURS}")
            if not answer["chunks"] or not first["release"]:
                raise SystemExit(f"{name} made nothing")
