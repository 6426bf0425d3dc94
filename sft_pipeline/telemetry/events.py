"""The raw event schema: what lies in the `AppEvents` table before any query touches it.

Belongs here: column names and types, event names, and writing frames of raw events to Parquet by day.
Does not belong here: how events are made (synthesis, sessions) or read (clients.kusto.embedded).
"""

from datetime import date
from pathlib import Path

import polars as pl

TABLE = "AppEvents"

KUSTO_SCHEMA: dict[str, str] = {
    "TimeGenerated": "datetime",
    "Name": "string",
    "Properties": "dynamic",
    "Measurements": "dynamic",
    "UserId": "string",
    "SessionId": "string",
    "OperationId": "string",
    "OperationName": "string",
    "ParentId": "string",
    "UserAccountId": "string",
    "UserAuthenticatedId": "string",
    "AppRoleName": "string",
    "AppRoleInstance": "string",
    "AppVersion": "string",
    "ClientType": "string",
    "ClientOS": "string",
    "ClientModel": "string",
    "ClientBrowser": "string",
    "ClientIP": "string",
    "ClientCity": "string",
    "ClientStateOrProvince": "string",
    "ClientCountryOrRegion": "string",
    "SDKVersion": "string",
    "IKey": "string",
    "ItemCount": "int",
    "SyntheticSource": "string",
    "SourceSystem": "string",
    "ResourceGUID": "string",
    "_ResourceId": "string",
    "_SubscriptionId": "string",
    "TenantId": "string",
    "Type": "string",
    "_BilledSize": "real",
    "_IsBillable": "string",
}
"""Column -> Kusto type of the workspace-based Application Insights table (Microsoft Learn, `AppEvents`)."""

RAW_SCHEMA = pl.Schema(
    {
        "TimeGenerated": pl.Datetime("us", "UTC"),
        "Name": pl.String(),
        "Properties": pl.String(),
        "Measurements": pl.String(),
        "UserId": pl.String(),
        "SessionId": pl.String(),
        "OperationId": pl.String(),
        "AppRoleName": pl.String(),
        "IKey": pl.String(),
        "ItemCount": pl.Int32(),
    }
)
"""The columns that raw Parquet files carry; `Properties` and `Measurements` hold JSON objects as text.

Values in `Properties` are strings, also numbers (`"turnIndex": "0"`); values in `Measurements` are numbers.
"""

PREFIX = "GitHub.copilot-chat/"
MESSAGE_TEXT = PREFIX + "conversation.messageText"
ENGINE_MESSAGES = PREFIX + "engine.messages.length"
TOOL_CALL_DETAILS = PREFIX + "toolCallDetailsInternal"
SESSION_MESSAGE = PREFIX + "interactiveSessionMessage"
SESSION_RESPONSE = PREFIX + "interactiveSessionResponse"

APP_ROLE_NAME = "Visual Studio Code"
STORE_A_KEY = "app-insights"
"""`IKey` of the store that cuts property values at `STORE_A_LIMIT` characters."""
STORE_B_KEY = "large-events"
"""`IKey` of the store that keeps them whole; a query over both sees every event twice."""
STORE_A_LIMIT = 8192


def events_folder(telemetry: Path) -> Path:
    """Where the raw Parquet files of a telemetry folder lie."""
    return telemetry / TABLE


def write_events(events: pl.DataFrame, telemetry: Path, *, part: int) -> list[Path]:
    """Write one frame of raw events as a Parquet file per UTC day, `AppEvents/<day>-<part>.parquet`.

    Args:
        events: columns of `RAW_SCHEMA`, any order of rows; rows are written in (TimeGenerated, Name, Properties) order.
        telemetry: the telemetry folder, made when it is not there.
        part: distinguishes the files of one day; the same part of the same day is overwritten.
    """
    folder = events_folder(telemetry)
    folder.mkdir(parents=True, exist_ok=True)
    ordered = events.match_to_schema(RAW_SCHEMA).sort("TimeGenerated", "Name", "Properties", maintain_order=True)
    written: list[Path] = []
    for (day,), rows in ordered.group_by(pl.col("TimeGenerated").dt.date(), maintain_order=True):
        path = folder / f"{day}-{part:05d}.parquet"
        rows.write_parquet(path, compression="zstd", compression_level=1)
        written.append(path)
    return written


def newest_day(telemetry: Path) -> date | None:
    """The latest day that a telemetry folder has a file of, by the names `write_events` gives."""
    days = [path.name[:10] for path in events_folder(telemetry).glob("????-??-??-*.parquet")]
    return date.fromisoformat(max(days)) if days else None
