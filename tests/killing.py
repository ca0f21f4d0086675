"""A child process that is killed at a chosen file operation of its work."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir"}


def killed_at(number: int, home: Path, work: Callable[[], object]) -> bool:
    """Do the work in a child and kill it before its file operation of that number below ``home``.

    Returns whether it was killed; False means that it ended by itself, having had fewer operations.
    """
    child = os.fork()
    if child == 0:
        _kill_before(number, home)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _kill_before(number: int, home: Path) -> None:
    """Count file operations; a file that is opened anew counts twice: before it, and while it is empty."""
    seen = 0

    def instant() -> bool:
        nonlocal seen
        seen += 1
        return seen == number

    def look(event: str, arguments: tuple[object, ...]) -> None:
        path = str(arguments[0]) if arguments else ""
        if event not in OPERATIONS or not path.startswith(str(home)) or seen >= number:
            return
        if instant():
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "open" and int(str(arguments[2])) & os.O_TRUNC and instant():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def every_instant(
    home: Path, prepare: Callable[[Path], object], work: Callable[[Path], object]
) -> Iterator[Path]:
    """Yield a prepared folder for each instant at which the work can be killed, after it was killed there.

    The last folder is that of the work that ended by itself.
    """
    for number in count(1):
        folder = home / f"{number:03}"
        prepare(folder)
        killed = killed_at(number, folder, partial(work, folder))
        yield folder
        if not killed:
            return
