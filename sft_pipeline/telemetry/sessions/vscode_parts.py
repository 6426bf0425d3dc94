"""The parts of a VS Code response: which of them are the answer's text, which are tool calls.

Belongs here: kinds of parts. A kind that is not named here is neither text nor a tool and is passed over.
Does not belong here: tool calls as the model made them (vscode_requests).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from sft_pipeline.telemetry.sessions.fields import record, text, walk

_MARKDOWN = {"", "markdownContent", "markdownVuln"}
_TOOL = {"toolInvocationSerialized", "toolInvocation"}

_FILE_MARK = "\x00"
"""Stands for a `codeblockUri` part while the text is joined; no text holds it, for clean text has no NUL."""
_EMPTY_FENCE = re.compile(rf"\n*^(`{{3,}})[^\n`]*\n+{_FILE_MARK}\n*\1[ \t]*$\n*", re.MULTILINE)
"""What is left of a code block whose content went into a file as an edit."""


def answer_text(parts: Sequence[object]) -> str:
    """The text that a person read: markdown and the names of references; no thinking, no tool messages."""
    joined = "".join(_text_of(part) for part in parts)
    return _EMPTY_FENCE.sub("\n\n", joined).replace(_FILE_MARK, "").strip()


def invoked_tools(parts: Sequence[object]) -> Counter[str]:
    """Calls by tool id, without those that a subagent made."""
    tools = [record(part) for part in parts if record(part).get("kind") in _TOOL]
    own = [tool for tool in tools if not tool.get("fromSubAgent") and not tool.get("subAgentInvocationId")]
    return Counter(name for tool in own if (name := text(tool.get("toolId"))))


def _text_of(part: object) -> str:
    if isinstance(part, str):
        return text(part)
    fields = record(part)
    kind = fields.get("kind", "")
    if kind == "inlineReference":
        return _reference_name(fields)
    if kind == "codeblockUri":
        return _FILE_MARK
    return _markdown(fields) if kind in _MARKDOWN else ""


def _markdown(part: Mapping[str, object]) -> str:
    content = part.get("value", part.get("content"))
    return text(content) or text(walk(content, "value"))


def _reference_name(part: Mapping[str, object]) -> str:
    """The name shown in the text: given, the symbol's, or the last piece of the file's path."""
    reference = record(part.get("inlineReference"))
    uri = record(reference.get("uri")) or reference
    path = text(uri.get("path")) or text(uri.get("fsPath")) or text(uri.get("external"))
    return text(part.get("name")) or text(reference.get("name")) or path.rstrip("/").rpartition("/")[2]
