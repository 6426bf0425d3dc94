import re

import pytest

from sft_pipeline.telemetry.synthesis import QUIRKS, Quirk
from sft_pipeline_tests.telemetry.synthesis.conftest import Generated

EACH = pytest.mark.parametrize("quirk", QUIRKS.values(), ids=lambda quirk: quirk.id)
MOST_BESIDES_RESETS = 2.5
"""Unmarked subagents also make contexts fall (Q10), so more falls are found than resets were planned."""


def test_the_registry_holds_every_quirk_once() -> None:
    assert list(QUIRKS) == [f"Q{number:02d}" for number in range(1, 29)]
    assert len({quirk.name for quirk in QUIRKS.values()}) == len(QUIRKS)


@EACH
def test_the_function_that_makes_a_quirk_says_so(quirk: Quirk) -> None:
    assert re.search(rf"\bQ{int(quirk.id[1:])}(\b|[a-g])", quirk.made_by.__doc__ or "")
    assert quirk.made_by.__module__.startswith("sft_pipeline.telemetry.synthesis.")


@EACH
def test_every_quirk_occurs_as_often_as_planned(quirk: Quirk, generated: Generated) -> None:
    found, planned = quirk.count(generated.observed), generated.summary.quirks[quirk.id]
    assert found > 0
    if quirk.exact:
        assert found == planned
    elif quirk.id == "Q17":
        assert planned * 0.8 <= found <= planned * MOST_BESIDES_RESETS
    else:
        assert found == pytest.approx(planned, rel=0.2)
