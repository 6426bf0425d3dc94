"""The key of pseudonyms: from the environment, else made once; never in what is shown."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.assembly import assemble, resources
from sft_pipeline.orchestration.pseudonym_key import FILE, VARIABLE, PseudonymsResource, key_id, pseudonym_key
from sft_pipeline.orchestration.resources import extraction_code_version
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline_tests.conversations_world import PLAN, PSEUDONYMOUS

OURS = "a secret of this team's machines"


def key_of(home: Path, storage: str = "assets", **environment: str) -> bytes | None:
    return pseudonym_key(PSEUDONYMOUS, home=home, storage=storage, environment=environment)


def settings_of(home: Path, plan: str = "production") -> Settings:
    return read_settings({"SFT_HOME": str(home)}, plan=plan)


def test_the_environment_goes_first_and_makes_no_file(tmp_path: Path) -> None:
    assert key_of(tmp_path, SFT_PSEUDONYM_KEY=f" {OURS}\n") == OURS.encode()
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = key_of(home)
    assert first is not None
    assert re.fullmatch(rb"[0-9a-f]{64}", first)
    assert key_of(home) == first
    assert [path.name for path in home.iterdir()] == [FILE]
    assert (home / FILE).stat().st_mode & 0o777 == 0o600


def test_homes_have_keys_of_their_own(tmp_path: Path) -> None:
    assert key_of(tmp_path / "one") != key_of(tmp_path / "other")


def test_first_runs_at_the_same_time_agree(tmp_path: Path) -> None:
    start = Barrier(8)

    def first_run(_: int) -> bytes | None:
        start.wait()
        return key_of(tmp_path / "home")

    with ThreadPoolExecutor(8) as pool:
        assert len({*pool.map(first_run, range(8))}) == 1
    assert [path.name for path in (tmp_path / "home").iterdir()] == [FILE]


def test_a_plan_that_keeps_names_has_no_key(tmp_path: Path) -> None:
    assert pseudonym_key(PLAN, home=tmp_path, storage="az://c/p", environment={VARIABLE: OURS}) is None
    assert list(tmp_path.iterdir()) == []


def test_tables_that_machines_share_need_a_key_that_they_share(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)SFT_PSEUDONYM_KEY is not set.*-> .*openssl rand -hex 32"):
        key_of(tmp_path, "az://container/prefix")
    assert key_of(tmp_path, "az://container/prefix", SFT_PSEUDONYM_KEY=OURS) == OURS.encode()


@pytest.mark.parametrize("key", ["short", "fifteen letters"])
def test_a_key_that_can_be_guessed_is_refused_without_telling_it(tmp_path: Path, key: str) -> None:
    (tmp_path / FILE).write_text(key, encoding="ascii")
    for environment in ({VARIABLE: key}, {}):
        with pytest.raises(Refused, match="characters") as refused:
            key_of(tmp_path, **environment)
        assert key not in str(refused.value)


def test_a_home_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(Refused, match="home"):
        key_of(tmp_path / "home")


class TestVersions:
    def test_another_key_makes_chunks_anew(self) -> None:
        ids = [key_id(key) for key in (b"a" * 16, b"b" * 16, None)]
        assert ids[2] == ""
        assert re.fullmatch(r"[0-9a-f]{16}", ids[0])
        assert len({extraction_code_version(PSEUDONYMOUS, one) for one in ids}) == 3

    def test_definitions_carry_the_version_of_the_key(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def version() -> str | None:
            graph = assemble(settings_of(tmp_path)).resolve_asset_graph()
            [chunks] = [graph.get(key) for key in graph.get_all_asset_keys() if key.path == ["conversation_chunks"]]
            return chunks.code_version

        monkeypatch.delenv(VARIABLE, raising=False)
        versions = [version(), version()]
        for key in (OURS, OURS, f"another {OURS}"):
            monkeypatch.setenv(VARIABLE, key)
            versions.append(version())
        assert [versions.index(one) for one in versions] == [0, 0, 2, 2, 4]


class TestWhatIsShown:
    def test_no_configuration_holds_the_key(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, OURS)
        settings = settings_of(tmp_path)
        shown = f"{settings!r} {settings.model_dump()} {resources(settings)!r}"
        assert "pseudonyms" in shown
        assert OURS not in shown

    def test_the_resource_reads_it_at_use(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        resource = PseudonymsResource(home=str(tmp_path), storage="az://container/prefix")
        monkeypatch.delenv(VARIABLE, raising=False)
        with pytest.raises(Refused, match="SFT_PSEUDONYM_KEY"):
            resource.key(PSEUDONYMOUS)
        monkeypatch.setenv(VARIABLE, OURS)
        assert resource.key(PSEUDONYMOUS) == OURS.encode()
