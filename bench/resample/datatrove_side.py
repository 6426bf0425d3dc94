"""datatrove: a `SamplerFilter` with rate n / candidates and a seed for each cell.

It throws a die for every document in turn, so that it meets a target only about: it cannot draw exactly n. A larger
rate keeps what was chosen; a row in between shifts the dice of all that follow.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import SamplerFilter
from datatrove.pipeline.readers import ParquetReader
from datatrove.utils.logging import logger

from bench.resample.drawing import SEED, cell_by_cell, run_draws


def sample(file: str, target: int) -> list[str]:
    """The ids of one cell's sample."""
    taken: list[str] = []

    def take(documents: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:  # noqa: ARG001
        for document in documents:
            taken.append(document.text)
            yield document

    path = Path(file)
    reader = ParquetReader(str(path.parent), glob_pattern=path.name, text_key="conversationId")
    rate = target / pq.read_metadata(file).num_rows
    with TemporaryDirectory() as logs:
        LocalPipelineExecutor([reader, SamplerFilter(rate, seed=SEED), take], logging_dir=logs).run()
    return taken


if __name__ == "__main__":
    logger.remove()
    run_draws(cell_by_cell(sample))
