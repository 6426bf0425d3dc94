"""How far labelling is, for whoever wants to show it.

Belongs here: the figures and the line that tells them. Does not belong here: showing it (terminal, Dagster's log).
"""

from dataclasses import dataclass

from sft_pipeline.curation.filling import share_interval


@dataclass
class LabelProgress:
    """The split that is labelled at this moment; nothing between two.

    Args:
        of: router and split.
        label0, label1: verdicts so far.
        asked: how many of them the judge was asked for now; the others were known.
        wanted: what is still missing, in words.
        money: what was spent, in words.
        waiting: what the judge waits for, in words.
    """

    of: str = ""
    label0: int = 0
    label1: int = 0
    unlabelled: int = 0
    asked: int = 0
    wanted: str = ""
    money: str = ""
    waiting: str = ""

    def start(self, of: str) -> None:
        """Another split is begun."""
        self.of, self.wanted, self.money, self.waiting = of, "", "", ""
        self.label0 = self.label1 = self.unlabelled = self.asked = 0

    def wait(self, told: str) -> None:
        """The judge waits, as for a batch."""
        self.waiting = told

    def stop(self) -> None:
        """None is labelled any more; the figures stay until the next one."""
        self.waiting = ""

    def told(self) -> str:
        """The figures in a line; the share of label 0 with its 95 % interval."""
        if not self.of:
            return ""
        judged = self.label0 + self.label1 + self.unlabelled
        parts = [f"{self.of}: {judged:,} judged, {self.asked:,} of them asked now"]
        if self.label0 + self.label1:
            share, low, high = share_interval(self.label0, self.label1)
            parts.append(f"label 0: {share:.1%} ({low:.1%} to {high:.1%})")
        return ", ".join(filter(None, (*parts, self.wanted, self.money, self.waiting)))
