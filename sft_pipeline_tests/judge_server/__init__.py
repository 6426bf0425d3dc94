"""A service of language models that speaks like OpenAI and Azure OpenAI over HTTP, with faults on demand."""

from sft_pipeline_tests.judge_server.asked import Asked
from sft_pipeline_tests.judge_server.batches import BatchFault
from sft_pipeline_tests.judge_server.brain import Said, by_words
from sft_pipeline_tests.judge_server.faults import Fault, first_times, no_faults, repeatedly
from sft_pipeline_tests.judge_server.server import Served, judge_server

__all__ = [
    "Asked",
    "BatchFault",
    "Fault",
    "Said",
    "Served",
    "by_words",
    "first_times",
    "judge_server",
    "no_faults",
    "repeatedly",
]
