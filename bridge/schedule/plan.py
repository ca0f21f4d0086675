"""Which tasks a connection wants: its run, the delivery of what waits, one check as the account."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from hashlib import sha256
from pathlib import Path

from bridge.model import Connection
from bridge.schedule.task import FOLDER, Account, Task

DELIVER = "deliver waiting"
_AFTER_THE_READER = timedelta(hours=1)  # converting and delivering come after minutes.run
_CHECK_LIMIT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Program:
    """How beacon-bridge is started, by absolute paths, with which settings, in which folder."""

    command: Path
    before: Sequence[str]
    after: Sequence[str]
    state: Path

    def arguments(self, *words: str) -> str:
        """Return the arguments of a command as Windows takes them: one text, quoted."""
        return subprocess.list2cmdline([*self.before, *words, *self.after])


@dataclass(frozen=True, slots=True)
class Timing:
    """When a connection runs: every day at a local time, or from then on every so often."""

    at: time = time(2, 30)
    every: timedelta | None = None
    delay: timedelta = timedelta(minutes=10)

    def first(self, now: datetime) -> datetime:
        """Return the first start, today's, in local time; one that is past counts from there on."""
        return datetime.combine(now.date(), self.at)


def run_path(connection: str) -> str:
    """Return the task's name, with its folder, that runs a connection."""
    return f"{FOLDER}run {connection}"


def run_task(
    connection: Connection, program: Program, account: Account, timing: Timing, now: datetime
) -> Task:
    """Return the task that runs a connection."""
    minutes = connection.minutes.run
    return Task(
        name=f"run {connection.name}",
        description=f"beacon-bridge: collects {connection.name} and delivers its package.",
        account=account,
        command=str(program.command),
        arguments=program.arguments("run", connection.name),
        folder=str(program.state),
        start=timing.first(now),
        every=timing.every,
        delay=timing.delay if timing.every is None else min(timing.delay, timing.every / 2),
        limit=timedelta(minutes=minutes) + _AFTER_THE_READER if minutes else None,
    )


def deliver_task(program: Program, account: Account, now: datetime) -> Task:
    """Return the task that delivers what waits, every ten minutes; its description tells it from others."""
    arguments = program.arguments("deliver", "--waiting")
    mark = _mark(account.service or account.name.casefold(), str(program.command), arguments)
    return Task(
        name=DELIVER,
        description=f"beacon-bridge: delivers the packages that wait ({mark}).",
        account=account,
        command=str(program.command),
        arguments=arguments,
        folder=str(program.state),
        start=datetime.combine(now.date(), time()),
        every=timedelta(minutes=10),
        delay=timedelta(minutes=1),
        limit=timedelta(hours=1),
    )


def _mark(*words: str) -> str:
    """Return eight digits for words: Windows may give back a name as an identifier, and schtasks' code page
    may not hold a path, but these come back as they are."""
    return sha256("\0".join(words).encode()).hexdigest()[:8]


def check_task(connection: Connection, program: Program, account: Account, report: Path) -> Task:
    """Return the task that checks a connection once, as the account; its findings go to ``report``."""
    once = run_task(connection, program, account, Timing(), datetime.min)
    return replace(
        once,
        name=f"check {connection.name}",
        description=f"beacon-bridge: checks {connection.name} once, as the account of its task.",
        arguments=program.arguments("check", connection.name, "--report", str(report)),
        start=None,
        delay=timedelta(0),
        limit=_CHECK_LIMIT,
    )
