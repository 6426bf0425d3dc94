"""DuckDB: `USING SAMPLE reservoir(n ROWS) REPEATABLE (seed)` of each cell.

With a seed it runs on one thread and repeats itself on the same rows. Another n or other rows are another course of
random numbers, of which some part stays.
"""

import duckdb

from bench.resample.drawing import SEED, cell_by_cell, run_draws


def sample(file: str, target: int) -> list[str]:
    """The ids of one cell's sample."""
    drawn = duckdb.execute(
        f"SELECT conversationId FROM read_parquet(?) USING SAMPLE reservoir({target} ROWS) REPEATABLE ({SEED})", [file]
    )
    return [conversation_id for (conversation_id,) in drawn.fetchall()]


if __name__ == "__main__":
    run_draws(cell_by_cell(sample))
