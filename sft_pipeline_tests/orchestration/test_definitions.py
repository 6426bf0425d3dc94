from pathlib import Path

import dagster as dg
import pytest

from sft_pipeline.curation.routers import ROUTERS
from sft_pipeline.orchestration.assembly import assemble
from sft_pipeline.orchestration.checks import checked_assets
from sft_pipeline.orchestration.settings import read_settings
from sft_pipeline.plans import plan_names

GRAPH = {
    "app_events": ("ingestion", set[str]()),
    "conversation_chunks": ("ingestion", {"app_events"}),
    "rejected_conversations": ("ingestion", {"app_events"}),
    "conversations": ("curation", {"conversation_chunks"}),
    "samples": ("curation", {"conversations", "conversation_chunks"}),
    "sample_artifacts": ("release", {"samples"}),
    "sample_release": ("release", {"sample_artifacts", "rejected_conversations", "conversations"}),
    "session_router/requests": ("session_router", {"conversations", "conversation_chunks"}),
    "session_router/verdicts": ("session_router", {"session_router/requests"}),
    "session_router/training_sets": ("session_router", {"session_router/requests", "session_router/verdicts"}),
    "session_router/sft_artifacts": ("session_router", {"session_router/training_sets"}),
    "conversation_router/requests": ("conversation_router", {"conversations", "conversation_chunks"}),
    "conversation_router/verdicts": ("conversation_router", {"conversation_router/requests"}),
    "conversation_router/training_sets": (
        "conversation_router",
        {"conversation_router/requests", "conversation_router/verdicts"},
    ),
    "conversation_router/sft_artifacts": ("conversation_router", {"conversation_router/training_sets"}),
    "sft_release": (
        "release",
        {f"{router}/{name}" for router in ROUTERS for name in ("sft_artifacts", "verdicts")},
    ),
}
"""Written by hand: asset -> group and what it is made from."""


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return assemble(read_settings({"SFT_HOME": str(tmp_path_factory.mktemp("home"))}))


def test_the_graph_is_the_one_that_is_documented(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {
        key.to_user_string(): (
            graph.get(key).group_name,
            {parent.to_user_string() for parent in graph.get(key).parent_keys},
        )
        for key in graph.get_all_asset_keys()
    }
    assert found == GRAPH


def test_every_asset_says_what_it_holds_whose_it_is_and_of_what_kind(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners == ["team:sft-pipeline"], spec.key
        if spec.key.to_user_string() != "app_events":
            assert spec.kinds, spec.key
            assert "dagster/column_schema" in spec.metadata, spec.key
            assert spec.code_version, spec.key


def test_production_has_forty_chunks_and_nine_cells_per_window(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    chunks = graph.get(dg.AssetKey("conversation_chunks")).partitions_def
    cells = graph.get(dg.AssetKey("samples")).partitions_def
    assert isinstance(chunks, dg.MultiPartitionsDefinition)
    assert isinstance(cells, dg.MultiPartitionsDefinition)
    assert len(chunks.get_partitions_def_for_dimension("chunk").get_partition_keys()) == 40
    assert cells.get_partitions_def_for_dimension("cell").get_partition_keys()[0] == "train-short"
    assert chunks.has_partition_key("07-of-40|2025-08-01")


def test_queries_share_a_pool_that_limits_them(definitions: dg.Definitions) -> None:
    chunks = definitions.resolve_assets_def("conversation_chunks")
    assert chunks.op.pool == "kusto"


def test_a_check_is_blocking_exactly_when_its_claim_is_fatal(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {(key.asset_key.to_user_string(), key.name): graph.get(key).blocking for key in graph.asset_check_keys}
    plan = read_settings({}).plan
    claimed = {
        (one.asset, claim.name): claim.severity == "fatal" for one in checked_assets(plan) for claim in one.claims
    }
    assert found == claimed


@pytest.mark.parametrize("plan", plan_names())
def test_every_plan_that_ships_can_be_loaded(plan: str, tmp_path: Path) -> None:
    dg.Definitions.validate_loadable(assemble(read_settings({"SFT_HOME": str(tmp_path)}, plan=plan)))
