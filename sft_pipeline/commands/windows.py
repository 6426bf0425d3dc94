"""The window that a command means when it is given none."""

from datetime import UTC, date, datetime, timedelta

from sft_pipeline.orchestration.resources import open_tables
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.telemetry.events import newest_day


def window_or_newest(settings: Settings, window: date | None) -> date:
    """The named window, else the one that ends after the newest telemetry: today on a cluster."""
    today = datetime.now(UTC).date()
    if window or settings.cluster or not settings.telemetry:
        return window or today
    newest = newest_day(settings.telemetry)
    return min(today, newest + timedelta(days=1)) if newest else today


def window_or_latest_stored(settings: Settings, window: date | None) -> date:
    """The named window, else the latest that is stored, else the one that `run` would take."""
    stored = [key.window for key in open_tables(settings.storage).keys("conversation_chunks")]
    return window or (date.fromisoformat(max(stored)) if stored else window_or_newest(settings, None))
