"""Which judge is opened, with which key, and what a look at it finds."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sft_pipeline.clients.judges.batch_judge import BatchJudge
from sft_pipeline.clients.judges.connecting import DEFAULT_API_VERSION, Service, service_of
from sft_pipeline.clients.judges.examination import check_judge
from sft_pipeline.clients.judges.heuristic_judge import HeuristicJudge
from sft_pipeline.clients.judges.openai_judge import OpenAIJudge
from sft_pipeline.clients.judges.opening import judge_identity, open_judge
from sft_pipeline.clients.judges.stored_judge import StoredJudge
from sft_pipeline.curation.heuristic import heuristic_identity
from sft_pipeline.curation.judging import NOT_STORED, Ask, Question
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.router_tables import SIGNALS
from sft_pipeline.prompts import prompt_names, read_canaries, read_prompt
from sft_pipeline_tests.clients.judges.asking import KEY, PRICE, SOON
from sft_pipeline_tests.judge_server import Served
from sft_pipeline_tests.judge_server.brain import MODEL

AZURE = "https://us.openai.azure.com"


def opened(tmp_path: Path, **changes: Any) -> Any:
    told: dict[str, Any] = {
        "kind": "openai",
        "model": MODEL,
        "base_url": "http://127.0.0.1:9/v1",
        "mode": "sync",
        "concurrency": 2,
        "prompt_name": "session_router_1",
        "parameters": {"temperature": 0},
        "price": PRICE,
        "run": "run-1",
        "batches": tmp_path,
        "poll_seconds": 0,
        "tell": str,
        **changes,
    }
    return open_judge(**told)


class TestOpening:
    @pytest.mark.parametrize(
        ("changes", "kind"),
        [
            ({"kind": "heuristic"}, HeuristicJudge),
            ({"kind": "stored"}, StoredJudge),
            ({}, OpenAIJudge),
            ({"mode": "batch"}, BatchJudge),
        ],
    )
    def test_a_judge_is_who_it_was_said_to_be(self, tmp_path: Path, changes: dict[str, str], kind: type) -> None:
        with closing(opened(tmp_path, **changes)) as judge:
            assert isinstance(judge, kind)
            name = {"kind": "openai", **changes}["kind"]
            assert judge.identity == judge_identity(name, MODEL, "session_router_1", {"temperature": 0})

    def test_everything_that_a_verdict_depends_on_is_another_identity(self) -> None:
        identity = judge_identity("openai", "m", "session_router_1", {"temperature": 0})
        others = [
            judge_identity("azure_openai", "m", "session_router_1", {"temperature": 0}),
            judge_identity("openai", "n", "session_router_1", {"temperature": 0}),
            judge_identity("openai", "m", "session_router_1b", {"temperature": 0}),
            judge_identity("openai", "m", "session_router_1", {"temperature": 1}),
        ]
        assert len({identity.key, *(other.key for other in others)}) == 5
        assert identity.prompt == read_prompt("session_router_1").version

    def test_parameters_in_another_order_are_the_same_judge(self) -> None:
        one, other = ({"a": 1, "b": True}, {"b": True, "a": 1})
        assert judge_identity("openai", "m", "session_router_1", one) == judge_identity(
            "openai", "m", "session_router_1", other
        )

    def test_another_kind_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="oracle"):
            opened(tmp_path, kind="oracle")


class TestStandIns:
    @pytest.mark.parametrize("name", prompt_names())
    def test_the_heuristic_labels_canaries_for_nothing(self, tmp_path: Path, name: str) -> None:
        canaries = read_canaries()
        kept: list[Ask] = []
        with closing(opened(tmp_path, kind="heuristic", prompt_name=name)) as judge:
            asked = [Question(canary.name, canary.request, canary.history, canary.signals) for canary in canaries]
            asks = list(judge.answers(asked, kept.append, known={}))
        assert [ask.label for ask in asks] == [canary.label for canary in canaries]
        assert kept == asks
        assert {(ask.mode, ask.cost, ask.served_model) for ask in asks} == {("local", 0.0, None)}

    def test_a_prompt_s_name_tells_the_heuristic_what_it_stands_in_for(self) -> None:
        for router in ("session_router", "conversation_router"):
            for second in (False, True):
                name = f"{router}_1{'b' if second else ''}"
                assert judge_identity("heuristic", "", name, {}) == heuristic_identity(router, second=second)

    def test_a_prompt_s_name_that_tells_no_router_is_refused_for_the_heuristic(self) -> None:
        with pytest.raises(Refused, match="mine"):
            judge_identity("heuristic", "", "mine.md", {})

    def test_stored_labels_are_never_asked_for_and_their_lack_is_not_kept(self, tmp_path: Path) -> None:
        kept: list[Ask] = []
        with closing(opened(tmp_path, kind="stored")) as judge:
            asked = [Question(str(number), "text", "", dict.fromkeys(SIGNALS)) for number in range(3)]
            asks = list(judge.answers(asked, kept.append, known={}))
        assert [(ask.key, ask.label, ask.reason, ask.decides) for ask in asks] == [
            (str(number), None, NOT_STORED, True) for number in range(3)
        ]
        assert kept == []


class TestKeys:
    def test_one_s_own_goes_before_openai_s(self) -> None:
        both = {"SFT_JUDGE_API_KEY": "mine", "OPENAI_API_KEY": "theirs"}
        assert service_of("openai", "", both).key == "mine"
        assert service_of("openai", "", {"OPENAI_API_KEY": "theirs"}).key == "theirs"

    @pytest.mark.parametrize(
        "address",
        [
            "http://localhost:8000/v1",
            "https://api.openai.com.example.com/v1",
            "https://notopenai.com/v1",
            "http://api.openai.com/v1",
        ],
    )
    def test_openai_s_goes_to_openai_alone(self, address: str) -> None:
        told = {"OPENAI_API_KEY": "theirs", "AZURE_OPENAI_API_KEY": "azure"}
        assert service_of("openai", address, told).key == ""
        assert service_of("openai", address, {**told, "SFT_JUDGE_API_KEY": "mine"}).key == "mine"
        assert service_of("openai", "https://eu.api.openai.com/v1", told).key == "theirs"

    def test_openai_without_one_is_refused_and_a_local_server_is_not(self) -> None:
        with pytest.raises(Refused, match="no key") as refused:
            service_of("openai", "", {})
        assert "OPENAI_API_KEY" in refused.value.remedy
        assert service_of("openai", "http://localhost:11434/v1", {}).key == ""

    def test_azure_is_entered_by_key_or_by_login(self) -> None:
        assert service_of("azure_openai", AZURE, {"AZURE_OPENAI_API_KEY": "azure"}).key == "azure"
        assert service_of("azure_openai", AZURE, {}) == Service("azure_openai", AZURE, "", DEFAULT_API_VERSION)
        assert service_of("azure_openai", AZURE, {"OPENAI_API_VERSION": "2025-01-01"}).api_version == "2025-01-01"

    def test_the_azure_login_goes_to_azure_alone(self) -> None:
        for address in ("https://judge.example.com", "http://us.openai.azure.com", "https://azure.com.example.com"):
            with pytest.raises(Refused, match="not of Azure"):
                service_of("azure_openai", address, {})

    def test_azure_without_an_address_is_refused(self) -> None:
        with pytest.raises(Refused, match="not said where"):
            service_of("azure_openai", "", {"AZURE_OPENAI_API_KEY": "azure"})


class TestExamination:
    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SFT_JUDGE_API_KEY", KEY)

    def test_all_is_well_where_the_model_is_there(self, served: Served) -> None:
        found = check_judge("openai", MODEL, served.url)
        assert (found.state, found.remedy) == ("ok", "")
        assert served.log.asked == []
        assert check_judge("azure_openai", "deployment", served.root).state == "ok"

    def test_a_model_that_is_not_there_is_told(self, served: Served) -> None:
        found = check_judge("openai", "gpt-9", served.url)
        assert found.state == "problem"
        assert "gpt-9" in found.told
        assert "SFT_JUDGE_MODEL" in found.remedy

    def test_a_wrong_key_is_told_without_it(self, served: Served) -> None:
        served.key = "another"
        found = check_judge("openai", MODEL, served.url)
        assert found.state == "problem"
        assert "401" in found.told
        assert KEY not in json.dumps([found.told, found.remedy])

    def test_a_server_that_is_not_there_is_told(self) -> None:
        found = check_judge("openai", MODEL, "http://127.0.0.1:9/v1", retries=SOON)
        assert found.state == "problem"
        assert "connection failed" in found.told

    def test_no_key_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SFT_JUDGE_API_KEY")
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        assert "no key" in check_judge("openai", MODEL, "").told

    @pytest.mark.parametrize("kind", ["", "heuristic", "stored"])
    def test_where_no_model_is_asked_nothing_is_looked_at(self, kind: str) -> None:
        assert check_judge(kind, "", "").state == "ok"


def test_who_asks_no_language_model_does_not_wait_for_the_sdk_to_load() -> None:
    program = "import sys, sft_pipeline.clients.judges.opening; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
