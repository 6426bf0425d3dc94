"""The Dagster instance of a plan: its folder, its concurrency limits, opened or made.

Belongs here: dagster.yaml and nothing about the data.
"""

import dagster as dg

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.resources import Settings

DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs: {max_concurrent_runs: 5}
  pools: {default_limit: 5, granularity: op}
"""
"""Five runs at a time, five Kusto queries at a time: the limit per user of a Log Analytics workspace."""


def prepare_instance(settings: Settings) -> None:
    """Make the instance's folder and configuration, keeping a configuration that is there.

    Raises:
        Refused: the folder cannot be written.
    """
    config = settings.dagster_home / "dagster.yaml"
    try:
        settings.dagster_home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            config.write_text(DAGSTER_YAML, encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"cannot write {settings.dagster_home}: {error.strerror}", remedy="set SFT_HOME to a folder you can write"
        ) from error


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The plan's instance."""
    prepare_instance(settings)
    return dg.DagsterInstance.from_config(str(settings.dagster_home))
