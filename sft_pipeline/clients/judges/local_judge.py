"""What judges have in common that answer on this machine, at once and for nothing.

Belongs here: their part of the interface. Does not belong here: their answers (heuristic_judge, stored_judge).
"""

from sft_pipeline.curation.judging import Identity


class LocalJudge:
    """A judge without a service.

    Args:
        identity: who it is.
        run: the id of the run that asks.
    """

    at_once = 10_000
    at_least = 1

    def __init__(self, identity: Identity, run: str) -> None:
        self.identity = identity
        self.run = run

    def close(self) -> None:
        """Nothing is open."""
