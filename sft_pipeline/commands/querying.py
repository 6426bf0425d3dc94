"""`query` and `queries`."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from textwrap import fill

import typer
from rich.markup import escape

from sft_pipeline.clients.kusto.parameters import ParameterValue
from sft_pipeline.clients.kusto.protocol import Kusto
from sft_pipeline.clients.queries.catalog import Query, find_query, list_queries, load_query
from sft_pipeline.clients.queries.reference import render_reference
from sft_pipeline.commands.answers import show_answer
from sft_pipeline.commands.row_files import WRITERS, row_file
from sft_pipeline.commands.windows import window_or_newest
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.assembly import kusto_resource
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline.terminal import out


def show_queries(*, markdown: bool) -> None:
    """List the catalog, a question per query, or print the reference of all as Markdown."""
    if markdown:
        typer.echo(render_reference(), nl=False)
        return
    for name in list_queries():
        out.print(f"[bold]{name}[/]", soft_wrap=True)
        out.print(
            escape(fill(load_query(name).header.question, out.width, initial_indent="  ", subsequent_indent="  "))
        )


def run_query(name: str, texts: Sequence[str], *, plan: str | None, window: date | None, out: Path | None) -> None:
    """Run a query and show its first rows, or write all of them."""
    settings = read_settings(plan=plan)
    query = find_query(name)
    parameters = _window_parameters(query, settings, window) | _parameters(query, texts)
    kusto = kusto_resource(settings).client()
    if out:
        _write(kusto, query, parameters, out)
    else:
        show_answer(kusto.execute(query, parameters))


def _window_parameters(query: Query, settings: Settings, window: date | None) -> dict[str, ParameterValue]:
    start, end = settings.plan.bounds(window_or_newest(settings, window))
    bounds: dict[str, ParameterValue] = {"windowStart": start, "windowEnd": end}
    return {name: value for name, value in bounds.items() if name in query.parameters}


def _parameters(query: Query, texts: Sequence[str]) -> dict[str, ParameterValue]:
    pairs = [text.partition("=") for text in texts]
    unknown = [name for name, _, _ in pairs if name not in query.parameters]
    if unknown:
        raise Refused(
            f"query {query.name} declares no parameter {', '.join(unknown)}",
            remedy=f"it declares {', '.join(f'{name}:{kind}' for name, kind in query.parameters.items())}",
        )
    return {name: _value(name, text, query.parameters[name]) for name, _, text in pairs}


def _value(name: str, text: str, kind: str) -> ParameterValue:
    try:
        match kind:
            case "datetime":
                return datetime.fromisoformat(text)
            case "int" | "long":
                return int(text)
            case "real":
                return float(text)
            case "bool":
                return {"true": True, "false": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError) as error:
        remedy = "write dates as 2026-11-01T00:00:00Z" if kind == "datetime" else f"give a {kind}"
        raise Refused(f"parameter {name}={text!r} is no {kind}", remedy=remedy) from error


def _write(kusto: Kusto, query: Query, parameters: Mapping[str, ParameterValue], path: Path) -> None:
    with row_file(path) as unfinished:
        rows = _written(kusto, query, parameters, unfinished, path.suffix)
    out.print(f"{rows:,} rows to {path}")


def _written(kusto: Kusto, query: Query, parameters: Mapping[str, ParameterValue], path: Path, ending: str) -> int:
    if ending == ".parquet":
        return kusto.save(query, parameters, path).rows
    rows = kusto.execute(query, parameters)
    WRITERS[ending](rows, path)
    return rows.height
