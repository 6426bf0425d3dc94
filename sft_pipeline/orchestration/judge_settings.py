"""Who judges, as the environment says it; credentials are read by the clients that use them.

Belongs here: the `SFT_JUDGE*` variables and what they may be. Does not belong here: asking (clients.judges).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.variables import whole_number

Kind = Literal["", "heuristic", "stored", "openai", "azure_openai"]
Sending = Literal["sync", "batch"]

ASKED = ("openai", "azure_openai")
"""The kinds that ask a language model."""


NO_JUDGE = "no judge is set: the plan names none and SFT_JUDGE says nothing"
SET_ONE = (
    "set SFT_JUDGE to openai or azure_openai and SFT_JUDGE_MODEL to a model; "
    "`heuristic` computes labels from what clients told, without a language model"
)


class JudgeSettings(BaseModel):
    """The judge and how it is asked.

    Args:
        kind: empty where nobody judges: a run ends with the samples.
        model: a model, or a deployment of Azure OpenAI.
        base_url: of a compatible server, or of the Azure OpenAI resource; empty for OpenAI's own.
        mode: a request each, or files of the Batch API.
        at_a_time: requests under way.
        poll_seconds: between looks at a batch.
        second_model: gives the second opinion; empty: the same model with another prompt.
        accepted: names of imported judges whose labels count as the judge's own.
        human_labels: a file of labels that people gave.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind = ""
    model: str = ""
    base_url: str = ""
    mode: Sending = "sync"
    at_a_time: int = 8
    poll_seconds: int = 60
    second_model: str = ""
    accepted: tuple[str, ...] = ()
    human_labels: Path | None = None


def read_judge(environment: Mapping[str, str], plan: Plan) -> JudgeSettings:
    """Read the variables.

    Raises:
        Refused: one has a value that it cannot have, or one is missing that another needs.
    """
    settings = JudgeSettings.model_validate(
        {
            "kind": _one_of("SFT_JUDGE", _told(environment, "SFT_JUDGE") or _default(plan), get_args(Kind)),
            "model": _told(environment, "SFT_JUDGE_MODEL"),
            "base_url": _url(_told(environment, "SFT_JUDGE_BASE_URL")),
            "mode": _one_of("SFT_JUDGE_MODE", _told(environment, "SFT_JUDGE_MODE") or "sync", get_args(Sending)),
            "at_a_time": whole_number(environment, "SFT_JUDGE_CONCURRENCY", 8, most=1000),
            "poll_seconds": whole_number(environment, "SFT_JUDGE_POLL_SECONDS", 60, most=3600),
            "second_model": _told(environment, "SFT_SECOND_JUDGE_MODEL"),
            "accepted": _names(_told(environment, "SFT_JUDGE_ACCEPT")),
            "human_labels": _file(_told(environment, "SFT_HUMAN_LABELS")),
        }
    )
    _require_whole(settings)
    return settings


def _told(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip()


def _names(told: str) -> tuple[str, ...]:
    """Names between commas, each once: a judge named twice would count twice."""
    return tuple(dict.fromkeys(name for part in told.split(",") if (name := part.strip())))


def _default(plan: Plan) -> str:
    return plan.routers.judging.default if plan.routers else ""


def _require_whole(settings: JudgeSettings) -> None:
    if settings.kind in ASKED and not settings.model:
        raise Refused(
            f"SFT_JUDGE is {settings.kind} and SFT_JUDGE_MODEL is not set",
            remedy="set it to the model, as gpt-4.1-mini; on Azure to the deployment's name",
        )
    if settings.model and settings.second_model == settings.model:
        raise Refused(
            "SFT_SECOND_JUDGE_MODEL is the model of SFT_JUDGE_MODEL: it would agree with itself",
            remedy="set it to another model, or leave it out: the same model is then asked with another prompt",
        )
    if settings.kind == "azure_openai" and not settings.base_url:
        raise Refused(
            "SFT_JUDGE is azure_openai and SFT_JUDGE_BASE_URL is not set",
            remedy="set it to the resource's address: https://<resource>.openai.azure.com",
        )
    if settings.kind not in ASKED and (settings.model or settings.second_model or settings.mode == "batch"):
        raise Refused(
            f"the judge is {settings.kind or 'not set'}: it takes no model, no second one and no batches",
            remedy="set SFT_JUDGE to openai or azure_openai, or leave SFT_JUDGE_MODEL, SFT_SECOND_JUDGE_MODEL and "
            "SFT_JUDGE_MODE out",
        )
    if settings.kind == "stored" and not settings.accepted:
        raise Refused(
            "SFT_JUDGE is stored and SFT_JUDGE_ACCEPT is not set",
            remedy="set it to the names under which `sft-pipeline labels import` stored labels",
        )


def _one_of(variable: str, told: str, known: tuple[str, ...]) -> str:
    if told not in known:
        names = ", ".join(filter(None, known))
        raise Refused(f"{variable} is {told!r}", remedy=f"set it to one of {names}")
    return told


def _url(told: str) -> str:
    if told and not _is_address(told):
        raise Refused(
            "SFT_JUDGE_BASE_URL is no address of a server",
            remedy="give it as http://localhost:8000/v1; a key belongs in SFT_JUDGE_API_KEY",
        )
    return told.rstrip("/")


def _is_address(told: str) -> bool:
    """Whether it says where a server is, and nothing else: no name, no password, no parameters."""
    try:
        address = urlsplit(told)
        is_place = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        return False
    return is_place and not any(character in told for character in "@?#")


def _file(told: str) -> Path | None:
    if not told:
        return None
    path = Path(told).resolve()
    if not path.is_file():
        raise Refused(
            f"SFT_HUMAN_LABELS is {path}, which is no file",
            remedy='name a file of JSON lines with "request" or "requestId", and "label"',
        )
    return path
