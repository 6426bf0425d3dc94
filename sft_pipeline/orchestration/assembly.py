"""Putting assets, checks, jobs and resources together for given settings; tests and the command line call this too.

Belongs here: assembly only.
"""

import dagster as dg

from sft_pipeline.orchestration.assets.curation import curation_assets
from sft_pipeline.orchestration.assets.ingestion import ingestion_assets
from sft_pipeline.orchestration.assets.release import release_assets
from sft_pipeline.orchestration.assets.routers import router_assets
from sft_pipeline.orchestration.assets.sft_release import sft_release_assets
from sft_pipeline.orchestration.checks import check_definition, checked_assets
from sft_pipeline.orchestration.io_managers import TableIOManager
from sft_pipeline.orchestration.jobs import asset_checks_job
from sft_pipeline.orchestration.judging import judge_resource
from sft_pipeline.orchestration.pseudonym_key import PseudonymsResource, settings_key_id
from sft_pipeline.orchestration.resources import KustoResource, ReleasesResource, TablesResource
from sft_pipeline.orchestration.settings import Settings


def assemble(settings: Settings) -> dg.Definitions:
    """The definitions of one plan with the resources that the settings name."""
    plan, key_id = settings.plan, settings_key_id(settings)
    checked = checked_assets(plan, key_id)
    return dg.Definitions(
        assets=[
            *ingestion_assets(plan, key_id),
            *curation_assets(plan),
            *release_assets(plan),
            *router_assets(plan, settings.judge),
            *sft_release_assets(plan),
        ],
        asset_checks=[check_definition(one) for one in checked],
        jobs=[asset_checks_job(checked, plan)],
        resources=resources(settings),
        executor=dg.in_process_executor,  # a run is one partition: a process for each step would cost more than it does
    )


def resources(settings: Settings) -> dict[str, object]:
    """The resources by the names under which assets ask for them."""
    return {
        "kusto": kusto_resource(settings),
        "pseudonyms": PseudonymsResource(home=str(settings.home), storage=settings.storage),
        "tables": TablesResource(base=settings.storage),
        "table_io": TableIOManager(base=settings.storage),
        "releases": ReleasesResource(url=settings.releases),
        "judge": judge_resource(settings),
    }


def kusto_resource(settings: Settings) -> KustoResource:
    """The telemetry that the settings name."""
    return KustoResource(
        cluster=settings.cluster,
        database=settings.database,
        auth=settings.auth,
        telemetry=str(settings.telemetry or ""),
        staged=str(settings.staged),
        server_timeout_seconds=settings.server_timeout_seconds,
        client_timeout_seconds=settings.client_timeout_seconds,
        queries_at_a_time=settings.queries_at_a_time,
    )
