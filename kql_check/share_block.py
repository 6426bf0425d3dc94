"""Copy the blocks that several queries hold from the file they are edited in to all others.

Kusto has no include. A block stands between `// >>> NAME` and `// <<< NAME`, both lines included.
"""

import argparse
import sys
from pathlib import Path

SOURCES = {
    "shared": "production/sft_candidates_hash_chunked.kql",
    "nested": "production/sft_candidates_hash_chunked.kql",
    "deltas": "production/sft_nested_json.kql",
}
"""Block -> the query it is edited in."""


def place(text: str, name: str) -> tuple[int, int]:
    """Where a block begins and ends in a query's text; (0, 0) when it has none."""
    begin, end = text.find(f"// >>> {name}"), text.find(f"// <<< {name}")
    return (begin, text.index("\n", end) + 1) if 0 <= begin < end else (0, 0)


def block(catalog: Path, name: str) -> str:
    """A block as it stands where it is edited."""
    path = catalog / SOURCES[name]
    text = path.read_text(encoding="utf-8")
    begin, end = place(text, name)
    if not end:
        sys.exit(f"{path} has no block {name!r}: restore the lines `// >>> {name}` and `// <<< {name}`")
    return text[begin:end]


def share(catalog: Path) -> list[Path]:
    """Write the blocks into every query that has their markers; the files that changed."""
    blocks = {name: block(catalog, name) for name in SOURCES}
    changed: list[Path] = []
    for path in sorted(catalog.rglob("*.kql")):
        text = shared = path.read_text(encoding="utf-8")
        for name, told in blocks.items():
            begin, end = place(shared, name)
            shared = shared[:begin] + told + shared[end:] if end else shared
        if shared != text:
            path.write_text(shared, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> None:
    """Share the blocks in the catalog and tell what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path, nargs="?", default=Path(__file__).parents[1] / "queries")
    changed = share(parser.parse_args().catalog)
    sys.stdout.write("".join(f"{path}\n" for path in changed) or "every copy is equal\n")


if __name__ == "__main__":
    main()
