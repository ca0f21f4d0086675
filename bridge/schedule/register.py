"""Tasks registered, started, asked for and removed, through schtasks."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bridge import system
from bridge.errors import BeaconError
from bridge.schedule.task import Task, from_xml, next_start, to_xml

REPORT_SECONDS = 600.0
START_SECONDS = 60.0
_RUNNING, _NOT_YET, _QUEUED = (
    0x41301,
    0x41303,
    0x41325,
)  # last results of a task, from winerror.h (SCHED_S_...)
_LAST_RESULT = 6  # its column in `schtasks /V /FO CSV`, whatever language the headings have


class Runner(Protocol):
    """Runs schtasks once."""

    def __call__(self, arguments: Sequence[str], *, asks: bool) -> system.Done:
        """Run it; with ``asks`` it has the terminal, so that it can ask for a password itself."""
        ...


@dataclass(frozen=True)
class Scheduler:
    """The Task Scheduler of this machine, as schtasks reaches it; ``private`` is a folder of ours for
    XML and reports; ``patience`` is how many seconds a report may take, ``grace`` how many of them a task may
    spend neither running nor waiting in the queue."""

    runner: Runner
    private: Path
    sleep: Callable[[float], None] = time.sleep
    patience: float = REPORT_SECONDS
    grace: float = START_SECONDS

    def install(self, task: Task) -> None:
        """Register a task, in place of an older one of that name; BeaconError with what schtasks said."""
        system.make_private_folder(self.private)
        with tempfile.TemporaryDirectory(dir=self.private, prefix="task-") as folder:
            file = Path(folder) / "task.xml"
            file.write_bytes(to_xml(task))
            words = ["/Create", "/TN", task.path, "/XML", str(file), "/F", *_credentials(task)]
            self._run(words, f"The task {task.path} was not registered", asks=task.account.asks)

    def remove(self, path: str) -> None:
        """Remove a task; BeaconError if it is not there or may not be removed."""
        self._run(["/Delete", "/TN", path, "/F"], f"The task {path} was not removed")

    def xml(self, path: str) -> str | None:
        """Return a registered task's XML, None if schtasks knows no task of that name."""
        done = self.runner(["/Query", "/TN", path, "/XML"], asks=False)
        return done.said if done.code == 0 else None

    def refuse_other(self, task: Task) -> None:
        """Raise BeaconError if a task of that name is registered that is described otherwise: another's."""
        found = self.xml(task.path)
        if found is None:
            return
        there = from_xml(found)
        if there.description != task.description:
            raise BeaconError(
                f"There is a task {task.path} already, as {there.user}: {there.command}. It is not replaced "
                f"by one as {task.account.name}: {task.command} {task.arguments}.",
                hint="There is one for a beacon: install with the same --as and --config, or remove it first "
                f'with `schtasks /Delete /TN "{task.path}"`.',
            )

    def next_start(self, path: str, now: datetime) -> datetime | None:
        """Return the next start of a registered task in local time; None if there is none."""
        found = self.xml(path)
        return None if found is None else next_start(from_xml(found), now)

    def once(self, task: Task, report: Path) -> bytes:
        """Register a task, start it, and return the report that it writes; the task is removed again.

        Raises BeaconError where no report came in time, or the task does not run by then: that account cannot
        do its work here.
        """
        report.unlink(missing_ok=True)
        self.install(task)
        try:
            self._run(["/Run", "/TN", task.path], f"The task {task.path} was not started")
            why = self._await(task.path, report)
        finally:
            self.remove(task.path)
        return _read(report, task, why)

    def _await(self, path: str, report: Path) -> str:
        """Wait for the report while there is hope; return how long in words, and what became of the task."""
        began = system.stopwatch()
        while not report.exists() and (waited := system.stopwatch() - began) < self.patience:
            result = self._last_result(path) if waited >= self.grace else None
            if result not in {None, _RUNNING, _QUEUED}:
                became = "it did not start" if result == _NOT_YET else f"it ended with {result}"
                return f"{waited:.0f} seconds, and {became}"
            self.sleep(1.0)
        return f"{self.patience:.0f} seconds"

    def _last_result(self, path: str) -> int | None:
        """Return a task's last result as Windows numbers them, None where it is not to be told."""
        done = self.runner(["/Query", "/TN", path, "/V", "/FO", "CSV", "/NH"], asks=False)
        rows = [row for row in csv.reader(done.said.splitlines()) if len(row) > _LAST_RESULT]
        try:
            return int(rows[0][_LAST_RESULT]) if done.code == 0 and rows else None
        except ValueError:
            return None

    def _run(self, words: Sequence[str], failed: str, *, asks: bool = False) -> None:
        done = self.runner(words, asks=asks)
        if done.code != 0:
            said = " ".join(done.said.split()) or "it said why on the terminal"
            raise BeaconError(
                f"{failed}: schtasks ended with {done.code}: {said}.",
                hint="Run this command in a terminal that was started as administrator.",
            )


def _credentials(task: Task) -> list[str]:
    """Return how schtasks gets the account's password: not at all, empty for a gMSA, else by asking."""
    account = task.account
    if account.service is not None:
        return []
    return ["/RU", account.name, "/RP", "*" if account.asks else ""]


def _read(report: Path, task: Task, waited: str) -> bytes:
    account = task.account.name
    try:
        content = report.read_bytes()
        report.unlink()
    except OSError as error:
        raise BeaconError(
            f"{task.path} as {account} left no report within {waited}: {error.strerror}.",
            hint=f"Give {account} the right 'Log on as a batch job', and rights to {task.folder}.",
        ) from None
    return content
