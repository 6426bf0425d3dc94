"""The .kql files of `queries/`, and any other file, as values: text, identity, parameters.

Belongs here: finding and reading query files, and what their `declare query_parameters` says.
Does not belong here: what their header says (header), running them (clients.kusto).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from sft_pipeline.clients.queries.header import QueryHeader, read_header
from sft_pipeline.curation.refusal import Refused

KUSTO_TYPES = ("string", "long", "int", "real", "bool", "datetime")
"""Types that a parameter may have, as far as the clients bind them."""

_SUFFIX = ".kql"
_COMMENT_OR_TEXT = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*""")
_DECLARATION = re.compile(r"\bdeclare\s+query_parameters\s*\(")
_PARAMETER = re.compile(r"\s*(\w+)\s*:\s*(\w+)\s*(?:=\s*(.+?)\s*)?", re.DOTALL)


@dataclass(frozen=True)
class Query:
    """One KQL statement with the parameters it declares.

    Args:
        name: `production/sft_candidates_hash_chunked`: the path in the catalog without its suffix.
        path: the path in the catalog, or the file name of a query from elsewhere.
        text: the file as it stands.
        sha256: of the text's UTF-8 bytes.
        parameters: name -> Kusto type, in the order of declaration.
        defaults: name -> KQL literal, of the parameters that have one.
    """

    name: str
    path: str
    text: str
    sha256: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def header(self) -> QueryHeader:
        """What the comment on top says: question, explanation, the meaning of parameters and result columns.

        Raises:
            Refused: a line of it is not in the form of a header.
        """
        return read_header(self.text, self.path)


def list_queries() -> list[str]:
    """The names of all queries in the catalog, sorted."""
    root = _catalog()
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob(f"*{_SUFFIX}"))


def load_query(name: str) -> Query:
    """Read a query of the catalog; the folder and the suffix may be left out where the rest is unique.

    Raises:
        Refused: no query, or more than one, has this name.
    """
    wanted = name.removesuffix(_SUFFIX)
    known = list_queries()
    found = [wanted] if wanted in known else [other for other in known if other.rpartition("/")[2] == wanted]
    if len(found) != 1:
        told = f"{len(found)} queries are named {name!r}" if found else f"no query is named {name!r}"
        raise Refused(told, remedy=f"name one of: {', '.join(found or known)}")
    return _read(_catalog() / f"{found[0]}{_SUFFIX}", found[0], f"{found[0]}{_SUFFIX}")


def find_query(name: str) -> Query:
    """A query by its name in the catalog, or by the path of a file."""
    path = Path(name)
    return query_from_file(path) if path.is_file() else load_query(name)


def query_from_file(path: Path) -> Query:
    """Read a query from anywhere.

    Raises:
        Refused: there is no such file, it is not UTF-8 text, or a parameter has a type that is not bound.
    """
    if not path.is_file():
        raise Refused(f"there is no query file {path}", remedy="give the path of a .kql file")
    return _read(path, path.stem, path.name)


def _catalog() -> Path:
    """`queries/` beside the package in a checkout, inside the package when installed from a wheel."""
    package = Path(__file__).resolve().parents[2]
    return next((folder for folder in (package / "queries", package.parent / "queries") if folder.is_dir()), package)


def _read(path: Path, name: str, shown: str) -> Query:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refused(f"the query file {path} is not UTF-8 text", remedy="save it as UTF-8") from None
    declared = list(_declared(text, shown))
    return Query(
        name=name,
        path=shown,
        text=text,
        sha256=sha256(text.encode()).hexdigest(),
        parameters={parameter: kind for parameter, kind, _ in declared},
        defaults={parameter: default for parameter, _, default in declared if default is not None},
    )


def _declared(text: str, shown: str) -> Iterator[tuple[str, str, str | None]]:
    """Name, type and default of each parameter in `declare query_parameters(...)`."""
    code = _COMMENT_OR_TEXT.sub(lambda found: found[1] or "", text)
    start = _DECLARATION.search(code)
    if start is None:
        return
    for part in _parts(code[start.end() :]):
        parameter = _PARAMETER.fullmatch(part)
        if parameter is None or parameter[2] not in KUSTO_TYPES:
            raise Refused(
                f"{shown} declares the parameter {part.strip()!r}",
                remedy=f"declare it as name:type or name:type=default with one of the types {', '.join(KUSTO_TYPES)}",
            )
        yield parameter[1], parameter[2], parameter[3]


def _parts(code: str) -> Iterator[str]:
    """The text up to the closing bracket, split at its outer commas."""
    depth, begin = 0, 0
    for position, (quoted, char) in enumerate(_outside_quotes(code)):
        if quoted:
            continue
        if depth == 0 and char in ",)":
            yield code[begin:position]
            begin = position + 1
        if char == ")" and depth == 0:
            return
        depth += {"(": 1, ")": -1}.get(char, 0)


def _outside_quotes(code: str) -> Iterator[tuple[bool, str]]:
    """Every character, and whether it stands in a string literal."""
    for found in re.finditer(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(.)""", code, re.DOTALL):
        yield from ((found[1] is not None, char) for char in found[0])
