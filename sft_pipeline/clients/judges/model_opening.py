"""Opening a language model as a judge, one by one or in batches.

Belongs here: putting together what only those need who ask a model. Does not belong here: other kinds (opening).
"""

from pathlib import Path

from sft_pipeline.clients.judges.batch_judge import BatchJudge
from sft_pipeline.clients.judges.connecting import service_of
from sft_pipeline.clients.judges.model import LanguageModel
from sft_pipeline.clients.judges.openai_judge import OpenAIJudge
from sft_pipeline.clients.judges.paying import Paying
from sft_pipeline.clients.judges.protocol import Tell
from sft_pipeline.curation.judge_knobs import Price


def open_one_by_one(model: LanguageModel, base_url: str, price: Price, run: str, *, concurrency: int) -> OpenAIJudge:
    """A model that gets a request for each question."""
    return OpenAIJudge(model, service_of(model.kind, base_url), Paying(price, "sync", run), concurrency=concurrency)


def open_in_batches(
    model: LanguageModel, base_url: str, price: Price, run: str, *, folder: Path, poll_seconds: float, tell: Tell
) -> BatchJudge:
    """A model that gets files of requests."""
    service = service_of(model.kind, base_url)
    return BatchJudge(model, service, Paying(price, "batch", run), folder=folder, poll_seconds=poll_seconds, tell=tell)
