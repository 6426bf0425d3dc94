from pathlib import Path

import pytest

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.judge_settings import JudgeSettings, read_judge
from sft_pipeline.plans import read_plan

PROXIES, NOBODY = read_plan("test"), read_plan("production")
"""Plans that name the heuristic, and no judge."""

OPENAI = {"SFT_JUDGE": "openai", "SFT_JUDGE_MODEL": "gpt-4.1-mini"}
AZURE = {"SFT_JUDGE": "azure_openai", "SFT_JUDGE_MODEL": "ours", "SFT_JUDGE_BASE_URL": "https://us.openai.azure.com/"}


def test_where_nothing_is_said_the_plan_says_who_judges() -> None:
    assert read_judge({}, PROXIES) == JudgeSettings(kind="heuristic")
    assert read_judge({"SFT_JUDGE": "  "}, NOBODY) == JudgeSettings(kind="")
    assert read_judge({}, PROXIES.model_copy(update={"routers": None})).kind == ""


def test_the_environment_goes_before_the_plan() -> None:
    assert read_judge(OPENAI, PROXIES) == JudgeSettings(kind="openai", model="gpt-4.1-mini")
    assert read_judge({"SFT_JUDGE": "heuristic"}, NOBODY).kind == "heuristic"
    assert read_judge(AZURE, NOBODY).base_url == "https://us.openai.azure.com"


def test_all_of_it_can_be_said(tmp_path: Path) -> None:
    people = tmp_path / "people.jsonl"
    people.write_text("")
    told = {
        **OPENAI,
        "SFT_JUDGE_BASE_URL": " http://localhost:8000/v1/ ",
        "SFT_JUDGE_MODE": "batch",
        "SFT_JUDGE_CONCURRENCY": "32",
        "SFT_JUDGE_POLL_SECONDS": "5",
        "SFT_SECOND_JUDGE_MODEL": "gpt-4.1",
        "SFT_JUDGE_ACCEPT": "gpt-4o-2024-11, people ,, people",
        "SFT_HUMAN_LABELS": str(people),
    }
    assert read_judge(told, NOBODY) == JudgeSettings(
        kind="openai",
        model="gpt-4.1-mini",
        base_url="http://localhost:8000/v1",
        mode="batch",
        at_a_time=32,
        poll_seconds=5,
        second_model="gpt-4.1",
        accepted=("gpt-4o-2024-11", "people"),
        human_labels=people,
    )


def test_stored_labels_need_their_names() -> None:
    told = {"SFT_JUDGE": "stored", "SFT_JUDGE_ACCEPT": "yesterday"}
    assert read_judge(told, NOBODY).accepted == ("yesterday",)


@pytest.mark.parametrize(
    ("variables", "told", "remedy"),
    [
        ({"SFT_JUDGE": "gpt-4.1"}, "SFT_JUDGE is 'gpt-4.1'", "heuristic, stored, openai, azure_openai"),
        ({"SFT_JUDGE": "openai"}, "SFT_JUDGE_MODEL is not set", "gpt-4.1-mini"),
        ({**AZURE, "SFT_JUDGE_MODEL": ""}, "SFT_JUDGE_MODEL is not set", "deployment"),
        ({**AZURE, "SFT_JUDGE_BASE_URL": ""}, "SFT_JUDGE_BASE_URL is not set", "openai.azure.com"),
        ({**OPENAI, "SFT_JUDGE_MODE": "later"}, "SFT_JUDGE_MODE is 'later'", "sync, batch"),
        ({**OPENAI, "SFT_JUDGE_CONCURRENCY": "0"}, "SFT_JUDGE_CONCURRENCY is '0'", "1 to 1000; default: 8"),
        ({**OPENAI, "SFT_JUDGE_POLL_SECONDS": "1.5"}, "SFT_JUDGE_POLL_SECONDS is '1.5'", "1 to 3600; default: 60"),
        ({**OPENAI, "SFT_SECOND_JUDGE_MODEL": "gpt-4.1-mini"}, "agree with itself", "another prompt"),
        ({"SFT_JUDGE": "stored"}, "SFT_JUDGE_ACCEPT is not set", "labels import"),
        ({"SFT_JUDGE": "stored", "SFT_JUDGE_ACCEPT": " , "}, "SFT_JUDGE_ACCEPT is not set", "labels import"),
        ({"SFT_JUDGE": "heuristic", "SFT_JUDGE_MODE": "batch"}, "judge is heuristic", "SFT_JUDGE_MODE"),
        ({"SFT_SECOND_JUDGE_MODEL": "gpt-4.1"}, "judge is not set", "SFT_SECOND_JUDGE_MODEL"),
        ({"SFT_JUDGE_MODEL": "gpt-4.1"}, "judge is not set: it takes no model", "openai or azure_openai"),
        ({"SFT_HUMAN_LABELS": "/none/people.jsonl"}, "/none/people.jsonl, which is no file", "JSON lines"),
        ({"SFT_HUMAN_LABELS": "/"}, "which is no file", "JSON lines"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(variables: dict[str, str], told: str, remedy: str) -> None:
    with pytest.raises(Refused) as refused:
        read_judge(variables, NOBODY)
    assert told in refused.value.what
    assert remedy in refused.value.remedy


def test_a_model_without_a_judge_is_not_judged_by_proxies_instead() -> None:
    with pytest.raises(Refused, match="judge is heuristic: it takes no model"):
        read_judge({"SFT_JUDGE_MODEL": "gpt-4.1"}, PROXIES)


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8000/v1",
        "ftp://server.example/v1",
        "https://",
        "https://s3cret@server.example/v1",
        "https://:s3cret@server.example/v1",
        "https://server.example/v1?api-key=s3cret",
        "https://server.example/v1#s3cret",
        "https://server.example:0/s3cret",
        "https://server.example:99999/s3cret",
        "https://[s3cret/v1",
    ],
)
@pytest.mark.parametrize("plan", [PROXIES, NOBODY], ids=["proxies", "nobody"])
def test_an_address_says_where_and_nothing_that_may_be_secret(address: str, plan: Plan) -> None:
    with pytest.raises(Refused) as refused:
        read_judge({**OPENAI, "SFT_JUDGE_BASE_URL": address}, plan)
    assert "SFT_JUDGE_BASE_URL is no address" in refused.value.what
    assert "SFT_JUDGE_API_KEY" in refused.value.remedy
    assert "s3cret" not in str(refused.value)
