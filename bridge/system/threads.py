"""Threads that hold up nobody's end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

LOOK = 0.2  # seconds between two looks at whether somebody interrupts; Windows interrupts no long wait


def begin(task: Callable[[], T]) -> Future[T]:
    """Run a task in a thread of its own, which ends with the process: an executor's would be waited for."""
    coming: Future[T] = Future()

    def work() -> None:
        try:
            coming.set_result(task())
        except BaseException as error:  # noqa: BLE001  # it is raised where the outcome is asked for
            coming.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return coming
