"""A telemetry event and its way into the stores.

Belongs here: one event as a raw row; what stores and transport do to it (two stores, cuts, second deliveries).
Does not belong here: which events a turn makes (emission).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from sft_pipeline.telemetry.events import APP_ROLE_NAME, STORE_A_KEY, STORE_A_LIMIT, STORE_B_KEY

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Event:
    """One telemetry event on its way to a store; a property that is None is not sent."""

    time: datetime
    name: str
    properties: Mapping[str, str | None]
    measurements: Mapping[str, float | None]
    store: str = STORE_B_KEY

    def row(self) -> dict[str, object]:
        """The event as a row of `RAW_SCHEMA`."""
        return {
            "TimeGenerated": self.time,
            "Name": self.name,
            "Properties": _json(self.properties),
            "Measurements": _json(self.measurements),
            "UserId": "machine",
            "SessionId": "session",
            "OperationId": "",
            "AppRoleName": APP_ROLE_NAME,
            "IKey": self.store,
            "ItemCount": 1,
        }


def with_properties(events: Iterable[Event], source: str, **properties: str | None) -> tuple[Event, ...]:
    """The events with other properties on the messages of one source."""
    return tuple(
        replace(event, properties={**event.properties, **properties})
        if event.properties.get("source") == source
        else event
        for event in events
    )


def in_both_stores(events: Iterable[Event], *, later: timedelta = 3 * SECOND) -> tuple[Event, ...]:
    """Each event twice: whole in one store, and in the other cut at its limit, some seconds apart."""
    return tuple(copy for event in events for copy in (cut(event), replace(event, time=event.time + later)))


def cut(event: Event) -> Event:
    """The event in the store that cuts long values."""
    short = {name: value and value[:STORE_A_LIMIT] for name, value in event.properties.items()}
    return replace(event, properties=short, store=STORE_A_KEY)


def delivered_again(events: Iterable[Event], *, later: timedelta = 30 * SECOND) -> tuple[Event, ...]:
    """The same events from a transport that was not told of the first delivery."""
    return tuple(replace(event, time=event.time + later) for event in events)


def _json(values: Mapping[str, str | float | None]) -> str:
    return orjson.dumps({name: value for name, value in values.items() if value is not None}).decode()
