"""pandas: `DataFrame.sample(n, random_state=seed)` of each cell, as the sources of this project did it.

It permutes row numbers by the seed and takes the first n: with as many rows a larger n keeps what was chosen. With
more rows it is another permutation, and of other rows.
"""

import pandas as pd

from bench.resample.drawing import SEED, cell_by_cell, run_draws


def sample(file: str, target: int) -> list[str]:
    """The ids of one cell's sample."""
    candidates = pd.read_parquet(file, columns=["conversationId"]).drop_duplicates("conversationId")
    return candidates.sample(n=target, random_state=SEED)["conversationId"].tolist()


if __name__ == "__main__":
    run_draws(cell_by_cell(sample))
