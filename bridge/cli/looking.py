"""The commands that look and change nothing: ``verify``, ``show``, ``rows`` and ``settings``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bridge.cli.group import group
from bridge.desk import Desk, examples, printing, shared


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

    with printing():
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
