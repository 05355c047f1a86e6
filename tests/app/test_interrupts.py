"""Ctrl-C is never lost: neither while work is deferred nor where Python ignores all errors."""

import signal
import sys
import threading
import time
import weakref
from contextlib import nullcontext

import pytest

from pipeline.app.interrupts import Interrupts, repeated_in_finalizers


class Interrupting:
    """Asks to be interrupted when it goes away."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)


def from_a_finalizer() -> None:
    Interrupting()


def from_a_weak_reference() -> None:
    thing = type("Thing", (), {})()
    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    assert kept() is None


def interrupt_and_wait(interrupt) -> None:
    interrupt()
    time.sleep(5)


@pytest.mark.parametrize("interrupt", [from_a_finalizer, from_a_weak_reference])
@pytest.mark.parametrize("own", [True, False])
def test_an_interrupt_where_errors_are_ignored_is_heard_a_moment_later_and_nothing_is_printed(interrupt, own, capfd, request):
    hook, handler = sys.unraisablehook, signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))
    with pytest.raises(KeyboardInterrupt), repeated_in_finalizers(), Interrupts() if own else nullcontext():
        interrupt_and_wait(interrupt)
    assert "KeyboardInterrupt" not in capfd.readouterr().err
    assert sys.unraisablehook is hook


def test_an_interrupt_is_heard_where_the_thread_that_repeats_it_is_sooner_than_the_hook(monkeypatch, request):
    handler, start = signal.signal(signal.SIGINT, signal.default_int_handler), threading.Thread.start
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (start(thread), time.sleep(0.1)))
    with pytest.raises(KeyboardInterrupt), repeated_in_finalizers():
        interrupt_and_wait(from_a_finalizer)


def test_other_errors_that_are_ignored_are_printed_as_before(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)

    class Failing:
        def __del__(self) -> None:
            raise ValueError("said")

    with repeated_in_finalizers():
        Failing()
    [ignored] = seen
    assert ignored.exc_type is ValueError


def test_an_interrupt_within_deferred_work_is_heard_after_it():
    with Interrupts() as interrupts:
        with interrupts.deferred():
            signal.raise_signal(signal.SIGTERM)
            done = True
        assert done
        with pytest.raises(KeyboardInterrupt):
            interrupts.raise_if_requested()
