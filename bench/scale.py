"""How large the inputs are, and how often each side runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of one kind of run.

    Args:
        name: `full` or `quick`.
        conversations: candidates in the window of most benchmarks.
        runs: of each side.
        peer_conversations: where frameworks take part that would need hours for all of them.
        requests: to label.
        megabytes: of a response to decode.
        growth: candidates in the windows that `scaling` walks.
        chunks: of a walk in which nothing else is to do.
    """

    name: str
    conversations: int
    runs: int
    peer_conversations: int
    requests: int
    megabytes: int
    growth: tuple[int, ...]
    chunks: int


FULL = Scale("full", 335_000, 5, 42_000, 195_000, 70, (42_000, 84_000, 168_000, 335_000, 670_000), 40)
QUICK = Scale("quick", 4_000, 1, 2_000, 5_000, 10, (1_000, 2_000, 4_000), 4)
