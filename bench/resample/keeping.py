"""Whether samples are what they should be, and which share of the former ones they keep.

Belongs here: checks that know the rule of the product's sample from its description alone, by `hashlib`.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from heapq import nsmallest
from pathlib import Path

from bench.resample.drawing import Chosen
from bench.resample.populations import ADDED, BEFORE, Draw, population_ids

Draws = Mapping[str, Draw]


def kept_share(former: Mapping[str, Iterable[str]], new: Mapping[str, Iterable[str]]) -> float:
    """Of the formerly chosen ids of the cells that were drawn anew: the share that is still chosen."""
    counts = [(len(set(former[cell])), len(set(former[cell]) & set(ids))) for cell, ids in new.items()]
    return sum(kept for _, kept in counts) / sum(former for former, _ in counts)


def lowest(ids: Iterable[str], salt: str, target: int) -> list[str]:
    """The ids that the product's rule ranks first: the lowest 15 leading hex digits of SHA-256."""
    return nsmallest(target, ids, key=lambda one: sha256(f"sample:{salt}:{one}".encode()).hexdigest()[:15])


def require_lowest(chosen: Chosen, draw: Draw, folder: Path, salt: str) -> None:
    """Refuse a sample of the product that is not the lowest of its cells.

    That is more than keeping what still ranks: what ranks is chosen, whether it was before or not.

    Raises:
        SystemExit: names the cell.
    """
    for cell, target in draw["targets"].items():
        if chosen[cell] != lowest(population_ids(folder, draw["population"], cell), salt, target):
            raise SystemExit(f"resample: ours did not choose the lowest {target} of {cell} in {draw['population']}")


def require_sample(side: str, chosen: Chosen, draw: Draw, folder: Path, *, exact: bool) -> None:
    """Refuse a sample that holds an id twice or one of elsewhere, or another number of them where it must be exact.

    Raises:
        SystemExit: names the side and the cell.
    """
    if chosen.keys() != draw["targets"].keys():
        raise SystemExit(f"resample: {side} drew other cells than it was asked for")
    for cell, ids in chosen.items():
        distinct = set(ids)
        if len(distinct) != len(ids) or distinct - set(population_ids(folder, draw["population"], cell)):
            raise SystemExit(f"resample: {side} drew ids of {cell} twice, or such as are not of {draw['population']}")
        if exact and len(ids) != draw["targets"][cell]:
            raise SystemExit(f"resample: {side} drew {len(ids)} of {cell}, not {draw['targets'][cell]}")


def ideal_share(draws: Draws, folder: Path) -> float:
    """What an exact uniform sample can keep at most, on average, when a day is added.

    Each of N candidates is in a uniform sample of k with probability k / N. Of the M that were there before, so many
    are in the new one: k * M / N, all of them formerly chosen at best.
    """
    targets = draws[ADDED]["targets"]
    kept = sum(
        target * len(population_ids(folder, BEFORE, cell)) / len(population_ids(folder, ADDED, cell))
        for cell, target in targets.items()
    )
    return kept / sum(targets.values())


def chance_share(draws: Draws, folder: Path) -> float:
    """What a sample that knows nothing of the former one keeps of it, on average, when a day is added: k / N."""
    targets = draws[ADDED]["targets"]
    kept = sum(target**2 / len(population_ids(folder, ADDED, cell)) for cell, target in targets.items())
    return kept / sum(targets.values())


def farthest(chosen: Chosen, draw: Draw) -> str:
    """The cell whose count is farthest from its target, in words."""
    targets = draw["targets"]
    cell = max(targets, key=lambda one: abs(len(chosen[one]) - targets[one]) / targets[one])
    return f"{len(chosen[cell]):,} of {targets[cell]:,} in {cell}"
