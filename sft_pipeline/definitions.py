"""The code location that `workspace.yaml` names: the plan and the places that the environment sets."""

from sft_pipeline.orchestration.assembly import assemble
from sft_pipeline.orchestration.settings import read_settings

defs = assemble(read_settings())
