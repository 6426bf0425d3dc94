from threading import Barrier, Event, Thread

from sft_pipeline.clients.kusto.slots import ANSWERS_PER_SLOT, Slots


def test_no_more_queries_run_than_there_are_slots() -> None:
    slots, entered, leave = Slots(2), Barrier(3), Event()
    highest: list[int] = []

    def hold() -> None:
        with slots.taken():
            highest.append(slots.running)
            entered.wait(5)
            leave.wait(5)

    threads = [Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait(5)
    third = Thread(target=lambda: slots.taken().__enter__(), daemon=True)
    third.start()
    third.join(0.05)
    assert third.is_alive()
    leave.set()
    for thread in [*threads, third]:
        thread.join(5)
    assert not third.is_alive()
    assert max(highest) == 2


def test_throttling_halves_and_answers_win_slots_back_one_by_one() -> None:
    slots = Slots(5)
    slots.throttled()
    assert slots.limit == 2
    slots.throttled()
    slots.throttled()
    assert slots.limit == 1
    limits = [_limit_after_answer(slots) for _ in range(ANSWERS_PER_SLOT * (1 + 2 + 3 + 4) + 20)]
    assert limits[-1] == 5
    assert limits.index(2) == ANSWERS_PER_SLOT - 1
    assert limits.index(5) == ANSWERS_PER_SLOT * (1 + 2 + 3 + 4) - 1


def _limit_after_answer(slots: Slots) -> int:
    slots.answered()
    return slots.limit
