"""The benchmarks' own parts that need no peers: recording, telling, measuring, refusing a busy machine."""

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import machine, measuring
from bench.document import document_of, write_document
from bench.machine import Busy, require_quiet
from bench.measuring import Run, Side, SideFailed, medians, peaks, run_alone, run_side, spreads
from bench.results import Benchmark, Goal, median, read_results, record, rounded

MACHINE = {"processor": "a processor", "cores": 2, "memory_gb": 24.0, "system": "Linux 6", "python": "3.11.7"}


def benchmark(id: str = "curate_vs_pandas", *, ours: float = 50.0, met: bool = True) -> Benchmark:
    """A benchmark with everything that a document tells."""
    return Benchmark(
        id=id,
        value=2.4,
        unit="times pandas",
        ours=ours,
        peers={"pandas": 120.0},
        measure="seconds",
        limit=8.0,
        rss_mb={"ours": 1400.0, "pandas": 15000.0},
        note="What was compared | and why.",
        size="335,000 conversations",
        runs=5,
        spread={"ours": [49.0, 52.0], "pandas": [118.0, 125.0]},
        goals=[Goal("10 times pandas", met)],
    )


def test_a_recorded_benchmark_takes_the_place_of_the_one_of_its_name_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    record(MACHINE, "full", [benchmark("one"), benchmark("two")], path)
    record(MACHINE, "full", [benchmark("one", ours=1.0)], path)
    found = {one["id"]: one["ours"] for one in read_results(path)["benchmarks"]}
    assert found == {"one": 1.0, "two": 50.0}


@pytest.mark.parametrize(("other", "scale"), [(MACHINE | {"cores": 64}, "full"), (MACHINE, "quick")])
def test_figures_of_another_machine_or_scale_do_not_stay(tmp_path: Path, other: dict[str, object], scale: str) -> None:
    path = tmp_path / "latest.json"
    record(MACHINE, "full", [benchmark("one")], path)
    record(other, scale, [benchmark("two")], path)
    told = read_results(path)
    assert [one["id"] for one in told["benchmarks"]] == ["two"]
    assert (told["machine"], told["scale"]) == (other, scale)


def test_before_the_first_record_there_is_nothing(tmp_path: Path) -> None:
    assert read_results(tmp_path / "latest.json") == {}
    assert "Nothing is measured yet" in document_of({}, "")


def test_figures_have_the_digits_that_a_second_run_tells_again() -> None:
    assert [rounded(figure) for figure in (12345.6, 1.23456, 0.00123456)] == [12300.0, 1.23, 0.00123]
    assert median([3.0, 1.0, 2.0]) == 2.0


def results_of(*found: Benchmark, scale: str = "full", folder: Path) -> dict[str, object]:
    """What a document is made from."""
    record(MACHINE, scale, found, folder / "latest.json")
    return read_results(folder / "latest.json")


def test_a_goal_that_was_missed_is_told_at_a_glance_and_at_its_benchmark(tmp_path: Path) -> None:
    told = document_of(results_of(benchmark(met=False), folder=tmp_path), "tried: nothing")
    [glance] = [line for line in told.splitlines() if line.startswith("| [curate_vs_pandas]")]
    assert "**not met**: 10 times pandas" in glance
    assert "- **not met**: 10 times pandas" in told
    assert told.endswith("tried: nothing\n")


def test_a_goal_that_was_met_is_told_as_met(tmp_path: Path) -> None:
    told = document_of(results_of(benchmark(), folder=tmp_path), "")
    assert "- met: 10 times pandas" in told
    assert "not met" not in told


def test_a_quick_run_says_that_it_is_one(tmp_path: Path) -> None:
    assert "Warning: a quick run" in document_of(results_of(benchmark(), scale="quick", folder=tmp_path), "")
    assert "Warning" not in document_of(results_of(benchmark(), folder=tmp_path), "")


@pytest.mark.skipif(not find_spec("matplotlib"), reason="matplotlib is in the environment of `make bench` only")
def test_pictures_are_drawn_the_same_each_time_and_stale_ones_go(tmp_path: Path) -> None:
    results, document, tried = tmp_path / "latest.json", tmp_path / "docs" / "PERFORMANCE.md", tmp_path / "tried.md"
    tried.write_text("")
    record(MACHINE, "full", [benchmark()], results)
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    stale, other = (tmp_path / "docs" / "pictures" / name for name in ("bench_gone.svg", "pipeline.svg"))
    stale.touch()
    other.touch()
    write_document(results, document, tried)
    drawn = (tmp_path / "docs" / "pictures" / "bench_curate_vs_pandas.svg").read_bytes()
    write_document(results, document, tried)
    assert (tmp_path / "docs" / "pictures" / "bench_curate_vs_pandas.svg").read_bytes() == drawn
    assert (stale.exists(), other.exists()) == (False, True)


def side(folder: Path, code: str) -> Side:
    """A side that is these lines."""
    (folder / "a_side.py").write_text(code)
    return Side("a side", "a_side", variables={"PYTHONPATH": str(folder)})


def test_a_side_is_measured_by_what_it_tells_last_and_by_its_memory(tmp_path: Path) -> None:
    code = "from bench.telling import tell\nheld = bytearray(100_000_000)\nimport time\ntime.sleep(0.5)\n"
    run = run_side(side(tmp_path, code + "print('a log')\ntell(1.5, {'rows': 3})"))
    assert (run.seconds, run.answer) == (1.5, {"rows": 3})
    assert 100 < run.rss_mb < 1000


@pytest.mark.parametrize(("code", "told"), [("raise SystemExit('no input')", "no input"), ("pass", "status 0")])
def test_a_side_that_fails_or_tells_nothing_is_named_with_its_last_words(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(SideFailed, match=f"a side.*{told}"):
        run_side(side(tmp_path, code))


def test_a_library_that_takes_standard_output_over_does_not_swallow_what_a_side_tells(tmp_path: Path) -> None:
    code = "import io, sys\nfrom bench.telling import tell\nsys.stdout = io.StringIO()\ntell(2.0, {})"
    assert run_side(side(tmp_path, code)).seconds == 2.0


def busy(*, interval: float) -> float:
    """Others use most of the processors, however long one looks."""
    return 60.0 if interval > 0 else 0.0


def test_a_busy_machine_is_refused_after_some_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(machine, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(machine.psutil, "cpu_percent", busy)
    with pytest.raises(Busy, match="60%"):
        require_quiet()


@pytest.mark.parametrize("foreign", [(0.5, 0.5), (0.5, 0.0), (0.0,)])
def test_a_run_that_others_disturbed_is_done_again_once(
    monkeypatch: pytest.MonkeyPatch, foreign: tuple[float, ...]
) -> None:
    runs = [Run(1.0, 10.0, {}, share) for share in foreign]
    done: list[Run] = []

    def one_run(_: Side) -> Run:
        done.append(runs[len(done)])
        return done[-1]

    nothing: Callable[[], None] = lambda: None  # noqa: E731
    monkeypatch.setattr(measuring, "run_side", one_run)
    monkeypatch.setattr(measuring, "require_quiet", nothing)
    monkeypatch.delenv("BENCH_ON_A_BUSY_MACHINE", raising=False)
    if foreign == (0.5, 0.5):
        with pytest.raises(Busy, match="50% of the machine while a side ran"):
            run_alone(Side("a side", "nowhere"))
    else:
        assert run_alone(Side("a side", "nowhere")) == runs[-1]
    assert done == runs


def test_medians_peaks_and_spreads_are_told_by_side() -> None:
    runs = {"ours": [Run(seconds, 10 * seconds, {}, 0.0) for seconds in (3.0, 1.0, 2.0)]}
    assert (medians(runs), peaks(runs), spreads(runs)) == ({"ours": 2.0}, {"ours": 20.0}, {"ours": [1.0, 3.0]})


def test_the_recorded_results_are_those_that_the_document_tells() -> None:
    root = Path(measuring.__file__).parents[1]
    told = json.loads((root / "bench" / "results" / "latest.json").read_text())
    document = (root / "docs" / "PERFORMANCE.md").read_text(encoding="utf-8")
    assert document == document_of(told, (root / "bench" / "tried.md").read_text(encoding="utf-8"))
    assert all((root / "docs" / "pictures" / f"bench_{one['id']}.svg").is_file() for one in told["benchmarks"])


def test_sides_run_in_this_interpreter_unless_they_name_another() -> None:
    assert Side("ours", "bench.side").command[0] == sys.executable
    assert Side("theirs", "bench.side", environment=".venv-x").command[0].endswith(".venv-x/bin/python")
