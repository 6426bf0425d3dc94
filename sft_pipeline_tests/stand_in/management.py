"""The few management commands that clients of a query service send, and a v1 body for what they tell.

Belongs here: `.show` commands. Everything else is refused, as for a caller who may only read.
"""

import re
from typing import Any

from sft_pipeline.telemetry.events import KUSTO_SCHEMA, TABLE
from sft_pipeline_tests.stand_in.failures import bad_request, entity_not_found, syntax_error

_SHOW_TABLE = re.compile(r"\.show\s+table\s+(\w+)\s+(cslschema|schema\s+as\s+csl)")
_WRITES = re.compile(r"\.(create|alter|drop|delete|ingest|set|append|export|execute|purge|move|replace|rename|clear)\b")

Table = dict[str, Any]


def told(command: str, database: str) -> dict[str, list[Table]]:
    """The v1 body that answers a command.

    Raises:
        Failure: the caller may not, or there is no such command or table.
    """
    words = " ".join(command.split()).lower()
    if words == ".show version":
        columns = ("BuildVersion", "BuildTime", "ServiceType", "ProductVersion", "ServiceOffering")
        return _table(columns, ["1.0.0.0", "2026-01-01T00:00:00Z", "Engine", "stand-in", "None"])
    if words == ".show databases":
        return _table(("DatabaseName", "PersistentStorage", "Version", "IsCurrent"), [database, "", "v1.0", "true"])
    if words == ".show tables":
        return _table(("TableName", "DatabaseName", "Folder", "DocString"), [TABLE, database, "", ""])
    if found := _SHOW_TABLE.fullmatch(" ".join(command.split())):
        return _schema(found[1], database)
    if _WRITES.match(words):
        raise bad_request("Principal 'aaduser=...' is not authorized to perform this operation.")
    raise syntax_error("SYN0002: A recognition error occurred. Unknown command [line:position=1:2]")


def _schema(table: str, database: str) -> dict[str, list[Table]]:
    if table != TABLE:
        raise entity_not_found("Table", table)
    schema = ",".join(f"{name}:{kind}" for name, kind in KUSTO_SCHEMA.items())
    return _table(("TableName", "Schema", "DatabaseName", "Folder", "DocString"), [TABLE, schema, database, "", ""])


def _table(columns: tuple[str, ...], *rows: list[str]) -> dict[str, list[Table]]:
    named = [{"ColumnName": name, "DataType": "String", "ColumnType": "string"} for name in columns]
    return {"Tables": [{"TableName": "Table_0", "Columns": named, "Rows": list(rows)}]}
