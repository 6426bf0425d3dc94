from pathlib import Path

import pytest

from sft_pipeline.curation.plan import Places
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.assembly import kusto_resource
from sft_pipeline.orchestration.instance import open_instance, pool_limit, prepare_instance
from sft_pipeline.orchestration.settings import read_settings
from sft_pipeline.plans import read_plan

CLUSTER = {"SFT_KUSTO_CLUSTER": "https://help.kusto.windows.net", "SFT_KUSTO_DATABASE": "Samples"}


def test_a_laptop_needs_no_variable() -> None:
    settings = read_settings({})
    assert (settings.server_timeout_seconds, settings.client_timeout_seconds) == (1800, 2100)
    assert (settings.queries_at_a_time, settings.auth) == (5, "az_cli")
    assert (settings.cluster, settings.telemetry) == ("", None)


def test_what_is_set_reaches_the_resource() -> None:
    variables = {"SFT_KUSTO_SERVER_TIMEOUT": "600", "SFT_KUSTO_CLIENT_TIMEOUT": " 700 ", "SFT_KUSTO_QUERIES": "8"}
    settings = read_settings({**CLUSTER, **variables, "SFT_KUSTO_CLUSTER": f" {CLUSTER['SFT_KUSTO_CLUSTER']}/ "})
    resource = kusto_resource(settings)
    assert (resource.cluster, resource.database) == (CLUSTER["SFT_KUSTO_CLUSTER"], "Samples")
    assert (resource.server_timeout_seconds, resource.client_timeout_seconds) == (600, 700)
    assert resource.queries_at_a_time == 8


def test_the_client_waits_five_minutes_longer_than_the_server_where_nothing_is_said() -> None:
    assert read_settings({"SFT_KUSTO_SERVER_TIMEOUT": "3600"}).client_timeout_seconds == 3900


@pytest.mark.parametrize(
    ("variables", "told", "remedy"),
    [
        ({"SFT_KUSTO_SERVER_TIMEOUT": "30m"}, "SFT_KUSTO_SERVER_TIMEOUT is '30m'", "1 to 3600; default: 1800"),
        ({"SFT_KUSTO_SERVER_TIMEOUT": "3601"}, "SFT_KUSTO_SERVER_TIMEOUT is '3601'", "1 to 3600"),
        ({"SFT_KUSTO_CLIENT_TIMEOUT": "86400"}, "SFT_KUSTO_CLIENT_TIMEOUT is '86400'", "1 to 86399"),
        ({"SFT_KUSTO_CLIENT_TIMEOUT": "1799"}, "less than the server's 1800", "set it to 2100"),
        ({"SFT_KUSTO_QUERIES": "0"}, "SFT_KUSTO_QUERIES is '0'", "1 to 50"),
        ({"SFT_KUSTO_QUERIES": "51"}, "SFT_KUSTO_QUERIES is '51'", "1 to 50"),
        ({"SFT_KUSTO_QUERIES": "-5"}, "SFT_KUSTO_QUERIES is '-5'", "1 to 50"),
        ({"SFT_KUSTO_QUERIES": "٣"}, "SFT_KUSTO_QUERIES is", "1 to 50"),
        ({"SFT_KUSTO_AUTH": "password"}, "SFT_KUSTO_AUTH is 'password'", "az_cli"),
        ({"SFT_KUSTO_CLUSTER": "https://help.kusto.windows.net"}, "SFT_KUSTO_DATABASE is not", "workspace's name"),
        ({"SFT_RELEASES": "https://account.blob.core.windows.net/c"}, "'c' is no name of a container", "3 to 63"),
        ({"SFT_RELEASES": "https://account.blob.core.windows.net/"}, "names no container", "<container>"),
        ({"SFT_RELEASES": "http://account.blob.core.windows.net/con"}, "is not an address", "https://"),
        ({"SFT_RELEASES": "https://a.blob.core.windows.net/con?sig=s3"}, "carries a signature", "AZURE_STORAGE_SAS"),
        ({"SFT_RELEASES": "s3://bucket"}, "releases cannot lie at s3://bucket", "folder"),
        ({"SFT_STORAGE": "s3://bucket/"}, "SFT_STORAGE is s3://bucket/", "az://container/prefix"),
        ({"SFT_STORAGE": "https://account.blob.core.windows.net/con"}, "SFT_STORAGE is https", "az://container/prefix"),
        ({"SFT_STORAGE": "az://"}, "SFT_STORAGE is az://", "az://container/prefix"),
        ({"SFT_STORAGE": "az://con/a/../b"}, "SFT_STORAGE is az://con/a/../b", "az://container/prefix"),
        ({"SFT_STORAGE": "az://con/a?sig=s3"}, "SFT_STORAGE is az://con/a, with a sig", "AZURE_STORAGE_SAS_TOKEN"),
        ({"SFT_STORAGE": "az://No_Container/a"}, "is no name of a container", "3 to 63"),
        ({"SFT_STORAGE": "az://con/a"}, "does not say in which account", "AZURE_STORAGE_ACCOUNT_NAME"),
        (
            {"SFT_STORAGE": "az://con/a", "AZURE_STORAGE_CONNECTION_STRING": "hunter2"},
            "AZURE_STORAGE_CONNECTION_STRING cannot be read",
            "Access keys",
        ),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_one_that_can(
    variables: dict[str, str], told: str, remedy: str
) -> None:
    with pytest.raises(Refused) as refused:
        read_settings(variables)
    assert told in refused.value.what
    assert remedy in refused.value.remedy


@pytest.mark.parametrize("name", ["SFT_RELEASES", "SFT_STORAGE"])
@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_in_the_place_of_a_folder_is_refused_before_any_work(tmp_path: Path, name: str, below: str) -> None:
    file = tmp_path / "file with spaces"
    file.touch()
    with pytest.raises(Refused, match=f"{name} is {file}{below}.*, but {file} is a file"):
        read_settings({name: f"{file}{below}"})
    assert read_settings({name: str(tmp_path / "to" / "be" / "made")})


def test_releases_may_be_named_by_a_file_url(tmp_path: Path) -> None:
    assert read_settings({"SFT_RELEASES": tmp_path.as_uri()}).releases == tmp_path.as_uri()
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="is a file"):
        read_settings({"SFT_RELEASES": (tmp_path / "file").as_uri()})


def test_tables_and_releases_may_lie_in_containers_of_a_known_account() -> None:
    variables = {
        "SFT_STORAGE": "az://con/a/b/",
        "SFT_RELEASES": "https://account.blob.core.windows.net/con/my%20releases/",
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0",
    }
    settings = read_settings(variables)
    assert settings.storage == "az://con/a/b/production"
    assert settings.releases == "https://account.blob.core.windows.net/con/my%20releases"
    assert "c2VjcmV0" not in repr(settings)


def test_a_refused_place_does_not_tell_its_signature() -> None:
    for name, place in (("SFT_STORAGE", "az://con/a"), ("SFT_RELEASES", "https://a.blob.core.windows.net/con")):
        with pytest.raises(Refused) as refused:
            read_settings({name: f"{place}?sv=2024&sig=hunter2"})
        assert "hunter2" not in str(refused.value)


def test_telemetry_must_be_a_folder_where_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").touch()
    for place, told in (("missing", "which does not exist"), ("events.parquet", "a file")):
        with pytest.raises(Refused, match=f"SFT_TELEMETRY is {tmp_path / place}, {told}"):
            read_settings({"SFT_TELEMETRY": str(tmp_path / place)})
        assert read_settings({**CLUSTER, "SFT_TELEMETRY": str(tmp_path / place)}).telemetry
    assert read_settings({"SFT_TELEMETRY": str(tmp_path)}).telemetry == tmp_path


@pytest.mark.parametrize(("queries", "runs"), [(3, 5), (8, 8)])
def test_an_instance_is_made_with_the_limit_that_is_set_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queries: int, runs: int
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    settings = read_settings({"SFT_HOME": str(tmp_path / "home"), "SFT_KUSTO_QUERIES": str(queries)})
    assert pool_limit(settings) is None
    with open_instance(settings) as instance:
        config = instance.get_concurrency_config()
    assert config.pool_config.default_pool_limit == queries
    assert config.run_queue_config
    assert config.run_queue_config.max_concurrent_runs == runs
    later = settings.model_copy(update={"queries_at_a_time": 1})
    prepare_instance(later)
    assert pool_limit(later) == queries


def test_the_production_plan_names_its_places_and_the_environment_takes_them():
    taken = read_settings({"SFT_KUSTO_CLUSTER": "plan", "SFT_RELEASES": "plan"}, plan="production")
    assert taken.cluster.startswith("https://ade.loganalytics.io/subscriptions/")
    assert taken.database.endswith("-CopilotChatEval-EUS2")
    account, container = "https://githubtelemetry.blob.core.windows.net", "github-copilot-sft-data-all-languages"
    assert taken.releases == f"{account}/{container}/experiments/testvscode_test/v4"


def test_places_of_the_plan_count_only_where_the_environment_says_so(tmp_path: Path):
    settings = read_settings({"SFT_HOME": str(tmp_path)}, plan="production")
    assert (settings.cluster, settings.releases) == ("", str(tmp_path / "releases"))


@pytest.mark.parametrize("variable", ["SFT_KUSTO_CLUSTER", "SFT_RELEASES"])
def test_a_plan_without_places_has_none_to_take(variable: str):
    with pytest.raises(Refused, match=f"{variable} is `plan`, but plan demo names no such place"):
        read_settings({variable: "plan"}, plan="demo")


def test_places_change_no_release():
    plan = read_plan("production")
    elsewhere = plan.model_copy(update={"places": Places(releases="https://other.blob.core.windows.net/c/v5")})
    assert elsewhere.version() == plan.version()
    assert elsewhere.extraction_version() == plan.extraction_version()
