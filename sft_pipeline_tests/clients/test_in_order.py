"""Work in threads whose results come in order."""

from collections.abc import Iterator
from threading import Event
from time import sleep

import pytest

from sft_pipeline.clients.in_order import in_order


def test_results_come_in_the_order_of_things_whatever_takes_longest():
    def work(number: int) -> int:
        sleep(0.05 if number % 3 == 0 else 0)
        return number * number

    assert [*in_order(work, range(12), at_a_time=4)] == [number * number for number in range(12)]
    assert [*in_order(work, [], at_a_time=4)] == []


def test_no_more_is_taken_than_is_under_way():
    taken: list[int] = []

    def things() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    for done in in_order(lambda number: number, things(), at_a_time=3):
        assert len(taken) <= done + 3


def test_a_failure_comes_in_its_place():
    results = in_order(lambda number: 6 // (2 - number), range(4), at_a_time=4)
    assert [next(results), next(results)] == [3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_work_is_told_when_nobody_waits_any_more():
    over = Event()
    results = in_order(lambda number: number == 0 or over.wait(20), range(3), at_a_time=2, over=over)
    assert next(results)
    results.close()
    assert over.is_set()
