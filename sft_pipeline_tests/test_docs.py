"""What the documents show is what the project does: samples, fields, targets, links."""

import json
import re
from pathlib import Path

import pytest

from sft_pipeline.curation.parsing import parse_records
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.sft_lines import parse_sft_lines
from sft_pipeline.curation.tables import CALL_SCHEMA, RECORD_FIELDS, TURN_SCHEMA
from sft_pipeline.curation.validating import violations
from sft_pipeline.plans import read_plan

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def document(name: str) -> str:
    [path] = (ROOT / "docs").glob(f"{name}_*.md")
    return path.read_text(encoding="utf-8")


def shown_json(text: str) -> bytes:
    """The only JSON that a document shows, as the one line that it stands for."""
    [shown] = re.findall(r"```json\n(.+?)\n```", text, re.DOTALL)
    return json.dumps(json.loads(shown), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def test_the_conversation_that_is_shown_is_a_record_that_keeps_every_rule() -> None:
    parsed = parse_records(shown_json(document("01")))
    plan = read_plan("production")
    assert (parsed.records.height, parsed.odd) == (1, ())
    assert violations(parsed.records, conversation_rules(plan), plan).is_empty()


def test_the_line_that_is_shown_is_an_sft_line() -> None:
    parsed = parse_sft_lines(shown_json(document("02")))
    assert (parsed.rows["label"].to_list(), parsed.odd) == ([1], [])


@pytest.mark.parametrize(
    ("heading", "fields"),
    [("conversation", RECORD_FIELDS), ("turn", tuple(TURN_SCHEMA)), ("model call", tuple(CALL_SCHEMA))],
)
def test_every_field_is_told_and_no_other(heading: str, fields: tuple[str, ...]) -> None:
    [section] = re.findall(rf"## Fields of a {heading}\n(.+?)\n\n(?!\|)", document("01"), re.DOTALL)
    told = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)))
    assert sorted(told) == sorted(fields)


def test_the_targets_that_are_told_are_those_of_the_plan() -> None:
    told = dict(re.findall(r"^\| (train|val|test) \| (.+) \|$", document("03"), re.MULTILINE))
    numbers = {split: [int(number.replace(",", "")) for number in row.split(" | ")] for split, row in told.items()}
    targets = read_plan("production").sample.targets
    assert numbers == {split: [*row.values(), sum(row.values())] for split, row in targets.items()}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if not _leads_somewhere(path, *link.partition("#")[::2])]
    assert missing == []


def _leads_somewhere(path: Path, file: str, anchor: str) -> bool:
    target = (path.parent / file) if file else path
    if not anchor or target.suffix != ".md" or not target.exists():
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
