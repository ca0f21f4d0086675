"""``diff``: what differs between two runs, and what changed around them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import pages
from bridge.cli.group import group
from bridge.desk import Desk, examples, shared

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.runs.record import Run


@group.command(
    epilog=examples(
        "beacon-bridge diff 20261124T023012Z-51c0 20261127T023009Z-9d1e",
        'beacon-bridge diff "last:Contoso EU"',
        'beacon-bridge diff "Contoso EU" --since 2026-11-24',
        r'beacon-bridge diff "Contoso EU" --since 2026-11-24 --html D:\diff.html',
    )
)
@click.argument("what", nargs=-1, required=True, metavar="RUN [RUN] | CONNECTION")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Of a CONNECTION: its last whole run of that day or before, against its newest.",
)
@click.option("--html", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page, too.")
@shared
def diff(desk: Desk, what: tuple[str, ...], since: datetime | None, file: Path | None) -> int:
    """Tell what differs between two runs of a reader folder: rows, SKUs, users, and what changed around them.

    The first RUN is the one before. With one RUN that is its connection's last delivered run before it or,
    where none was delivered, the last whole one. A dash is what is not known, or is not there. Lists are cut
    on the screen and on the page; --json has every row, and is written as it is read.
    """
    from bridge.difference import compared
    from bridge.show import difference as shown

    if len(what) > (1 if since else 2):
        raise click.UsageError("Name one RUN or two, or a CONNECTION with --since.")
    runs = desk.workplace.runs
    with compared(runs, *_pair(desk, what, since)) as found:
        if file is not None:
            pages.write(desk, file, shown.html(found))
        desk.show(shown.as_json(found), lambda: shown.lines(found))
    return 0


def _pair(desk: Desk, what: tuple[str, ...], since: datetime | None) -> tuple[Run, Run]:
    from bridge import difference

    runs = desk.workplace.runs
    if since:
        return difference.pair_since(runs, what[0], since.date())
    named = [runs.load(name) for name in what]
    return (named[0], named[1]) if len(named) > 1 else (difference.before_of(runs, named[0]), named[0])
