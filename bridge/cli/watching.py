"""``status``: whether anything is overdue."""

from __future__ import annotations

import os
from datetime import timedelta

import click

from bridge.cli.group import group
from bridge.cli.words import span
from bridge.desk import Desk, examples, shared


@group.command(epilog=examples("beacon-bridge status", "beacon-bridge status --max-age 36h --json"))
@click.option(
    "--max-age",
    callback=span,
    default="36h",
    metavar="36h",
    help="How old the last delivery may be: minutes, hours or days (36h if not said).",
)
@shared
def status(desk: Desk, max_age: timedelta) -> int:
    """Show a line a connection, and fail if anything is overdue: no monitoring needs more.

    The exit code is that of the last run where it failed, 5 for an expired credential, 9 for a delivery that
    is overdue or never was, and 12 where connections are in different trouble.
    """
    from bridge import assembly, status, system
    from bridge.show import connections

    place = desk.workplace
    look = status.Look(
        now=system.now(),
        max_age=max_age,
        next_start=assembly.next_start(os.environ, place.settings),
        expiry=assembly.expiries(os.environ, place.settings),
    )
    found = status.lines(list(place.settings.connections.values()), place.runs, look)
    desk.show([connections.status_json(one) for one in found], lambda: connections.status_lines(found))
    for line in place.runs.unreadable():
        desk.tell(line)
    return status.exit_code(found)
