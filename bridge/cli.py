"""Arguments in, results out: every command, and how an error becomes an exit code."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge import __version__
from bridge.desk import Desk, examples, reader_name, run_command, shared, step_files
from bridge.errors import EXIT_SEVERAL, BridgeError

if TYPE_CHECKING:
    from bridge.runs.record import Run


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "beacon-bridge check                     what this machine has and lacks",
        'beacon-bridge run "Contoso EU"          collect, convert and deliver',
        'beacon-bridge show "last:Contoso EU"    what became of it, and what to do next',
    ),
)
@click.version_option(__version__, prog_name="beacon-bridge")
def group() -> None:
    """Run a FlexNet beacon's Microsoft 365 reader folders and turn what they read into upload packages.

    The manual is docs/manual.md. Exit codes: 0 done, 2 usage, 3 settings, 4 beacon, 5 sign-in, 6 reader,
    7 reader output, 8 package, 9 delivery, 10 busy, 11 gaps under --strict, 12 several failures,
    130 interrupted.
    """


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    return run_command(group, arguments)


# --- the beacon and its readers ---


@group.command("list", epilog=examples("beacon-bridge list", 'beacon-bridge list "Microsoft 365" --census'))
@click.argument("name", required=False)
@click.option("--census", is_flag=True, help="Elements, attributes and counts only: fit to be sent to us.")
@shared
def list_(desk: Desk, name: str | None, census: bool) -> int:
    """List the reader folders, the beacon's and ours, or show one of them."""
    from bridge.show import catalogue

    if census and not name:
        raise click.UsageError("--census wants the NAME of a reader folder.")
    place = desk.workplace
    if name and census:
        files = catalogue.take_census(place, name)
        desk.show(catalogue.census_json(files), lambda: catalogue.census_lines(files))
        return 0
    if name:
        one = place.reader(name)
        desk.show(
            catalogue.reader_json(one, place.settings), lambda: catalogue.reader_lines(one, place.settings)
        )
        return 0
    found = catalogue.folders(place)
    desk.show(
        [catalogue.found_json(one, place.settings) for one in found],
        lambda: catalogue.lines(found, place.settings),
    )
    for line in catalogue.remarks(place, found):
        desk.tell(line)
    return 0


@group.command(epilog=examples("beacon-bridge check", 'beacon-bridge check "Contoso EU"'))
@click.argument("connection", required=False)
@shared
def check(desk: Desk, connection: str | None) -> int:
    """Check this machine or, with a name, one connection: a line each, with its fix."""
    from bridge import assembly, doctor

    place = desk.workplace
    find = functools.partial(assembly.find_tester, os.environ)
    if connection:
        findings = list(doctor.connection(place, place.settings.connection(connection), find))
    else:
        findings = list(doctor.machine(place, find))
    desk.show([doctor.as_json(one) for one in findings], lambda: [one.line for one in findings])
    return doctor.exit_code(findings)


# --- the stages ---

connection_argument = click.argument("connection")
run_argument = click.argument("run")


@group.command(epilog=examples('beacon-bridge run "Contoso EU"', 'beacon-bridge run "Contoso EU" --strict'))
@connection_argument
@click.option("--strict", is_flag=True, help="Do not deliver a package that has gaps; exit with 11.")
@shared
def run(desk: Desk, connection: str, strict: bool) -> int:
    """Collect, convert and deliver one connection."""
    from bridge import pipeline

    chosen = desk.connection(connection)
    with desk.telling() as say:
        done = pipeline.run(desk.workplace, chosen, say, strict=strict)
    return desk.finish(done, strict=strict, reads=True)


@group.command(epilog=examples('beacon-bridge collect "Contoso EU"'))
@connection_argument
@shared
def collect(desk: Desk, connection: str) -> int:
    """Run the reader only: the run folder then holds its captures."""
    from bridge import pipeline

    chosen = desk.connection(connection)
    with desk.telling() as say:
        done = pipeline.collect(desk.workplace, chosen, say)
    return desk.finish(done)


@group.command(
    epilog=examples(
        'beacon-bridge convert "last:Contoso EU"',
        'beacon-bridge convert --reader "Microsoft 365" User.xml/LoadUsers=users.xml',
    )
)
@click.argument("what", nargs=-1, required=True, metavar="RUN | STEP=FILE...")
@click.option("--reader", metavar="FOLDER", help="By hand: the reader folder whose steps these are.")
@click.option("--connection", metavar="NAME", help="By hand: the connection the package is for.")
@shared
def convert(desk: Desk, what: tuple[str, ...], reader: str | None, connection: str | None) -> int:
    """Make a run's package again from its captures, or one by hand from saved reader output."""
    from bridge import pipeline

    if not reader and (len(what) > 1 or connection):
        raise click.UsageError("STEP=FILE and --connection want --reader FOLDER.")
    if reader:
        reader = reader_name(reader)
        files = step_files(what)
        chosen = desk.connection(connection) if connection else desk.by_hand(reader)
    with desk.telling() as say:
        if reader:
            done = pipeline.convert_by_hand(desk.workplace, chosen, reader, files, say)
        else:
            done = pipeline.convert(desk.workplace, desk.workplace.runs.load(what[0]), say)
    return desk.finish(done)


@group.command(
    epilog=examples(
        'beacon-bridge deliver "last:Contoso EU"',
        'beacon-bridge deliver 20261122T081530Z-4f2a --again --reason "the share was restored from backup"',
        "beacon-bridge deliver --waiting",
    )
)
@click.argument("run", required=False)
@click.option("--waiting", is_flag=True, help="Deliver the newest waiting package of every connection.")
@click.option("--again", is_flag=True, help="Deliver a package that was delivered already; wants --reason.")
@click.option("--reason", default="", help="Why it is delivered again; kept in the run's record.")
@click.option("--accept-by-hand", is_flag=True, help="Deliver a package that was made by hand.")
@shared
def deliver(
    desk: Desk, run: str | None, waiting: bool, again: bool, reason: str, accept_by_hand: bool
) -> int:
    """Deliver a run's package to the folder that its connection names."""
    from bridge import pipeline

    if waiting == bool(run) or (waiting and (again or accept_by_hand)):
        raise click.UsageError("Name a RUN, or say --waiting alone.")
    if again and not reason.strip():
        raise click.UsageError("--again wants --reason TEXT.")
    if waiting:
        return _deliver_waiting(desk)
    place = desk.workplace
    with desk.telling() as say:
        done = pipeline.deliver_run(
            place, place.runs.load(run or ""), say, again=again, reason=reason, accept_by_hand=accept_by_hand
        )
    return desk.finish(done, reads=True)


def _deliver_waiting(desk: Desk) -> int:
    """Deliver what waits for every connection; one that fails does not keep the others."""
    from bridge import pipeline
    from bridge.show import report

    done: list[Run] = []
    failed: dict[str, BridgeError] = {}
    for chosen in desk.workplace.settings.connections.values():
        try:
            with desk.telling() as say:
                sent = pipeline.deliver_waiting(desk.workplace, chosen, say)
        except BridgeError as error:
            desk.tell(f"{chosen.name}: {error}\nNext: {error.hint}")
            failed[chosen.name] = error
        else:
            done += [sent] if sent else []
    runs = desk.workplace.runs
    desk.show(report.delivered_json(done, failed, runs), lambda: report.runs_table(done, runs))
    desk.tell_readers()
    codes = {error.exit_code for error in failed.values()}
    return EXIT_SEVERAL if len(codes) > 1 else next(iter(codes), 0)


# --- looking ---


@group.command(
    epilog=examples(
        'beacon-bridge verify "last:Contoso EU"', r"beacon-bridge verify D:\Outbox\20261125T220714Z-ede5.zip"
    )
)
@click.argument("what", metavar="RUN | PACKAGE")
@shared
def verify(desk: Desk, what: str) -> int:
    """Verify a package, believing nothing it says; a run's also against its record and captures."""
    from bridge import pipeline
    from bridge.package.verify import verify as verify_package
    from bridge.show import report

    if what.lower().endswith(".zip"):
        package = verify_package(Path(what))
    else:
        package = pipeline.verify_run(desk.workplace, desk.workplace.runs.load(what))
    desk.show(report.package_json(package), lambda: report.package_lines(package))
    return 0


@group.command(epilog=examples("beacon-bridge show", 'beacon-bridge show "last:Contoso EU"'))
@click.argument("run", required=False)
@shared
def show(desk: Desk, run: str | None) -> int:
    """List the runs or, with a RUN, tell what became of it and which command comes next."""
    from bridge import doctor
    from bridge.show import report

    place = desk.workplace
    if run:
        one = place.runs.load(run)
        desk.show(report.run_json(one, place.runs), lambda: report.story(one, place))
        return 0
    found = place.runs.all()
    desk.show(
        [report.run_json(one, place.runs) for one in found], lambda: report.runs_table(found, place.runs)
    )
    for line in (*place.runs.unreadable(), *doctor.retired(place.settings)):
        desk.tell(line)
    return 0


@group.command(epilog=examples("beacon-bridge rows capture.xml", "beacon-bridge rows users.clixml --json"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@shared
def rows(desk: Desk, file: Path) -> int:
    """Show the rows of a capture, an Export-Clixml or a ConvertTo-Xml file; --json: one object a line.

    The rows come as they are read, so a file may have any size; one that cannot be trusted has shown the rows
    before that place, and exits with 7. In the table a null is blank, an empty text is "", a property that a
    row lacks is -, and control, direction and unpaired characters are shown escaped. Its columns are the
    properties of the first 50 rows; one that comes up later stands at the end of its row as name=value.
    A cell of more than 40 characters is cut and ends in "...". --json shows everything whole.
    """
    from bridge.show import rows as listing

    listing.show(file, sys.stdout, json=desk.json)
    return 0


@group.command(epilog=examples("beacon-bridge settings", "beacon-bridge settings --example"))
@click.option("--example", is_flag=True, help="Print a complete, commented bridge.toml.")
@shared
def settings(desk: Desk, example: bool) -> int:
    """Show the settings as they were understood, or print a complete example."""
    from bridge.show import report
    from bridge.show.example import EXAMPLE

    if example:
        desk.show({"example": EXAMPLE}, lambda: EXAMPLE.rstrip("\n"))
        return 0
    found = desk.workplace.settings
    desk.show(report.settings_json(found), lambda: report.settings_lines(found))
    for line in found.warnings:
        desk.tell(f"warning: {line}")
    return 0
