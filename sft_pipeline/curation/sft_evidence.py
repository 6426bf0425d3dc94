"""What the verification of an SFT release goes by: the claims of its metadata.json and the facts of its files.

Belongs here: the facts, also those that need the surveys of all files.
Does not belong here: what must be true of them (sft_audit), reading files (clients.sft_verification).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.claimed import File
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.release import stamp_of
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import NON_REASONING, REASONING, RouterName, Routers
from sft_pipeline.curation.sft_claimed import SftClaimed
from sft_pipeline.curation.sft_sections import Counts, Slot, slots
from sft_pipeline.curation.sft_survey import LineSurvey


class Lines(NamedTuple):
    """The lines of a slot that are there."""

    slot: Slot
    path: str
    survey: LineSurvey


class Table(NamedTuple):
    """The label table of a slot, where one is there and reads as one."""

    slot: Slot
    path: str
    rows: pl.DataFrame


@dataclass(frozen=True)
class SftEvidence:
    """What metadata.json claims and what lies beside it.

    Args:
        claimed: metadata.json.
        folder: the name of the release's folder.
        paths: every file in it.
        facts: bytes, md5 and sha256 of the files of the plan that are there, by path.
        surveys: what the SFT files hold, by path.
        tables: the label tables, by path.
        odd_tables: why a file is no label table, by path.
    """

    claimed: SftClaimed
    folder: str
    paths: Sequence[str]
    facts: Mapping[str, Mapping[str, int | str]]
    surveys: Mapping[str, LineSurvey]
    tables: Mapping[str, pl.DataFrame]
    odd_tables: Mapping[str, str]

    @property
    def plan(self) -> Plan:
        """The plan by which the release was made."""
        return self.claimed.plan

    @property
    def routers(self) -> Routers:
        """Its knobs of the routers."""
        return routers_of(self.plan)

    @property
    def claimed_files(self) -> dict[str, File]:
        """What is claimed of each file, by path."""
        return {file.path: file for file in self.claimed.output_files.values()}

    @property
    def stamp(self) -> str:
        """The stamp that the plan gives curation_date."""
        return stamp_of(self.claimed.curation_info.curation_date, self.plan)

    @property
    def each_lines(self) -> Iterator[Lines]:
        """The SFT files that are there."""
        for slot in slots(self.routers):
            path = slot.paths["sft"]
            if path in self.surveys:
                yield Lines(slot, path, self.surveys[path])

    @property
    def each_table(self) -> Iterator[Table]:
        """The label tables that are there."""
        for slot in slots(self.routers):
            path = slot.paths["labels"]
            if path in self.tables:
                yield Table(slot, path, self.tables[path])

    @cached_property
    def held(self) -> dict[str, Counts]:
        """How many lines of each label the SFT files hold, by slot; none where the file is not there."""
        held = dict.fromkeys((slot.key for slot in slots(self.routers)), Counts(0, 0))
        for lines in self.each_lines:
            labels = lines.survey.rows["label"]
            held[lines.slot.key] = Counts(*(int((labels == label).sum()) for label in (REASONING, NON_REASONING)))
        return held

    def texts(self, router: RouterName) -> pl.DataFrame:
        """The texts of a router's lines: path, split, line, label, contentKey."""
        frames = [
            lines.survey.rows.select(
                pl.lit(lines.path).alias("path"),
                pl.lit(lines.slot.variant.split).alias("split"),
                "line",
                "label",
                "contentKey",
            )
            for lines in self.each_lines
            if lines.slot.router == router
        ]
        schema = {"path": pl.String, "split": pl.String, "line": pl.Int64, "label": pl.Int64, "contentKey": pl.String}
        return pl.concat([pl.DataFrame(schema=schema), *frames])

    def requests(self, router: RouterName) -> pl.DataFrame:
        """The requests of a router's label tables: requestId, conversationId, label, contentKey, lies (the split)."""
        columns = ("requestId", "conversationId", "label", "contentKey")
        schema = {name: pl.Int64 if name == "label" else pl.String for name in (*columns, "lies")}
        frames = [
            table.rows.select(*columns, lies=pl.lit(table.slot.variant.split))
            for table in self.each_table
            if table.slot.router == router
        ]
        return pl.concat([pl.DataFrame(schema=schema), *frames])
