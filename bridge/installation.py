"""Tasks put into the Task Scheduler, and each connection checked once as the account that will run it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge import doctor, system
from bridge.doctor import Finding
from bridge.errors import BeaconError
from bridge.model import Connection
from bridge.schedule import DELIVER, Account, Program, Scheduler, Task, check_task

Admit = Callable[[Path, str], None]  # lets an account into a private folder

_SHARED = ("runs", "locks", "logs")  # folders of the state folder that may have been made for somebody else


@dataclass(frozen=True, slots=True)
class Checked:
    """A connection and what its check found, as its task's account."""

    connection: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Installed:
    """The tasks that were registered, and how each connection stands."""

    tasks: tuple[str, ...]
    checks: tuple[Checked, ...]

    @property
    def exit_code(self) -> int:
        """The exit code of the first finding that fails, 0 if none does."""
        return doctor.exit_code([finding for one in self.checks for finding in one.findings])


def install(
    scheduler: Scheduler,
    tasks: Sequence[Task],
    connections: Sequence[Connection],
    program: Program,
    account: Account,
    tell: Callable[[str], None],
    admit: Admit = system.admit,
) -> Installed:
    """Let the account into the state folder, register the tasks, then check each connection once as it.

    ``tell`` hears what is going on. Raises BeaconError where schtasks refuses a task, or where another
    installation's delivery would be replaced, before anything is changed; SettingsError for an account that
    is not there. A check that cannot be run is a finding.
    """
    for task in (one for one in tasks if one.name == DELIVER):  # the one that all settings would share
        scheduler.refuse_other(task)
    if not account.is_system:
        for folder in (program.state, *(program.state / name for name in _SHARED), scheduler.private):
            system.make_private_folder(folder)
            admit(folder, account.name)
    for task in tasks:
        tell(f"registering {task.path} as {account.name}")
        scheduler.install(task)
    checks = []
    for one in connections:
        tell(f"checking {one.name} as {account.name}")
        checks.append(Checked(one.name, _check(scheduler, one, program, account)))
    return Installed(tuple(task.path for task in tasks), tuple(checks))


def _check(
    scheduler: Scheduler, connection: Connection, program: Program, account: Account
) -> tuple[Finding, ...]:
    report = scheduler.private / f"check {connection.name}.json"
    try:
        content = scheduler.once(check_task(connection, program, account, report), report)
        return tuple(Finding(**finding) for finding in json.loads(content))
    except BeaconError as error:
        return (Finding.of("task", error),)
    except (ValueError, TypeError) as error:
        return (Finding.of("task", BeaconError(f"{report.name} holds no findings: {error}.")),)


def write_report(findings: Sequence[Finding], report: Path) -> None:
    """Write findings where `install` reads them; the file appears whole."""
    system.write_whole(report, json.dumps([doctor.as_json(one) for one in findings]).encode())
