"""Questions to a stand-in as others ask them: the real client, and the bare protocol."""

import json
from typing import Any

import requests
from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.response import KustoResponseDataSet

from sft_pipeline_tests.stand_in import Service


def asked(service: Service, text: str, **options: Any) -> KustoResponseDataSet:
    """The answer of the real client, with request options."""
    with KustoClient(KustoConnectionStringBuilder.with_no_authentication(service.url)) as client:
        return client.execute_query(service.database, text, with_options(**options))


def with_options(**options: Any) -> ClientRequestProperties:
    properties = ClientRequestProperties()
    for name, value in options.items():
        properties.set_option(name, value)
    return properties


def frames(service: Service, text: str, **options: Any) -> list[dict[str, Any]]:
    """The frames of an answer as they are sent."""
    body = {"db": service.database, "csl": text, "properties": json.dumps({"Options": options})}
    response = requests.post(f"{service.url}/v2/rest/query", json=body, timeout=30)
    assert response.status_code == 200
    told: list[dict[str, Any]] = json.loads(response.text)
    lines = response.text.splitlines()
    assert [json.loads(line[1:]) for line in lines[:-1]] == told
    assert lines[-1] == "]"
    return told
