"""The commands about the beacon and its readers: ``list`` and ``check``."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.group import group
from bridge.desk import Desk, examples, shared
from bridge.errors import BridgeError

if TYPE_CHECKING:
    from bridge.doctor import Finding


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
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the findings to FILE, as JSON.",
)
@shared
def check(desk: Desk, connection: str | None, report: Path | None) -> int:
    """Check this machine or, with a name, one connection: a line each, with its fix."""
    from bridge import doctor, installation

    findings = _findings(desk, connection, certain=report is not None)
    if report:
        installation.write_report(findings, report)
    desk.show([doctor.as_json(one) for one in findings], lambda: [one.line for one in findings])
    return doctor.exit_code(findings)


def _findings(desk: Desk, connection: str | None, *, certain: bool) -> list[Finding]:
    """Return what a check finds; ``certain``: a failure to check is a finding, too."""
    from bridge import assembly, doctor

    facts = assembly.facts(os.environ)
    try:
        place = desk.workplace
        find = functools.partial(assembly.connected_tester, os.environ, place.settings)
        if connection:
            return list(doctor.connection(place, place.settings.connection(connection), find, facts))
        return list(doctor.machine(place, find, facts))
    except BridgeError as error:
        if certain:
            return [doctor.Finding.of("connection", error)]
        raise
