"""Side by side: tasks in threads of their own, where the first failure or Ctrl-C ends all of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from typing import TypeVar

from bridge import system
from bridge.errors import SignInError

T = TypeVar("T")

_TURN = 0.001  # seconds that one thread keeps the others waiting; with five times that, answers lie unread


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
        while not wait([coming], timeout=system.LOOK).done:
            self.check()
            look()
        self.check()
        return coming.result()


def abreast(tasks: Sequence[Callable[[], T]], stop: Stop) -> list[T]:
    """Run tasks side by side and return their results in order.

    A failure stops the others and is raised when all have ended; a SignInError is raised before any other,
    for it explains them.
    """
    running: list[Future[T]] = []
    try:
        with _short_turns():
            running.extend(map(system.begin, tasks))
            waiting = set(running)
            while waiting:
                done, waiting = wait(waiting, timeout=system.LOOK, return_when=FIRST_EXCEPTION)
                if any(one.exception() for one in done):
                    stop.call()
    finally:  # of Ctrl-C, too
        stop.call()
        while wait(running, timeout=system.LOOK).not_done:
            pass
    errors = (one.exception() for one in running)
    if failures := [error for error in errors if error is not None and not isinstance(error, Stopped)]:
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
