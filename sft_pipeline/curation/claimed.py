"""metadata.json as it is read back: every field typed, none missing, none unknown.

Belongs here: the shape of the document and reading it.
Does not belong here: whether what it claims is true (audit).
"""

from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.sections import plan_sha256

Count = Annotated[int, Field(ge=0, strict=True)]
Text = Annotated[str, Field(min_length=1)]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class MalformedMetadataError(Exception):
    """A metadata.json is not what a release's metadata.json looks like."""


Document = TypeVar("Document", bound="ReleaseDocument")


class Part(BaseModel):
    """A part of the document: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CurationInfo(Part):
    """Who this release is and how it was made."""

    curation_date: AwareDatetime
    curation_id: Text
    query_file: Text
    query_sha256: Sha256
    data_source: Text
    plan: Plan
    plan_sha256: Sha256
    versions: dict[str, Text]
    run_id: Text


class TimeWindow(Part):
    """First instant in, first instant out."""

    start: AwareDatetime
    end: AwareDatetime


class QueryParameters(Part):
    """What was asked, and where; cluster and database are empty for the embedded engine."""

    time_window: TimeWindow
    cluster: str
    database: str
    num_hash_chunks: Count


class File(Part):
    """A file beside metadata.json."""

    path: Text
    records: Count
    bytes: Count
    md5: Md5
    sha256: Sha256


class OutputFile(File):
    """A cell's records."""

    split: Text
    bucket: Text


class Privacy(Part):
    """What became of user names and secrets."""

    user_names: Text
    secrets: Text
    redacted: dict[Text, Count]


class Rejected(Part):
    """What was left out."""

    total: Count
    by_reason: dict[Text, Count]
    invalid_records_files: dict[Text, File]


class ReleaseDocument(Part):
    """What the metadata.json of every kind of release tells."""

    curation_info: CurationInfo
    query_parameters: QueryParameters

    @property
    def plan(self) -> Plan:
        """The plan by which the release was made."""
        return self.curation_info.plan


class Claimed(ReleaseDocument):
    """All of it; what follows from plan and files is compared with them as a whole and so left untyped here."""

    completeness_criteria: dict[str, Any]
    deduplication: dict[str, Any]
    splits: dict[str, Any]
    stratification: dict[str, Any]
    actual_counts: dict[str, Any]
    output_files: dict[str, OutputFile]
    validation: dict[str, Any]
    privacy: Privacy
    rejected: Rejected
    repairs: dict[str, Count]
    shortfall: dict[str, Any]
    format: str


def read_claimed(content: bytes) -> Claimed:
    """Read the metadata.json of a release of samples; raises as `read_document` does."""
    return read_document(Claimed, content)


def read_document(kind: type[Document], content: bytes) -> Document:
    """Read a metadata.json as that of a kind of release.

    Raises:
        MalformedMetadataError: names the fields that are missing, unknown or of another type, or the plan that is
            not the one that was hashed.
    """
    try:
        claimed = kind.model_validate_json(content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc']) or 'the document'} ({item['type']})"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise MalformedMetadataError("; ".join(problems[:5])) from None
    if plan_sha256(claimed.plan) != claimed.curation_info.plan_sha256:
        raise MalformedMetadataError("curation_info.plan_sha256 is of another plan")
    return claimed
