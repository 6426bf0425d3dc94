"""What shows how far the labels of a split can be trusted, asked for and added up into its account.

Belongs here: retest, second opinion, canaries, people's labels, votes, and the account.
Does not belong here: whether that is good enough (curation.label_claims).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from sft_pipeline.clients.labelling.desk import Desk, question_of
from sft_pipeline.clients.labelling.people import PeopleLabels
from sft_pipeline.clients.labelling.splits import Judged, SplitLabelling
from sft_pipeline.curation.judging import LANGUAGE_MODELS, Ask, Identity
from sft_pipeline.curation.label_account import LabelAccount, Pairs, Who, pairs_of
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.router_tables import SIGNALS
from sft_pipeline.curation.routers import NON_REASONING, REASONING
from sft_pipeline.curation.trust_sample import looked_at_twice
from sft_pipeline.prompts import Canary, read_canaries, read_prompt

ASKED_KINDS = ("heuristic", *LANGUAGE_MODELS)
"""Those that answer again when asked again; stored labels do not."""


def with_second_looks(
    verdicts: pl.DataFrame, requests: pl.DataFrame, labelling: SplitLabelling, window: str
) -> tuple[pl.DataFrame, list[Ask]]:
    """Fill `retestLabel` and `secondLabel` for seeded shares; all answers that this took.

    Args:
        verdicts: `Verdict` rows.
        requests: `Request` rows of the split.
        labelling: with what.
        window: names the occasion: each window asks again what others asked, so that a model that changed is found out.

    Raises:
        BudgetSpent: the plan's `max_cost` stops it; what was answered is kept.
        Refused: a judge cannot be asked, or both are the same.
    """
    trust, own = labelling.routers.trust, verdicts.filter(judge=labelling.main.identity.name)
    if labelling.main.identity.kind not in ASKED_KINDS:
        return verdicts, []
    _require_two_judges(labelling)
    again = looked_at_twice(own, trust.retest, salt=f"retest:{labelling.routers.salt}")
    others = looked_at_twice(_unsuspected(verdicts, requests), trust.second, salt=f"second:{labelling.routers.salt}")
    retests = _asked(again, requests, labelling.main, occasion=f"retest {window}")
    seconds = _asked(others, requests, labelling.second, occasion="")
    filled = verdicts.with_columns(
        retestLabel=_labels(verdicts, retests),
        secondLabel=pl.coalesce(pl.col("secondLabel"), _labels(verdicts, seconds)),
    )
    return filled, [ask for asks in (*retests.values(), *seconds.values()) for ask in asks]


def with_people(verdicts: pl.DataFrame, requests: pl.DataFrame, people: PeopleLabels) -> pl.DataFrame:
    """Fill `humanLabel` where people gave a label."""
    texts = verdicts.select("requestId").join(
        requests.select("requestId", "request"), on="requestId", how="left", maintain_order="left"
    )
    labels = [people.of(request_id, request) for request_id, request in texts.iter_rows()]
    return verdicts.with_columns(humanLabel=pl.Series(labels, dtype=pl.Int64()))


def account_of(
    requests: pl.DataFrame, verdicts: pl.DataFrame, judged: Judged, labelling: SplitLabelling, window: str
) -> LabelAccount:
    """The account of a split: what became of its requests, what it cost, what was asked to find out about trust."""
    asked_canaries = _canaries(labelling, window)
    missed = tuple(canary.name for canary, asks in asked_canaries if asks[-1].label != canary.label)
    asks = [*judged.asks, *(ask for _, found in asked_canaries for ask in found)]
    labels = Counter(verdicts["label"].to_list())
    return LabelAccount(
        router=labelling.router,
        split=labelling.split,
        who=who_is(labelling.main.identity, labelling),
        second=who_is(labelling.second.identity, labelling),
        requests=requests.height,
        left_out=_counts(requests["leftOut"]),
        label0=labels[REASONING],
        label1=labels[NON_REASONING],
        unlabelled=_counts(verdicts.filter(pl.col("label").is_null())["reason"]),
        not_asked=requests["leftOut"].null_count() - verdicts.height,
        judges=_counts(verdicts["judge"]),
        served_models=_counts(verdicts["servedModel"]),
        retest=pairs_of(verdicts.select("label", "retestLabel").iter_rows()),
        second_opinion=pairs_of(_unsuspected(verdicts, requests).select("label", "secondLabel").iter_rows()),
        human=pairs_of(verdicts.select("label", "humanLabel").iter_rows()),
        votes=_votes(requests, labelling),
        canaries=len(asked_canaries),
        canaries_missed=missed,
        prompt_tokens=sum(ask.prompt_tokens for ask in asks),
        completion_tokens=sum(ask.completion_tokens for ask in asks),
        cost=round(sum(ask.cost for ask in asks), 6),
        currency=labelling.routers.judging.price.currency,
    )


def who_is(identity: Identity, labelling: SplitLabelling) -> Who:
    """The judge as it is told; the offline proxies are never passed off as a model."""
    is_language_model = identity.kind in LANGUAGE_MODELS
    digits = identity.prompt.partition("@")[2]
    return Who(
        judge=identity.name,
        prompt=identity.prompt,
        prompt_sha256=_prompt_sha256(identity, labelling) if is_language_model else digits,
        parameters=identity.parameters,
        is_language_model=is_language_model,
    )


def _prompt_sha256(identity: Identity, labelling: SplitLabelling) -> str:
    """The whole hash, where the prompt is still what the judge was asked with; else the digits that it is known by."""
    knobs = labelling.routers.router(labelling.router)
    prompts = map(read_prompt, (knobs.prompt, knobs.second_prompt))
    digests = (prompt.sha256 for prompt in prompts if prompt.version == identity.prompt)
    return next(digests, identity.prompt.partition("@")[2])


def _require_two_judges(labelling: SplitLabelling) -> None:
    if labelling.main.identity == labelling.second.identity:
        raise Refused(
            f"{labelling.router}: the second judge is the first one, which would agree with itself",
            remedy="give second_prompt another prompt in the plan, or SFT_SECOND_JUDGE_MODEL another model",
        )


def _unsuspected(verdicts: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Suspects have a label only where both judges agree: counted among the second opinions they would flatter."""
    return verdicts.join(requests.filter("suspect"), on="requestId", how="anti", maintain_order="left")


def _asked(ids: pl.Series, requests: pl.DataFrame, desk: Desk, *, occasion: str) -> dict[str, list[Ask]]:
    rows = requests.filter(pl.col("requestId").is_in(ids.implode())).rows(named=True)
    questions = [question_of(row, desk.identity, occasion=occasion) for row in rows]
    return dict(zip((str(row["requestId"]) for row in rows), desk.answers(questions), strict=True))


def _labels(verdicts: pl.DataFrame, found: Mapping[str, Sequence[Ask]]) -> pl.Series:
    labels = {request_id: asks[-1].label for request_id, asks in found.items()}
    return pl.Series([labels.get(request_id) for request_id in verdicts["requestId"]], dtype=pl.Int64())


def _canaries(labelling: SplitLabelling, window: str) -> list[tuple[Canary, list[Ask]]]:
    """Every canary of the router with its answers; each split of each window asks anew, as the judge is then."""
    if labelling.main.identity.kind not in ASKED_KINDS:
        return []
    canaries = read_canaries(labelling.router)
    identity = labelling.main.identity
    occasion = f"canary {window} {labelling.split}"
    questions = [question_of(_row(canary), identity, occasion=occasion) for canary in canaries]
    return list(zip(canaries, labelling.main.answers(questions), strict=True))


def _row(canary: Canary) -> dict[str, Any]:
    return {"request": canary.request, "history": canary.history, **canary.signals}


def _votes(requests: pl.DataFrame, labelling: SplitLabelling) -> Pairs:
    """What imported records say of thumbs, for the requests at hand."""
    if not labelling.accepted:
        return Pairs()
    rows = requests.filter(pl.col("leftOut").is_null()).select("requestId", "request", "history").rows(named=True)
    pairs: list[tuple[int | None, int | None]] = []
    for identity in labelling.accepted:
        keys = [question_of({**row, **_NO_SIGNALS}, identity).key for row in rows]
        pairs += labelling.store.votes(identity, keys)
    return pairs_of(pairs)


def _counts(values: pl.Series) -> dict[str, int]:
    return {str(name): count for name, count in sorted(Counter(values.drop_nulls().to_list()).items())}


_NO_SIGNALS: Mapping[str, None] = dict.fromkeys(SIGNALS)
