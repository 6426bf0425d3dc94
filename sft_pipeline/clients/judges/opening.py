"""The judge that settings and plan name, opened; and who it is without opening it.

Belongs here: choosing among the kinds. Does not belong here: any kind, keys (connecting).
"""

from collections.abc import Mapping
from pathlib import Path

from sft_pipeline.clients.judges.heuristic_judge import HeuristicJudge
from sft_pipeline.clients.judges.model import Kind, LanguageModel, Parameter, identity_of
from sft_pipeline.clients.judges.protocol import Judge, Tell
from sft_pipeline.clients.judges.stored_judge import StoredJudge
from sft_pipeline.curation.heuristic import HEURISTIC, heuristic_identity
from sft_pipeline.curation.judge_knobs import Price
from sft_pipeline.curation.judging import Identity
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.prompts import read_prompt

STORED = "stored"
KINDS: Mapping[str, Kind] = {"openai": "openai", "azure_openai": "azure_openai"}


def judge_identity(kind: str, model: str, prompt_name: str, parameters: Mapping[str, Parameter]) -> Identity:
    """Who a judge is, without a connection and without a key.

    Args:
        kind: heuristic, stored, openai or azure_openai.
        model: of a language model.
        prompt_name: a name or a path; the heuristic reads from the name alone what it stands in for.
        parameters: of a language model.

    Raises:
        Refused: there is no such kind or prompt.
    """
    if kind == HEURISTIC:
        return _heuristic(prompt_name)
    if kind == STORED:
        return Identity(STORED, "no_model", "none", "{}")
    return identity_of(_kind(kind), model, read_prompt(prompt_name), parameters)


def open_judge(
    *,
    kind: str,
    model: str,
    base_url: str,
    mode: str,
    concurrency: int,
    prompt_name: str,
    parameters: Mapping[str, Parameter],
    price: Price,
    run: str,
    batches: Path,
    poll_seconds: float,
    tell: Tell,
) -> Judge:
    """A judge that can be asked; whoever opens it closes it.

    Args:
        kind: as `judge_identity` has it; so are model, prompt_name and parameters.
        model: as above.
        prompt_name: as above.
        parameters: as above.
        base_url: of a compatible server or of an Azure OpenAI resource; empty for OpenAI's own.
        mode: sync or batch.
        concurrency: requests under way.
        price: of its tokens.
        run: the id of the run that asks.
        batches: the folder of this machine that remembers batches that were sent.
        poll_seconds: between looks at a batch.
        tell: is told what there is to wait for.

    Raises:
        Refused: there is no such kind or prompt, or a key is missing.
    """
    identity = judge_identity(kind, model, prompt_name, parameters)
    if kind == HEURISTIC:
        return HeuristicJudge(identity, run)
    if kind == STORED:
        return StoredJudge(identity, run)
    from sft_pipeline.clients.judges import model_opening  # the SDK takes most of a second to load

    asked = LanguageModel(_kind(kind), model, read_prompt(prompt_name), parameters)
    if mode == "batch":
        return model_opening.open_in_batches(
            asked, base_url, price, run, folder=batches, poll_seconds=poll_seconds, tell=tell
        )
    return model_opening.open_one_by_one(asked, base_url, price, run, concurrency=concurrency)


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise Refused(
            f"there is no judge of kind {kind!r}", remedy=f"name one of {HEURISTIC}, {STORED}, {', '.join(KINDS)}"
        )
    return KINDS[kind]


def _heuristic(prompt_name: str) -> Identity:
    """It has no prompt: the router is what the prompt's name begins with, and one that ends with b is a second one."""
    name = Path(prompt_name).stem
    router: RouterName | None = next((router for router in ROUTERS if name.startswith(router)), None)
    if router is None:
        raise Refused(
            f"the heuristic cannot tell from {name!r} which router it labels for",
            remedy=f"begin the names of prompts with {' or '.join(ROUTERS)}",
        )
    return heuristic_identity(router, second=name.endswith("b"))
