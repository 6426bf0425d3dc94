"""Asking a judge again after a failure that may pass, with growing pauses.

Belongs here: how often, how long, and stopping when nobody waits any more. The loop is tenacity's; the SDK's is off.
Does not belong here: what may pass (failures).
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from sft_pipeline.clients.judges.failures import Passing

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Retries:
    """Attempts and pauses: exponential with full jitter, so that requests that failed together do not return together.

    Args:
        attempts: how often a request is sent at most; limits per minute are met more than once by a busy run.
        first_seconds: the longest pause after the first failure; it doubles with each further one.
        longest_seconds: no pause is longer, unless the service asks for it by Retry-After.
        most_patient_seconds: a Retry-After above it is not waited for in full.
    """

    attempts: int = 10
    first_seconds: float = 1.0
    longest_seconds: float = 60.0
    most_patient_seconds: float = 300.0

    def call(self, attempt: Callable[[], Answer], over: Event) -> Answer:
        """The first answer that is no `Passing` failure; the last failure when there is none, or when it is over."""
        asking = Retrying(
            stop=stop_any(stop_after_attempt(self.attempts), stop_when_event_set(over)),
            wait=self._pause,
            sleep=sleep_using_event(over),
            retry=retry_if_exception_type(Passing),
            reraise=True,
        )
        return asking(attempt)

    def _pause(self, state: RetryCallState) -> float:
        pause = wait_random_exponential(self.first_seconds, max=self.longest_seconds)(state)
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Passing) else None
        return pause if asked is None else min(asked, self.most_patient_seconds) + pause
