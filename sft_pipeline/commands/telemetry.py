"""`telemetry generate` and `telemetry import`."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from sft_pipeline.telemetry.sessions.importing import import_sessions
from sft_pipeline.telemetry.sessions.summary import DUPLICATE, IMPORTED
from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline.terminal import counting, out, print_counts, print_next, print_table


def generate_telemetry(folder: Path, *, conversations: int, seed: int, days: int, end: date) -> None:
    """Generate, then say what was written and how to use it."""
    with counting("candidate conversations") as progress:
        summary = generate(folder, conversations=conversations, seed=seed, days=days, end=end, progress=progress)
    outcomes = {reason or "candidates": count for reason, count in summary.outcomes.items()}
    sizes = {"events": summary.events, "files": summary.files, "bytes on disk": summary.file_bytes}
    print_counts("Synthetic telemetry: conversations by the outcome they are made for", outcomes)
    print_counts("Raw events", sizes)
    out.print(f"next, with SFT_TELEMETRY={folder}:", soft_wrap=True)
    print_next(f"run --plan demo --window {end}")


def import_telemetry(paths: Sequence[Path], folder: Path) -> None:
    """Import, then name what could not be read and show the totals."""
    with counting("files") as progress:
        summary = import_sessions(paths, folder, progress=progress)
    others = [file for file in summary.files if file.outcome not in (IMPORTED, DUPLICATE)]
    if others:
        print_table("Not imported", ("file", "outcome", "reason"), [(f.path, f.outcome, f.reason) for f in others])
    print_counts("Imported sessions", summary.totals())
    out.print(f"next, with SFT_TELEMETRY={folder}:", soft_wrap=True)
    print_next("run --plan archive")
