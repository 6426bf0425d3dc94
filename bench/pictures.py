"""A picture per benchmark, readable on white and on black: mid-tone colours, no ground.

Belongs here: which picture suits which benchmark, and drawing it; the same benchmark gives the same bytes.
Does not belong here: what is told in words (document).

- no series: horizontal bars of ours, the peers and the limit, peak memory beside them;
- a series over numbers: a line per column, columns of memory in a panel of their own;
- a series over names: groups of horizontal bars, likewise.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import isnan, nan
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.figures import figure, is_memory, more_is_better, number

LOG_ABOVE = 20
"""Ratio of the largest to the smallest from which a linear axis would hide the small."""

INK, FAINT = "#767676", "#8c8c8c"
OURS = "#2f80d0"
PEERS = ("#d9822b", "#3a9d6e", "#b8598f", "#8a6fd1", "#a38a1b", "#2a9aaa", "#a0653a", "#808080")
LIMIT = "limit"
WIDTH, ROW, BAR = 8.6, 0.34, 0.62

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial", "sans-serif"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
}

Values = Mapping[str, Sequence[float]]


def draw(one: Mapping[str, Any], path: Path) -> Path:
    """Draw a benchmark, as `results.record` keeps it, as SVG."""
    with mpl.rc_context(STYLE):
        drawn = _bars(one) if not one["series"] else _series(one)
        drawn.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return path


def _bars(one: Mapping[str, Any]) -> Figure:
    limit = {LIMIT: one["limit"]} if one["limit"] is not None else {}
    values = {"ours": one["ours"], **one["peers"], **limit}
    panels = {one["measure"]: values}
    if memory := {name: value for name, value in one["rss_mb"].items() if name in values}:
        panels["peak memory"] = memory
    drawn = Figure(figsize=(WIDTH, 0.75 + ROW * len(values)), layout="constrained")
    axes = drawn.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=[3, 2][: len(panels)])[0]
    places = {name: -at for at, name in enumerate(values)}
    for axis, (measure, figures) in zip(axes, panels.items(), strict=True):
        _scale(axis, [*figures.values()], along="x", room=0.3)
        for name, value in figures.items():
            spread = one["spread"].get(name) if measure == one["measure"] else None
            _bar(axis, places[name], value, measure, _bar_style(name), spread=spread)
        _title(axis, measure, along="x")
    axes[0].set_yticks([*places.values()], [*places])
    return drawn


def _bar(
    axis: Axes,
    place: float,
    value: float,
    measure: str,
    style: Mapping[str, Any],
    spread: Sequence[float] | None = None,
    height: float = BAR,
) -> None:
    """A bar with its figure at its end, and a thin line from the lowest run to the highest."""
    axis.barh(place, value, height=height, **style)
    if spread:
        axis.plot(spread, [place, place], color=INK, linewidth=1.2, solid_capstyle="butt")
    end = max(value, *(spread or [value]))
    told = figure(value, measure)
    axis.annotate(told, (end, place), xytext=(4, 0), textcoords="offset points", va="center", annotation_clip=False)


def _bar_style(name: str) -> dict[str, Any]:
    if name == LIMIT:
        return {"facecolor": "none", "edgecolor": FAINT, "hatch": "////", "linewidth": 0.8}
    return {"color": OURS if name == "ours" else FAINT}


def _series(one: Mapping[str, Any]) -> Figure:
    (x_name, places), *columns = one["series"].items()
    panels: dict[str, dict[str, list[float]]] = {}
    for name, values in columns:
        panel = panels.setdefault("peak memory" if is_memory(name) else one["measure"], {})
        panel[name] = [nan if value is None else value for value in values]
    over_names = any(isinstance(place, str) for place in places)
    rows = len(places) * (max(len(columns) for columns in panels.values()) + 1)
    drawn = Figure(figsize=(WIDTH, 0.8 + 0.2 * rows if over_names else 3.6), layout="constrained")
    axes = drawn.subplots(1, len(panels), sharey=over_names, squeeze=False, width_ratios=[3, 2][: len(panels)])[0]
    colours = _colours([name for name, _ in columns])
    for axis, (measure, figures) in zip(axes, panels.items(), strict=True):
        if over_names:
            _groups(axis, measure, places, figures, colours)
        else:
            _lines(axis, measure, x_name, places, figures, colours)
    _legend(drawn, axes)
    return drawn


def _groups(axis: Axes, measure: str, places: Sequence[str], columns: Values, colours: Mapping[str, str]) -> None:
    _scale(axis, [value for values in columns.values() for value in values], along="x", room=0.3)
    height = 1 / (len(columns) + 1)
    for at, (name, values) in enumerate(columns.items()):
        for group, value in enumerate(values):
            if not isnan(value):
                _bar(axis, -group - at * height, value, measure, {"color": colours[name]}, height=height * 0.85)
        axis.barh(0, 0, color=colours[name], label=name)
    middle = (len(columns) - 1) / 2 * height
    axis.set_yticks([-group - middle for group in range(len(places))], [*places])
    _title(axis, measure, along="x")


def _lines(
    axis: Axes, measure: str, x_name: str, places: Sequence[float], columns: Values, colours: Mapping[str, str]
) -> None:
    every = [value for values in columns.values() for value in values]
    if _scale(axis, [max(values) for values in columns.values()], along="y", room=0.08, reach=every):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator([*places]))
        axis.xaxis.set_minor_locator(NullLocator())
    else:
        axis.set_xlim(0, max(places) * 1.04)
        axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    for name, values in columns.items():
        axis.plot(places, values, color=colours[name], label=name, marker="o", markersize=3.5, linewidth=1.8)
    if not more_is_better(measure) and not is_memory(measure):
        top = max(columns.values(), key=lambda values: values[-1])
        proportion = [top[0] * place / places[0] for place in places]
        axis.plot(places, proportion, color=FAINT, label="in proportion", linestyle=":", linewidth=1.2)
    axis.set_xlabel(x_name)
    _title(axis, measure, along="y")


def _scale(axis: Axes, values: Sequence[float], *, along: str, room: float, reach: Sequence[float] = ()) -> bool:
    """Set the axis of the figures, with room for what is written beyond the largest; whether it is logarithmic.

    Args:
        axis: to set.
        values: that decide whether it is logarithmic.
        along: `x` or `y`.
        room: share of the axis that stays free.
        reach: all that is drawn, where that is more than the values.
    """
    known = [value for value in values if value > 0]  # nan is not
    drawn = [value for value in (*known, *reach) if value > 0] or [1.0]
    least, most = min(drawn), max(drawn)
    logarithmic = bool(known) and max(known) / min(known) > LOG_ABOVE
    limits = (0.0, most / (1 - room))
    if logarithmic:
        first = least / 2
        limits = (first, first * (most / first) ** (1 / (1 - room)))
    axis.set(**{f"{along}scale": "log" if logarithmic else "linear", f"{along}lim": limits})
    own = axis.xaxis if along == "x" else axis.yaxis
    own.set_major_locator(LogLocator(10, numticks=6) if logarithmic else MaxNLocator(4))
    own.set_minor_locator(NullLocator())
    axis.grid(visible=True, axis="x" if along == "x" else "y")
    return logarithmic


def _title(axis: Axes, measure: str, *, along: str) -> None:
    """What the figures are, which way is better, and their axis in the same words as the figures."""
    own = axis.xaxis if along == "x" else axis.yaxis
    unit = "MB" if is_memory(measure) else measure
    own.set_major_formatter(FuncFormatter(lambda value, _: figure(value, unit)))
    logarithmic = ", logarithmic" if own.get_scale() == "log" else ""
    axis.set_title(f"{measure} ({'more' if more_is_better(measure) else 'less'} is better{logarithmic})")
    axis.tick_params(length=0)
    if along == "x":
        axis.spines["bottom"].set_visible(False)


def _colours(names: Sequence[str]) -> dict[str, str]:
    others = cycle(PEERS)
    return {name: OURS if name == "ours" else next(others) for name in names}


def _legend(drawn: Figure, axes: Sequence[Axes]) -> None:
    """One for all panels, where there is more than one name; in the order in which lines end."""
    found = [axis.get_legend_handles_labels() for axis in axes]
    entries = {label: handle for handles, labels in found for handle, label in zip(handles, labels, strict=True)}
    if len(entries) > 1:
        drawn.legend([*entries.values()], [*entries], loc="outside right upper")
