"""Labels that are accepted must be there: a name that is not quite right would have all of them paid for again."""

from pathlib import Path

import pytest

from sft_pipeline.clients.labels.importing import import_labels
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.judging import JudgeResource
from sft_pipeline.plans import read_plan

PLAN: Plan = read_plan("test")
OF = ("session_router", "train")


def resource(folder: Path, *accepted: str) -> JudgeResource:
    return JudgeResource(
        kind="stored",
        model="",
        base_url="",
        mode="sync",
        at_a_time=1,
        poll_seconds=1,
        second_model="",
        accepted=list(accepted),
        human_labels="",
        labels=str(folder / "labels"),
        journals=str(folder / "journals"),
    )


def imported(folder: Path, judge: str) -> None:
    file = folder / "yesterday.json"
    file.write_text('{"request": "rename it", "llm_vote": 1}\n', encoding="utf-8")
    import_labels(file, resource(folder).store(), judge, report=folder / "bad.csv")


def test_who_is_accepted_and_has_no_labels_is_refused_by_name(tmp_path: Path) -> None:
    imported(tmp_path, "gpt-4o-2024-11")
    judge = resource(tmp_path, "gpt-4o-2024-11", "gpt-4o-2024-12")
    with pytest.raises(Refused, match="gpt-4o-2024-12, and no labels") as refusal:  # noqa: SIM117 - what is refused
        with judge.labelling(PLAN, OF, "2026-11-01", print):
            pass
    assert "gpt-4o-2024-11" not in str(refusal.value)


def test_who_has_labels_is_accepted(tmp_path: Path) -> None:
    imported(tmp_path, "gpt-4o-2024-11")
    with resource(tmp_path, "gpt-4o-2024-11").labelling(PLAN, OF, "2026-11-01", print) as labelling:
        assert [identity.name for identity in labelling.accepted] == ["imported/gpt-4o-2024-11"]
