"""The reference of the query catalog as Markdown: which query for which goal, and what each header says.

Belongs here: the goals, and rendering. What is said of a query stands in its header (header).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from sft_pipeline.clients.queries.catalog import Query, list_queries, load_query

GOALS: tuple[tuple[str, str], ...] = (
    ("Release training data: what `sft-pipeline run` asks, a hash chunk at a time", "sft_candidates_hash_chunked"),
    ("Know whether an answer of that query is whole", "sft_conversation_count"),
    ("Session routing: judge the first request of a conversation alone", "sft_session_router_first_turns"),
    ("Conversation-aware routing: judge every turn with its history", "sft_stratified_by_turn_count"),
    ("Complete conversations with all token metrics", "sft_complete_conversations_3to10"),
    ("A quick look at nested conversations, without deltas", "sft_nested_json_simple"),
    ("Everything, conversations captured in part included, with deltas", "sft_nested_json"),
    ("100,000 conversations without splits in one query", "sft_100k_production"),
    ("See some 100 conversations in the web UI", "sft_test_100"),
    ("See them with every model call", "sft_test_100_with_trajectory"),
    ("See their counts without any text", "sft_test_100_lite"),
)
"""What a person wants, and the last part of the name of the query for it; others are chosen by their question."""

FOLDERS = ("production", "test", "exploration", "verification")
"""The order of the page; other folders follow by name."""

WIDE = 8
"""From so many result columns on, a terminal is no place to read them."""

INTRODUCTION = """\
<!-- Written by `make docs` from the headers of the files under queries/: change those. -->

# Query reference

Every query is one KQL statement in a file of [queries](../queries). It runs unchanged on a cluster and on the embedded
engine, over the events of `[windowStart, windowEnd)`; `--window` of `sft-pipeline query` gives both by the plan's days.
`chunk` and `chunkCount` cut a window into parts that together hold every conversation once: where all is too much, ask
for `--param chunk=0 --param chunkCount=40`, for everything in one answer `--param chunkCount=1`. A parameter without a
default must be given. `sft-pipeline queries` lists the catalog in the terminal.
"""


def render_reference() -> str:
    """The whole page, as it stands in `docs/04_QUERY_REFERENCE.md`.

    Raises:
        Refused: a header cannot be read.
    """
    queries = sorted(map(load_query, list_queries()), key=_place)
    folders = groupby(queries, key=_folder)
    sections = ["\n".join((f"## {folder}\n", *map(_described, members))) for folder, members in folders]
    return "\n".join((INTRODUCTION, _guide(queries), *sections))


def _guide(queries: Sequence[Query]) -> str:
    """A row per goal, then the queries that no goal names by their question."""
    by_last_part = {_last_part(query): query for query in queries}
    goals = [(goal, by_last_part[name]) for goal, name in GOALS if name in by_last_part]
    named = {query.name for _, query in goals}
    others = [(_escaped(query.header.question), query) for query in queries if query.name not in named]
    rows = [(goal, f"[{query.name}](#{_last_part(query).lower()})") for goal, query in (*goals, *others)]
    return "## Which query\n\n" + _table(("to", "run"), rows)


def _described(query: Query) -> str:
    header = query.header
    paragraphs = [f"### {_last_part(query)}", f"**{_escaped(header.question)}**", *map(_escaped, header.explanation)]
    parameters = [(f"`{name}`", kind, *_default_and_meaning(query, name)) for name, kind in query.parameters.items()]
    parts = [
        *(f"{paragraph}\n" for paragraph in paragraphs),
        _table(("parameter", "type", "default", "meaning"), parameters),
        _table(("result column", "meaning"), _columns(header.result)),
        f"```\n{_command(query)}\n```\n",
    ]
    return "\n".join(parts)


def _default_and_meaning(query: Query, name: str) -> tuple[str, str]:
    default = query.defaults.get(name)
    return "" if default is None else f"`{default}`", _escaped(query.header.parameters.get(name, ""))


def _columns(result: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A row for the columns that are told together."""
    for meaning, together in groupby(result.items(), key=lambda told: told[1]):
        yield ", ".join(f"`{name}`" for name, _ in together), _escaped(meaning)


def _command(query: Query) -> str:
    out = f" --out {_last_part(query)}.parquet" if len(query.header.result) > WIDE else ""
    return f"sft-pipeline query {query.name} --window 2026-11-01{out}"


def _place(query: Query) -> tuple[int, str]:
    folder = _folder(query)
    return FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS), query.name


def _folder(query: Query) -> str:
    return query.name.rpartition("/")[0]


def _last_part(query: Query) -> str:
    return query.name.rpartition("/")[2]


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (titles, ["---"] * len(titles), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(text: str) -> str:
    """Plain text as Markdown that reads the same, also within a table."""
    for character in ("\\", "<", "|", "*"):
        text = text.replace(character, f"\\{character}")
    return text
