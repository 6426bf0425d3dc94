"""Code versions of the routers' assets: what of the plan decides about each.

Belongs here: those that follow from the plan. Does not belong here: that of verdicts, which knows the judge (judging).
"""

from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import RouterName
from sft_pipeline.curation.sft_lines import SYSTEM_PROMPT

ROUTERS_VERSION = "1"
"""Raise it with a change in `curation/` that gives other requests or training sets from the same input."""


def requests_version(plan: Plan, router: RouterName) -> str:
    """Of requests: which conversations, which texts, in which order."""
    routers = routers_of(plan)
    knobs = routers.model_dump_json(include={"salt", "reasoning_models", "fast_models"})
    own = routers.router(router).model_dump_json(include={"conversations", "history", "content"})
    decisive = [ROUTERS_VERSION, plan.extraction_version(), knobs, own, str(routers.training.max_line_tokens)]
    return content_version(decisive)[:16]


def training_version(plan: Plan, router: RouterName) -> str:
    """Of training sets: how they are balanced, and of which texts; those of another version are no siblings."""
    routers = routers_of(plan)
    knobs = routers.training.model_dump_json(include={"ratios", "totals", "short_class"})
    own = routers.router(router).model_dump_json(include={"strategies", "content"})
    return content_version([ROUTERS_VERSION, knobs, own, requests_version(plan, router)])[:16]


def files_version(plan: Plan) -> str:
    """Of files: their names, and what stands around a request."""
    knobs = routers_of(plan).training.model_dump_json(include={"version", "max_line_tokens"})
    return content_version([ROUTERS_VERSION, knobs, SYSTEM_PROMPT])[:16]
