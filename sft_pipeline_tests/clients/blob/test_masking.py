"""Fault 50: keys, signatures and tokens are hidden in what libraries log, in messages and in tracebacks."""

import logging

import pytest

from sft_pipeline.clients.blob.masking import LIBRARIES, MaskingFilter, mask_logs, masked

SIGNED = "S3cr3t%2Fwith%2Bsigns%3D"
KEY = "c2VjcmV0K2tleS93aXRoK3NpZ25z/w=="
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSIsImV4cCI6MX0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"https://a/c/b?sv=1&sig={SIGNED}&se=2", "https://a/c/b?sv=1&sig=***&se=2"),
        (f"PUT /c/b?sig={SIGNED} HTTP/1.1", "PUT /c/b?sig=*** HTTP/1.1"),
        (f"copy=https%3A%2F%2Fa%2Fc%3Fsig%3D{SIGNED}&x=1", "copy=https%3A%2F%2Fa%2Fc%3Fsig%3D***&x=1"),
        (f"AccountName=a;AccountKey={KEY};EndpointSuffix=b", "AccountName=a;AccountKey=***;EndpointSuffix=b"),
        (f"BlobEndpoint=https://a;SharedAccessSignature=sv=1&sig={SIGNED};", None),
        (f"AZURE_STORAGE_ACCOUNT_KEY={KEY}", "AZURE_STORAGE_ACCOUNT_KEY=***"),
        (f"{{'account_key': '{KEY}', 'account_name': 'a'}}", "{'account_key': '***', 'account_name': 'a'}"),
        (f'{{"sas_token": "sv=1&sig={SIGNED}"}}', None),
        (f"Authorization: SharedKey mydata:{KEY}", "Authorization: SharedKey ***"),
        ("Authorization: Bearer abcdefghijkl.mnop", "Authorization: Bearer ***"),
        (f'"access_token": "{JWT}", "expires_in": 1', '"access_token": "***", "expires_in": 1'),
        (f"assertion {JWT} was refused", "assertion *** was refused"),
        ("client_secret=S3cr3t&scope=x", "client_secret=***&scope=x"),
    ],
)
def test_fault_50_a_secret_is_hidden_and_what_is_beside_it_is_told(text: str, hidden: str | None):
    for secret in (SIGNED, KEY, JWT, "S3cr3t"):
        assert secret not in masked(text)
    assert masked(text) == hidden or hidden is None


@pytest.mark.parametrize(
    "text", ["the design=1 of signals", "three keys of accounts", "https://a/c/b?comp=list", "a SharedKey is used"]
)
def test_what_is_no_secret_is_told_as_it_is(text: str):
    assert masked(text) == text


def logged(caplog: pytest.LogCaptureFixture, name: str) -> logging.Logger:
    """A library's logger at its most talkative, masked as the clients do it."""
    logger = logging.getLogger(name)
    caplog.set_level(logging.DEBUG, name)
    caplog.set_level(logging.DEBUG)
    mask_logs()
    return logger


def test_fault_50_a_request_that_urllib3_logs_is_masked(caplog: pytest.LogCaptureFixture):
    logger = logged(caplog, "urllib3.connectionpool")
    logger.debug('%s "%s %s" %d', "https://a:443", "PUT", f"/c/b?comp=block&sig={SIGNED}", 201)
    assert caplog.messages == ['https://a:443 "PUT /c/b?comp=block&sig=***" 201']


def test_fault_50_an_exception_that_is_logged_is_masked(caplog: pytest.LogCaptureFixture):
    logger = logged(caplog, "azure.core.pipeline.policies.retry")
    try:
        raise OSError(f"cannot connect to https://a/c/b?sv=1&sig={SIGNED}")
    except OSError as error:
        logger.exception("asked again: %s", error)
    assert "sig=***" in caplog.messages[0]
    assert "OSError: cannot connect to https://a/c/b?sv=1&sig=***" in caplog.text
    assert SIGNED not in caplog.text


def test_an_exception_without_secrets_is_logged_whole(caplog: pytest.LogCaptureFixture):
    logger = logged(caplog, "azure.core.pipeline.policies.retry")
    try:
        raise OSError("no network")
    except OSError:
        logger.exception("asked again")
    assert caplog.records[0].exc_info is not None
    assert "OSError: no network" in caplog.text


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "azure.identity._internal.made.up", "msal.authority"])
def test_fault_50_the_loggers_of_all_parts_of_a_library_are_masked(caplog: pytest.LogCaptureFixture, name: str):
    logged(caplog, name).info("connection %s", f"AccountName=a;AccountKey={KEY}")
    assert caplog.messages == ["connection AccountName=a;AccountKey=***"]


def test_masking_twice_is_masking_once():
    mask_logs()
    mask_logs()
    for name in LIBRARIES:
        assert sum(isinstance(one, MaskingFilter) for one in logging.getLogger(name).filters) == 1


def test_a_message_whose_arguments_do_not_fit_is_masked_too():
    record = logging.LogRecord("urllib3", logging.DEBUG, "", 1, f"sig={SIGNED} %d %d", ("x",), None)
    assert MaskingFilter().filter(record)
    assert record.getMessage() == "sig=*** %d %d ('x',)"
