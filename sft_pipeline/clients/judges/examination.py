"""A look at the judge's service before anything is asked: reachable, signed in, model there.

Belongs here: one call that costs nothing, and what it says. Does not belong here: other findings (clients.doctor).
"""

from threading import Event
from typing import Any, cast

from sft_pipeline.clients.doctor.findings import Finding, ok, problem, refusal
from sft_pipeline.clients.judges.calls import document_of
from sft_pipeline.clients.judges.connecting import Service, service_of
from sft_pipeline.clients.judges.failures import Declined, Lasting, NoLogprobs, Passing
from sft_pipeline.clients.judges.opening import KINDS
from sft_pipeline.clients.judges.retries import Retries
from sft_pipeline.curation.refusal import Refused

NAME = "judge"

QUICKLY = Retries(attempts=2, first_seconds=0.5, longest_seconds=1.0, most_patient_seconds=5.0)


def check_judge(kind: str, model: str, base_url: str, *, retries: Retries = QUICKLY) -> Finding:
    """Whether a judge can be asked, as far as that shows without asking it anything.

    Args:
        kind: as settings name it.
        model: of a language model; Azure lists models, not deployments, so that there the sign-in alone is tried.
        base_url: where; empty for OpenAI's own.
        retries: how patient to be.
    """
    if kind not in KINDS:
        return ok(NAME, f"{kind or 'none'}: no language model is asked")
    try:
        service = service_of(KINDS[kind], base_url)
    except Refused as refused:
        return refusal(NAME, refused)
    return _examined(service, model, retries)


def _examined(service: Service, model: str, retries: Retries) -> Finding:
    kind = service.kind
    try:
        models = _models(service, retries)
    except (Passing, Declined, NoLogprobs) as failure:
        return problem(NAME, f"{kind} at {service.told}: {failure}", "compare the address, or try again later")
    except Lasting as failure:
        return problem(NAME, f"{kind} at {service.told} refuses: {failure.what}", failure.remedy)
    if kind == "openai" and model not in models:
        return problem(NAME, f"{service.told} has no model {model}", "set SFT_JUDGE_MODEL to one that it has")
    return ok(NAME, f"{kind}/{model} at {service.told} answers")


def _models(service: Service, retries: Retries) -> frozenset[str]:
    """The models that a service lists."""
    with service.client() as client:
        told = retries.call(lambda: document_of(lambda: client.models.with_raw_response.list()), Event())
    listed = cast("list[dict[str, Any]]", told.get("data") or [])
    return frozenset(str(one.get("id")) for one in listed)
