"""Ratios of labels, and splits at a ratio with the names of their files.

Belongs here: how they read and what follows from them. Does not belong here: which ones a plan has (routers).
"""

from math import gcd
from typing import NamedTuple


class Ratio(NamedTuple):
    """Percent of label 0 and percent of label 1."""

    reasoning: int
    non_reasoning: int

    @property
    def key(self) -> str:
        """`70r30n`."""
        return f"{self.reasoning}r{self.non_reasoning}n"

    @property
    def parts(self) -> tuple[int, int]:
        """The smallest whole numbers of label 0 and label 1 that are in this ratio, e.g. 7 and 3."""
        common = gcd(self.reasoning, self.non_reasoning)
        return self.reasoning // common, self.non_reasoning // common


def parse_ratio(key: str) -> Ratio:
    """The inverse of `Ratio.key`.

    Raises:
        ValueError: it does not read like `70r30n`, or does not add up to 100.
    """
    reasoning, _, rest = key.partition("r")
    if not (reasoning.isdigit() and rest.endswith("n") and rest[:-1].isdigit()):
        msg = f"{key!r} is no ratio: write 70r30n for 70 % label 0 and 30 % label 1"
        raise ValueError(msg)
    ratio = Ratio(int(reasoning), int(rest[:-1]))
    if sum(ratio) != 100 or 0 in ratio:
        msg = f"ratio {key!r} has two shares above 0 that add up to 100, or is none"
        raise ValueError(msg)
    return ratio


class Variant(NamedTuple):
    """A split at a ratio; its key is the partition key."""

    split: str
    ratio: Ratio
    total: int
    version: int

    @property
    def key(self) -> str:
        """`train-70r30n` and the like."""
        return f"{self.split}-{self.ratio.key}"

    @property
    def file_name(self) -> str:
        """The name of its SFT file, e.g. `datav3_train_70r_30n_sft.jsonl`."""
        return f"{self._stem}_sft.jsonl"

    @property
    def labels_name(self) -> str:
        """The name of the table beside it, for those who want soft labels."""
        return f"{self._stem}_labels.parquet"

    @property
    def _stem(self) -> str:
        return f"datav{self.version}_{self.split}_{self.ratio.reasoning}r_{self.ratio.non_reasoning}n"
