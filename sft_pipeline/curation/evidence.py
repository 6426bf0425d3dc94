"""What a verification goes by: the claims of a metadata.json and the facts of the files beside it.

Belongs here: the facts, also those that need the surveys of all files.
Does not belong here: what must be true of them (audit), reading files (clients.verification).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from sft_pipeline.curation.claimed import Claimed, File
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.release import stamp_of
from sft_pipeline.curation.survey import UNIQUE, Broken, Survey
from sft_pipeline.curation.validating import IDS_SHOWN


@dataclass(frozen=True)
class Evidence:
    """What metadata.json claims and what lies beside it.

    Args:
        claimed: metadata.json.
        folder: the name of the release's folder.
        paths: every file in it.
        facts: bytes, md5 and sha256 of the claimed files that are there, by path.
        surveys: what the data files hold, by the key of their cell.
        reports: the invalid-record reports that are there, by path.
    """

    claimed: Claimed
    folder: str
    paths: Sequence[str]
    facts: Mapping[str, Mapping[str, int | str]]
    surveys: Mapping[str, Survey]
    reports: Mapping[str, bytes]

    @property
    def plan(self) -> Plan:
        """The plan by which the release was made."""
        return self.claimed.plan

    @property
    def claimed_files(self) -> dict[str, File]:
        """What is claimed of each file, by path."""
        files = [*self.claimed.output_files.values(), *self.claimed.rejected.invalid_records_files.values()]
        return {file.path: file for file in files}

    @property
    def counts(self) -> dict[str, int]:
        """Lines per cell."""
        return {cell: survey.lines for cell, survey in self.surveys.items()}

    @property
    def redacted(self) -> dict[str, int]:
        """How many secrets of each kind stand redacted, over all files."""
        return sum((Counter(survey.redacted) for survey in self.surveys.values()), Counter[str]())

    @cached_property
    def records(self) -> pl.DataFrame:
        """All records with the cell of the file in which they lie."""
        none = pl.DataFrame(
            schema={"conversationId": pl.String, "split": pl.String, "bucket": pl.String, "priority": pl.Int64}
        )
        frames = [survey.records.with_columns(cell=pl.lit(cell)) for cell, survey in self.surveys.items()]
        return pl.concat([none.with_columns(cell=pl.lit("")), *frames], rechunk=True)

    @cached_property
    def duplicates(self) -> pl.DataFrame:
        """The records whose id stands more than once in the release."""
        return self.records.filter(pl.col("conversationId").is_duplicated())

    @property
    def stamp(self) -> str:
        """The stamp that the plan gives curation_date."""
        return stamp_of(self.claimed.curation_info.curation_date, self.plan)

    def broken(self, rule: str) -> Broken:
        """The records that break a rule, over all files."""
        if rule == UNIQUE:
            ids = self.duplicates["conversationId"]
            return Broken(ids.len(), tuple(ids.unique(maintain_order=True).head(IDS_SHOWN).fill_null("null")))
        found = [survey.broken[rule] for survey in self.surveys.values()]
        ids = [conversation_id for broken in found for conversation_id in broken.ids]
        return Broken(sum(broken.total for broken in found), tuple(ids[:IDS_SHOWN]))
