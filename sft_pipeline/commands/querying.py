"""`query`."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import polars as pl

from sft_pipeline.clients.kusto import ParameterValue
from sft_pipeline.clients.query_catalog import Query, find_query
from sft_pipeline.commands.windows import window_or_newest
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.assembly import kusto_resource
from sft_pipeline.orchestration.resources import Settings, read_settings
from sft_pipeline.terminal import out, print_frame

ROWS_SHOWN = 20
CHARACTERS_SHOWN = 60


def run_query(name: str, texts: Sequence[str], *, plan: str | None, window: date | None, out: Path | None) -> None:
    """Run a query and show its first rows, or write all of them."""
    settings = read_settings(plan=plan)
    query = find_query(name)
    parameters = _window_parameters(query, settings, window) | _parameters(query, texts)
    rows = kusto_resource(settings).client().execute(query, parameters)
    if out:
        _write(rows, out)
    else:
        _show(rows)


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


def _write(rows: pl.DataFrame, path: Path) -> None:
    writers = {".parquet": rows.write_parquet, ".csv": rows.write_csv, ".json": rows.write_ndjson}
    if path.suffix not in writers:
        raise Refused(
            f"cannot write {path.suffix or 'a file without ending'}", remedy="name a .parquet, .csv or .json file"
        )
    try:
        writers[path.suffix](path)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error}", remedy="name a file in a folder that you can write") from error
    out.print(f"{rows.height:,} rows to {path}")


def _show(rows: pl.DataFrame) -> None:
    cut = [pl.col(pl.String).str.slice(0, CHARACTERS_SHOWN)]
    print_frame(f"{rows.height:,} rows", rows.head(ROWS_SHOWN).with_columns(cut))
