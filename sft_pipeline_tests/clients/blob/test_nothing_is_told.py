"""Fault 50: logs at their most talkative, errors and properties of blobs tell no secret and nothing of people."""

import logging
import re
import traceback
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from sft_pipeline.clients.blob.connecting import Entry
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.azurite.fault_proxy import Proxied
from sft_pipeline_tests.azurite.fault_rules import Rule
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.clients.blob.publisher import publish_small
from sft_pipeline_tests.clients.blob.store_world import entered, is_block, is_download, signature

FAULTS = {
    "none": (),
    "passing": (Rule("reset", where=is_block, nth=2), Rule("lost", nth=9), Rule("refused", where=is_download)),
    "reset": (Rule("reset", times=None),),
    "no right": (Rule("refused", status=403, code="AuthorizationPermissionMismatch", nth=5, times=None),),
}
PEOPLE = re.compile(r"user-[0-9a-f]{6}|question \d|answer \d")


def characteristic(sas: str) -> str:
    """The longest part of a signature that looks the same however it is quoted."""
    return max(re.split(r"[^0-9A-Za-z]", parse_qs(sas)["sig"][0]), key=len)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """All that was told: log lines of every logger from DEBUG on as a handler writes them, and what tests add."""
    known = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    levels = [(logger, logger.level) for logger in known if logger.level != logging.NOTSET]
    caplog.set_level(logging.DEBUG)
    for logger, _ in levels:
        logger.setLevel(logging.DEBUG)
    lines: list[str] = []
    yield lines
    for logger, level in levels:
        logger.setLevel(level)


@pytest.mark.parametrize("entry", ["key", "sas"])
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_fault_50_a_publication_tells_no_secret_whatever_happens(
    proxy: Proxied,
    container: Container,
    told: list[str],
    caplog: pytest.LogCaptureFixture,
    entry: Entry,
    faults: tuple[Rule, ...],
):
    sas = signature(proxy.azurite, container.name)
    proxy.faults.set(*faults)
    with entered(proxy.azurite, container.name, entry=entry, secret=sas if entry == "sas" else "") as store:
        try:
            told.append(repr(publish_small(store, "run-1")))
        except Refused:
            told.append(traceback.format_exc())
        told.append(f"{store!r} {store.url}")
    for blob in container.client.list_blobs(include=["metadata", "copy", "uncommittedblobs"]):
        told.append(repr(vars(blob)))
        told.append(repr(vars(blob.copy)))
    told += [caplog.text, *(repr(record.__dict__) for record in caplog.records)]
    whole = "\n".join(told)
    assert f"/devstoreaccount1/{container.name}" in caplog.text, "the loggers do tell of requests"
    assert characteristic(sas) not in whole
    assert proxy.azurite.account_key not in whole
    assert not PEOPLE.search(whole)


def test_fault_50_a_release_that_cannot_be_verified_is_told_without_its_texts(
    proxy: Proxied, container: Container, told: list[str], caplog: pytest.LogCaptureFixture
):
    sas = signature(proxy.azurite, container.name)
    with entered(proxy.azurite, container.name) as store:
        name = publish_small(store, "run-1").name
    proxy.faults.set(Rule("damaged", where=lambda asked: is_download(asked) and "/val/" in asked.path, times=None))
    with entered(proxy.azurite, container.name, f"releases/{name}", entry="sas", secret=sas) as release:
        verification = verify_release(release)
    assert not verification.passed
    whole = "\n".join([caplog.text, *(f"{finding.statement} {finding.detail}" for finding in verification.findings)])
    assert characteristic(sas) not in whole
    assert not PEOPLE.search(whole)
