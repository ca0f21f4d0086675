"""``position``: where a tenant stands, and whom the server will not find by mail."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import pages
from bridge.cli.group import group
from bridge.desk import Desk, examples, printing, shared
from bridge.errors import EXIT_SEVERAL, BridgeError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from bridge.position import Position, Source

_PRINTED = "-"  # the name of standard output


@group.command(
    epilog=examples(
        'beacon-bridge position "last:Contoso EU"',
        r"beacon-bridge position D:\Outbox\20261125T220714Z-ede5.zip --html D:\position.html",
        r"beacon-bridge position --all --csv D:\position.csv",
    )
)
@click.argument("what", metavar="RUN | PACKAGE", required=False)
@click.option("--all", "every", is_flag=True, help="Every connection, and whom mail does not tell apart.")
@click.option(
    "--csv",
    "csv",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    is_flag=False,
    flag_value=_PRINTED,
    metavar="[FILE]",
    help="Write CSV in UTF-8, too; print it in place of the tables without a FILE, or with -.",
)
@click.option("--html", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page, too.")
@shared
def position(desk: Desk, what: str | None, every: bool, csv: Path | None, file: Path | None) -> int:
    """Tell what a tenant bought, who holds it and who uses it, as one run of our reader folder read it.

    The users of a product are those that take a licence of it. Each was active in the period of Microsoft's
    usage report, before it, never, or is not in it. A dash is what is not known; a line above says why. It is
    the online half: local Office installations are counted by the server.
    """
    if every == bool(what):
        raise click.UsageError("Name a RUN or a PACKAGE, or say --all.")
    if _is_printed(csv) and desk.json:
        raise click.UsageError("--json and --csv exclude each other; --csv FILE writes a file.")
    if every:
        return _everyone(desk, csv=csv, file=file)
    from bridge.show import position as shown

    found = _position(desk, _source(desk, what or ""))
    if file is not None:
        pages.write(desk, file, shown.html(found))
    if not _put_csv(desk, csv, partial(shown.write_csv, found)):
        desk.show(shown.as_json(found), lambda: shown.lines(found))
    return 0


def _source(desk: Desk, what: str) -> Source:
    from bridge import position

    if what.lower().endswith(".zip"):
        return position.of_package(Path(what))
    runs = desk.workplace.runs
    return position.of_run(runs, runs.load(what))


def _position(desk: Desk, source: Source) -> Position:
    from bridge import position

    return position.position(source, _folder(desk))


def _folder(desk: Desk) -> Path:
    """Return where rows may lie side by side: among the others that name people."""
    from bridge import system
    from bridge.runs.store import kept

    state = desk.workplace.settings.state
    with kept():
        system.make_private_folder(state)
    return state


# --- all of them ---


def _everyone(desk: Desk, *, csv: Path | None, file: Path | None) -> int:
    from bridge.position import Matching
    from bridge.show import position as shown

    sources, failed = _sources(desk)
    positions = [_position(desk, source) for source in sources]
    with Matching(sources, _folder(desk)) as matching:
        found = shown.Everyone(positions, failed, matching)
        if file is not None:
            pages.write(desk, file, shown.all_html(found))
        if not _put_csv(desk, csv, partial(shown.write_all_csv, found)):
            desk.show(shown.all_json(found), lambda: shown.all_lines(found))
    codes = {error.exit_code for error in failed.values()}
    return EXIT_SEVERAL if len(codes) > 1 else next(iter(codes), 0)


def _sources(desk: Desk) -> tuple[list[Source], dict[str, BridgeError]]:
    """Return each connection's last whole run; one that has none, or is read otherwise, keeps nobody."""
    from bridge.readers.ours import READER

    sources, failed = [], {}
    for name, chosen in desk.workplace.settings.connections.items():
        if chosen.reader != f"bridge:{READER}":
            desk.tell(f"{name} is read by {chosen.reader!r}, of which no position can be told.")
            continue
        try:
            sources.append(_last_whole(desk, name))
        except BridgeError as error:
            desk.tell(f"{name}: {error}\nNext: {error.hint}")
            failed[name] = error
    return sources, failed


def _last_whole(desk: Desk, name: str) -> Source:
    from bridge import position
    from bridge.runs.retention import is_whole

    runs = desk.workplace.runs
    whole = [run for run in runs.all() if run.connection == name and is_whole(run)]
    if not whole:
        raise SettingsError(f"There is no whole run of {name!r} yet.", hint=f'beacon-bridge run "{name}"')
    return position.of_run(runs, whole[-1])


# --- where it goes ---


def _is_printed(csv: Path | None) -> bool:
    return csv == Path(_PRINTED)


def _put_csv(desk: Desk, csv: Path | None, written: Callable[[IO[str]], None]) -> bool:
    """Put CSV where it is wanted, if it is; return whether it was printed in place of all else."""
    if csv is not None and not _is_printed(csv):
        pages.write_csv(desk, csv, written)
    elif csv is not None:
        with printing():
            written(_utf8())
    return _is_printed(csv)


def _utf8() -> IO[str]:
    """Return standard output for CSV: UTF-8 that says so, as spreadsheets want it, with its own line ends."""
    sys.stdout.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr]  # as in desk.py
    return sys.stdout
