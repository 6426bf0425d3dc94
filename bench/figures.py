"""Figures as people read them: three digits, thousands apart, ms and s, MB and GB.

Belongs here: wording of numbers, for the document and its pictures. Does not belong here: where they stand.
"""

import re

_RATE = re.compile(r"/ ?s$|per second$|kept$")
_MEMORY = re.compile(r"\bMB$|memory", re.IGNORECASE)


def number(value: float) -> str:
    """Three digits at least, and no exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure(value: float, measure: str) -> str:
    """A figure with its unit; `measure` as in `results.Benchmark`."""
    if measure.endswith("seconds"):
        return f"{number(value * 1000)} ms" if 0 < value < 1 else f"{number(value)} s"
    return megabytes(value) if is_memory(measure) else f"{number(value)} {measure}"


def megabytes(value: float) -> str:
    """Megabytes as MB or GB."""
    return f"{number(value / 1000)} GB" if value >= 1000 else f"{number(value)} MB"


def is_memory(name: str) -> bool:
    """Whether a measure, or a column of a series, holds megabytes: `MB` at its end, or `memory` anywhere."""
    return bool(_MEMORY.search(name))


def more_is_better(measure: str) -> bool:
    """Whether a measure is a rate (per second) or a share kept; all others are what a side takes."""
    return bool(_RATE.search(measure))
