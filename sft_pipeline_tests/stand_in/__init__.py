"""A Kusto service for tests, on the loopback: protocols, limits and failures of a cluster, answers of an engine.

Belongs here: what a client sees of a service. `server` speaks HTTP, `service` decides, the rest are its parts.
Does not belong here: tests of the pipeline against it (`faults/`).
"""

from sft_pipeline_tests.stand_in.answers import Answers
from sft_pipeline_tests.stand_in.faults import FAULTS, Fault, Faults, Where, scripted, seeded
from sft_pipeline_tests.stand_in.limits import Limits
from sft_pipeline_tests.stand_in.request import Asked
from sft_pipeline_tests.stand_in.server import stand_in
from sft_pipeline_tests.stand_in.service import Service

__all__ = [
    "FAULTS",
    "Answers",
    "Asked",
    "Fault",
    "Faults",
    "Limits",
    "Service",
    "Where",
    "scripted",
    "seeded",
    "stand_in",
]
