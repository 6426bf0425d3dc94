"""`doctor`."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import chain

import typer
from rich.markup import escape

from sft_pipeline.clients.doctor.examination import examine
from sft_pipeline.clients.doctor.findings import Finding, ok, refusal
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.commands.windows import window_or_newest
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.instance import pool_limit
from sft_pipeline.orchestration.judge_settings import NO_JUDGE
from sft_pipeline.orchestration.judging import judge_finding
from sft_pipeline.orchestration.places import remote_places
from sft_pipeline.orchestration.pseudonym_key import FILE, VARIABLE, told_key
from sft_pipeline.orchestration.resources import service_principal
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline.terminal import out, print_error

MARKS = {"ok": "[green]ok[/]      ", "problem": "[red bold]problem[/] ", "not_looked_at": "[dim]-[/]       "}


def run_doctor(*, plan: str | None, window: date | None) -> None:
    """Show each finding as it is made; exit 1 when one is a problem."""
    problems = 0
    try:
        settings = read_settings(plan=plan)
        examined = examine(_setup(settings, window_or_newest(settings, window)))
        for finding in chain(examined, _judge(settings), (_user_names(settings),)):
            problems += finding.state == "problem"
            _show(finding)
    except Refused as refused:
        problems += 1
        _show(refusal("settings", refused))
    if problems:
        print_error(f"{problems} problem{'s' if problems > 1 else ''}: `run` would not end in a good release")
        raise typer.Exit(1)
    out.print("all is well")


def _judge(settings: Settings) -> Iterator[Finding]:
    """Who gives labels, where the plan has routers: whether they can be asked."""
    judge = settings.judge
    if settings.plan.routers and judge.kind:
        yield judge_finding(settings)
    elif settings.plan.routers:
        yield ok("judge", f"{NO_JUDGE}: a run ends with the samples")


def _user_names(settings: Settings) -> Finding:
    """As what they leave, and by which key; none is made here."""
    if settings.plan.privacy.user_names == "as_is":
        return ok("user names", "leave as they are: the plan says so")
    try:
        told = told_key(settings.plan, storage=settings.storage)
    except Refused as refused:
        return refusal("user names", refused)
    file = settings.home / FILE
    where = VARIABLE if told else f"{file}{'' if file.exists() else ', which the first run makes'}"
    return ok("user names", f"leave as pseudonyms, by the key of {where}")


def _setup(settings: Settings, day: date) -> Setup:
    start, end = settings.plan.bounds(day)
    return Setup(
        plan=f"{settings.plan.name}, query {settings.plan.query}, {settings.plan.chunks.count} chunks",
        start=start,
        end=end,
        now=datetime.now(UTC),
        cluster=settings.cluster,
        database=settings.database,
        auth=settings.auth,
        credentials=service_principal(),
        telemetry=settings.telemetry,
        staged=settings.staged,
        server_timeout_seconds=settings.server_timeout_seconds,
        client_timeout_seconds=settings.client_timeout_seconds,
        queries_at_a_time=settings.queries_at_a_time,
        pool_limit=pool_limit(settings),
        tables=settings.storage,
        releases=settings.releases,
        labels=settings.labels if settings.plan.routers else "",
        containers=remote_places(settings),
    )


def _show(finding: Finding) -> None:
    out.print(f"{MARKS[finding.state]} [bold]{escape(finding.name)}[/]: {escape(finding.told)}", soft_wrap=True)
    if finding.remedy:
        out.print(f"         -> {escape(finding.remedy)}", soft_wrap=True)
