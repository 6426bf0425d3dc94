"""Labels that people gave, read from a file, and matched with requests.

Belongs here: reading the file, finding a request in it. Does not belong here: how well they agree (curation.agreement).
"""

from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from sft_pipeline.clients.disk import refusing
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.requests import content_key


@dataclass(frozen=True)
class PeopleLabels:
    """Labels by request id, or by the text of the request."""

    by_id: Mapping[str, int] = field(default_factory=dict[str, int])
    by_content: Mapping[str, int] = field(default_factory=dict[str, int])

    def of(self, request_id: str, request: str) -> int | None:
        """The label of a request, where there is one."""
        if not self.by_id and not self.by_content:
            return None
        return self.by_id.get(request_id, self.by_content.get(content_key(request)) if self.by_content else None)


def read_people_labels(path: Path | None) -> PeopleLabels:
    """Read JSON lines with `requestId` or `request`, and `label`.

    Raises:
        Refused: the file cannot be read; a line is something else, or gives a request another label than a line
            before: its number is told.
    """
    by_id: dict[str, int] = {}
    by_content: dict[str, int] = {}
    for number, line in enumerate(_lines(path) if path else [], start=1):
        if not line.strip():
            continue
        kind, name, label = _parsed(line, f"{path}:{number}")
        known = by_id if kind == "requestId" else by_content
        if known.setdefault(name, label) != label:
            raise Refused(
                f"{path}:{number} labels a request otherwise than a line before it", remedy="keep one of them"
            )
    return PeopleLabels(by_id, by_content)


def _lines(path: Path) -> list[bytes]:
    with refusing(path):
        return path.read_bytes().removeprefix(BOM_UTF8).split(b"\n")


def _parsed(line: bytes, where: str) -> tuple[str, str, int]:
    refusal = Refused(f"{where} is no label of a person", remedy='write {"requestId": "...", "label": 0} a line')
    try:
        document = orjson.loads(line)
        label = document["label"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise refusal from None
    if type(label) is not int or label not in (0, 1):
        raise refusal
    if isinstance(document.get("requestId"), str):
        return "requestId", document["requestId"], label
    if isinstance(document.get("request"), str):
        return "request", content_key(document["request"]), label
    raise refusal
