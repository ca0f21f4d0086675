"""`beacon-bridge check`: every prerequisite with its state and its fix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest

from bridge import beacon, doctor, expiry, model, settings
from bridge.cli import main
from bridge.doctor import Finding
from bridge.errors import BeaconError, BridgeError, SettingsError
from bridge.model import Bits, Connection, Engine, EngineFacts, Job, Reader, Secret, SecretReference
from bridge.runs.store import Runs
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.secrets.values import Grant, values
from bridge.system import FileVault
from bridge.system.rights import Accounts
from bridge.workplace import Workplace
from tests.folders import (
    Values,
    config_xml,
    make_beacon,
    make_reader_folder,
    reader_parent,
    readers_xml,
    source_step,
)
from tests.test_rights import ALICE, Machine

GOOD = EngineFacts(
    name="powershell",
    bits=Bits(32, 32),
    executable=r"C:\Windows\SysWOW64\WindowsPowerShell\v1.0\powershell.exe",
    version="5.1.14393.7330",
    edition="Desktop",
    language_mode="FullLanguage",
    execution_policy="RemoteSigned (Process=RemoteSigned LocalMachine=RemoteSigned)",
)


class FakeTester:
    """A PowerShell that says what it is told to say."""

    def __init__(self, facts: EngineFacts = GOOD, tested: model.Tested | BridgeError | None = None) -> None:
        self.facts = facts
        self.tested = tested or model.Tested(ok=True, said=("OK",), version="2.4")
        self.jobs: list[Job] = []

    def probe(self) -> EngineFacts:
        """Return the facts."""
        return self.facts

    def test(self, job: Job) -> model.Tested:
        """Remember the job; return or raise what was told."""
        self.jobs.append(job)
        if isinstance(self.tested, BridgeError):
            raise self.tested
        return self.tested

    def __call__(self) -> FakeTester:
        """Find itself."""
        return self


def no_powershell() -> FakeTester:
    """Find no PowerShell."""
    raise BeaconError("There is no 32-bit PowerShell.", hint="Install it.")


def no_engine(connection: Connection) -> Engine:
    """Refuse an engine: checking runs none."""
    raise AssertionError(connection)


def fill(
    secrets: Secrets, connection: Connection, reader: Reader, granted: Grant | None = None
) -> Mapping[str, str | Secret]:
    """Fill a reader's parameters as the program does."""
    return values(connection, reader, secrets, granted)


CONNECTION = """[connections.Badges]
reader = "Badge Service"
tenant = "contoso.example"
parameters = { ServiceUrl = "https://badges.example", ApiKey = { secret = "env:KEY" } }
"""


def workplace(
    tmp_path: Path, said: str = "", connection: str = CONNECTION, root: Path | None = None
) -> Workplace:
    """Return a workplace with a beacon of one reader folder, and the secret KEY in the environment."""
    (tmp_path / "bridge.toml").write_text(f"{said}\n[bridge]\nstate = '{tmp_path / 'state'}'\n{connection}")
    environment = {"KEY": "k3y-of-the-service"}
    found = settings.load(tmp_path / "bridge.toml", environment, tmp_path)
    place: beacon.Beacon | BeaconError
    try:
        place = beacon.find(
            Values(), root=root or made_beacon(tmp_path), settings_root=None, program_data=tmp_path
        )
    except BeaconError as error:
        place = error
    secrets = Secrets(environment, str, Store(found.state / "secrets", FileVault()))
    return Workplace(found, Runs(found.state), place, partial(fill, secrets), no_engine)


def made_beacon(tmp_path: Path) -> Path:
    """Return a beacon with one reader folder, made when first asked for."""
    root = tmp_path / "Flexera Software"
    if not root.exists():
        make_reader_folder(reader_parent(make_beacon(tmp_path)))
    return root


def machine(place: Workplace, tester: doctor.FindTester | None = None) -> list[Finding]:
    """Return what the machine's check finds."""
    return list(doctor.machine(place, tester or FakeTester()))


def of(findings: list[Finding], topic: str) -> list[Finding]:
    """Return the findings of one topic."""
    return [one for one in findings if one.topic == topic]


# --- the machine ---


def test_a_good_machine_passes_and_covers_every_topic(tmp_path: Path) -> None:
    """Nothing fails, the exit code is 0, and each prerequisite has its line."""
    findings = machine(workplace(tmp_path))
    assert {one.level for one in findings} == {"ok", "info"}
    assert doctor.exit_code(findings) == 0
    topics = ["system", "beacon", "reader folder", "PowerShell", "state folder", "disk", "settings"]
    topics += ["SaaS Management"]
    assert list(dict.fromkeys(one.topic for one in findings)) == topics
    texts = " | ".join(one.text for one in of(findings, "PowerShell"))
    for fact in ("SysWOW64", "32-bit", "5.1.14393", "RemoteSigned", "FullLanguage"):
        assert fact in texts


BAD = {
    "language mode": (replace(GOOD, language_mode="ConstrainedLanguage"), "language mode Constrained"),
    "no language mode": (replace(GOOD, language_mode=""), "language mode unknown"),
    "policy of a group": (replace(GOOD, execution_policy="AllSigned (MachinePolicy=AllSigned)"), "AllSigned"),
    "restricted": (replace(GOOD, execution_policy="Restricted"), "execution policy Restricted"),
    "no policy": (replace(GOOD, execution_policy=""), "execution policy unknown"),
    "old": (replace(GOOD, version="3.0"), "version 3.0 Desktop, expected 5.1 or later"),
    "no version": (replace(GOOD, version=""), "expected 5.1 or later"),
}


@pytest.mark.parametrize(("facts", "expected"), BAD.values(), ids=BAD)
def test_a_powershell_that_cannot_run_readers_fails(
    tmp_path: Path, facts: EngineFacts, expected: str
) -> None:
    """What that PowerShell says of itself decides; the finding has a fix and the exit code of a beacon."""
    findings = machine(workplace(tmp_path), FakeTester(facts))
    (bad,) = (one for one in findings if one.level == "fail")
    assert expected in bad.text
    assert bad.fix
    assert doctor.exit_code(findings) == 4


@pytest.mark.parametrize("policy", ["RemoteSigned", "Unrestricted", "Bypass", "Unrestricted (x=y)"])
def test_policies_under_which_scripts_load_pass(tmp_path: Path, policy: str) -> None:
    """A policy that asks no more than RemoteSigned is fine."""
    findings = machine(workplace(tmp_path), FakeTester(replace(GOOD, execution_policy=policy)))
    assert doctor.exit_code(findings) == 0


def test_no_powershell_is_a_finding_and_the_rest_is_checked(tmp_path: Path) -> None:
    """The sentence and the hint of the error are the finding's text and fix."""
    findings = machine(workplace(tmp_path), no_powershell)
    (bad,) = of(findings, "PowerShell")
    assert (bad.level, bad.text, bad.fix) == ("fail", "There is no 32-bit PowerShell.", "Install it.")
    assert of(findings, "settings")


def test_a_powershell_for_development_is_a_warning(tmp_path: Path) -> None:
    """pwsh on Linux is no beacon's, and says so."""
    findings = machine(workplace(tmp_path), FakeTester(replace(GOOD, development=True)))
    assert of(findings, "PowerShell")[0].level == "warn"
    assert "for development only" in of(findings, "PowerShell")[0].text


def test_no_beacon_is_a_finding_of_one_line(tmp_path: Path) -> None:
    """All places that were looked at stand on one line; our own folders are checked all the same."""
    findings = machine(workplace(tmp_path, root=tmp_path / "nowhere"))
    (bad,) = of(findings, "beacon")
    assert (bad.level, bad.exit_code) == ("fail", 4)
    assert "\n" not in bad.line
    assert f"--root: {tmp_path / 'nowhere'}" in bad.line
    assert "Fix: Name its data root" in bad.line
    assert any("bridge:Microsoft 365" in one.text for one in of(findings, "reader folder"))


def test_a_broken_reader_folder_fails_and_a_warning_warns(tmp_path: Path) -> None:
    """Each folder has its finding, a broken one with file and line."""
    parent = reader_parent(made_beacon(tmp_path))
    make_reader_folder(parent, "Broken", config="<x")
    make_reader_folder(parent, "Odd", procedures={"Holder.xml": "CloudInstance"})
    findings = of(machine(workplace(tmp_path)), "reader folder")
    assert [one.level for one in findings if "readerV3.config:1: " in one.text] == ["fail"]
    assert [one.level for one in findings if "CloudInstance" in one.text] == ["warn"]
    assert [one.level for one in findings if one.text.startswith("Badge Service")] == ["ok"]


def test_a_missing_deprecated_folder_is_told(tmp_path: Path) -> None:
    """A beacon upgrade may have removed it; where it is, nothing is said."""
    place = workplace(tmp_path)
    assert doctor.NO_DEPRECATED in [one.text for one in machine(place)]
    make_reader_folder(reader_parent(made_beacon(tmp_path)), "Microsoft Office 365")
    assert doctor.NO_DEPRECATED not in [one.text for one in machine(place)]


def test_a_state_folder_that_others_can_read_fails(tmp_path: Path) -> None:
    """Captures name every employee, so looser rights are an error; the right ones are none."""
    place = workplace(tmp_path)
    state = place.settings.state
    assert of(machine(place), "state folder")[0].level == "ok"
    assert not state.exists()
    state.mkdir(mode=0o700)
    assert of(machine(place), "state folder")[0].level == "ok"
    state.chmod(0o755)
    (bad,) = of(machine(place), "state folder")
    assert (bad.level, bad.exit_code) == ("fail", 4)
    assert "group, others" in bad.text


def test_a_state_folder_of_a_tasks_account_passes(tmp_path: Path) -> None:
    """Whoever a schedule let in is told, and is no stranger; whoever came in otherwise fails the check."""
    windows = Machine()
    rights, place = Accounts(windows), workplace(tmp_path)
    rights.make_private_folder(place.settings.state)
    rights.admit(place.settings.state, r"CONTOSO\beacon$")
    (good,) = of(list(doctor.machine(place, FakeTester(), rights=rights)), "state folder")
    assert (good.level, r"for PC\bob, CONTOSO\beacon$ only" in good.text) == ("ok", True)
    windows.add(place.settings.state, ALICE)
    (bad,) = of(list(doctor.machine(place, FakeTester(), rights=rights)), "state folder")
    assert (bad.level, r"can be read by PC\alice;" in bad.text) == ("fail", True)


def test_a_state_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    """What cannot be written to is a finding and not a crash."""
    place = workplace(tmp_path)
    place.settings.state.touch()
    (bad,) = of(machine(place), "state folder")
    assert (bad.level, bad.exit_code) == ("fail", 4)
    assert "Not a directory" in bad.text


def test_settings_and_their_warnings_are_told(tmp_path: Path) -> None:
    """The file, its connections, and what it warns of."""
    twice = "".join(
        f'[connections.{name}]\nreader = "{reader}"\ntenant = "contoso.example"\n'
        for name, reader in (("New", "Microsoft 365"), ("Old", "Microsoft Office 365"))
    )
    findings = of(machine(workplace(tmp_path, connection=twice)), "settings")
    assert findings[0].text.endswith("bridge.toml; connections: New, Old")
    assert [one.level for one in findings] == ["ok", "warn"]
    assert "counted twice" in findings[1].text


@pytest.mark.parametrize("said", ["yes", "no", "unknown"])
def test_saas_management_is_told_when_it_is_in_use(tmp_path: Path, said: str) -> None:
    """ "yes" says that the licences become Retired, "unknown" asks: for the machine and for a connection."""
    place = workplace(tmp_path, f'[beacon]\nsaas_management = "{said}"')
    both = machine(place), list(doctor.connection(place, place.settings.connection("Badges"), FakeTester()))
    for findings in both:
        assert any("become Retired" in one.text for one in findings) == (said == "yes")
        assert any("nobody has said" in one.text for one in findings) == (said == "unknown")


def test_whatever_is_not_ok_has_a_fix(tmp_path: Path) -> None:
    """No finding leaves the reader without a next step."""
    parent = reader_parent(made_beacon(tmp_path))
    make_reader_folder(parent, "Broken", config="<x")
    make_reader_folder(parent, "Odd", procedures={"Holder.xml": "CloudInstance"})
    place = workplace(tmp_path, '[beacon]\nsaas_management = "yes"', CONNECTION + 'deliver_to = "nowhere"\n')
    place.settings.state.mkdir(mode=0o755)
    bad = FakeTester(replace(GOOD, development=True, version="2.0", execution_policy="", language_mode=""))
    failing = FakeTester(tested=model.Tested(ok=False, version_error="no"))
    findings = machine(place, bad) + list(
        doctor.connection(place, place.settings.connection("Badges"), failing)
    )
    unwell = [one for one in findings if one.level != "ok"]
    assert len(unwell) >= 10
    assert [one for one in unwell if not one.fix] == []
    assert [one for one in findings if "\n" in one.line] == []
    assert [one for one in findings if (one.exit_code != 0) != (one.level == "fail")] == []


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    """A warning has none; of two failures the first counts."""
    findings = [
        Finding("a", "ok", "fine"),
        Finding("b", "warn", "hm"),
        Finding.of("c", SettingsError("no")),
        Finding.of("d", BeaconError("no")),
    ]
    assert doctor.exit_code(findings) == 3


# --- one connection ---


def connection(tmp_path: Path, tester: FakeTester, text: str = CONNECTION) -> list[Finding]:
    """Return what the connection's check finds."""
    place = workplace(tmp_path, connection=text)
    return list(doctor.connection(place, place.settings.connection("Badges"), tester))


def test_a_good_connection_runs_the_readers_own_tests(tmp_path: Path) -> None:
    """TestConnection says OK, VersionCheck a version; the job holds the values, secrets as such."""
    tester = FakeTester()
    findings = connection(tmp_path, tester)
    assert [(one.topic, one.level) for one in findings] == [
        ("reader", "ok"),
        ("scripts", "ok"),
        ("modules", "ok"),
        ("parameters", "ok"),
        ("TestConnection", "ok"),
        ("VersionCheck", "ok"),
        ("proxy", "ok"),
        ("destination", "info"),
        ("other collectors", "info"),
        ("other collectors", "info"),
        ("concealment", "info"),
        ("SaaS Management", "info"),
    ]
    assert "2.4" in of(findings, "VersionCheck")[0].text
    (job,) = tester.jobs
    assert job.values == {"ServiceUrl": "https://badges.example", "ApiKey": Secret("k3y-of-the-service")}
    assert "k3y" not in "".join(one.line for one in findings)


@pytest.mark.parametrize(
    ("tested", "expected"),
    [
        (model.Tested(ok=False, version="2.4"), "the reader said nothing instead of OK"),
        (model.Tested(ok=False, said=("Ok", "no"), version="2.4"), "the reader said Ok / no instead of OK"),
        (model.Tested(ok=False, said=("OK",), error="key refused", version="2.4"), "key refused"),
    ],
)
def test_success_is_the_returned_ok_and_nothing_else(
    tmp_path: Path, tested: model.Tested, expected: str
) -> None:
    """Silence, another text and an error beside OK are failures of the reader: exit code 6."""
    findings = connection(tmp_path, FakeTester(tested=tested))
    (bad,) = of(findings, "TestConnection")
    assert (bad.level, bad.exit_code) == ("fail", 6)
    assert expected in bad.text
    assert of(findings, "VersionCheck")[0].level == "ok"


@pytest.mark.parametrize(
    ("tested", "expected"),
    [
        (model.Tested(ok=True, said=("OK",), version_error="not major.minor"), "not major.minor"),
        (model.Tested(ok=True, said=("OK",)), "returned no version"),
        (model.Tested(ok=True, said=("OK",), version="2.4", version_error="then it threw"), "then it threw"),
    ],
)
def test_a_failed_version_check_is_a_finding_of_its_own(
    tmp_path: Path, tested: model.Tested, expected: str
) -> None:
    """TestConnection stays ok beside it; the exit code is that of a reader."""
    findings = connection(tmp_path, FakeTester(tested=tested))
    assert of(findings, "TestConnection")[0].level == "ok"
    (bad,) = of(findings, "VersionCheck")
    assert (bad.level, bad.exit_code) == ("fail", 6)
    assert expected in bad.text


def test_a_reader_without_tests_says_so(tmp_path: Path) -> None:
    """No TestConnection is no success and no failure."""
    folder = make_reader_folder(
        tmp_path,
        "Plain",
        readers={"Holder.xml": readers_xml(source_step())},
        config=config_xml({"Holder.xml": "Computer"}, functions=""),
    )
    text = CONNECTION.replace('"Badge Service"', f"'{folder}'")
    findings = connection(tmp_path, FakeTester(tested=model.Tested(ok=True)), text)
    tests = of(findings, "TestConnection") + of(findings, "VersionCheck")
    assert [one.level for one in tests] == ["info", "info"]


FAULTS = {
    "unknown reader": (CONNECTION.replace("Badge Service", "Nowhere"), 4, "There is no reader folder"),
    "unknown parameter": (CONNECTION.replace("ServiceUrl", "Url"), 3, "has no such parameter"),
    "missing parameter": (CONNECTION.replace('ServiceUrl = "https://badges.example",', ""), 3, "ServiceUrl"),
    "plain secret": (CONNECTION.replace('{ secret = "env:KEY" }', '"s3cret"'), 3, "is a secret"),
    "missing secret": (CONNECTION.replace("env:KEY", "env:NO"), 3, "env:NO is not there"),
}


@pytest.mark.parametrize(("text", "code", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_before_powershell_is_a_finding(
    tmp_path: Path, text: str, code: int, expected: str
) -> None:
    """No PowerShell is started for a connection that cannot be run; a secret is never shown."""
    tester = FakeTester()
    findings = connection(tmp_path, tester, text)
    (bad,) = of(findings, "connection")
    assert (bad.level, bad.exit_code) == ("fail", code)
    assert expected in bad.text
    assert bad.fix
    assert "s3cret" not in bad.line
    assert tester.jobs == []


def test_an_error_of_powershell_itself_is_a_finding(tmp_path: Path) -> None:
    """A PowerShell that cannot be started is told with its own exit code."""
    findings = connection(tmp_path, FakeTester(tested=BeaconError("64 bits", hint="Use SysWOW64.")))
    (bad,) = of(findings, "connection")
    assert (bad.text, bad.fix, bad.exit_code) == ("64 bits", "Use SysWOW64.", 4)


def test_the_native_engine_runs_no_test_in_powershell(tmp_path: Path) -> None:
    """What was not run is not called ok."""
    tester = FakeTester()
    findings = connection(tmp_path, tester, CONNECTION + 'engine = "native"\n')
    assert [one.level for one in of(findings, "TestConnection")] == ["info"]
    assert tester.jobs == []


def test_a_destination_that_is_none_warns(tmp_path: Path) -> None:
    """A folder that is there is good, unless it is the beacon's own."""
    there = connection(tmp_path, FakeTester(), CONNECTION + f"deliver_to = '{tmp_path}'\n")
    assert [one.level for one in of(there, "destination")] == ["ok"]
    gone = connection(tmp_path, FakeTester(), CONNECTION + f"deliver_to = '{tmp_path / 'gone'}'\n")
    assert [one.level for one in of(gone, "destination")] == ["warn"]
    watched = workplace(tmp_path).beacon_folders[0]
    below = connection(tmp_path, FakeTester(), CONNECTION + f"deliver_to = '{watched}'\n")
    (finding,) = of(below, "destination")
    assert "lies below the beacon's own folder" in finding.text


# --- the command ---


def check(tmp_path: Path, *arguments: str) -> int:
    """Run `beacon-bridge check` for the beacon and settings of this folder."""
    workplace(tmp_path)
    options = ["--config", str(tmp_path / "bridge.toml"), "--root", str(made_beacon(tmp_path))]
    return main(["check", *arguments, *options])


def test_check_prints_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every finding is one line that begins with its state; a broken folder makes the exit code 4."""
    make_reader_folder(reader_parent(made_beacon(tmp_path)), "Broken", config="<x")
    code = check(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert code == 4
    assert {line.split()[0] for line in lines} <= {"ok", "info", "warn", "fail"}
    assert any(line.startswith("fail  reader folder: ") and ". Fix: " in line for line in lines)
    assert any(line.startswith("ok    beacon: ") for line in lines)


def test_check_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One list of findings, each with the same keys; the exit code is that of the first failure."""
    code = check(tmp_path, "--json")
    findings = json.loads(capsys.readouterr().out)
    assert {tuple(one) for one in findings} == {("topic", "level", "text", "fix", "exit_code")}
    failed = [one["exit_code"] for one in findings if one["level"] == "fail"]
    assert code == (failed[0] if failed else 0)


def test_check_of_an_unknown_connection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest name is offered, with the exit code of settings."""
    assert check(tmp_path, "Badge") == 3
    assert "Badges" in capsys.readouterr().err


@pytest.mark.powershell
def test_check_of_a_connection_in_a_real_powershell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TestConnection and VersionCheck of the folder really run; a wrong key fails and is not shown."""
    import shutil

    if not (shutil.which("powershell") or shutil.which("pwsh")):
        pytest.skip("no PowerShell on PATH")
    monkeypatch.setenv("KEY", "right-k3y")
    assert check(tmp_path, "Badges") == 0
    out = capsys.readouterr().out
    assert "TestConnection: the reader says OK" in out
    assert "the source is version 2.4" in out
    monkeypatch.setenv("KEY", "wrong")
    assert check(tmp_path, "Badges") == 6
    assert "fail  TestConnection: " in capsys.readouterr().out


# --- credentials ---


def no_tester() -> doctor.Tester:
    """Have no PowerShell."""
    raise BeaconError("no PowerShell here")


def test_last_days_of_credentials(tmp_path: Path) -> None:
    """A finding for each credential with a last day: good, near its end, past it; one that is gone fails."""
    today = date.today()  # local, as the check goes by
    days = {"far": 31, "near": 30, "gone": -1}
    reference = {name: SecretReference("store", name) for name in days}
    chosen = Connection("C", str(tmp_path / "no folder"), "t", parameters=reference)
    kept = Store(tmp_path / "secrets", FileVault())
    for name, number in days.items():
        kept.put(name, Secret("x"), expires=today + timedelta(number))
    place = replace(
        workplace(tmp_path),
        expiries=partial(expiry.each, secrets=Secrets({}, str, kept), dates=kept),
    )
    found = [one for one in doctor.connection(place, chosen, no_tester) if one.topic == "credential"]
    assert [(one.level, one.exit_code) for one in found] == [("ok", 0), ("warn", 0), ("fail", 5)]
    assert "store:near expires on" in found[1].line
    kept.remove("far")
    found = [one for one in doctor.connection(place, chosen, no_tester) if one.topic == "credential"]
    assert [one.exit_code for one in found] == [3]
    assert found[0].text.startswith("There is no secret store:far in ")
