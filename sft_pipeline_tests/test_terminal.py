"""What the command line shows while it works, and that it can be stopped."""

import signal
import subprocess
import sys
import time

import pytest

from sft_pipeline.orchestration.steps import Step
from sft_pipeline.terminal import Bars, WalkProgress, counting, err
from sft_pipeline_tests.orchestration.walked_world import KEY

WAITING = """
import threading
import polars
from sft_pipeline.orchestration.steps import Step
from sft_pipeline.terminal import counting
with counting("records"):
    print("waiting", flush=True)
    threading.Event().wait(30)
"""


def test_a_command_that_waits_hears_ctrl_c_at_once():
    """Regression: with Polars imported, the wait went on to its end."""
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=25)
    assert "KeyboardInterrupt" in told
    assert time.monotonic() - started < 15


def test_a_bar_of_work_that_was_never_begun_leaves_nothing(capsys: pytest.CaptureFixture[str]):
    with err.capture() as shown, counting("records"):
        pass
    assert "records" not in shown.get()
    with err.capture() as shown, counting("records") as progress:
        progress(3, 3)
    assert "3/3" in shown.get()


def test_a_step_that_was_finished_before_is_shown_as_finished():
    bars = Bars(console=err)
    WalkProgress(bars).step_started(Step("samples", (f"val-long|{KEY}",)), 0)
    assert bars.tasks[0].finished
