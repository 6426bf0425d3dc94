"""The commands `sft-pipeline labels ...`.

Belongs here: options, as in cli. Does not belong here: what they do (commands.labels).
"""

from pathlib import Path
from typing import Annotated

import typer

labels = typer.Typer(
    help="What judges were asked: bring labels in, give them back, see what they cost.", no_args_is_help=True
)


@labels.command("import")
def labels_import(
    file: Annotated[Path, typer.Argument(help="Annotated records, JSON lines: request, llm_vote, vote, model.")],
    judge: Annotated[str, typer.Option(help="Who gave the labels; SFT_JUDGE_ACCEPT takes the name.")],
    responses: Annotated[bool, typer.Option("--responses", help="Keep what the models answered, too.")] = False,  # noqa: FBT002
) -> None:
    """Bring existing verdicts into the label store, so that they are not paid for again.

    Example: sft-pipeline labels import part-00000.json --judge gpt-4o-2024-11
    """
    from sft_pipeline.commands.labels import import_command

    import_command(file, judge, responses=responses)


@labels.command("export")
def labels_export(
    judge: Annotated[str, typer.Option(help="The name that the labels were imported under.")],
    out: Annotated[Path, typer.Option(help="Write .json or .jsonl (a record a line) or .parquet.")],
) -> None:
    """Give imported records back.

    Example: sft-pipeline labels export --judge gpt-4o-2024-11 --out labels.jsonl
    """
    from sft_pipeline.commands.labels import export_command

    export_command(judge, out)


@labels.command("ledger")
def labels_ledger() -> None:
    """Show what each judge was asked, what came of it and what it cost.

    Example: sft-pipeline labels ledger
    """
    from sft_pipeline.commands.labels import show_ledger

    show_ledger()
