"""A walk over telemetry full of secrets and names: neither leaves it, wherever one looks."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.clients.verification import Verification, verify_release
from sft_pipeline.orchestration.pseudonym_key import FILE
from sft_pipeline.telemetry.events import MESSAGE_TEXT, write_events
from sft_pipeline.telemetry.synthesis import TRUTH_FILE, generate
from sft_pipeline_tests.orchestration.walked_world import KEY, SMALL_PLAN, World
from sft_pipeline_tests.secret_texts import ALL_IN_ONE, GIVEAWAYS, SECRETS

PRIVATE_PLAN = (
    SMALL_PLAN.replace('user_names = "as_is"', 'user_names = "pseudonym"')
    .replace('by = "conversation"', 'by = "user"')
    .replace("allow_shortfall = false", "allow_shortfall = true")
)
WORDY = "import logging; logging.basicConfig(level=logging.DEBUG); from sft_pipeline.cli import main; main()"
"""The command line with every logger at DEBUG, on standard error."""

PLACEHOLDER = re.compile(rb"\[REDACTED:(\w+)\]")


@dataclass(frozen=True)
class Walked:
    """A finished walk, what it and `check` printed, and the names that were in its telemetry."""

    world: World
    printed: str
    names: frozenset[str]

    @property
    def release(self) -> Path:
        """The release's folder."""
        [folder] = (self.world.root / "home" / "releases").glob("small_*")
        return folder

    def told(self) -> dict[str, str]:
        """All that was written: tables as text, other files as they are; not the telemetry, its copy and the key."""
        home = self.world.root / "home"
        paths = [path for path in home.rglob("*") if path.is_file() and home / "staged" not in path.parents]
        return {
            str(path): str(pl.read_parquet(path).to_dicts()) + str(pl.read_parquet_metadata(path))
            if path.suffix == ".parquet"
            else path.read_bytes().decode("utf-8", "replace")
            for path in paths
            if path.name != FILE
        }


def command(world: World, *words: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SFT_", "DAGSTER_"))}
    own = {"SFT_HOME": str(world.root / "home"), "SFT_PLAN": str(world.root / "private.toml")}
    env = {**kept, **own, "SFT_TELEMETRY": str(world.telemetry), "COLUMNS": "200"}
    told = subprocess.run(
        [sys.executable, "-c", WORDY, *words], env=env, capture_output=True, text=True, check=False, timeout=240
    )
    assert told.returncode == 0, told.stderr[-2000:]
    return told.stdout + told.stderr


def with_secrets(events: pl.DataFrame, silent: str) -> pl.DataFrame:
    """The same events, secrets in every message; the user of one conversation writes nothing visible."""
    texts = [json.loads(text) for text in events["Properties"]]
    for text in texts:
        if "messageText" in text:
            text["messageText"] = f"{ALL_IN_ONE}\n{text['messageText']}"
        if text.get("conversationId") == silent and text.get("source") == "user":
            text.update({name: "" for name in text if name.startswith("messageText")})
    changed = pl.Series("Properties", [json.dumps(text) for text in texts])
    return events.with_columns(
        pl.when(pl.col("Name") == MESSAGE_TEXT).then(changed).otherwise("Properties").alias("Properties")
    )


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    world = World(tmp_path_factory.mktemp("private"))
    generate(world.telemetry, conversations=60, seed=5, days=15, end=date(2026, 11, 1))
    silent = pl.read_parquet(world.telemetry / TRUTH_FILE).filter(pl.col("dropReason") == "")["conversationId"][0]
    events = with_secrets(world.raw_events(), silent)
    for path in (world.telemetry / "AppEvents").glob("*.parquet"):
        path.unlink()
    write_events(events, world.telemetry, part=0)
    (world.root / "private.toml").write_text(PRIVATE_PLAN, encoding="utf-8")
    names = {json.loads(text).get("common.userName") for text in events["Properties"]} - {None, "", "undefined"}
    printed = command(world, "run", "--window", KEY) + command(world, "check")
    return Walked(world, printed, frozenset(names))


def verified(folder: Path) -> Verification:
    return verify_release(open_release_store(str(folder)))


def placeholders(folder: Path) -> Counter[str]:
    """What stands redacted in the data files of a release, counted once more by other means."""
    found = [kind for path in folder.glob("*/*.json") for kind in PLACEHOLDER.findall(path.read_bytes())]
    return Counter(kind.decode() for kind in found)


def test_fault_49_no_secret_is_in_a_table_a_release_a_report_or_dagsters_records(private: Walked) -> None:
    told = private.told()
    assert any(path.endswith(".parquet") for path in told)
    assert any("invalid_records" in path for path in told)
    assert [path for path, text in told.items() for secret in GIVEAWAYS if secret in text] == []


def test_fault_49_no_secret_is_in_what_the_command_line_prints_and_logs(private: Walked) -> None:
    assert "DEBUG" in private.printed
    assert "records released" in private.printed
    assert "0 failed" in private.printed
    assert [secret for secret in GIVEAWAYS if secret in private.printed] == []


def test_fault_49_metadata_tells_how_many_of_each_kind_stand_redacted(private: Walked) -> None:
    told = json.loads((private.release / "metadata.json").read_bytes())["privacy"]
    assert (told["user_names"], told["secrets"]) == ("pseudonym", "redact")
    assert told["redacted"] == placeholders(private.release)
    per_message = {kind: count / len(SECRETS[kind]) for kind, count in told["redacted"].items()}
    assert len({*per_message.values()}) == 1
    assert min(per_message.values()) >= 3 * len(list(private.release.glob("*/*.json")))


def test_a_release_that_counts_other_redactions_does_not_verify(private: Walked, tmp_path: Path) -> None:
    assert verified(private.release).passed
    copy = private.world.copy(tmp_path)
    folder = Walked(copy, "", frozenset()).release
    text = (folder / "metadata.json").read_text(encoding="utf-8")
    (folder / "metadata.json").chmod(0o644)
    (folder / "metadata.json").write_text(text.replace('"jwt": ', '"jwt": 1'), encoding="utf-8")
    assert [finding.name for finding in verified(folder).findings if not finding.passed] == ["privacy_is_told"]


def test_no_user_name_is_in_a_table_a_release_or_dagsters_records(private: Walked) -> None:
    assert len(private.names) > 10
    told = {**private.told(), "printed": private.printed}
    assert [path for path, text in told.items() for name in private.names if name in text] == []


def test_a_user_is_in_one_split_and_the_release_alone_proves_it(private: Walked) -> None:
    folders: dict[str, set[str]] = {}
    for path in private.release.glob("*/*.json"):
        for line in path.read_bytes().splitlines():
            folders.setdefault(json.loads(line)["userName"], set()).add(path.parent.name)
    assert {len(found) for found in folders.values()} == {1}
    proved = {finding.name: finding.passed for finding in verified(private.release).findings}
    assert proved["split_matches_hash"]
    assert proved["user_names_are_pseudonyms"]
    assert proved["no_secrets"]


def test_the_key_is_nowhere_but_in_its_file(private: Walked) -> None:
    key = (private.world.root / "home" / FILE).read_text(encoding="ascii").strip()
    told = {**private.told(), "printed": private.printed}
    assert [path for path, text in told.items() if key in text] == []
