"""The three rings and their one direction, the purity of the inner one, and the names that modules may not have."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sft_pipeline

ROOT = Path(sft_pipeline.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
PLANS = sorted((ROOT / "plans").glob("*.toml"))

PURE_LIBRARIES = {"dataframely", "orjson", "polars", "pydantic", "pydantic_core"}
PURE_STANDARD_LIBRARY = {
    *("abc", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools"),
    *("hashlib", "heapq", "io", "itertools", "json", "math", "operator", "re", "reprlib", "statistics", "string"),
    *("hmac", "textwrap", "tomllib", "types", "typing", "unicodedata"),
}
OUTER = (
    "sft_pipeline.orchestration",
    "sft_pipeline.commands",
    "sft_pipeline.cli",
    "sft_pipeline.cli_labels",
    "sft_pipeline.definitions",
)
WORLDLY_BUILTINS = {"open", "print", "input", "hash", "eval", "exec", "__import__"}
WORLDLY_METHODS = {
    *("now", "utcnow", "today"),  # clocks
    *("hash", "hash_rows"),  # differ between versions of Polars
    *("sample", "shuffle"),  # draw at random
    *("read_parquet", "read_database", "write_parquet", "write_csv"),
    *("scan_parquet", "scan_csv", "scan_ndjson", "sink_parquet", "sink_csv", "sink_ndjson"),
}


def modules_of(ring: str) -> list[Path]:
    """The modules of a subpackage."""
    return [path for path in MODULES if path.is_relative_to(ROOT / ring)]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Full names of all that a module imports anywhere, `from a import b` as `a.b`."""
    found: set[str] = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top(name: str) -> str:
    return name.partition(".")[0]


def within(names: set[str], packages: tuple[str, ...]) -> set[str]:
    """Those names that are one of the packages or lie in one."""
    return {name for name in names if any(name == package or name.startswith(f"{package}.") for package in packages)}


def worldly_calls(path: Path) -> Iterator[str]:
    """Calls that reach for clock, files, terminal or chance."""
    for node in ast.walk(syntax(path)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in WORLDLY_BUILTINS:
                yield f"{path.name}:{node.lineno} {name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in WORLDLY_METHODS:
                yield f"{path.name}:{node.lineno} .{name}()"
            case _:
                pass


def loaded_by(ring: str) -> set[str]:
    """Every top-level module that is loaded after all modules of a ring were imported in a fresh interpreter."""
    names = [module_name(path) for path in modules_of(ring)]
    program = f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


each_curation_module = pytest.mark.parametrize("path", modules_of("curation"), ids=lambda path: path.stem)


class TestCuration:
    @each_curation_module
    def test_it_imports_itself_and_pure_libraries_alone(self, path: Path) -> None:
        own = within(imports(path), ("sft_pipeline.curation",))
        rest = {top(name) for name in imports(path) - own}
        assert rest <= PURE_LIBRARIES | PURE_STANDARD_LIBRARY

    @each_curation_module
    def test_it_calls_no_clock_file_terminal_or_chance(self, path: Path) -> None:
        assert list(worldly_calls(path)) == []

    def test_it_loads_neither_dagster_nor_clients_nor_engines(self) -> None:
        loaded = loaded_by("curation")
        assert "sft_pipeline.curation.rules" in loaded
        unwanted = {
            "dagster",
            "azure",
            "duckdb",
            "duckdb_kql",
            "openai",
            "tiktoken",
            "requests",
            "httpx",
            "typer",
            "rich",
        }
        assert unwanted & {top(name) for name in loaded} == set()
        assert {name for name in loaded if name.startswith("sft_pipeline.")} <= {
            "sft_pipeline.curation",
            *map(module_name, modules_of("curation")),
        }


class TestRings:
    @pytest.mark.parametrize("ring", ["curation", "clients", "telemetry", "plans"])
    def test_an_inner_ring_knows_neither_dagster_nor_the_outer_one(self, ring: str) -> None:
        for path in modules_of(ring):
            names = imports(path)
            assert within(names, OUTER) == set(), path
            assert {top(name) for name in names if top(name).startswith("dagster")} == set(), path

    @pytest.mark.parametrize("ring", ["clients", "telemetry"])
    def test_an_inner_ring_does_not_load_dagster_through_others(self, ring: str) -> None:
        loaded = loaded_by(ring)
        assert f"sft_pipeline.{ring}" in loaded
        assert "dagster" not in loaded
        assert within(loaded, OUTER) == set()

    def test_the_outer_ring_alone_imports_dagster(self) -> None:
        found = {module_name(path) for path in MODULES if "dagster" in map(top, imports(path))}
        assert found
        assert found == within(found, OUTER)


class TestFindings:
    """The walks above find what they look for."""

    def test_an_import_inside_a_function_is_found(self, tmp_path: Path) -> None:
        module = tmp_path / "module.py"
        module.write_text("import a.b\ndef f():\n    from c.d import e\n    import dagster as g\n")
        assert imports(module) == {"a.b", "c.d.e", "dagster"}

    def test_worldly_calls_are_found(self, tmp_path: Path) -> None:
        module = tmp_path / "module.py"
        module.write_text("open('x')\ndatetime.now()\nplan.sample.salt\ncol('a').hash()\nnow = 1\nhash\n")
        assert list(worldly_calls(module)) == ["module.py:1 open()", "module.py:2 .now()", "module.py:4 .hash()"]

    def test_a_package_is_not_its_namesake(self) -> None:
        assert within({"a.b", "a.b.c", "a.bc", "b"}, ("a.b",)) == {"a.b", "a.b.c"}


def test_no_module_is_a_drawer_for_all_sorts() -> None:
    unwanted = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "core", "base", "tools"}
    names = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert unwanted & names == set()


ROUTER_SECTIONS = {
    "routers",
    *(f"routers.{name}" for name in ("judging", "trust", "training", "session_router", "conversation_router")),
    "routers.conversation_router.conversations",
}


def sections(text: str) -> dict[str, str]:
    """Sections of a TOML file by name, tables of an array as one; what stands before the first under the empty name."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        header = re.match(r"\[+([\w.]+)\]+", line)
        name = header[1] if header else name
        found[name] = f"{found.get(name, '')}{line}\n"
    return found


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_section_of_a_plan_says_why(path: Path) -> None:
    found = sections(path.read_text(encoding="utf-8"))
    needed = {"", "window", "chunks", "split", "buckets", "privacy", "sample", "sample.targets", "release"}
    of_routers = {name for name in found if name.partition(".")[0] == "routers"}
    assert set(found) - of_routers - {"places"} == needed
    assert of_routers in (set(), ROUTER_SECTIONS)
    assert [name for name, text in found.items() if "# " not in text] == []


def test_a_section_without_a_comment_is_found() -> None:
    assert sections("# why\n[a]\nx = 1\n[[b.c]]\ny = 1 # so\n[[b.c]]\n") == {
        "": "# why\n",
        "a": "[a]\nx = 1\n",
        "b.c": "[[b.c]]\ny = 1 # so\n[[b.c]]\n",
    }
