"""When Dagster asks for a partition by itself: when the data it was made from changed, and never otherwise."""

from typing import cast

import dagster as dg

Condition = dg.AutomationCondition[dg.AssetKey]

_NEW_DATA_UPSTREAM = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed()).with_label(
    "any_deps_data_version_changed"
)
_ON_NEW_DATA = (
    cast(Condition, dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window()))
    .replace("any_deps_updated", _NEW_DATA_UPSTREAM)  # pyright: ignore[reportUnknownVariableType]
)  # fmt: skip

ON_NEW_DATA = cast(Condition, _ON_NEW_DATA & dg.AutomationCondition.all_deps_blocking_checks_passed())
"""`eager()` for every window, but on changed content instead of on any re-run, and behind blocking checks."""
