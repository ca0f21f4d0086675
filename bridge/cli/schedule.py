"""``schedule``: tasks of the Windows Task Scheduler for connections, and what they plan."""

from __future__ import annotations

import os
import sys
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.group import group
from bridge.cli.words import span, time_of_day
from bridge.desk import Desk, examples, shared
from bridge.errors import BeaconError

if TYPE_CHECKING:
    from bridge.model import Connection
    from bridge.schedule import Account, Program, Scheduler, Task, Timing


@group.command(
    epilog=examples(
        'beacon-bridge schedule install "Contoso EU" --at 02:30',
        r"beacon-bridge schedule install --all --every 12h --as CONTOSO\beacon$",
        'beacon-bridge schedule install "Contoso EU" --print',
        "beacon-bridge schedule show --all",
        'beacon-bridge schedule remove "Contoso EU"',
    )
)
@click.argument("action", type=click.Choice(["install", "remove", "show"]))
@click.argument("connection", required=False)
@click.option("--all", "every_connection", is_flag=True, help="All connections of the settings.")
@click.option(
    "--at",
    callback=time_of_day,
    default="02:30",
    metavar="HH:MM",
    help="When, in local time (02:30 if not said).",
)
@click.option(
    "--every", callback=span, metavar="12h", help="From then on every so often, in place of every day."
)
@click.option(
    "--as",
    "account",
    default="SYSTEM",
    metavar="ACCOUNT",
    help=r"SYSTEM (if not said), NT AUTHORITY\LocalService, a gMSA (its name ends in $), or any other.",
)
@click.option("--print", "only_print", is_flag=True, help="Show the tasks' XML and change nothing.")
@shared
def schedule(
    desk: Desk,
    action: str,
    connection: str | None,
    every_connection: bool,
    at: time,
    every: timedelta | None,
    account: str,
    only_print: bool,
) -> int:
    """Install, remove or show the Windows tasks that run connections and deliver what waits."""
    from bridge.schedule import Account, Timing

    if every_connection == bool(connection):
        raise click.UsageError("Name a CONNECTION, or say --all.")
    settings = desk.workplace.settings
    chosen = (
        list(settings.connections.values()) if every_connection else [settings.connection(connection or "")]
    )
    who = Account(account)
    tasks = _tasks(desk, chosen, who, Timing(at, every))
    if only_print:
        return printed(desk, tasks)
    if action == "show":
        return show(desk, _scheduler(desk, "look for", tasks), tasks)
    if action == "remove":
        return remove(desk, _scheduler(desk, "remove", tasks), tasks, with_delivery=every_connection)
    _refuse_stdin(desk, chosen)
    return install(desk, _scheduler(desk, "register", tasks), tasks, chosen, who)


def _tasks(desk: Desk, chosen: list[Connection], account: Account, timing: Timing) -> list[Task]:
    """Return a task for each connection and, last, the one that delivers what waits."""
    from bridge.schedule import deliver_task, run_task

    program, now = _program(desk), datetime.now()
    runs = [run_task(one, program, account, timing, now) for one in chosen]
    return [*runs, deliver_task(program, account, now)]


def _program(desk: Desk) -> Program:
    from bridge.schedule import Program

    state = desk.workplace.settings.state.absolute()
    return Program(Path(sys.executable).absolute(), ("-P", "-m", "bridge"), desk.same_words(), state)


def _scheduler(desk: Desk, verb: str, tasks: list[Task]) -> Scheduler:
    """Return this machine's scheduler; BeaconError says what would have been done where there is none."""
    from bridge import assembly

    try:
        return assembly.scheduler(os.environ, desk.workplace.settings.state)
    except BeaconError as error:
        names = ", ".join(task.path for task in tasks)
        raise BeaconError(f"{error} On the beacon this would {verb}: {names}.", hint=error.hint) from None


def _refuse_stdin(desk: Desk, chosen: list[Connection]) -> None:
    """Refuse connections whose secrets somebody would have to type."""
    from bridge import many
    from bridge.errors import SettingsError

    for one in chosen:
        if names := sorted(many.stdin_names(one, desk.workplace.settings.web)):
            raise SettingsError(
                f"{one.name} takes stdin:{', stdin:'.join(names)}, and a task has nobody to ask.",
                hint="Put it into the store: beacon-bridge secret set NAME",
            )


# --- the actions ---


def printed(desk: Desk, tasks: list[Task]) -> int:
    """Show the XML of the tasks."""
    from bridge.schedule import to_xml

    shown = {task.path: to_xml(task).decode("utf-16").replace("\r\n", "\n") for task in tasks}
    desk.show(
        [{"task": path, "xml": xml} for path, xml in shown.items()],
        lambda: [line for path, xml in shown.items() for line in (path, xml)],
    )
    return 0


def show(desk: Desk, scheduler: Scheduler, tasks: list[Task]) -> int:
    """Show which tasks are registered, and when each starts next."""
    from bridge.show import connections

    starts = {task.path: _registered(desk, scheduler, task) for task in tasks}
    desk.show(connections.starts_json(starts), lambda: connections.starts_lines(starts))
    return 0


def _registered(desk: Desk, scheduler: Scheduler, task: Task) -> tuple[bool, datetime | None]:
    try:
        return scheduler.xml(task.path) is not None, scheduler.next_start(task.path, datetime.now())
    except BeaconError as error:
        desk.tell(f"{task.path}: {error}")
        return True, None


def remove(desk: Desk, scheduler: Scheduler, tasks: list[Task], *, with_delivery: bool) -> int:
    """Remove the connections' tasks; the delivery of what waits goes with the last of them.

    One that cannot be removed does not keep the others; BeaconError then names each of the two kinds.
    """
    removed: list[str] = []
    failed: list[BeaconError] = []
    for task in tasks if with_delivery else tasks[:-1]:
        try:
            scheduler.remove(task.path)
            removed.append(task.path)
        except BeaconError as error:
            failed.append(error)
    if failed:
        said = [error.sentence for error in failed] + [f"{path} was removed." for path in removed]
        raise BeaconError("\n".join(said), hint=failed[0].hint)
    desk.show({"removed": removed}, lambda: [f"removed {path}" for path in removed])
    return 0


def install(
    desk: Desk, scheduler: Scheduler, tasks: list[Task], chosen: list[Connection], account: Account
) -> int:
    """Register the tasks, then have each connection checked once as the account that will run it."""
    from bridge import installation
    from bridge.show import connections

    done = installation.install(scheduler, tasks, chosen, _program(desk), account, desk.tell)
    desk.show(connections.installed_json(done), lambda: connections.installed_lines(done))
    return done.exit_code
