"""Microsoft's own KQL parser, as `make kql-check` installs it.

Belongs here: running it on files, and what it says of the catalog.
Does not belong here: what is asserted about that.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from sft_pipeline.telemetry.events import KUSTO_SCHEMA, TABLE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "kql_check"

needs_parser = pytest.mark.skipif(
    shutil.which("node") is None or not (FOLDER / "node_modules").is_dir(),
    reason="Microsoft's parser is not installed: `make kql-check` does that where node and npm are",
)


def parsed(*words: str | Path, schema: Mapping[str, object] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the check on files or folders, against the raw schema unless another is given."""
    tables = json.dumps(schema or {TABLE: KUSTO_SCHEMA})
    command = ["node", str(FOLDER / "check.js"), *map(str, words)]
    return subprocess.run(command, input=tables, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)


@cache
def catalog_columns() -> dict[str, dict[str, str]]:
    """Query -> column -> Kusto type of its answer, as the parser derives them; asked once.

    Raises:
        AssertionError: the parser has something to say of a query.
    """
    told = parsed("--schema", "queries")
    assert told.returncode == 0, told.stdout + told.stderr
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    return {row["file"].removeprefix("queries/").removesuffix(".kql"): row["columns"] for row in rows}
