"""The `sft-pipeline` command: thin, one function per command; 0 done, 1 refused or failed, 2 wrong usage.

Belongs here: options, and calling what does the work. Dagster is imported by the commands that need it.
"""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from sft_pipeline.cli_labels import labels
from sft_pipeline.curation.refusal import Refused

app = typer.Typer(
    name="sft-pipeline",
    help="LLM-assistant telemetry in Kusto to verified training data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
telemetry = typer.Typer(help="Make raw telemetry for the embedded engine.", no_args_is_help=True)
app.add_typer(telemetry, name="telemetry")
app.add_typer(labels, name="labels")

Plan = Annotated[str | None, typer.Option("--plan", help="Name or path of a plan; default: SFT_PLAN, production.")]
Window = Annotated[
    datetime | None,
    typer.Option("--window", formats=["%Y-%m-%d"], help="Day (UTC) at which the window ends; default: the newest."),
]


def main() -> None:
    """Run the command line; a refusal is a message, not a stack trace."""
    from sft_pipeline.terminal import print_refusal

    try:
        app()
    except Refused as refusal:
        print_refusal(refusal.what, refusal.remedy)
        sys.exit(1)


@app.command()
def run(
    plan: Plan = None,
    window: Window = None,
    split: Annotated[str | None, typer.Option(help="Sample and publish this split alone.")] = None,
    test: Annotated[bool, typer.Option("--test", help="The same as --plan test.")] = False,  # noqa: FBT002
    until: Annotated[str | None, typer.Option(help="Stop after this asset.")] = None,
    chunks: Annotated[
        str | None, typer.Option(help="Ask for these chunks alone, as 0-19 or 3,7,12-15, and stop after them.")
    ] = None,
    allow_shortfall: Annotated[bool, typer.Option("--allow-shortfall", help="Publish what there is.")] = False,  # noqa: FBT002
) -> None:
    """Curate a window and publish the release; goes on where an earlier run stopped.

    Example: sft-pipeline run --plan demo --window 2026-11-01

    Two machines that share SFT_STORAGE; then run on either, without --chunks:
    sft-pipeline run --window 2026-11-01 --chunks 0-19
    sft-pipeline run --window 2026-11-01 --chunks 20-39
    """
    from sft_pipeline.commands.chunk_numbers import chunk_numbers
    from sft_pipeline.commands.running import run_walk

    if test and plan:
        raise typer.BadParameter("--test is plan test: leave --plan out", param_hint="--test")
    if chunks is not None and until not in {None, "conversation_chunks"}:
        raise typer.BadParameter("--chunks stops after conversation_chunks: leave --until out", param_hint="--until")
    run_walk(
        plan="test" if test else plan,
        window=_day(window),
        split=split,
        until=until,
        chunks=chunk_numbers(chunks) if chunks is not None else None,
        allow_shortfall=allow_shortfall,
    )


@telemetry.command("generate")
def telemetry_generate(
    conversations: Annotated[int, typer.Option(min=1, help="How many candidates: complete agent conversations.")],
    out: Annotated[Path, typer.Option(help="Folder for the raw events.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    days: Annotated[int, typer.Option(min=1, help="Length of the window.")] = 15,
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day after the window.")] = None,
) -> None:
    """Write synthetic raw events with every quirk of the real ones.

    Example: sft-pipeline telemetry generate --conversations 3000 --out T
    """
    from sft_pipeline.commands.telemetry import generate_telemetry

    last = _day(end) or datetime.now(UTC).date()
    generate_telemetry(out, conversations=conversations, seed=seed, days=days, end=last)


@telemetry.command("import")
def telemetry_import(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of chat sessions.")],
    out: Annotated[Path, typer.Option(help="Folder for the raw events.")],
) -> None:
    """Turn VS Code chat sessions and SpecStory histories into raw events.

    Example: sft-pipeline telemetry import ~/sessions --out T
    """
    from sft_pipeline.commands.telemetry import import_telemetry

    import_telemetry(paths, out)


@app.command()
def query(
    file: Annotated[str, typer.Argument(help="A query of the catalog, or the path of a .kql file.")],
    param: Annotated[list[str] | None, typer.Option(help="A parameter as name=value; may be repeated.")] = None,
    window: Window = None,
    out: Annotated[
        Path | None, typer.Option(help="Write .parquet, .csv or .json (a row a line), show nothing.")
    ] = None,
    plan: Plan = None,
) -> None:
    """Run a query on the configured Kusto.

    Example: sft-pipeline query test/sft_test_100_lite --window 2026-11-01 --out test.parquet
    """
    from sft_pipeline.commands.querying import run_query

    run_query(file, param or [], plan=plan, window=_day(window), out=out)


@app.command()
def queries(
    markdown: Annotated[bool, typer.Option("--markdown", help="The whole reference, as in docs.")] = False,  # noqa: FBT002
) -> None:
    """List the queries of the catalog with the question that each answers.

    Example: sft-pipeline queries
    """
    from sft_pipeline.commands.querying import show_queries

    show_queries(markdown=markdown)


@app.command()
def check(
    plan: Plan = None,
    window: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day (UTC) at which the window ends; default: all.")
    ] = None,
    allow_shortfall: Annotated[bool, typer.Option("--allow-shortfall", help="As given to run.")] = False,  # noqa: FBT002
) -> None:
    """Evaluate every asset check on what is stored; fails when a fatal one fails.

    Example: sft-pipeline check --plan demo
    """
    from sft_pipeline.commands.checking import run_checks

    run_checks(plan=plan, window=_day(window), allow_shortfall=allow_shortfall)


@app.command()
def verify(
    location: Annotated[str, typer.Argument(help="The release: a folder, a URL, or a name in SFT_RELEASES.")],
) -> None:
    """Recompute everything that a release's metadata.json claims, from its files alone.

    Example: sft-pipeline verify .sft/releases/vscodedata_0.36k_complete_stratified_deduped_15d_20261101_120000
    """
    from sft_pipeline.commands.checking import verify_location

    verify_location(location)


@app.command()
def releases(
    location: Annotated[
        str | None, typer.Argument(help="Where releases lie: a folder or URL; default: SFT_RELEASES.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Verify each; fails when one is broken.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")] = False,  # noqa: FBT002
) -> None:
    """List the releases that are published, newest first, and how they stand.

    Example: sft-pipeline releases .sft/releases --verify
    """
    from sft_pipeline.commands.releases import show_releases

    show_releases(location, verify=verify, as_json=as_json)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A release: a folder, a URL, or a name in SFT_RELEASES.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The release to compare it with.")],
    out: Annotated[
        Path | None, typer.Option(help="Write .parquet, .csv or .json (a row a line): a row per conversation.")
    ] = None,
) -> None:
    """Say which conversations came, went, moved, changed and stayed between two releases, and what else differs.

    Example: sft-pipeline diff vscodedata_0.36k_..._20261101_120000 vscodedata_0.6k_..._20261102_120000 --out d.csv
    """
    from sft_pipeline.commands.comparing import show_diff

    show_diff(before, after, path=out)


@app.command()
def explain(
    conversation_id: Annotated[
        str, typer.Argument(metavar="ID", help="A conversationId, or a request: <conversationId>#<turnIndex>.")
    ],
    window: Window = None,
    plan: Plan = None,
    release: Annotated[
        str | None,
        typer.Option(help="Ask a release's files alone: a folder, a URL, or a name in SFT_RELEASES."),
    ] = None,
) -> None:
    """Say where a conversation and its requests went and why, from the tables of a run or from a release's files alone.

    Example: sft-pipeline explain 6f1c0a9e-... --plan demo
    """
    if release and (plan or window):
        raise typer.BadParameter("a release tells its plan and window: leave them out", param_hint="--release")
    if release:
        from sft_pipeline.commands.checking import explain_in_release

        explain_in_release(conversation_id, release)
        return
    from sft_pipeline.commands.checking import explain_conversation

    explain_conversation(conversation_id, plan=plan, window=_day(window))


@app.command()
def doctor(plan: Plan = None, window: Window = None) -> None:
    """Look at all that a run needs: settings, folders, sign-in, the table, the window's events; say what to mend.

    Example: sft-pipeline doctor --plan test --window 2026-11-01
    """
    from sft_pipeline.commands.doctor import run_doctor

    run_doctor(plan=plan, window=_day(window))


@app.command()
def ui(
    plan: Plan = None,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000,
) -> None:
    """Open the Dagster UI on the plan's instance.

    Example: sft-pipeline ui --plan demo --port 3030
    """
    from sft_pipeline.commands.running import serve_ui

    serve_ui(plan=plan, port=port)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
