"""The models that answer, and the tools they call.

Belongs here: names, shares, families, tokenizers, tool weights, ready-made tool counts.
Does not belong here: when a conversation switches models (turns), how often calls run in parallel (rates).
"""

import json
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis.randomness import Integers, generator, weighted

FAMILIES = ("claude", "gpt", "other")


class Model(NamedTuple):
    """A model as telemetry names it.

    Args:
        share: of turns, relative.
        tokens: how many tokens its tokenizer makes of a text that makes 1 elsewhere (Q19: a switch moves the count).
    """

    name: str
    share: float
    family: str
    tokens: float


MODELS = (
    Model("claude-sonnet-4.5", 0.27, "claude", 1.12),
    Model("gpt-5", 0.12, "gpt", 1.0),
    Model("claude-sonnet-4", 0.10, "claude", 1.1),
    Model("gpt-5-codex", 0.07, "gpt", 1.0),
    Model("gpt-5.1-codex", 0.05, "gpt", 1.0),
    Model("gpt-5-mini", 0.09, "gpt", 1.0),
    Model("gpt-4.1", 0.08, "gpt", 0.98),
    Model("claude-opus-4.5", 0.05, "claude", 1.12),
    Model("claude-haiku-4.5", 0.06, "claude", 1.12),
    Model("gemini-2.5-pro", 0.03, "other", 0.95),
    Model("gemini-3-pro", 0.02, "other", 0.94),
    Model("grok-code-fast-1", 0.04, "other", 1.05),
    Model("gpt-5.1", 0.01, "gpt", 1.0),
    Model("gpt-5.2", 0.01, "gpt", 1.0),
)
OWN_KEY_MODELS = ("llama-3.3-70b-instruct", "deepseek-chat", "qwen3-coder")
"""Models of other providers, used with a person's own key (Q26)."""
NAMES = pl.Series([*(model.name for model in MODELS), *OWN_KEY_MODELS])
FAMILY_OF = np.array([*(FAMILIES.index(model.family) for model in MODELS), *[2] * len(OWN_KEY_MODELS)], dtype=np.int64)
TOKENS_OF = np.array([*(model.tokens for model in MODELS), *[1.0] * len(OWN_KEY_MODELS)])

TOOLS = {
    "read_file": 0.30,
    "run_in_terminal": 0.16,
    "grep_search": 0.11,
    "list_dir": 0.05,
    "file_search": 0.05,
    "manage_todo_list": 0.05,
    "semantic_search": 0.035,
    "get_errors": 0.03,
    "create_file": 0.03,
    "multi_replace_string_in_file": 0.025,
    "get_terminal_output": 0.015,
    "insert_edit_into_file": 0.01,
    "runTests": 0.008,
    "fetch_webpage": 0.008,
    "get_changed_files": 0.005,
    "create_directory": 0.005,
    "edit_notebook_file": 0.006,
}
EDIT_TOOL = {"claude": "replace_string_in_file", "gpt": "apply_patch", "other": "replace_string_in_file"}
EDIT_WEIGHT = 0.13
GROUPS_AND_SERVERS = {
    "mcp_github_search_issues": 0.015,
    "mcp_playwright_browser_click": 0.015,
    "activate_git_tools": 0.003,
    "activate_page_capture_tools": 0.002,
    "read_files_all": 0.001,
}
"""Q25: tools of MCP servers, virtual groups, and a name that no client offers."""

TOOL_STREAM = 2**63 + 1
LARGEST_TOTAL = 160
VARIANTS = 40
MOST_TOOLS = 4
PLACES = (4.0, 2.0, 1.0, 1.0)
"""How the calls are spread over the tools of a turn."""


@lru_cache(maxsize=1)
def tool_counts() -> pl.Series:
    """Q25: tool counts as JSON, escaped for a JSON string; find one by `tool_counts_index`."""
    rng = generator(0, TOOL_STREAM)
    texts = [
        _counts(rng, family, total)
        for family in FAMILIES
        for total in range(LARGEST_TOTAL + 1)
        for _ in range(VARIANTS)
    ]
    return pl.Series(texts)


def tool_counts_index(rng: np.random.Generator, family: Integers, total: Integers) -> Integers:
    """Where in `tool_counts` stands one of that family with that many calls, at most `LARGEST_TOTAL`."""
    variant = np.floor(rng.random(total.size) * VARIANTS).astype(np.int64)
    return (family * (LARGEST_TOTAL + 1) + total) * VARIANTS + variant


def _counts(rng: np.random.Generator, family: str, total: int) -> str:
    """One to four tools that share the calls."""
    weights = {**TOOLS, EDIT_TOOL[family]: EDIT_WEIGHT, **GROUPS_AND_SERVERS}
    names = list(weights)
    used: list[int] = weighted(rng, MOST_TOOLS, list(weights.values())).tolist()
    places: list[int] = weighted(rng, total, PLACES).tolist()
    counts = Counter(names[used[place]] for place in places)
    return json.dumps(json.dumps(dict(sorted(counts.items())), separators=(",", ":")))[1:-1]
