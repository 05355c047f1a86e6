"""Work on one item while the next is made: the order, interrupts and errors are those of work done at once."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.app.interrupts import Interrupts
from pipeline.sweeps.executors.overlap import MOST_BEHIND, ahead, behind, beside, short_turns


def large(item):
    return False


def test_results_come_in_the_order_of_the_items_and_small_ones_at_once():
    made, main = [], threading.current_thread()

    def items():
        for number in range(6):
            made.append(number)
            yield number

    found = list(behind(items(), lambda item: (item, threading.current_thread() is main), lambda item: item >= 3, Interrupts()))
    assert found == [(number, number >= 3) for number in range(6)]
    assert made == list(range(6))


def test_the_next_item_is_made_while_one_is_worked_on():
    next_is_made = threading.Event()

    def items():
        yield 0
        next_is_made.set()
        yield 1

    assert list(behind(items(), lambda item: next_is_made.wait(10), large, Interrupts())) == [True, True]


def test_what_was_made_before_an_interrupt_is_not_lost():
    may_begin = threading.Event()

    def items():
        yield from range(MOST_BEHIND)
        may_begin.set()
        raise KeyboardInterrupt

    results = behind(items(), lambda item: may_begin.wait(10) and 10 * item, large, Interrupts())
    assert [next(results) for _ in range(MOST_BEHIND)] == [10 * item for item in range(MOST_BEHIND)]
    with pytest.raises(KeyboardInterrupt):
        next(results)


def test_items_are_made_although_work_is_behind_but_not_all_of_them():
    may_begin, made, all_made = threading.Event(), [], threading.Event()

    def items():
        for number in range(20):
            made.append(number)
            if len(made) > MOST_BEHIND:
                all_made.set()
            yield number

    def work(item):
        may_begin.wait(10)
        return item

    results = behind(items(), work, lambda item: item == 17, Interrupts())
    first = ThreadPoolExecutor(1).submit(next, results)
    assert all_made.wait(10)
    time.sleep(0.02)
    assert made == list(range(MOST_BEHIND + 1))
    may_begin.set()
    assert [first.result(), *results] == list(range(20))


def test_what_work_raises_is_raised():
    def divided(item):
        return 1 // item

    with pytest.raises(ZeroDivisionError):
        list(behind(iter([1, 0, 1]), divided, large, Interrupts()))
    with pytest.raises(ZeroDivisionError), beside(lambda: divided(0)):
        pass
    assert list(ahead(map(divided, iter([1])))) == [1]


def test_an_interrupt_does_not_wait_for_what_is_done_beside():
    may_end = threading.Event()
    with pytest.raises(KeyboardInterrupt), beside(may_end.wait):
        raise KeyboardInterrupt
    may_end.set()


def test_turns_are_short_for_a_time():
    before = sys.getswitchinterval()
    with short_turns():
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_work_ends_where_what_it_is_done_beside_does(error):
    steps, begun = [], threading.Event()

    def work():
        while True:
            begun.set()
            steps.append(time.sleep(0.001))

    def fail():
        begun.wait()
        raise error

    with pytest.raises(error), beside(work):
        fail()
    done = len(steps)
    time.sleep(0.02)
    assert len(steps) == done
