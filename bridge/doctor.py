"""Every prerequisite, checked and explained: one finding each, with its fix."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from bridge import beacon, system
from bridge.beacon import Beacon
from bridge.errors import BeaconError, BridgeError, ReaderError
from bridge.model import Connection, EngineFacts, Job, Owner, Tested
from bridge.readers import folder
from bridge.settings import DEPRECATED
from bridge.workplace import Workplace

ENOUGH_BYTES = 1024**3  # captures and packages of the largest known tenants stay below it

RETIRED = (
    "Flexera SaaS Management is in use: once it has imported, licences made through either Microsoft 365 "
    "connector become Retired and new ones are created."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One prerequisite: its topic, how it stands, what was found, how to mend it."""

    topic: str
    level: Literal["ok", "info", "warn", "fail"]
    text: str
    fix: str = ""
    exit_code: int = 0

    @classmethod
    def of(cls, topic: str, error: BridgeError) -> Finding:
        """Return the finding that an error is."""
        return cls(topic, "fail", str(error), error.hint, error.exit_code)


class Tester(Protocol):
    """A PowerShell that can be asked about itself and can run a reader's own tests."""

    def probe(self) -> EngineFacts:
        """Return what this PowerShell says of itself; BeaconError if it cannot run our host."""
        ...

    def test(self, job: Job) -> Tested:
        """Run TestConnection and VersionCheck, each in a process of its own."""
        ...


class FindTester(Protocol):
    """Finds the machine's PowerShell."""

    def __call__(self) -> Tester:
        """Return it, or raise BeaconError."""
        ...


def machine(workplace: Workplace, find_tester: FindTester) -> Iterator[Finding]:
    """Yield what this machine has and lacks."""
    yield Finding("system", "ok", f"{platform.platform()}, Python {platform.python_version()} {_bits()}")
    yield _beacon(workplace.beacon)
    yield from _folders(workplace)
    yield from _powershell(find_tester)
    yield from _state(workplace)
    yield from _settings(workplace)


def _bits() -> str:
    return "64-bit" if sys.maxsize > 2**32 else "32-bit"


def _beacon(found: Beacon | BeaconError) -> Finding:
    if isinstance(found, BeaconError):
        return Finding.of("beacon", found)
    return Finding("beacon", "ok", f"{found.procedures} (found by {found.found_by})")


def _folders(workplace: Workplace) -> Iterator[Finding]:
    if isinstance(workplace.beacon, BeaconError):
        return
    found = folder.survey(beacon.folders(workplace.beacon), Owner.BEACON, workplace.beacon.overrides)
    for one in found:
        if isinstance(one.reader, BeaconError):
            yield Finding.of("reader folder", one.reader)
        else:
            yield Finding("reader folder", "ok", f"{one.name}: {len(one.reader.to_collect)} steps to collect")
            yield from (Finding("reader folder", "warn", warning) for warning in one.reader.warnings)
    if DEPRECATED not in {one.name for one in found}:
        yield Finding(
            "reader folder",
            "info",
            f"There is no {DEPRECATED!r} folder; a beacon upgrade may have removed it.",
        )


def _powershell(find_tester: FindTester) -> Iterator[Finding]:
    try:
        facts = find_tester().probe()
    except BridgeError as error:
        yield Finding.of("PowerShell", error)
        return
    yield _bits_finding(facts)
    yield Finding("PowerShell", "ok", f"execution policy {facts.execution_policy or 'unknown'}")
    if facts.language_mode == "FullLanguage":
        yield Finding("PowerShell", "ok", "language mode FullLanguage")
    else:
        yield Finding(
            "PowerShell",
            "fail",
            f"language mode {facts.language_mode}: readers need FullLanguage",
            "Allow bridge's ps_scripts folder and the reader folders in the application control policy.",
            BeaconError.exit_code,
        )


def _bits_finding(facts: EngineFacts) -> Finding:
    text = f"{facts.executable}, version {facts.version} {facts.edition}, {facts.bits.inside}-bit"
    if facts.development:
        return Finding("PowerShell", "warn", f"{text}: for development only, no beacon runs it")
    return Finding("PowerShell", "ok", text)


def _state(workplace: Workplace) -> Iterator[Finding]:
    state = workplace.settings.state
    if not state.exists():
        yield Finding("state folder", "ok", f"{state} will be made by the first run")
    elif strangers := system.strangers(state):
        yield Finding(
            "state folder",
            "fail",
            f"{state} can be read by {', '.join(strangers)}; captures name every employee",
            "Leave rights to Administrators, SYSTEM and the account that runs beacon-bridge only.",
            BeaconError.exit_code,
        )
    else:
        yield Finding("state folder", "ok", f"{state}, for its owner only")
    free = system.free_bytes(state)
    text = f"{free / 1024**3:,.1f} GiB free for {state}"
    if free < ENOUGH_BYTES:
        yield Finding("disk", "warn", text, "Make room, or set [bridge] state to another volume.")
    else:
        yield Finding("disk", "ok", text)


def _settings(workplace: Workplace) -> Iterator[Finding]:
    settings = workplace.settings
    names = ", ".join(settings.connections) or "none"
    yield Finding("settings", "ok", f"{settings.file or 'no file'}; connections: {names}")
    yield from (Finding("settings", "warn", warning) for warning in settings.warnings)
    if settings.saas_management == "yes":
        yield Finding("SaaS Management", "warn", RETIRED)


# --- one connection ---


def connection(workplace: Workplace, chosen: Connection, find_tester: FindTester) -> Iterator[Finding]:
    """Yield how the connection stands: its reader, its parameters, and the reader's own tests."""
    try:
        reader = workplace.reader(chosen.reader)
        yield Finding("reader", "ok", f"{reader.name} ({reader.owner}), {len(reader.to_collect)} steps")
        values = workplace.values(chosen, reader)
        yield Finding("parameters", "ok", f"{', '.join(values) or 'none'}: all filled")
        job = Job(
            run="check",
            reader=reader,
            values=values,
            folder=workplace.settings.state,
            minutes=chosen.minutes,
            tolerate_errors=chosen.tolerate_errors,
        )
        yield from _tested(reader.test is not None, find_tester().test(job))
    except BridgeError as error:
        yield Finding.of("connection", error)
    if chosen.deliver_to is not None and not chosen.deliver_to.is_dir():
        yield Finding("destination", "warn", f"{chosen.deliver_to} is no folder that can be reached")


def _tested(has_test: bool, tested: Tested) -> Iterator[Finding]:
    if not has_test:
        yield Finding("TestConnection", "info", "this reader has none")
    elif tested.ok:
        yield Finding("TestConnection", "ok", "the reader says OK")
    else:
        yield Finding(
            "TestConnection",
            "fail",
            tested.error or f"the reader said {' / '.join(tested.said) or 'nothing'} instead of OK",
            "Check the connection's parameters; success is the returned text OK and nothing else.",
            ReaderError.exit_code,
        )
    if tested.version:
        yield Finding("VersionCheck", "ok", f"the source is version {tested.version}")
