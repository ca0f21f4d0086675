"""``position``: where a tenant stands, and whom the server will not find by mail."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.group import group
from bridge.desk import Desk, examples, shared
from bridge.errors import EXIT_SEVERAL, BridgeError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from bridge.position import Position, Source
    from bridge.show.position import Everyone


@group.command(
    epilog=examples(
        'beacon-bridge position "last:Contoso EU"',
        r"beacon-bridge position D:\Outbox\20261125T220714Z-ede5.zip --html D:\position.html",
        "beacon-bridge position --all --csv > position.csv",
    )
)
@click.argument("what", metavar="RUN | PACKAGE", required=False)
@click.option("--all", "every", is_flag=True, help="Every connection, and whom mail does not tell apart.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, in UTF-8.")
@click.option("--html", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page, too.")
@shared
def position(desk: Desk, what: str | None, every: bool, as_csv: bool, file: Path | None) -> int:
    """Tell what a tenant bought, who holds it and who uses it, as one run of our reader folder read it.

    The users of a product are those that take a licence of it. Each was active in the period of Microsoft's
    usage report, before it, never, or is not in it. A dash is what is not known; a line above says why. It is
    the online half: local Office installations are counted by the server.
    """
    if every == bool(what):
        raise click.UsageError("Name a RUN or a PACKAGE, or say --all.")
    if as_csv and desk.json:
        raise click.UsageError("--json and --csv exclude each other.")
    if every:
        return _everyone(desk, as_csv=as_csv, file=file)
    from bridge.show import position as shown

    found = _position(desk, _source(desk, what or ""))
    if as_csv:
        with _writing():
            shown.write_csv(found, _utf8())
    else:
        desk.show(shown.as_json(found), lambda: shown.lines(found))
    _write(desk, file, lambda: shown.html(found))
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


def _everyone(desk: Desk, *, as_csv: bool, file: Path | None) -> int:
    from bridge.position import Matching
    from bridge.show import position as shown

    sources, failed = _sources(desk)
    positions = [_position(desk, source) for source in sources]
    with Matching(sources, _folder(desk)) as matching:
        found = shown.Everyone(positions, failed, matching)
        _print(desk, found, as_csv=as_csv)
        _write(desk, file, lambda: shown.all_html(found))
    codes = {error.exit_code for error in failed.values()}
    return EXIT_SEVERAL if len(codes) > 1 else next(iter(codes), 0)


def _print(desk: Desk, found: Everyone, *, as_csv: bool) -> None:
    from bridge.show import position as shown

    with _writing():
        if as_csv:
            shown.write_all_csv(found, _utf8())
        elif desk.json:
            shown.write_all_json(found, sys.stdout)
        else:
            desk.show({}, lambda: shown.all_lines(found))


def _sources(desk: Desk) -> tuple[list[Source], dict[str, BridgeError]]:
    """Return each connection's last whole run; one that has none, or is read otherwise, keeps nobody."""
    from bridge import position

    sources, failed = [], {}
    for name, chosen in desk.workplace.settings.connections.items():
        if chosen.reader != f"bridge:{position.READER}":
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


@contextmanager
def _writing() -> Iterator[None]:
    """Take what Windows says when nobody reads any more for what others say."""
    from bridge import system

    try:
        yield
    except OSError as error:
        if not system.is_broken_pipe(error):
            raise
        raise BrokenPipeError from error


def _utf8() -> IO[str]:
    """Return standard output for CSV: UTF-8 that says so, as spreadsheets want it, with its own line ends."""
    sys.stdout.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr]  # as in desk.py
    return sys.stdout


def _write(desk: Desk, file: Path | None, made: Callable[[], str]) -> None:
    from bridge import system

    if file is None:
        return
    try:
        system.write_whole(file, made().encode())
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror or error}.",
            hint="Name a file in a folder that is there and that this account may write to.",
        ) from error
    desk.tell(f"page: {file}")
