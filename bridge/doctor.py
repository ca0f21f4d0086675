"""Every prerequisite, checked and explained: one finding each, with its fix."""

from __future__ import annotations

import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Literal, Protocol

from bridge import beacon, deliver, system
from bridge.beacon import Beacon
from bridge.errors import BeaconError, BridgeError, DeliveryError, ReaderError, SignInError
from bridge.expiry import Expiry
from bridge.model import Connection, EngineFacts, Job, Owner, Reader, Tested
from bridge.readers import folder
from bridge.settings import Settings
from bridge.workplace import Workplace

ENOUGH_BYTES = 1024**3  # captures and packages of the largest known tenants stay below it
LEAST_POWERSHELL = (5, 1)  # docs.flexera.com/fnms/EN/InvAdapConn/adapters/Office365/concepts/M365Prereqs.html

RETIRED = (
    "Flexera SaaS Management is in use: once it has imported, licences made through either Microsoft 365 "
    "connector become Retired and new ones are created."
)
NO_DEPRECATED = f"There is no {beacon.DEPRECATED!r} folder; a beacon upgrade may have removed it."

_POLICIES = frozenset({"RemoteSigned", "Unrestricted", "Bypass"})  # under which a reader's script is loaded


def retired(settings: Settings) -> list[str]:
    """Return the warning that these licences become Retired, where SaaS Management is in use."""
    return [f"warning: {RETIRED}"] if settings.saas_management == "yes" else []


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

    @property
    def line(self) -> str:
        """The finding on one line."""
        fix = f". Fix: {self.fix}" if self.fix else ""
        text = " ".join(self.text.split()).rstrip(".")
        return f"{self.level:<4}  {self.topic}: {text}{fix}"


def as_json(finding: Finding) -> dict[str, object]:
    """Return a finding as `--json` shows it: topic, level, text, fix, exit_code."""
    return asdict(finding)


def exit_code(findings: list[Finding]) -> int:
    """Return the exit code of the first finding that fails, 0 if none does."""
    return next((one.exit_code for one in findings if one.level == "fail"), 0)


class Tester(Protocol):
    """A PowerShell that can be asked about itself and can run a reader's own tests."""

    def probe(self) -> EngineFacts:
        """Return what this PowerShell says of itself; BeaconError if it cannot run our host."""
        ...

    def test(self, job: Job) -> Tested:
        """Run TestConnection and VersionCheck, each in a process and a folder of its own."""
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
    yield from _state(workplace.settings.state)
    yield from _settings(workplace)


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


# --- PowerShell ---


def _powershell(find_tester: FindTester) -> Iterator[Finding]:
    try:
        facts = find_tester().probe()
    except BridgeError as error:
        yield Finding.of("PowerShell", error)
        return
    yield _bits_finding(facts)
    yield _version(facts)
    yield _policy(facts)
    yield _language(facts)


def _bits_finding(facts: EngineFacts) -> Finding:
    text = f"{facts.executable}, {facts.bits.inside}-bit inside"
    if facts.development:
        fix = "Run beacon-bridge on the beacon, where Windows has a 32-bit PowerShell."
        return Finding("PowerShell", "warn", f"{text}: for development only, no beacon runs it", fix)
    return Finding("PowerShell", "ok", text)


def _version(facts: EngineFacts) -> Finding:
    text = f"version {facts.version} {facts.edition}"
    numbers = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    if numbers >= LEAST_POWERSHELL:
        return Finding("PowerShell", "ok", text)
    fix = "Install Windows Management Framework 5.1."
    return Finding("PowerShell", "fail", f"{text}, expected 5.1 or later", fix, BeaconError.exit_code)


def _policy(facts: EngineFacts) -> Finding:
    text = f"execution policy {facts.execution_policy or 'unknown'}"
    effective, _, _scopes = facts.execution_policy.partition(" ")
    if effective in _POLICIES:
        return Finding("PowerShell", "ok", text)
    fix = "Set the execution policy to RemoteSigned; where a Group Policy sets it, there."
    return Finding("PowerShell", "fail", f"{text}: readers need RemoteSigned", fix, BeaconError.exit_code)


def _language(facts: EngineFacts) -> Finding:
    text = f"language mode {facts.language_mode or 'unknown'}"
    if facts.language_mode == "FullLanguage":
        return Finding("PowerShell", "ok", text)
    fix = "Allow bridge's ps_scripts folder and the reader folders in the application control policy."
    return Finding("PowerShell", "fail", f"{text}: readers need FullLanguage", fix, BeaconError.exit_code)


# --- the state folder and the settings ---


def _state(state: Path) -> Iterator[Finding]:
    try:
        yield _rights(state)
        yield _disk(state)
    except OSError as error:
        fix = "Set [bridge] state to a folder that this account can write to."
        text = f"{state} cannot be used: {error.strerror or error}"
        yield Finding("state folder", "fail", text, fix, BeaconError.exit_code)


def _rights(state: Path) -> Finding:
    if not state.exists():
        return Finding("state folder", "ok", f"{state} will be made by the first run, for its owner only")
    with tempfile.TemporaryFile(dir=state):  # an OSError says why nothing can be written there
        pass
    if strangers := system.strangers(state):
        return Finding(
            "state folder",
            "fail",
            f"{state} can be read by {', '.join(strangers)}; captures name every employee",
            "Leave rights to Administrators, SYSTEM and the account that runs beacon-bridge only.",
            BeaconError.exit_code,
        )
    return Finding("state folder", "ok", f"{state}, for its owner only")


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
    yield from _retired(workplace)


def _retired(workplace: Workplace) -> Iterator[Finding]:
    if workplace.settings.saas_management == "yes":
        fix = (
            "Validate the first SaaS import, move attachments to the new licences, remove the old connectors."
        )
        yield Finding("SaaS Management", "warn", RETIRED, fix)


# --- one connection ---


def connection(workplace: Workplace, chosen: Connection, find_tester: FindTester) -> Iterator[Finding]:
    """Yield how the connection stands: its reader, its parameters, and the reader's own tests."""
    try:
        yield from _reader(workplace, chosen, find_tester)
    except BridgeError as error:
        yield Finding.of("connection", error)
    yield from _credentials(workplace, chosen)
    yield _destination(workplace, chosen)
    yield from _retired(workplace)


def _credentials(workplace: Workplace, chosen: Connection) -> Iterator[Finding]:
    """Yield the last day of each credential that has one."""
    today = system.now().astimezone().date()
    try:
        for one in workplace.expiries(chosen):
            yield _credential(one, today)
    except BridgeError as error:
        yield Finding.of("credential", error)


def _credential(one: Expiry, today: date) -> Finding:
    fix = "Have it renewed where it comes from; then `beacon-bridge secret set`, or replace its file."
    if one.last_day < today:
        return Finding("credential", "fail", one.told(today), fix, SignInError.exit_code)
    if one.is_near(today):
        return Finding("credential", "warn", one.told(today), fix)
    return Finding("credential", "ok", one.told(today))


def _destination(workplace: Workplace, chosen: Connection) -> Finding:
    if chosen.deliver_to is None:
        return Finding(
            "destination", "info", "no deliver_to: packages wait in ready/", "Nothing, if so meant."
        )
    try:
        deliver.refuse_folder(chosen.deliver_to, workplace.beacon_folders, chosen.name)
    except DeliveryError as error:
        return Finding("destination", "warn", error.sentence, error.hint)
    return Finding("destination", "ok", str(chosen.deliver_to))


def _reader(workplace: Workplace, chosen: Connection, find_tester: FindTester) -> Iterator[Finding]:
    reader = workplace.reader(chosen.reader)
    yield Finding(
        "reader", "ok", f"{reader.name} ({reader.owner}), {len(reader.to_collect)} steps to collect"
    )
    values = workplace.values(chosen, reader)
    yield Finding("parameters", "ok", f"{', '.join(values) or 'none'}: all filled")
    if chosen.engine == "native":
        text = "not run: the native engine does without the reader's PowerShell"
        yield Finding("TestConnection", "info", text, 'Set engine = "powershell" to have it run.')
        return
    job = Job(
        run="check",
        reader=reader,
        values=values,
        folder=workplace.settings.state,
        minutes=chosen.minutes,
        tolerate_errors=chosen.tolerate_errors,
    )
    tested = find_tester().test(job)
    yield _test(reader, tested)
    yield _version_check(reader, tested)


def _test(reader: Reader, tested: Tested) -> Finding:
    """Return what TestConnection came to: success is the returned text OK, and nothing else is."""
    if reader.test is None:
        return Finding("TestConnection", "info", "this reader has none", "Nothing: a run will tell.")
    if tested.ok:
        return Finding("TestConnection", "ok", "the reader says OK")
    said = f"the reader said {' / '.join(tested.said) or 'nothing'} instead of OK"
    fix = "Check the connection's parameters; success is the returned text OK and nothing else."
    text = f"{said}: {tested.error}" if tested.error else said
    return Finding("TestConnection", "fail", text, fix, ReaderError.exit_code)


def _version_check(reader: Reader, tested: Tested) -> Finding:
    if reader.version_check is None:
        return Finding("VersionCheck", "info", "this reader has none", "Nothing: every step applies.")
    if tested.version and not tested.version_error:
        return Finding("VersionCheck", "ok", f"the source is version {tested.version}")
    text = tested.version_error or "the reader returned no version"
    fix = "Check the connection's parameters, and whether the source is one that this reader knows."
    return Finding("VersionCheck", "fail", text, fix, ReaderError.exit_code)
