"""The plans that come with the project, and finding a plan by name or path."""

from pathlib import Path

from sft_pipeline.curation.plan import Plan, parse_plan
from sft_pipeline.curation.refusal import Refused

FOLDER = Path(__file__).parent


def plan_names() -> tuple[str, ...]:
    """The plans that come with the project."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def read_plan(name_or_path: str) -> Plan:
    """Read a plan that comes with the project by its name, or any other by its path.

    Raises:
        Refused: there is no such plan, or it is not valid.
    """
    path = FOLDER / f"{name_or_path}.toml" if name_or_path in plan_names() else Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(plan_names())
        raise Refused(
            f"no plan {name_or_path!r}", remedy=f"name one of {known}, or the path of a .toml file"
        ) from error
    return parse_plan(text, source=path.name)
