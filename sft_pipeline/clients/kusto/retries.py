"""Asking again after a failure that may pass, with growing pauses.

Belongs here: how often and how long. The loop is tenacity's.
Does not belong here: what may pass (failures).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from sft_pipeline.clients.kusto.failures import ServiceFailure

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Retries:
    """Attempts and pauses: exponential with full jitter, so that queries that failed together do not return together.

    Args:
        attempts: how often a query is asked at most.
        first_seconds: the longest pause after the first failure; it doubles with each further one.
        longest_seconds: no pause is longer, unless the service asks for it by Retry-After.
        most_patient_seconds: a Retry-After above it is not waited for in full.
    """

    attempts: int = 6
    first_seconds: float = 1.0
    longest_seconds: float = 60.0
    most_patient_seconds: float = 300.0

    def call(self, attempt: Callable[[], Answer]) -> Answer:
        """The first answer that is not a transient `ServiceFailure`; the last failure when there is none."""
        asking = Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=self._pause,
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        return asking(attempt)

    def _pause(self, state: RetryCallState) -> float:
        longest = min(self.first_seconds * 2 ** (state.attempt_number - 1), self.longest_seconds)
        pause = random.uniform(0, longest)  # noqa: S311 - spreads load, decides nothing
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, ServiceFailure) else None
        return pause if asked is None else min(asked, self.most_patient_seconds) + pause


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ServiceFailure) and error.kind == "transient"
