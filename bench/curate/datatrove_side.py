"""datatrove: `python -m bench.curate.datatrove_side CHUNKS OUT PLAN`.

As its users work: `JsonlReader`, own blocks, exact deduplication in its three stages (signatures, duplicates, filter)
and `JsonlWriter`, in pipelines of two tasks on two workers. The first pipeline writes a light line per document, so
that what follows reads no text; the last one reads the chunks again and writes what was chosen. Nothing is compressed.

What datatrove cannot do: its sampler draws each document by chance, so that no count is exact, and no file is written
by more than one task. The choice by cell, the joining of the tasks' files, rules and digests are plain Python
(bench.curate.by_hand).
"""

import json
import shutil
import sys
import time
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import ExactDedupFilter, ExactDedupSignature, ExactFindDedups
from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.logging import logger

from bench.curate.by_hand import Rules, chosen, counts, release, released_turns
from bench.telling import tell

WORKERS = 2
INTERNAL = {"cell", "place", "dropReason"}
"""Fields that no record has."""


class Judge(BaseFilter):
    """Adds to each document what the rules say of it, and keeps all."""

    name = "rules of a record"

    def __init__(self, plan: Mapping[str, Any]) -> None:
        super().__init__()
        self._rules = Rules(plan)

    def filter(self, doc: Document) -> bool:
        """True."""
        doc.metadata["judgement"] = self._rules.judge(doc.metadata)._asdict()
        return True


class Taken(BaseFilter):
    """Keeps the documents that were chosen, and says of which cell they are."""

    name = "taken"

    def __init__(self, cells: Mapping[str, str]) -> None:
        super().__init__()
        self._cells = cells

    def filter(self, doc: Document) -> bool:
        """Whether it was chosen; an id may stand twice in the chunks, a place does not."""
        doc.metadata["cell"] = self._cells.get(doc.metadata["place"], "")
        return bool(doc.metadata["cell"])


def whole(_: JsonlReader, data: dict[str, Any], path: str, number: int | str) -> dict[str, Any]:
    """A line as a document; a text must not be empty, the rules look at the field."""
    placed = data | {"place": f"{path}/{number}"}
    return {"text": data["turnsArray"] or "[]", "id": data["conversationId"] or "", "metadata": placed}


def light(_: JsonlWriter, document: Document) -> dict[str, Any]:
    """What the stages after the first pipeline need."""
    judgement = document.metadata["judgement"] | {"place": document.metadata["place"]}
    return {"text": document.id, "id": document.id, "metadata": judgement}


def record(_: JsonlWriter, document: Document) -> dict[str, Any]:
    """A document as it is released."""
    fields = {name: value for name, value in document.metadata.items() if name not in INTERNAL}
    fields["split"] = document.metadata["cell"].split("/")[0]
    fields["models"] = sorted(json.loads(fields["models"] or "[]"))
    return fields | {"turnsArray": released_turns(document.text)}


def id_of(document: Document) -> bytes:
    """What must not stand twice."""
    return document.id.encode()


class Curation:
    """The pipelines over the chunks, with all that lies between them in `work`."""

    def __init__(self, chunks: Path, work: Path, plan: Mapping[str, Any]) -> None:
        self._chunks, self._work, self._plan = str(chunks), work, plan
        self._once = ExactDedupConfig(content_getter=id_of)

    def judge(self) -> tuple[int, list[Document]]:
        """How many documents there are, and a light one per id."""
        lights, signatures, duplicates = (str(self._work / name) for name in ("light", "signatures", "duplicates"))
        self._run(
            "judge",
            [
                self._reader(),
                Judge(self._plan),
                JsonlWriter(lights, compression=None, adapter=light),
                ExactDedupSignature(signatures, self._once),
            ],
        )
        ExactFindDedups(signatures, duplicates, self._once).run()
        judged = [
            list(JsonlReader(lights, add_file_path=False)(rank=task, world_size=WORKERS)) for task in range(WORKERS)
        ]
        once = ExactDedupFilter(duplicates, self._once)
        unique = (once(documents, rank=task, world_size=WORKERS) for task, documents in enumerate(judged))
        return sum(map(len, judged)), list(chain.from_iterable(unique))

    def write(self, cells: Mapping[str, str], parts: Path) -> None:
        """Write what was chosen into a file per cell and task.

        Args:
            cells: the cell of each place that was chosen.
            parts: the folder to write into.
        """
        writer = JsonlWriter(str(parts), "${cell}/${rank}.jsonl", compression=None, adapter=record)
        self._run("write", [self._reader(), Taken(cells), writer])

    def _reader(self) -> JsonlReader:
        return JsonlReader(self._chunks, adapter=whole, add_file_path=False)

    def _run(self, name: str, steps: list[PipelineStep]) -> None:
        logs = str(self._work / "logs" / name)
        LocalPipelineExecutor(steps, tasks=WORKERS, workers=WORKERS, logging_dir=logs, start_method="fork").run()


def curate(chunks: Path, out: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Chunk results to nine files; the answer."""
    curation, parts = Curation(chunks, out / ".work", plan), out / ".work" / "parts"
    rows, documents = curation.judge()
    valid = [document for document in documents if not document.metadata["broken"]]
    judgements = (document.metadata for document in valid)
    ranked = ((judgement["cell"], judgement["priority"], judgement["place"]) for judgement in judgements)
    places = chosen(ranked, plan["targets"])
    curation.write({place: cell for cell, own in places.items() for place in own}, parts)
    for cell, name in plan["files"].items():
        join(sorted((parts / cell).glob("*.jsonl")), out / name)
    answer = {
        "rows": rows,
        "valid": len(valid),
        "broken": counts(document.metadata["broken"] for document in documents),
        "taken": {cell: len(own) for cell, own in places.items()},
    }
    release(out, plan, {**answer, "warnings": counts(document.metadata["warnings"] for document in documents)})
    return answer


def join(parts: list[Path], whole_file: Path) -> None:
    """One file of several."""
    whole_file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file.open("wb") as file:
        for part in parts:
            with part.open("rb") as lines:
                shutil.copyfileobj(lines, file)


def main() -> None:
    """Curate, and tell what it took."""
    logger.remove()
    chunks, out, plan = map(Path, sys.argv[1:])
    told = json.loads(plan.read_text())
    began = time.perf_counter()
    answer = curate(chunks, out, told)
    tell(time.perf_counter() - began, answer)


if __name__ == "__main__":
    main()
