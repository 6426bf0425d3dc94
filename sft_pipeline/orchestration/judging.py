"""The judge as a resource: opened for a split with its label store, second opinion and budget.

Belongs here: putting together what the environment and the plan say.
Does not belong here: labelling (clients.labelling).
"""

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path

import dagster as dg

from sft_pipeline.clients.blob.credentials import read_credentials, table_options, tables_place
from sft_pipeline.clients.blob.tables import BlobTables
from sft_pipeline.clients.doctor.findings import Finding, refusal
from sft_pipeline.clients.judges.opening import judge_identity, open_judge
from sft_pipeline.clients.judges.protocol import Judge
from sft_pipeline.clients.labelling.budget import ANSWER_TOKENS, PROMPT_TOKENS, Budget, tokens_of
from sft_pipeline.clients.labelling.desk import open_desk
from sft_pipeline.clients.labelling.people import PeopleLabels, read_people_labels
from sft_pipeline.clients.labelling.progress import LabelProgress
from sft_pipeline.clients.labelling.splits import SplitLabelling
from sft_pipeline.clients.labels.importing import imported_identity
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.judging import Identity
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import ROUTERS, RouterName, Routers
from sft_pipeline.orchestration.blob_accounts import open_container
from sft_pipeline.orchestration.judge_settings import ASKED, NO_JUDGE, SET_ONE, JudgeSettings
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.prompts import prompt_names, read_canaries, read_prompt


class JudgeResource(dg.ConfigurableResource[None]):
    """Who judges, where verdicts are kept; the fields are those of `JudgeSettings`, as Dagster can hold them."""

    kind: str
    model: str
    base_url: str
    mode: str
    at_a_time: int
    poll_seconds: int
    second_model: str
    accepted: list[str]
    human_labels: str
    labels: str
    journals: str

    @property
    def settings(self) -> JudgeSettings:
        """What the environment says."""
        told = {name: getattr(self, name) for name in JudgeSettings.model_fields}
        return JudgeSettings.model_validate({**told, "human_labels": self.human_labels or None})

    def store(self) -> LabelStore:
        """The label store."""
        return open_labels(self.labels, Path(self.journals))

    def people(self) -> PeopleLabels:
        """The labels that people gave."""
        return read_people_labels(self.settings.human_labels)

    @contextmanager
    def labelling(
        self, plan: Plan, of: tuple[RouterName, str], window: str, log: Callable[[str], None]
    ) -> Generator[SplitLabelling]:
        """Everything that a split of a router is labelled with, closed afterwards.

        Raises:
            Refused: no judge is set, it cannot be opened, or nothing was imported of one whose labels are accepted.
        """
        (router, split), routers = of, routers_of(plan)
        settings, store, run = self.settings, self.store(), f"{plan.name} {window}"
        if not settings.kind:
            raise Refused(NO_JUDGE, remedy=SET_ONE)
        progress = label_progress()
        with ExitStack() as leaving:
            judges = [
                leaving.enter_context(closing(self._open(plan, router, run, second=second))) for second in (False, True)
            ]
            budget = judging_budget(settings, routers, router, spent=store.spent(run))
            main, second = [leaving.enter_context(open_desk(store, judge, budget, run)) for judge in judges]
            leaving.callback(progress.stop)
            accepted = _accepted(settings, store)
            yield SplitLabelling(plan, routers, router, split, main, second, accepted, progress, log)

    def _open(self, plan: Plan, router: RouterName, run: str, *, second: bool) -> Judge:
        settings, routers = self.settings, routers_of(plan)
        knobs = routers.router(router)
        return open_judge(
            kind=settings.kind,
            model=(settings.second_model or settings.model) if second else settings.model,
            base_url=settings.base_url,
            mode="sync" if second else settings.mode,  # a second look at one request does not wait for a batch
            concurrency=settings.at_a_time,
            prompt_name=_second_prompt(settings, routers, router) if second else knobs.prompt,
            parameters=routers.judging.parameters,
            price=routers.judging.price,
            run=run,
            batches=Path(self.journals) / "batches",
            poll_seconds=settings.poll_seconds,
            tell=label_progress().wait,
        )


def judge_finding(settings: Settings) -> Finding:
    """Whether the judge can be asked with the plan's prompts, without asking it anything."""
    from sft_pipeline.clients.judges.examination import check_judge  # its SDK takes most of a second to load

    try:
        for router in ROUTERS:
            judging_code_version(settings.plan, settings.judge, router)
    except Refused as refused:
        return refusal("judge", refused)
    return check_judge(settings.judge.kind, settings.judge.model, settings.judge.base_url)


def require_judge(settings: Settings) -> None:
    """Refuse a judge that cannot be asked, before hours of work.

    Raises:
        Refused: it cannot be reached or entered, it lacks the model, or a prompt is missing.
    """
    finding = judge_finding(settings)
    if finding.state == "problem":
        raise Refused(finding.told, remedy=finding.remedy)


def judge_resource(settings: Settings) -> JudgeResource:
    """The judge that the settings name."""
    told = settings.judge.model_dump(exclude={"accepted", "human_labels"})
    return JudgeResource(
        **told,
        accepted=list(settings.judge.accepted),
        human_labels=str(settings.judge.human_labels or ""),
        labels=settings.labels,
        journals=str(settings.judging),
    )


def judging_code_version(plan: Plan, settings: JudgeSettings, router: RouterName) -> str:
    """The version of all that decides which verdicts and account a split gets: judges, prompts, canaries, shares."""
    routers = routers_of(plan)
    identities = (
        [part for second in (False, True) for part in _identity(settings, routers, router, second=second)]
        if settings.kind
        else []
    )
    knobs = [
        routers.training.model_dump_json(include={"ratios", "totals"}),
        routers.trust.model_dump_json(include={"retest", "second"}),
        str(routers.judging.stop_when_filled),
        *settings.accepted,
        *map(repr, read_canaries(router)),
        _people_version(settings),
    ]
    return content_version([*identities, *knobs])[:16]


def judging_budget(settings: JudgeSettings, routers: Routers, router: RouterName, *, spent: float) -> Budget:
    """What may be spent on a window of which so much is spent; held back is what an answer may cost at most."""
    judging, knobs = routers.judging, routers.router(router)
    prompts = (knobs.prompt, _second_prompt(settings, routers, router)) if settings.kind in ASKED else ()
    own = [name for name in prompts if name not in prompt_names()]
    told = [judging.parameters.get(name) for name in ("max_tokens", "max_completion_tokens")]
    return Budget(
        judging.max_cost,
        judging.price,
        _share_paid(settings, routers),
        spent,
        prompt_tokens=max(PROMPT_TOKENS, *(tokens_of(read_prompt(name).text) for name in own), 0),
        most_answer_tokens=max(ANSWER_TOKENS, *(tokens for tokens in told if isinstance(tokens, int)), 0),
    )


@cache
def label_progress() -> LabelProgress:
    """One per process: what an asset does, the walk can tell."""
    return LabelProgress()


def open_labels(base: str, journals: Path) -> LabelStore:
    """The label store at a folder or an `az://` place, entered by the environment's credentials."""
    if "://" not in base:
        return LabelStore(base, journals)
    credentials = read_credentials()
    container = open_container(tables_place(base, credentials), credentials)
    return LabelStore(base, journals, BlobTables(container, table_options(base, credentials)))


def _identity(settings: JudgeSettings, routers: Routers, router: RouterName, *, second: bool) -> Identity:
    knobs = routers.router(router)
    return judge_identity(
        settings.kind,
        (settings.second_model or settings.model) if second else settings.model,
        _second_prompt(settings, routers, router) if second else knobs.prompt,
        routers.judging.parameters,
    )


def _second_prompt(settings: JudgeSettings, routers: Routers, router: RouterName) -> str:
    """Another model is asked with the same prompt: two things that differ would tell neither."""
    knobs = routers.router(router)
    return knobs.prompt if settings.second_model else knobs.second_prompt


def _accepted(settings: JudgeSettings, store: LabelStore) -> tuple[Identity, ...]:
    """The imported judges, each with labels: those of a name that is not quite theirs would be paid for again."""
    identities = tuple(map(imported_identity, settings.accepted))
    if unknown := [identity.model for identity in identities if not store.holds(identity)]:
        raise Refused(
            f"SFT_JUDGE_ACCEPT names {', '.join(unknown)}, and no labels were imported under that name",
            remedy="`sft-pipeline labels ledger` shows the names; `sft-pipeline labels import FILE --judge NAME` "
            "brings labels in",
        )
    return identities


def _share_paid(settings: JudgeSettings, routers: Routers) -> float:
    if settings.kind not in ASKED:
        return 0.0
    return 1 - routers.judging.price.batch_discount if settings.mode == "batch" else 1.0


def _people_version(settings: JudgeSettings) -> str:
    path = settings.human_labels
    return content_version([path.read_bytes().hex()]) if path else ""
