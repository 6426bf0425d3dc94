"""Synthetic telemetry: raw events of invented conversations, with every known quirk at its rate.

Belongs here: making raw events from a seed. Does not belong here: reading or curating them.
"""

from sft_pipeline.telemetry.synthesis.generation import TRUTH_FILE, GenerationSummary, generate
from sft_pipeline.telemetry.synthesis.quirks import QUIRKS, Quirk

__all__ = ["QUIRKS", "TRUTH_FILE", "GenerationSummary", "Quirk", "generate"]
