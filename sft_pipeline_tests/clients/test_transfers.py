"""What is told of a file while it is sent."""

import re

import pytest

from sft_pipeline.clients.transfers import Transfers


def test_a_line_tells_file_megabytes_and_rate_while_the_file_is_sent():
    transfers = Transfers()
    assert not transfers.told()
    with transfers.of("artifacts/train-short.json"):
        transfers.add(8_000_000)
        transfers.add(4_000_000)
        assert re.fullmatch(r"artifacts/train-short\.json: 12 MB sent, [\d,]+ MB/s", transfers.told())
    assert not transfers.told()


def test_what_an_earlier_run_sent_is_told_apart():
    transfers = Transfers()
    with transfers.of("a"):
        transfers.add(1_000_000)
        transfers.add(5_000_000, kept=True)
        assert transfers.told().endswith(", 5 MB were there")
        assert transfers.told().startswith("a: 1 MB sent")


def test_a_file_that_fails_is_not_told_any_more():
    transfers = Transfers()

    def send() -> None:
        with transfers.of("a"):
            raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        send()
    assert not transfers.told()
    with transfers.of("b"):
        assert transfers.told().startswith("b: 0 MB sent")
