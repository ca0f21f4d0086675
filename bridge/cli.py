"""Arguments in, results out: every command, and how an error becomes an exit code."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge import __version__
from bridge.desk import Desk, examples, shared
from bridge.errors import EXIT_GAPS, EXIT_INTERRUPTED, EXIT_SEVERAL, EXIT_USAGE, BridgeError

if TYPE_CHECKING:
    from bridge.model import Connection
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
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a console is a TextIOWrapper
    try:
        return int(group.main(arguments, prog_name="beacon-bridge", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `beacon-bridge rows FILE | head`
        sys.stdout = None  # type: ignore[assignment]  # nobody reads it any more
        return 0
    except Exception as error:  # noqa: BLE001  # the one place: a failure without a name is a bug
        return _bug(error)


def _bug(error: Exception) -> int:
    """Say that this is a bug, and where, without the values that were at hand."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
    click.echo(f"BridgeError: a bug: {type(error).__name__} at {place}.\nNext: {BridgeError.hint}", err=True)
    return BridgeError.exit_code


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
    if name and census:
        found = catalogue.census(desk.workplace, name)
        desk.show(found, lambda: catalogue.census_lines(found))
    elif name:
        one = desk.workplace.reader(name)
        desk.show(
            catalogue.reader_json(one, desk.workplace), lambda: catalogue.reader_lines(one, desk.workplace)
        )
    else:
        folders = catalogue.folders(desk.workplace)
        desk.show([one.as_json() for one in folders], lambda: catalogue.table(folders))
        for line in catalogue.remarks(desk.workplace, folders):
            desk.tell(line)
    return 0


@group.command(epilog=examples("beacon-bridge check", 'beacon-bridge check "Contoso EU"'))
@click.argument("connection", required=False)
@shared
def check(desk: Desk, connection: str | None) -> int:
    """Check this machine or, with a name, one connection: a line each, with its fix."""
    from bridge import assembly, doctor
    from bridge.show import screen

    place = desk.workplace
    find = functools.partial(assembly.find_tester, os.environ)
    if connection:
        findings = list(doctor.connection(place, place.settings.connection(connection), find))
    else:
        findings = list(doctor.machine(place, find))
    columns = ("Topic", "State", "Found", "Fix")
    desk.show(
        [doctor.as_json(one) for one in findings],
        lambda: screen.table(columns, ((one.topic, one.level, one.text, one.fix) for one in findings)),
    )
    return next((one.exit_code for one in findings if one.level == "fail"), 0)


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

    chosen = _chosen(desk, connection)
    with desk.telling() as say:
        done = pipeline.run(desk.workplace, chosen, say, strict=strict)
    return _finish(desk, done, strict=strict, reads=True)


@group.command(epilog=examples('beacon-bridge collect "Contoso EU"'))
@connection_argument
@shared
def collect(desk: Desk, connection: str) -> int:
    """Run the reader only: the run folder then holds its captures."""
    from bridge import pipeline

    chosen = _chosen(desk, connection)
    with desk.telling() as say:
        done = pipeline.collect(desk.workplace, chosen, say)
    return _finish(desk, done)


@group.command(
    epilog=examples(
        'beacon-bridge convert "last:Contoso EU"',
        'beacon-bridge convert --reader "Microsoft 365" User.xml/LoadUsers=users.xml',
    )
)
@click.argument("what", nargs=-1, required=True, metavar="RUN | STEP=FILE...")
@click.option("--reader", help="By hand: the reader folder whose steps the files belong to.")
@click.option("--connection", help="By hand: the connection the package is for.")
@shared
def convert(desk: Desk, what: tuple[str, ...], reader: str | None, connection: str | None) -> int:
    """Make a run's package again from its captures, or one by hand from saved reader output."""
    from bridge import pipeline

    with desk.telling() as say:
        if reader:
            chosen = _by_hand(desk, reader, connection)
            files = dict(_step_file(word) for word in what)
            done = pipeline.convert_by_hand(desk.workplace, chosen, reader, files, say)
        elif len(what) == 1:
            done = pipeline.convert(desk.workplace, desk.workplace.runs.load(what[0]), say)
        else:
            raise click.UsageError("STEP=FILE wants --reader FOLDER.")
    return _finish(desk, done)


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

    if waiting == bool(run):
        raise click.UsageError("Name a RUN, or say --waiting.")
    if again and not reason.strip():
        raise click.UsageError("--again wants --reason TEXT.")
    if waiting:
        return _deliver_waiting(desk)
    place = desk.workplace
    with desk.telling() as say:
        done = pipeline.deliver_run(
            place, place.runs.load(run or ""), say, again=again, reason=reason, accept_by_hand=accept_by_hand
        )
    return _finish(desk, done, reads=True)


def _deliver_waiting(desk: Desk) -> int:
    """Deliver what waits for every connection; one that fails does not keep the others."""
    from bridge import pipeline
    from bridge.show import report

    done, codes = [], set()
    for chosen in desk.workplace.settings.connections.values():
        try:
            with desk.telling() as say:
                sent = pipeline.deliver_waiting(desk.workplace, chosen, say)
        except BridgeError as error:
            desk.tell(f"{chosen.name}: {error}\nNext: {error.hint}")
            codes.add(error.exit_code)
            continue
        if sent:
            done.append(sent)
    runs = desk.workplace.runs
    desk.show([report.run_json(one, runs) for one in done], lambda: report.runs_table(done, runs))
    return EXIT_SEVERAL if len(codes) > 1 else next(iter(codes), 0)


def _chosen(desk: Desk, name: str) -> Connection:
    """Return the connection, with the warnings that every run of it begins with."""
    from bridge import doctor

    settings = desk.workplace.settings
    chosen = settings.connection(name)
    for line in settings.warnings:
        desk.tell(f"warning: {line}")
    if settings.saas_management == "yes":
        desk.tell(f"warning: {doctor.RETIRED}")
    return chosen


def _by_hand(desk: Desk, reader: str, name: str | None) -> Connection:
    from bridge.model import Connection

    if name:
        return desk.workplace.settings.connection(name)
    return Connection(name="by hand", reader=reader, tenant="unknown")


def _step_file(word: str) -> tuple[str, Path]:
    step, equals, file = word.partition("=")
    if not equals or not step or not file:
        raise click.UsageError(f"{word!r} is not STEP=FILE.")
    return step, Path(file)


def _finish(desk: Desk, run: Run, *, strict: bool = False, reads: bool = False) -> int:
    """Show what a stage made of a run; gaps under ``--strict`` have an exit code of their own."""
    from bridge.package.layout import BRIDGE_1
    from bridge.show import report

    runs = desk.workplace.runs
    desk.show(report.run_json(run, runs), lambda: report.outcome_lines(run, runs))
    if reads:
        desk.tell(BRIDGE_1.readers)
    return EXIT_GAPS if strict and run.gaps else 0


# --- looking ---


@group.command(
    epilog=examples('beacon-bridge verify "last:Contoso EU"', r"beacon-bridge verify D:\Outbox\x.zip")
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
    for line in place.runs.unreadable():
        desk.tell(line)
    return 0


@group.command(epilog=examples("beacon-bridge rows capture.xml", "beacon-bridge rows users.clixml --json"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@shared
def rows(desk: Desk, file: Path) -> int:
    """Show the rows of a capture, an Export-Clixml or a ConvertTo-Xml file; --json: one object a line."""
    from bridge.show import report

    report.rows(file, sys.stdout, json=desk.json)
    return 0


@group.command(epilog=examples("beacon-bridge settings", "beacon-bridge settings --example"))
@click.option("--example", is_flag=True, help="Print a complete, commented bridge.toml.")
@shared
def settings(desk: Desk, example: bool) -> int:
    """Show the settings as they were understood, or print a complete example."""
    from bridge.settings import EXAMPLE
    from bridge.show import report

    if example:
        click.echo(EXAMPLE, nl=False)
        return 0
    found = desk.workplace.settings
    desk.show(report.settings_json(found), lambda: report.settings_lines(found))
    for line in found.warnings:
        desk.tell(f"warning: {line}")
    return 0
