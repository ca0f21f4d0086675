"""How one connection stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from bridge import deliver, system
from bridge.doctor import network, rivals, saas, scripts
from bridge.doctor.findings import FindTester
from bridge.doctor.windows import Facts
from bridge.errors import BridgeError, DeliveryError, ReaderError, SignInError
from bridge.expiry import Expiry
from bridge.model import Connection, Finding, Job, Owner, Reader, Tested
from bridge.readers import retired
from bridge.workplace import Workplace

if TYPE_CHECKING:
    from bridge.signin.source import Source


def connection(
    workplace: Workplace,
    chosen: Connection,
    find_tester: FindTester,
    facts: Facts = Facts(),  # noqa: B008  # it is frozen
) -> Iterator[Finding]:
    """Yield how the connection stands: its reader, its sign-in and parameters, the reader's own tests."""
    tenants: set[str] = set()
    try:
        yield from _reader(workplace, chosen, find_tester, facts, tenants)
    except BridgeError as error:
        yield Finding.of("connection", error)
    yield from _credentials(workplace, chosen)
    yield network.proxy(workplace.settings.web, facts)
    yield _destination(workplace, chosen)
    yield from rivals.findings(workplace.beacon, chosen, tenants)
    yield _concealment()
    yield from saas.findings(workplace.settings)


def _concealment() -> Finding:
    text = "not looked at: a run tells whether usage reports hide names, as the gap concealed"
    return Finding("concealment", "info", text, "Nothing, unless a run has that gap; it names the switch.")


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


def _reader(
    workplace: Workplace, chosen: Connection, find_tester: FindTester, facts: Facts, tenants: set[str]
) -> Iterator[Finding]:
    reader = workplace.reader(chosen.reader)
    yield Finding(
        "reader", "ok", f"{reader.name} ({reader.owner}), {len(reader.to_collect)} steps to collect"
    )
    if gone := retired.of_reader(reader.name):
        yield Finding("retired", "warn", retired.sentences(gone), retired.WAY_ON)
    yield from scripts.findings(reader, facts)
    remarks: list[str] = []
    source = workplace.sign_ins(chosen, remarks.append)
    if source is not None:
        yield from _sign_in(source, remarks, tenants)
        if not tenants:
            text = "not run: the sign-in failed"
            yield Finding("TestConnection", "info", text, "Mend the sign-in first.")
            return
    values = workplace.values(chosen, reader, None if source is None else source.granted)
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
        token=source if reader.owner is Owner.BRIDGE else None,
    )
    tested = find_tester().test(job)
    yield _test(reader, tested)
    yield _version_check(reader, tested)


def _sign_in(source: Source, remarks: list[str], tenants: set[str]) -> Iterator[Finding]:
    """Yield what the sign-in proves: who, permissions, clock; note by which names the tenant goes."""
    from bridge.signin.proof import prove  # noqa: PLC0415  # msal, only where somebody signs in

    failed = False
    for proof in prove(source, remarks):
        failed = failed or (proof.topic == "sign-in" and proof.level == "fail")
        yield proof
    if not failed:
        grant = source.grant()
        tenants.update(name for name in (grant.tenant, grant.authority, *source.entra.names) if name)


def _test(reader: Reader, tested: Tested) -> Finding:
    """Return what TestConnection came to: success is the returned text OK, and nothing else is."""
    if reader.test is None:
        return Finding("TestConnection", "info", "this reader has none", "Nothing: a run will tell.")
    if tested.ok:
        return Finding("TestConnection", "ok", "the reader says OK")
    said = f"the reader said {' / '.join(tested.said) or 'nothing'} instead of OK"
    fix = "Check the connection's parameters; success is the returned text OK and nothing else."
    text = f"{said}: {tested.error}" if tested.error else said
    return _failed("TestConnection", reader, text, fix)


def _version_check(reader: Reader, tested: Tested) -> Finding:
    if reader.version_check is None:
        return Finding("VersionCheck", "info", "this reader has none", "Nothing: every step applies.")
    if tested.version and not tested.version_error:
        return Finding("VersionCheck", "ok", f"the source is version {tested.version}")
    text = tested.version_error or "the reader returned no version"
    fix = "Check the connection's parameters, and whether the source is one that this reader knows."
    return _failed("VersionCheck", reader, text, fix)


def _failed(topic: str, reader: Reader, text: str, fix: str) -> Finding:
    """Return that a test failed; where it named something that is retired, there is one way on."""
    if gone := retired.named_in(text, reader.name):
        untold = retired.sentences(one for one in gone if one.sentence not in text)
        text, fix = f"{text.rstrip('.')}. {untold}", retired.WAY_ON
    return Finding(topic, "fail", text, fix, ReaderError.exit_code)
