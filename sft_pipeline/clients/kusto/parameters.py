"""The parameters of a query: checked against what it declares, and as KQL literals.

Belongs here: what holds for a cluster and for the embedded engine alike.
Does not belong here: what a query file declares (queries.catalog).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.curation.refusal import Refused

ParameterValue = datetime | int | float | str | bool
"""A query parameter's value; a datetime without a zone is taken as UTC."""

_ACCEPTED: dict[str, tuple[type, ...]] = {
    "datetime": (datetime,),
    "long": (int,),
    "int": (int,),
    "real": (float, int),
    "string": (str,),
    "bool": (bool,),
}


def checked_parameters(query: Query, parameters: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """The values of the declared parameters, datetimes in UTC.

    Raises:
        Refused: a parameter is unknown, missing or of another type; its value is not told.
    """
    declared = ", ".join(f"{name}:{kind}" for name, kind in query.parameters.items()) or "none"
    remedy = f"the declared parameters are: {declared}"
    unknown = sorted(parameters.keys() - query.parameters.keys())
    if unknown:
        raise Refused(f"query {query.name} declares no parameter {', '.join(unknown)}", remedy=remedy)
    missing = [name for name in query.parameters if name not in parameters and name not in query.defaults]
    if missing:
        raise Refused(f"query {query.name} needs a value for {', '.join(missing)}", remedy=remedy)
    odd = [name for name, value in parameters.items() if not _is_a(value, query.parameters[name])]
    if odd:
        raise Refused(f"query {query.name} was given a value of another type for {', '.join(odd)}", remedy=remedy)
    return {name: _in_utc(value) for name, value in parameters.items()}


def _is_a(value: ParameterValue, kind: str) -> bool:
    return isinstance(value, _ACCEPTED[kind]) and (kind == "bool" or not isinstance(value, bool))


def _in_utc(value: ParameterValue) -> ParameterValue:
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def kql_literal(value: ParameterValue, kind: str) -> str:
    """A parameter's value as the KQL literal that Kusto reads it from."""
    match value:
        case datetime():
            return f"datetime({value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z)"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return str(value).lower()
        case _:
            return f"{kind}({value})"
