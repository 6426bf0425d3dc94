"""`releases`."""

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.markup import escape
from rich.padding import Padding

from sft_pipeline.clients.published import Listed, list_published, prove
from sft_pipeline.commands.places import open_beside, open_place, releases_address
from sft_pipeline.terminal import counting, out, print_error, print_next

STATES = {
    "complete": "[green]complete[/]",
    "verified": "[green]verified[/]",
    "unfinished": "[yellow]unfinished[/]",
    "damaged": "[red bold]damaged[/]",
    "broken": "[red bold]BROKEN[/]",
}


def show_releases(location: str | None, *, verify: bool, as_json: bool) -> None:
    """List the releases of a place, newest first; exit 1 when one was to be verified and is not what it claims."""
    address = releases_address(location)
    store = open_place(address)
    listed = list_published(store)
    if verify:
        listed = _proved(listed, address)
    if as_json:
        told = {"url": store.url, "releases": [_document(one) for one in listed]}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(store.url, listed, verified=verify)
    bad = [one for one in listed if one.state in {"damaged", "broken"}]
    if verify and bad:
        print_error(f"{len(bad)} of {len(listed)} releases do not hold what they claim")
        raise typer.Exit(1)


def _proved(listed: Sequence[Listed], address: str) -> list[Listed]:
    """Each verified, the newest first, under one bar that counts the records of all."""
    proved: list[Listed] = []
    total, before = sum(one.records or 0 for one in listed), 0
    with counting("records") as progress:
        for one in listed:
            start = before
            proved.append(prove(one, open_beside(one.url, address), lambda done, _, s=start: progress(s + done, total)))
            before += one.records or 0
    return proved


def _document(one: Listed) -> dict[str, Any]:
    """A release for scripts, in the words of metadata.json."""
    return {
        "curation_id": one.name,
        "url": one.url,
        "release_kind": one.kind,
        "state": one.state,
        "detail": one.detail,
        "curation_date": one.curated.isoformat().replace("+00:00", "Z") if one.curated else None,
        "plan": one.plan or None,
        "time_window": {"start": _day(one, 0), "end": _day(one, 1)} if one.window else None,
        "records": one.records,
        "splits": dict(one.splits),
        "shortfall": dict(one.short),
    }


def _day(one: Listed, end: int) -> str:
    return f"{one.window[end]:%Y-%m-%dT%H:%M:%SZ}" if one.window else ""


def _show(url: str, listed: Sequence[Listed], *, verified: bool) -> None:
    place = url.removeprefix("file://")
    if not listed:
        out.print(f"no releases in {escape(place)}", soft_wrap=True)
        return
    out.print(
        f"{len(listed)} release{'' if len(listed) == 1 else 's'} in {escape(place)}, newest first", soft_wrap=True
    )
    for one in listed:
        out.print(f"\n[bold]{escape(one.name)}[/]", soft_wrap=True)
        for line in _lines(one):
            out.print(Padding(line, (0, 0, 0, 2), expand=False))
    complete = next((one for one in listed if one.state == "complete"), None)
    if complete and not verified:
        out.print("\ncomplete: every file is there; --verify proves what is in them, of one release")
        print_next(f"verify {complete.url.removeprefix('file://')}")


def _lines(one: Listed) -> list[str]:
    """What is said below a release's name."""
    state = f"{STATES[one.state]}{f': {escape(one.detail)}' if one.detail else ''}"
    made = [
        f"{one.curated:%Y-%m-%d %H:%M} UTC" if one.curated else "",
        f"plan {escape(one.plan)}" if one.plan else "",
        f"window {one.window[0]:%Y-%m-%d} to {one.window[1]:%Y-%m-%d}" if one.window else "",
    ]
    return [state, ", ".join(part for part in made if part), *_counts(one)]


def _counts(one: Listed) -> list[str]:
    if one.records is None:
        return []
    splits = ", ".join(f"{escape(split)} {records:,}" for split, records in one.splits.items())
    short = f"; [yellow]short of its targets[/] in {', '.join(map(escape, one.short))}" if one.short else ""
    what = "SFT lines of both routers, at all ratios" if one.kind == "sft" else "records"
    return [f"{one.records:,} {what}: {splits}{short}"]
