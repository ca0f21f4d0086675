"""Process trees that end with us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

if sys.platform == "win32":
    import pywintypes
    import win32con
    import win32job


class Child:
    """A child process whose whole tree ends with it, and with us on Windows.

    On Windows the tree is a job object that the system closes when the last handle to it goes, so it ends
    with us however we end. Elsewhere it is a session of its own.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._job: Any = None
        flags: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            self._job = _kill_on_close_job()
            flags = {
                "creationflags": subprocess.CREATE_NO_WINDOW
                | subprocess.CREATE_NEW_PROCESS_GROUP
                | win32con.CREATE_SUSPENDED
            }
        self.process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            bufsize=0,
            **flags,
        )
        if sys.platform == "win32":
            try:
                win32job.AssignProcessToJobObject(self._job, int(self.process._handle))  # type: ignore[attr-defined]  # the only handle Popen has
                psutil.Process(self.process.pid).resume()
            except (pywintypes.error, psutil.Error) as error:
                self.process.kill()
                raise OSError(f"its process tree cannot be kept together: {error}") from error

    def kill_tree(self) -> None:
        """End the process and everything it started; calling it again does no harm."""
        if sys.platform == "win32":
            with contextlib.suppress(pywintypes.error):
                win32job.TerminateJobObject(self._job, 1)
        else:
            for process in _descendants(self.process.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def own_process() -> tuple[int, float]:
    """Return this process's id and start, which together are never used twice."""
    process = psutil.Process()
    return process.pid, process.create_time()


def account() -> str:
    """Return the account that this process runs as: ``CONTOSO\\beacon$`` on Windows."""
    return psutil.Process().username()


def is_alive(pid: int, started: float) -> bool:
    """Return whether the process with that id and start still runs."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # there is one, and it is not ours to look at
        return True


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


if sys.platform == "win32":

    def _kill_on_close_job() -> object:
        # The stubs say that it returns nothing; it returns a PyHANDLE.
        job: Any = win32job.CreateJobObject(None, "")  # type: ignore[func-returns-value]  # see above
        limits = win32job.QueryInformationJobObject(job, win32job.JobObjectExtendedLimitInformation)
        limits["BasicLimitInformation"]["LimitFlags"] |= win32job.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
        win32job.SetInformationJobObject(job, win32job.JobObjectExtendedLimitInformation, limits)
        return job
