"""The window that a command means when it names none."""

from datetime import UTC, date, datetime, timedelta

from sft_pipeline.orchestration.resources import Settings
from sft_pipeline.telemetry.events import newest_day


def window_or_newest(settings: Settings, window: date | None) -> date:
    """The named window, else the one that ends after the newest telemetry: today on a cluster."""
    today = datetime.now(UTC).date()
    if window or settings.cluster or not settings.telemetry:
        return window or today
    newest = newest_day(settings.telemetry)
    return min(today, newest + timedelta(days=1)) if newest else today
