"""`docs/PERFORMANCE.md` and its pictures, from what is recorded; `python -m bench.document` writes them again.

Belongs here: what is told, and in which order. The same results give the same bytes, wherever they were measured.
Does not belong here: wording of numbers (figures), drawing (pictures), any figure that is not in the results.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import figure, is_memory, megabytes, number
from bench.results import LATEST, read_results

DOCUMENT = Path(__file__).parents[1] / "docs" / "PERFORMANCE.md"
TRIED = Path(__file__).with_name("tried.md")
PICTURES = "pictures"
LIMIT = "what the machine allows"

RERUN = """\
```
make bench            # everything at full size: hours, some ten GB of disk
make bench QUICK=1    # small inputs, about six minutes: whether it runs, not how fast it is
.venv-bench/bin/python -m bench ID ...    # some of them; the others keep their figures
```

It needs Linux, Python and make. Peers are installed from `bench/requirements*.txt` into environments of their own. A
side is a process of its own; sides run in turn, and what they answer is held against each other before anything is
recorded. Figures are medians of the runs. Seconds are those of the work, without the start of the interpreter and its
imports, unless a note says otherwise; peak memory is resident memory, children included. On a machine that others use
nothing is recorded: at most 15 % of its processors may work for anything else. Figures lie in
`bench/results/latest.json`."""

QUICK_WARNING = """\
> **Warning: a quick run.** Inputs are small, and sides run once. Start-up weighs more than the work: these figures
> show that the benchmarks run, and say nothing about production's size. `make bench` measures that."""


def write_document(results: Path = LATEST, document: Path = DOCUMENT, tried: Path = TRIED) -> None:
    """Write the document, and a picture per benchmark beside it; pictures of benchmarks that are gone are removed.

    Args:
        results: as `results.record` writes them.
        document: the Markdown file.
        tried: Markdown that is added at the end.
    """
    from bench.pictures import draw  # only drawing needs matplotlib

    told = read_results(results)
    pictures = document.parent / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    drawn = {draw(one, pictures / _picture(one)) for one in told.get("benchmarks", [])}
    for stale in set(pictures.glob(_picture({"id": "*"}))) - drawn:
        stale.unlink()
    document.write_text(document_of(told, tried.read_text(encoding="utf-8")), encoding="utf-8")


def document_of(results: Mapping[str, Any], tried: str) -> str:
    """The text alone."""
    benchmarks = results.get("benchmarks", [])
    parts = [
        "# Performance",
        *_machine(results),
        "## Run it again",
        RERUN,
        "## At a glance",
        _table(
            ("benchmark", "result", "ours", "peers", "limit", "peak memory", "goals"),
            (_glance(one) for one in benchmarks),
        ),
        "`limit` is what the machine (or the service) allows, where that was measured.",
        *(part for one in benchmarks for part in _section(one)),
        "## What was tried, and what it gave",
        tried.strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _machine(results: Mapping[str, Any]) -> list[str]:
    if not results:
        return ["Nothing is measured yet."]
    machine = results["machine"]
    told = (
        f"{machine['processor']}, {machine['cores']} cores, {number(machine['memory_gb'])} GB of memory, "
        f"{machine['system']}, Python {machine['python']}"
    )
    warning = [QUICK_WARNING] if results["scale"] != "full" else []
    return [f"Measured on: {told}; scale: {results['scale']}.", *warning]


def _glance(one: Mapping[str, Any]) -> tuple[str, ...]:
    peers = (f"{name} {figure(value, one['measure'])}" for name, value in one["peers"].items())
    memory = (f"{name} {megabytes(value)}" for name, value in one["rss_mb"].items())
    return (
        f"[{one['id']}](#{one['id']})",
        f"**{_headline(one)}**",
        figure(one["ours"], one["measure"]),
        "<br>".join(peers),
        _limit(one),
        "<br>".join(memory),
        _verdict(one["goals"]),
    )


def _section(one: Mapping[str, Any]) -> list[str]:
    parts = [
        f"## {one['id']}",
        f"**{_headline(one)}**: {one['size']}; medians of {one['runs']} runs.",
        f"![{_caption(one)}]({PICTURES}/{_picture(one)})",
        _sides(one),
        one["note"],
    ]
    if one["goals"]:
        parts.append("\n".join(f"- {_met(goal)}: {goal['statement']}" for goal in one["goals"]))
    return [*parts, *_series(one)]


def _met(goal: Mapping[str, Any]) -> str:
    return "met" if goal["met"] else "**not met**"


def _sides(one: Mapping[str, Any]) -> str:
    """A row for each side; sides that were measured beside the comparison have only memory and runs to tell of."""
    figures = {"ours": one["ours"], **one["peers"]}
    names = [*figures, *(name for name in {**one["spread"], **one["rss_mb"]} if name not in {*figures, "limit"})]
    rows = [_side(one, figures, name) for name in names]
    if one["limit"] is not None:
        rows.append((LIMIT, _limit(one), _spread(one, "limit"), "", _ratio(one["limit"], one["ours"])))
    return _table(("side", one["measure"], "lowest to highest", "peak memory", "to ours"), rows)


def _side(one: Mapping[str, Any], figures: Mapping[str, float], name: str) -> tuple[str, ...]:
    memory = one["rss_mb"].get(name)
    return (
        name,
        figure(figures[name], one["measure"]) if name in figures else "",
        _spread(one, name),
        megabytes(memory) if memory is not None else "",
        _ratio(figures[name], one["ours"]) if name in one["peers"] else "",
    )


def _spread(one: Mapping[str, Any], name: str) -> str:
    return " to ".join(figure(end, one["measure"]) for end in one["spread"].get(name, ()))


def _series(one: Mapping[str, Any]) -> list[str]:
    """What the picture shows, in figures."""
    if not one["series"]:
        return []
    (_, places), *columns = one["series"].items()
    told = [[_cell(place) for place in places]]
    for name, values in columns:
        measure = "MB" if is_memory(name) else one["measure"]
        told.append(["" if value is None else figure(value, measure) for value in values])
    return [_table(one["series"], zip(*told, strict=True))]


def _cell(place: float | str) -> str:
    return place if isinstance(place, str) else number(place)


def _ratio(figure_: float, ours: float) -> str:
    return f"{number(figure_ / ours)} times" if ours else ""


def _headline(one: Mapping[str, Any]) -> str:
    return f"{number(one['value'])} {one['unit']}"


def _limit(one: Mapping[str, Any]) -> str:
    return "" if one["limit"] is None else figure(one["limit"], one["measure"])


def _verdict(goals: Sequence[Mapping[str, Any]]) -> str:
    missed = [goal["statement"] for goal in goals if not goal["met"]]
    if missed:
        return f"**not met**: {'; '.join(missed)}"
    return "met" if goals else "none set"


def _caption(one: Mapping[str, Any]) -> str:
    return f"{one['id']}: {', '.join(('ours', *one['peers']))}; the figures stand below"


def _picture(one: Mapping[str, Any]) -> str:
    return f"bench_{one['id']}.svg"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a bar within a cell would end it."""
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    write_document()
