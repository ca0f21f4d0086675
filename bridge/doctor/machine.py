"""What this machine has and lacks."""

from __future__ import annotations

import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bridge import beacon, system
from bridge.beacon import Beacon
from bridge.doctor import powershell, saas, windows
from bridge.doctor.findings import FindTester
from bridge.doctor.windows import Facts
from bridge.errors import BeaconError
from bridge.model import Finding, Owner
from bridge.readers import folder
from bridge.system import Rights
from bridge.workplace import Workplace

ENOUGH_BYTES = 1024**3  # captures and packages of the largest known tenants stay below it
NO_DEPRECATED = f"There is no {beacon.DEPRECATED!r} folder; a beacon upgrade may have removed it."


def machine(
    workplace: Workplace,
    find_tester: FindTester,
    facts: Facts = Facts(),  # noqa: B008  # it is frozen
    rights: Rights = system.RIGHTS,
) -> Iterator[Finding]:
    """Yield what this machine has and lacks."""
    yield Finding("system", "ok", f"{platform.platform()}, Python {platform.python_version()} {_bits()}")
    yield _beacon(workplace.beacon)
    yield from _folders(workplace)
    yield from powershell.findings(find_tester)
    yield from _state(workplace.settings.state, rights)
    yield from _settings(workplace)
    yield from windows.findings(facts)


def _bits() -> str:
    return "64-bit" if sys.maxsize > 2**32 else "32-bit"


def _beacon(found: Beacon | BeaconError) -> Finding:
    if isinstance(found, BeaconError):
        return Finding.of("beacon", found)
    return Finding("beacon", "ok", f"{found.procedures} (found by {found.found_by})")


def _folders(workplace: Workplace) -> Iterator[Finding]:
    found = workplace.beacon
    if not isinstance(found, BeaconError):
        there = folder.survey(beacon.folders(found.readers), Owner.BEACON, found.overrides)
        for one in there:
            yield from _folder(one)
        if not any(beacon.is_deprecated(one.name) for one in there):
            fix = "Nothing, unless a connection still uses it: move that one to Microsoft 365."
            yield Finding("reader folder", "info", NO_DEPRECATED, fix)
    for one in folder.survey(beacon.folders(beacon.shipped_readers()), Owner.BRIDGE, None):
        yield from _folder(one)


def _folder(found: folder.Found) -> Iterator[Finding]:
    whose = "bridge:" if found.owner is Owner.BRIDGE else ""
    if isinstance(found.reader, BeaconError):
        yield Finding.of("reader folder", found.reader)
        return
    yield Finding(
        "reader folder", "ok", f"{whose}{found.name}: {len(found.reader.to_collect)} steps to collect"
    )
    fix = f'Look at it with `beacon-bridge list "{whose}{found.name}"`; tell us if a run goes wrong.'
    for warning in found.reader.warnings:
        yield Finding("reader folder", "warn", f"{whose}{found.name}: {warning}", fix)


# --- the state folder and the settings ---


def _state(state: Path, rights: Rights) -> Iterator[Finding]:
    try:
        yield _rights(state, rights)
        yield _disk(state)
    except OSError as error:
        fix = "Set [bridge] state to a folder that this account can write to."
        text = f"{state} cannot be used: {error.strerror or error}"
        yield Finding("state folder", "fail", text, fix, BeaconError.exit_code)


def _rights(state: Path, rights: Rights) -> Finding:
    if not state.exists():
        return Finding("state folder", "ok", f"{state} will be made by the first run, for its owner only")
    with tempfile.TemporaryFile(dir=state):  # an OSError says why nothing can be written there
        pass
    if strangers := rights.strangers(state):
        return Finding(
            "state folder",
            "fail",
            f"{state} can be read by {', '.join(strangers)}; captures name every employee",
            "Leave rights to Administrators, SYSTEM and the account that runs beacon-bridge only.",
            BeaconError.exit_code,
        )
    whose = ", ".join(rights.admitted(state)) or "its owner"
    return Finding("state folder", "ok", f"{state}, for {whose} only")


def _disk(state: Path) -> Finding:
    free = system.free_bytes(state)
    text = f"{free / 1024**3:,.1f} GiB free for {state}"
    if free >= ENOUGH_BYTES:
        return Finding("disk", "ok", text)
    return Finding("disk", "warn", text, "Make room, or set [bridge] state to another volume.")


def _settings(workplace: Workplace) -> Iterator[Finding]:
    settings = workplace.settings
    names = ", ".join(settings.connections) or "none"
    yield Finding("settings", "ok", f"{settings.file or 'no file'}; connections: {names}")
    for warning in settings.warnings:
        yield Finding("settings", "warn", warning, "Keep one of these connections.")
    yield from saas.findings(settings)
