"""Which faults a service has, and when: a script, or chance that is the same in every run.

Belongs here: choosing a fault for a request. Does not belong here: what a fault does to the answer (service, v2).
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from hashlib import sha256
from threading import Lock
from typing import Literal, get_args

from sft_pipeline_tests.stand_in.request import Asked

Fault = Literal[
    "throttled",  # 429 with Retry-After
    "throttled_in_queue",  # 429 after waiting, without Retry-After
    "internal_error",  # 500
    "bad_gateway",  # 502, from a gateway that speaks no JSON
    "unavailable",  # 503
    "reset",  # the connection is reset before any header
    "cut",  # reset in mid-body, against the Content-Length
    "cut_chunked",  # closed in mid-body, without the last chunk
    "error_in_rows",  # 200, half the rows, then an error that may pass
    "permanent_error_in_rows",  # 200, half the rows, then one that will not
    "has_errors",  # 200, half the rows, HasErrors and no word more
    "cancelled",  # 200, half the rows, Cancelled
    "no_end",  # 200, half the rows, no DataSetCompletion
    "deferred_error",  # 200, half the rows, the error in the status table alone
    "too_large",  # 200, half the rows, E_QUERY_RESULT_SET_TOO_LARGE
    "low_memory",  # 200, half the rows, E_LOW_MEMORY_CONDITION
    "runaway",  # 200, half the rows, E_RUNAWAY_QUERY
    "timeout",  # 504
    "semantic_error",  # 400, a column that is not there
    "unauthorized",  # 401
    "forbidden",  # 403
    "rows_dropped",  # 200, well-formed, a row less than there is
    "slow",  # well, but late
]
FAULTS: tuple[Fault, ...] = get_args(Fault)

HARMLESS: tuple[Fault, ...] = ("slow",)

Faults = Callable[[Asked], Fault | None]
"""The fault of a request, if it has one."""

Where = Callable[[Asked], bool]


def no_faults(_asked: Asked) -> Fault | None:
    """All is well."""
    return None


def scripted(*faults: Fault | None, where: Where = lambda _: True, repeat: bool = False) -> Faults:
    """These faults, one by one, for the next requests that match.

    Args:
        faults: in order; None lets a request pass.
        where: which requests match; others have no fault.
        repeat: whether to begin anew at the end.
    """
    left, lock = deque(faults), Lock()

    def next_fault(asked: Asked) -> Fault | None:
        with lock:
            if not left or not where(asked):
                return None
            fault = left.popleft()
            if repeat:
                left.append(fault)
            return fault

    return next_fault


def seeded(
    seed: int,
    *,
    probability: float = 0.3,
    kinds: Sequence[Fault] = FAULTS,
    longest: int = 3,
    where: Where = lambda _: True,
) -> Faults:
    """Chance that depends on the seed, the query, its parameters and how often they were asked, on nothing else.

    Args:
        seed: another seed, other faults.
        probability: of a fault, per request.
        kinds: which faults; each as likely as the others.
        longest: faults in a row that one query with its parameters may meet, so that a patient client gets through.
        where: which requests may have faults.
    """
    numbers, in_a_row, lock = Counter[str](), Counter[str](), Lock()

    def drawn(asked: Asked) -> Fault | None:
        if not where(asked):
            return None
        with lock:
            digest = sha256(f"{seed}:{asked.key}:{numbers[asked.key]}".encode()).hexdigest()
            numbers[asked.key] += 1
            hit = int(digest[:8], 16) < probability * 2**32 and in_a_row[asked.key] < longest
            fault = kinds[int(digest[8:16], 16) % len(kinds)] if hit else None
            in_a_row[asked.key] = in_a_row[asked.key] + 1 if fault and fault not in HARMLESS else 0
            return fault

    return drawn
