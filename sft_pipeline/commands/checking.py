"""`check`, `verify` and `explain`."""

from collections import Counter
from datetime import date

import typer
from rich.markup import escape

from sft_pipeline.clients.lookup import look_up
from sft_pipeline.clients.published import printable
from sft_pipeline.clients.released_lines import open_release
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.commands.places import open_named_release
from sft_pipeline.commands.windows import window_or_latest_stored
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.checked import Shelf
from sft_pipeline.orchestration.checks import checked_assets
from sft_pipeline.orchestration.explanation import explain
from sft_pipeline.orchestration.jobs import Evaluation, evaluate_stored
from sft_pipeline.orchestration.pseudonym_key import settings_key_id
from sft_pipeline.orchestration.request_explanation import explain_requests, split_request_id
from sft_pipeline.orchestration.resources import open_releases, open_tables
from sft_pipeline.orchestration.settings import read_settings
from sft_pipeline.terminal import counting, out, print_error, print_table


def run_checks(*, plan: str | None, window: date | None, allow_shortfall: bool) -> None:
    """Evaluate, show what is broken, exit 1 when a fatal claim is."""
    settings = read_settings(plan=plan)
    if allow_shortfall:
        settings = settings.model_copy(update={"plan": settings.plan.with_shortfall()})
    shelf = Shelf(open_tables(settings.storage), open_releases(settings.releases))
    checked = checked_assets(settings.plan, settings_key_id(settings))
    evaluations: list[Evaluation] = []
    with shelf.tables.refusing(), counting("checks") as progress:
        for evaluation in evaluate_stored(checked, shelf, settings.plan, window.isoformat() if window else None):
            evaluations.append(evaluation)
            progress(len(evaluations), len(evaluations))
    errors = [evaluation for evaluation in evaluations if evaluation.is_error]
    if errors:
        print_table("Failed", ("asset", "partition", "check", "count", "ids"), [_row(one) for one in errors])
    warnings = Counter((one.asset, one.claim.statement) for one in evaluations if one.is_warning)
    if warnings:
        rows = [(asset, statement, count) for (asset, statement), count in warnings.items()]
        print_table("Warnings", ("asset", "statement", "partitions that break it"), rows)
    out.print(f"{len(evaluations):,} checks: {len(errors)} failed, {warnings.total()} warnings")
    if errors or not evaluations:
        print_error(
            "fatal checks failed" if errors else f"nothing is stored of plan {settings.plan.name}: run it first"
        )
        raise typer.Exit(1)


def _row(evaluation: Evaluation) -> tuple[object, ...]:
    outcome = evaluation.outcome
    told = ", ".join(outcome.ids) or outcome.detail
    return (evaluation.asset, evaluation.partition, outcome.name, outcome.broken, told)


def verify_location(location: str) -> None:
    """Verify a release, show each finding, exit 1 when one fails."""
    store = open_named_release(location)
    with counting("records") as progress:
        verification = verify_release(store, progress=progress)
    rows = [("ok" if one.passed else "BROKEN", one.statement, one.detail) for one in verification.findings]
    print_table(verification.url.removeprefix("file://"), ("", "claim", "detail"), rows)
    if not verification.passed:
        print_error("the release does not hold what its metadata.json claims")
        raise typer.Exit(1)
    out.print("verified: the files hold what metadata.json claims")


def explain_conversation(told: str, *, plan: str | None, window: date | None) -> None:
    """Show the stations of a conversation and its requests, or of one request: `<conversationId>#<turnIndex>`."""
    settings = read_settings(plan=plan)
    day = window_or_latest_stored(settings, window).isoformat()
    tables = open_tables(settings.storage)
    conversation_id, turn = split_request_id(told)
    with tables.refusing():
        stations = list(explain(conversation_id, settings.plan, tables, day)) if turn is None else []
        stations += explain_requests(conversation_id, turn, settings.plan, tables, day)
    if not stations:
        raise Refused(
            f"no request {told} in window {day}",
            remedy="`sft-pipeline explain CONVERSATION_ID` tells of all its turns",
        )
    print_table(f"{told} in window {day}", ("table", "says"), stations)


def explain_in_release(conversation_id: str, release: str) -> None:
    """Show where a conversation stands in a release, from its files alone."""
    opened = open_release(open_named_release(release))
    with counting("records") as progress:
        told = list(look_up(conversation_id, opened, progress))
    print_table(escape(printable(f"{conversation_id} in {opened.name}")), ("where", "says"), told)
