from pathlib import Path

import pytest
import typer

from sft_pipeline.commands.labels import export_command, import_command, show_ledger
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.clients.labels.label_world import ask, kept, record, store_in, write_records


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SFT_LABELS", "SFT_STORAGE", "SFT_RELEASES", "SFT_JUDGE", "SFT_KUSTO_CLUSTER", "SFT_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SFT_HOME", str(tmp_path))
    monkeypatch.setenv("SFT_PLAN", "demo")
    monkeypatch.setattr("sft_pipeline.terminal.out.width", 200)
    return tmp_path


def shown(told: str) -> dict[str, str]:
    """The rows of two columns that were printed."""
    rows = (line.strip("│ \n").split("│") for line in told.splitlines() if line.startswith("│"))
    return {cells[0].strip(): cells[1].strip() for cells in rows if len(cells) == 2}


def test_an_import_tells_its_counts_and_an_export_gives_the_records_back(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_records(home / "in.json", [record("a", 0), record("b", 1), record("b", 0)])
    import_command(file, "annotator")
    told = capsys.readouterr().out
    expected = {"lines": "3", "new records": "3", "already known": "0", "requests of this judge": "2"}
    assert shown(told).items() >= expected.items()
    assert "1 requests have both verdicts: they count as unlabelled" in told
    import_command(file, "annotator")
    assert shown(capsys.readouterr().out)["already known"] == "3"
    export_command("annotator", home / "out.jsonl")
    assert "3 records to" in capsys.readouterr().out
    assert (home / "out.jsonl").read_bytes().count(b"\n") == 3


def test_lines_that_are_no_records_are_counted_and_end_the_command_with_1(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_records(home / "in.json", [record("my secret question", 0), b"broken", record("b", 7)])
    with pytest.raises(typer.Exit) as end:
        import_command(file, "annotator")
    assert end.value.exit_code == 1
    told = capsys.readouterr()
    assert shown(told.out).items() >= {"new records": "1", "not_json": "1", "llm_vote_is_not_0_or_1": "1"}.items()
    report = home / "label_imports" / "in.json.bad_lines.csv"
    assert f"2 of 3 lines were not imported: {report}" in told.err.replace("\n", "")
    assert report.read_text() == "line,reason\n2,not_json\n3,llm_vote_is_not_0_or_1\n"
    assert "secret question" not in told.out + told.err


def test_a_file_without_lines_ends_the_command_with_1(home: Path) -> None:
    with pytest.raises(typer.Exit):
        import_command(write_records(home / "in.json", []), "annotator")


def test_responses_are_kept_where_they_are_asked_for(home: Path) -> None:
    file = write_records(home / "in.json", [record("a", 0)])
    import_command(file, "with", responses=True)
    import_command(file, "without")
    for judge in ("with", "without"):
        export_command(judge, home / f"{judge}.jsonl")
        assert (b"what the model said" in (home / f"{judge}.jsonl").read_bytes()) == (judge == "with")


def test_a_judge_whose_labels_are_not_there_is_refused(home: Path) -> None:
    with pytest.raises(Refused, match="no labels of nobody were imported"):
        export_command("nobody", home / "out.jsonl")


def test_the_ledger_has_a_row_per_judge(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_ledger()
    assert "no labels in" in capsys.readouterr().out
    kept(store_in(home), ask(1), ask(2, None))
    import_command(write_records(home / "in.json", [record("a", 0)]), "annotator")
    capsys.readouterr()
    show_ledger()
    lines = capsys.readouterr().out.splitlines()
    [heading] = [line for line in lines if "tokens in" in line]
    assert "labelled ┃ none" in heading
    assert [line.split("│")[1].strip() for line in lines if "2026-" in line] == [
        "imported/annotator",
        "openai/gpt-4.1-mini",
    ]
    [paid] = [line for line in lines if "gpt-4.1-mini" in line]
    assert [cell.strip() for cell in paid.split("│")[2:8]] == ["2", "1", "1", "600", "2", "0.001"]
