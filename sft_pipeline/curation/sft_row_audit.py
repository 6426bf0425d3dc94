"""What must be true of the lines and rows of an SFT release: one by one, in a file, and between splits.

Belongs here: one function per statement, named as the statement; it tells what is odd, by path, line and id alone.
Does not belong here: counts, names and accounts (sft_audit), reading files (clients.sft_verification).
"""

from collections.abc import Callable, Iterable, Iterator

import polars as pl

from sft_pipeline.curation.balancing import in_line_order
from sft_pipeline.curation.hashing import priorities
from sft_pipeline.curation.requests import POSITIONS
from sft_pipeline.curation.routers import NON_REASONING, REASONING, ROUTERS
from sft_pipeline.curation.sft_evidence import SftEvidence, Table
from sft_pipeline.curation.strata import stratum
from sft_pipeline.curation.turns import expected_splits


def lines_are_sft_lines(evidence: SftEvidence) -> Iterator[str]:
    """Every line is JSON of system, user and assistant, with the exact prompt and 0 or 1, and ends with a line feed."""
    for lines in evidence.each_lines:
        yield from (f"{lines.path} line {number}" for number in lines.survey.odd)


def lines_are_short_enough(evidence: SftEvidence) -> Iterator[str]:
    """No line is estimated to have more tokens than the plan's max_line_tokens."""
    yield from _lines(evidence, pl.col("tokens") > evidence.routers.training.max_line_tokens)


def texts_hold_no_secrets(evidence: SftEvidence) -> Iterator[str]:
    """No text holds a key, a token or a password, unless the plan keeps them."""
    if evidence.plan.privacy.secrets == "redact":
        yield from _lines(evidence, pl.col("secret"))


def tables_are_label_tables(evidence: SftEvidence) -> Iterator[str]:
    """Beside every SFT file lies a Parquet file with the columns of a training set but its text, and a row a line."""
    yield from (f"{path} {oddity}" for path, oddity in evidence.odd_tables.items())


def tables_match_their_lines(evidence: SftEvidence) -> Iterator[str]:
    """Row n of a label table has the label of line n, and the contentKey that its text gives."""
    for table in evidence.each_table:
        survey = evidence.surveys.get(table.slot.paths["sft"])
        if survey is None:
            continue
        rows = table.rows.select("label", "contentKey").with_row_index("line", offset=1).cast({"line": pl.Int64})
        odd = survey.rows.join(rows, on=["line", "label", "contentKey"], how="anti", maintain_order="left")
        yield from (f"{table.path} row {line}" for line in odd["line"])


def rows_follow_from_their_request(evidence: SftEvidence) -> Iterator[str]:
    """requestId, position, priority, stratum and bucket are those of the turn; label, probability, weight can be."""
    for table in evidence.each_table:
        rows = table.rows.with_columns(priorities(table.rows["contentKey"], salt=evidence.routers.salt).alias("ranked"))
        good = pl.all_horizontal(*_expected(evidence, table)).fill_null(value=False)
        yield from _ids(rows.filter(~good)["requestId"])


def rows_are_in_line_order(evidence: SftEvidence) -> Iterator[str]:
    """In every label table the rows stand in the order of the hashes of their texts, which mixes the labels."""
    for table in evidence.each_table:
        ids = table.rows["requestId"]
        yield from _ids(ids.filter(ids != in_line_order(table.rows, evidence.routers.salt)["requestId"]))


def requests_lie_in_their_split(evidence: SftEvidence) -> Iterator[str]:
    """The split of every row is that of its file, and where the plan splits by conversation, that of its hash."""
    plan = evidence.plan
    for table in evidence.each_table:
        by_hash = table.rows["split"] if plan.split.by == "user" else expected_splits(table.rows, plan)
        own = table.slot.variant.split
        placed = table.rows.select("requestId", "split", byHash=by_hash)
        yield from _ids(placed.filter((pl.col("split") != own) | (pl.col("byHash") != own))["requestId"])


def requests_stand_once(evidence: SftEvidence) -> Iterator[str]:
    """No request stands in a file twice."""
    for table in evidence.each_table:
        yield from _ids(table.rows["requestId"].filter(table.rows["requestId"].is_duplicated()))


def texts_stand_once(evidence: SftEvidence) -> Iterator[str]:
    """No text stands in a file twice, not even in another spelling of white space or case."""
    for lines in evidence.each_lines:
        again = lines.survey.rows.filter(~pl.col("contentKey").is_first_distinct())
        yield from (f"{lines.path} line {line}" for line in again["line"])


def splits_share_no_text(evidence: SftEvidence) -> Iterator[str]:
    """No text lies in the files of two splits of a router."""
    for router in ROUTERS:
        yield from _with_many(evidence.texts(router), "split")


def texts_have_one_label(evidence: SftEvidence) -> Iterator[str]:
    """No text has two labels in the files of a router."""
    for router in ROUTERS:
        yield from _with_many(evidence.texts(router), "label")


def requests_have_one_text(evidence: SftEvidence) -> Iterator[str]:
    """No request has two texts in the files of a router."""
    for router in ROUTERS:
        texts = evidence.requests(router).group_by("requestId", maintain_order=True)
        yield from _ids(texts.agg(pl.col("contentKey").n_unique()).filter(pl.col("contentKey") > 1)["requestId"])


def splits_share_no_conversation(evidence: SftEvidence) -> Iterator[str]:
    """No conversation lies in the files of two splits of a router."""
    for router in ROUTERS:
        lies = evidence.requests(router).group_by("conversationId", maintain_order=True)
        yield from _ids(lies.agg(pl.col("lies").n_unique()).filter(pl.col("lies") > 1)["conversationId"])


ROW_STATEMENTS: tuple[Callable[[SftEvidence], Iterable[str]], ...] = (
    lines_are_sft_lines,
    lines_are_short_enough,
    texts_hold_no_secrets,
    tables_are_label_tables,
    tables_match_their_lines,
    rows_follow_from_their_request,
    rows_are_in_line_order,
    requests_lie_in_their_split,
    requests_stand_once,
    texts_stand_once,
    splits_share_no_text,
    texts_have_one_label,
    requests_have_one_text,
    splits_share_no_conversation,
)


def _expected(evidence: SftEvidence, table: Table) -> Iterator[pl.Expr]:
    """What holds of a good row; `ranked` is its priority as its text gives it."""
    index, count = pl.col("turnIndex"), pl.col("turnCount")
    third = (index - 1).mul(len(POSITIONS)).floordiv(count)
    strategies = evidence.routers.router(table.slot.router).strategies
    yield pl.col("requestId") == pl.format("{}#{}", "conversationId", "turnIndex")
    yield index.is_between(1, 1 if table.slot.router == "session_router" else count)
    yield pl.col("turnPosition") == third.replace_strict(
        dict(enumerate(POSITIONS)), default=None, return_dtype=pl.String()
    )
    yield pl.col("priority") == pl.col("ranked")
    yield pl.col("stratum") == stratum(strategies, table.slot.router)
    yield pl.any_horizontal(
        *((pl.col("bucket") == bucket.name) & count.is_between(*bucket.turns) for bucket in evidence.plan.buckets)
    )
    yield pl.col("label").is_in([REASONING, NON_REASONING])
    yield pl.col("probability").is_between(0, 1) | pl.col("probability").is_null()
    yield pl.col("weight").is_finite() & (pl.col("weight") >= 1)


def _lines(evidence: SftEvidence, odd: pl.Expr) -> Iterator[str]:
    for lines in evidence.each_lines:
        yield from (f"{lines.path} line {line}" for line in lines.survey.rows.filter(odd)["line"])


def _with_many(texts: pl.DataFrame, column: str) -> Iterator[str]:
    """Texts, each by a line where it stands, that have more than one value in a column."""
    grouped = texts.group_by("contentKey", maintain_order=True)
    found = grouped.agg(pl.col(column).n_unique(), pl.col("path", "line").last()).filter(pl.col(column) > 1)
    yield from (f"{path} line {line}" for path, line in found.select("path", "line").iter_rows())


def _ids(ids: pl.Series) -> Iterable[str]:
    return ids.fill_null("null")
