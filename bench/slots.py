"""Forty chunks from a service that takes two seconds for each: one query at a time, and five.

`python -m bench.slots` serves small synthetic telemetry through the tests' stand-in of a cluster (answers are ready
beforehand; the two seconds are waiting, not work) and runs `sft-pipeline run --until conversation_chunks` on it, each
time from nothing. What is measured is the wall time of the whole command, Dagster's work included.
"""

import json
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from bench.walk import Measured, measure, scaled_plan
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline_tests.stand_in import Answers, Limits, stand_in

SERVICE_SECONDS = 2.0
CONVERSATIONS = 400
WINDOW = date(2026, 11, 1)


def service_seconds(parameters: Mapping[str, object]) -> float:
    """How long the service takes: for chunks; their counts are quick."""
    return SERVICE_SECONDS if "minTurns" in parameters else 0.0


def walked(folder: Path, url: str, plan: Path, queries: int, name: str) -> Measured:
    """The chunks of a window, made by so many queries at a time."""
    environment = {
        "SFT_HOME": str(folder / name),
        "SFT_PLAN": str(plan),
        "SFT_KUSTO_CLUSTER": url,
        "SFT_KUSTO_DATABASE": "telemetry",
        "SFT_KUSTO_AUTH": "none",
        "SFT_KUSTO_QUERIES": str(queries),
    }
    words = ["run", "--window", WINDOW.isoformat(), "--until", "conversation_chunks"]
    return measure(name, words, environment)[0]


def main() -> None:
    """Measure, print."""
    with tempfile.TemporaryDirectory(prefix="sft-bench-") as name:
        folder = Path(name)
        generate(folder / "telemetry", conversations=CONVERSATIONS, seed=7, days=15, end=WINDOW)
        plan = scaled_plan(folder, CONVERSATIONS)
        answers = Answers(EmbeddedKusto(folder / "telemetry", store=folder / "store"), folder)
        with stand_in(answers) as service:
            walked(folder, service.url, plan, 5, "warm up")
        with stand_in(answers, limits=Limits(seconds=service_seconds)) as service:
            one = walked(folder, service.url, plan, 1, "one at a time")
            five = walked(folder, service.url, plan, 5, "five at a time")
    told = {
        "id": "slots",
        "seconds_1": one.seconds,
        "seconds_5": five.seconds,
        "ratio": round(five.seconds / one.seconds, 3),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
