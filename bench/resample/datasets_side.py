"""Hugging Face datasets: `shuffle(seed)` and `select(range(n))` of each cell.

A permutation of row numbers by the seed, as with pandas: a larger n keeps what was chosen, more rows do not.
"""

from tempfile import TemporaryDirectory

from datasets import Dataset, disable_progress_bars

from bench.resample.drawing import SEED, cell_by_cell, run_draws


def sample(file: str, target: int) -> list[str]:
    """The ids of one cell's sample."""
    with TemporaryDirectory() as cache:
        candidates = Dataset.from_parquet(file, cache_dir=cache, columns=["conversationId"])
        return list(candidates.shuffle(seed=SEED).select(range(target))["conversationId"])


if __name__ == "__main__":
    disable_progress_bars()
    run_draws(cell_by_cell(sample))
