"""The reader folders as scripts and people get them: all of them, one of them, or a census of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from bridge import beacon, doctor
from bridge.errors import BeaconError
from bridge.model import Owner, Reader, Step
from bridge.readers import census, folder, retired
from bridge.readers.census import FileCensus
from bridge.readers.folder import Found
from bridge.settings import Settings
from bridge.show import screen
from bridge.workplace import Workplace

# --- all folders ---


def folders(workplace: Workplace) -> tuple[Found, ...]:
    """Return the beacon's reader folders, if there is a beacon, then ours."""
    found = workplace.beacon
    theirs: tuple[Found, ...] = ()
    if not isinstance(found, BeaconError):
        theirs = folder.survey(beacon.folders(found.readers), Owner.BEACON, found.overrides)
    return theirs + folder.survey(beacon.folders(beacon.shipped_readers()), Owner.BRIDGE, None)


def names(workplace: Workplace) -> list[str]:
    """Return the readers that can be used, as the settings name them."""
    usable = (one for one in folders(workplace) if isinstance(one.reader, Reader))
    return [_settings_name(one.name, one.owner) for one in usable]


def found_json(found: Found, settings: Settings) -> dict[str, object]:
    """Return one folder: its reader, or the error that keeps it from being read."""
    if isinstance(found.reader, Reader):
        return reader_json(found.reader, settings)
    return {
        "name": _settings_name(found.name, found.owner),
        "source_type": beacon.source_type_label(found.name, settings.release),
        "owner": found.owner,
        "folder": str(found.folder),
    } | screen.error_json(found.reader)


def lines(found: Sequence[Found], settings: Settings) -> list[object]:
    """Return the folders for people: a table, then why the broken ones are broken."""
    heads = ("Reader", "Source type", "Whose", "Parameters", "Steps", "Server's", "State")
    drawn: list[object] = [screen.table(heads, (_row(one, settings) for one in found))]
    broken = (one for one in found if isinstance(one.reader, BeaconError))
    return drawn + [f"{_settings_name(one.name, one.owner)} is broken: {one.reader}" for one in broken]


def _row(found: Found, settings: Settings) -> tuple[str, ...]:
    name = _settings_name(found.name, found.owner)
    first = (name, beacon.source_type_label(found.name, settings.release), _whose(found.owner))
    if isinstance(found.reader, BeaconError):
        return *first, "", "", "", "broken"
    reader, mine = found.reader, len(found.reader.to_collect)
    parameters = ", ".join(one.name for one in reader.parameters)
    return *first, parameters, str(mine), str(len(reader.steps) - mine), "ok"


def remarks(workplace: Workplace, found: Sequence[Found]) -> tuple[str, ...]:
    """Return what else is worth knowing about the folders: the talk below the table."""
    lines = [
        f"warning: {one.name}: {warning}"
        for one in found
        if isinstance(one.reader, Reader)
        for warning in one.reader.warnings
    ]
    if isinstance(workplace.beacon, BeaconError):
        lines.append(f"{workplace.beacon}\nNext: {workplace.beacon.hint}")
    else:
        lines += _of_beacon(workplace.beacon)
    return (*lines, *doctor.retired(workplace.settings))


def _of_beacon(found: beacon.Beacon) -> list[str]:
    there = beacon.folders(found.readers)
    lines = [f"The beacon's reader folders lie in {found.readers} (found by {found.found_by})."]
    if sql := [path.name for path in there if folder.is_sql(path)]:
        lines.append(f"Left out, because they are SQL adapters: {', '.join(sql)}.")
    if not any(beacon.is_deprecated(path.name) for path in there):
        lines.append(doctor.NO_DEPRECATED)
    return lines


def _settings_name(name: str, owner: Owner) -> str:
    """Return how a connection names this folder."""
    return f"bridge:{name}" if owner is Owner.BRIDGE else name


def _whose(owner: Owner) -> str:
    return {Owner.BEACON: "the beacon's", Owner.BRIDGE: "ours", Owner.PATH: "a path"}[owner]


# --- one folder ---


def reader_json(reader: Reader, settings: Settings) -> dict[str, object]:
    """Return everything a reader folder declares, its steps in run order."""
    return {
        "name": _settings_name(reader.name, reader.owner),
        "source_type": beacon.source_type_label(reader.name, settings.release),
        "owner": reader.owner,
        "folder": str(reader.folder),
        "sha256": reader.sha256,
        "files": dict(reader.hashes),
        "parameters": [asdict(one) for one in reader.parameters],
        "scripts": [path.name for path in reader.scripts],
        "test_connection": reader.test.method if reader.test else None,
        "version_check": reader.version_check.method if reader.version_check else None,
        "steps": [_step_json(one) for one in reader.steps],
        "warnings": [*retired.warnings(reader.name), *reader.warnings],
        "saas_management": settings.saas_management,
    }


def _step_json(step: Step) -> dict[str, object]:
    overridden = str(step.overridden_by) if step.overridden_by else None
    return {"id": step.id, "runs_on": _runs_on(step), **asdict(step), "overridden_by": overridden}


def reader_lines(reader: Reader, settings: Settings) -> list[object]:
    """Return everything a reader folder declares, for people."""
    label = beacon.source_type_label(reader.name, settings.release)
    return [
        f"{_settings_name(reader.name, reader.owner)}: source type {label}, {_whose(reader.owner)}",
        f"folder {reader.folder}",
        f"SHA-256 {reader.sha256} over {len(reader.hashes)} files",
        "",
        _parameters(reader),
        "",
        _steps(reader),
        "",
        _columns(reader),
        *(f"warning: {warning}" for warning in (*retired.warnings(reader.name), *reader.warnings)),
        *doctor.retired(settings),
    ]


def _parameters(reader: Reader) -> Table:
    rows = (
        (one.name, one.display, one.type, "yes" if one.mandatory else "no", "yes" if one.secret else "no")
        for one in reader.parameters
    )
    return screen.table(("Parameter", "Dialog text", "Type", "Mandatory", "Secret"), rows)


def _steps(reader: Reader) -> Table:
    rows = (
        (
            str(number),
            one.id,
            one.procedure,
            str(one.order),
            _runs_on(one),
            one.method,
            one.table,
            _remark(one),
        )
        for number, one in enumerate(reader.steps, 1)
    )
    return screen.table(("#", "Step", "Procedure", "Order", "Runs on", "Function", "Table", "Remark"), rows)


def _runs_on(step: Step) -> str:
    return "this machine" if step.collected else "the server"


def _remark(step: Step) -> str:
    since = f"from version {step.version_from}" if step.version_from else ""
    override = f"override {step.overridden_by}" if step.overridden_by else ""
    return ", ".join(text for text in (since, override) if text)


def _columns(reader: Reader) -> Table:
    rows = (
        (step.id, column.name, _type(column.type, column.length, column.precision, column.scale), column.prop)
        for step in reader.to_collect
        for column in step.columns
    )
    return screen.table(("Step", "Column", "Type", "Property"), rows)


def _type(name: str, length: int | None, precision: int | None, scale: int | None) -> str:
    if precision is not None:
        return f"{name}({precision},{scale})"
    return f"{name}({length})" if length is not None else name


# --- a census ---


def take_census(workplace: Workplace, name: str) -> tuple[FileCensus, ...]:
    """Return the census of a folder, which may be broken; BeaconError if it is not there."""
    return census.take(workplace.locate(name).folder)


def census_json(files: Sequence[FileCensus]) -> list[dict[str, object]]:
    """Return the census for scripts."""
    return [asdict(one) for one in files]


def census_lines(files: Sequence[FileCensus]) -> list[object]:
    """Return the census for people: a heading a file, then its counts."""
    lines: list[object] = []
    for one in files:
        facts = ", ".join(text for text in (f"{one.size:,} bytes", one.head, one.error) if text)
        lines.append(f"{one.name}: {facts}")
        lines += [f"  {count:6} {mark}" for mark, count in one.counts.items()]
    return lines
