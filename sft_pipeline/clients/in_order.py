"""Work on many things, several at a time in threads, and what it makes of them in their order.

Belongs here: keeping order, and holding no more at a time than asked for. Does not belong here: the work.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(
    work: Callable[[Given], Made], things: Iterable[Given], *, at_a_time: int, over: Event | None = None
) -> Generator[Made]:
    """What becomes of each thing, in order; a thing is taken when there is room for it.

    Args:
        work: called in other threads.
        things: taken in this one.
        at_a_time: how many are under way.
        over: set when nobody waits any more, before the threads are waited for: work that could go on long may ask.
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(at_a_time) as pool, ExitStack() as leaving:
        if over:
            leaving.callback(over.set)
        for thing in things:
            waiting.append(pool.submit(work, thing))
            if len(waiting) >= at_a_time:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
