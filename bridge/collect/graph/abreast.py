"""Side by side: tasks in threads of their own, where the first failure or Ctrl-C ends all of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

from bridge.errors import SignInError

T = TypeVar("T")

_TURN = 0.001  # seconds that one thread keeps the others waiting; with five times that, answers lie unread
_LOOK = 0.2  # seconds between two looks at whether somebody interrupts; Windows interrupts no long wait


class Stopped(Exception):
    """Something else has failed, so that this is not wanted any more."""


class Stop:
    """Ends every task that asks it: before it waits, while it waits, and before it goes on."""

    def __init__(self) -> None:
        self._called = threading.Event()

    def call(self) -> None:
        """Make everybody stop."""
        self._called.set()

    def check(self) -> None:
        """Raise Stopped if somebody has called."""
        if self._called.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait; raise Stopped as soon as somebody calls."""
        if self._called.wait(seconds):
            raise Stopped

    def outcome(self, coming: Future[T], look: Callable[[], None]) -> T:
        """Return or raise what comes; raise Stopped if somebody calls before, whatever becomes of it.

        While it is awaited ``look`` is called again and again, and what that raises is raised.
        """
        while not wait([coming], timeout=_LOOK).done:
            self.check()
            look()
        self.check()
        return coming.result()


def begin(task: Callable[[], T]) -> Future[T]:
    """Run a task in a thread that holds up nobody's end."""
    coming: Future[T] = Future()

    def work() -> None:
        try:
            coming.set_result(task())
        except BaseException as error:  # noqa: BLE001  # it is raised where the outcome is asked for
            coming.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return coming


def abreast(tasks: Sequence[Callable[[], T]], stop: Stop) -> list[T]:
    """Run tasks side by side and return their results in order.

    The first failure stops the others and is raised when all have ended; a SignInError is raised before any
    other, for it explains them.
    """
    failures: list[BaseException] = []

    def watched(task: Callable[[], T]) -> Callable[[], T]:
        def run() -> T:
            try:
                return task()
            except BaseException as error:
                if not isinstance(error, Stopped):
                    failures.append(error)
                stop.call()
                raise

        return run

    running: list[Future[T]] = []
    try:
        with _short_turns():
            for task in tasks:
                running.append(begin(watched(task)))
            _await(running)
    except BaseException:  # Ctrl-C
        stop.call()
        _await(running)
        raise
    if failures:
        raise next((error for error in failures if isinstance(error, SignInError)), failures[0])
    return [one.result() for one in running]


@contextmanager
def _short_turns() -> Iterator[None]:
    """Have threads take turns sooner than they do by default, as long as the block lasts."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _await(running: Sequence[Future[T]]) -> None:
    while wait(running, timeout=_LOOK).not_done:
        pass
