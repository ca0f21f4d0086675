"""What `check` says of a connection's surroundings: Windows, scripts, the network, another collector."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from bridge import doctor, model
from bridge.beacon import Beacon
from bridge.doctor import Facts, Finding, network, rivals, scripts, windows
from bridge.errors import BeaconError
from bridge.model import Connection, Granted, Owner, Web
from bridge.readers import folder
from bridge.system import zone, zone_of
from tests.clouds import DAEMON, HOME
from tests.engines import connection_to, workplace
from tests.folders import Values, make_reader_folder
from tests.signing import BY_SECRET, Desk
from tests.tenancy import FOLDER
from tools.tenant import Cloud, serve_cloud

CONTOSO = Connection("Contoso EU", "r", "contoso.example")


def topics(findings: Iterator[Finding] | list[Finding]) -> dict[str, str]:
    """Return the level of each topic, the last one where there are several."""
    return {one.topic: one.level for one in findings}


# --- Windows ---


def on_windows(**values: str | None) -> Facts:
    """Return a Windows whose registry holds these values: Release, Enabled, DisabledByDefault, Strong."""
    keys = {
        "Release": windows.NET_KEY,
        "Enabled": windows.TLS_KEY,
        "DisabledByDefault": windows.TLS_KEY,
        "SchUseStrongCrypto": windows.CRYPTO_KEY,
    }
    given = {(keys[name], name): value for name, value in values.items() if value is not None}
    return Facts(windows=True, registry=Values(given))


@pytest.mark.parametrize(
    ("release", "level", "text"),
    [
        ("533325", "ok", "4.8.1"),
        ("461808", "ok", "4.7.2"),
        ("394802", "ok", "4.6.2"),
        ("394271", "warn", "4.5.2; 4.6.2 or later is recommended"),
        ("379893", "warn", "4.5.2"),
        ("378758", "fail", "older than 4.5.2"),
        (None, "fail", "release unknown"),
        ("x", "fail", "release x"),
    ],
)
def test_the_release_of_net_framework(release: str | None, level: str, text: str) -> None:
    """From 4.6.2 on it is good, down to 4.5.2 it goes, below that collecting is not supported."""
    found = next(windows.findings(on_windows(Release=release)))
    assert (found.topic, found.level) == (".NET Framework", level)
    assert text in found.text
    assert bool(found.fix) == (level != "ok")


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ({}, "info"),
        ({"SchUseStrongCrypto": "1"}, "ok"),
        ({"SchUseStrongCrypto": "0"}, "info"),
        ({"Enabled": "0", "SchUseStrongCrypto": "1"}, "fail"),
        ({"DisabledByDefault": "1"}, "fail"),
        ({"Enabled": "1", "DisabledByDefault": "0", "SchUseStrongCrypto": "1"}, "ok"),
    ],
)
def test_tls_1_2(values: Mapping[str, str], level: str) -> None:
    """Switched off is a failure; whether .NET begins with it is told."""
    assert topics(windows.findings(on_windows(Release="528040", **values)))["TLS 1.2"] == level


def test_another_system_has_neither() -> None:
    """Nothing is said of .NET Framework where there is none."""
    assert list(windows.findings(Facts())) == []


# --- scripts ---


def test_scripts_that_were_downloaded(tmp_path: Path) -> None:
    """Marked ones, a reader's or our own, are named with what frees them; the intranet is none."""
    reader = folder.load(make_reader_folder(tmp_path), Owner.PATH, None)
    own = tmp_path / "Invoke-Reader.ps1"
    zones = {"Badges.ps1": 3, "Invoke-Reader.ps1": 4}
    facts = Facts(zone=lambda path: zones.get(path.name), own_scripts=(own,))
    found = next(scripts.findings(reader, facts))
    assert (found.level, found.exit_code) == ("fail", 4)
    assert found.text.endswith("Badges.ps1, Invoke-Reader.ps1")
    assert "Unblock-File" in found.fix
    intranet = Facts(zone=lambda _: 1, own_scripts=(own,))
    assert next(scripts.findings(reader, intranet)).text == "2 scripts, none marked as downloaded"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=x", 3), ("zoneid = 0", 0), ("", None), ("ZoneId=x", None)],
)
def test_the_zone_of_a_mark(text: str, expected: int | None) -> None:
    """As Windows writes it beside the file."""
    assert zone_of(text) == expected


def test_a_file_without_a_mark(tmp_path: Path) -> None:
    """No stream, or a system that has none: no zone."""
    assert zone(tmp_path / "x.ps1") is None


def test_which_modules_a_script_imports() -> None:
    """Plain names of #requires and Import-Module; comments, paths and variables are none."""
    text = """
#Requires -Modules ActiveDirectory, 'Az.Accounts', @{ ModuleName = "PSSQLite"; ModuleVersion = "1" }
#requires -Module Pester
# Import-Module Commented
Import-Module MSOnline -ErrorAction Stop
  import-module -Name "ExchangeOnlineManagement"
if ($x) { Import-Module Skype.Business }
Import-Module $name
Import-Module "$PSScriptRoot\\Own.psm1"
Import-Module .\\Other.psm1
"""
    names = {"ActiveDirectory", "Az.Accounts", "PSSQLite", "Pester", "MSOnline", "Skype.Business"}
    assert scripts.imported(text) == {*names, "ExchangeOnlineManagement"}


def test_modules_that_are_not_there(tmp_path: Path) -> None:
    """Each is looked for where this PowerShell looks, whatever the case; a missing one is named."""
    (tmp_path / "Modules" / "msonline").mkdir(parents=True)
    script = "Import-Module MSOnline\nImport-Module Skype\n"
    reader = folder.load(make_reader_folder(tmp_path, script=script), Owner.PATH, None)
    facts = Facts(modules=(tmp_path / "nowhere", tmp_path / "Modules"))
    found = list(scripts.findings(reader, facts))[1]
    assert (found.topic, found.level) == ("modules", "warn")
    assert "import Skype, not found" in found.text
    (tmp_path / "Modules" / "Skype").mkdir()
    assert topics(scripts.findings(reader, facts))["modules"] == "ok"


def test_where_the_32_bit_powershell_looks() -> None:
    """Its own folders, whatever the case of the variables: not those of the 64-bit one."""
    given = {"SYSTEMROOT": "W", "ProgramFiles(x86)": "P86", "USERPROFILE": "U"}
    found = [path.as_posix() for path in scripts.module_folders(given, windows=True)]
    assert found == [
        "U/Documents/WindowsPowerShell/Modules",
        "P86/WindowsPowerShell/Modules",
        "W/SysWOW64/WindowsPowerShell/v1.0/Modules",
    ]


@pytest.mark.powershell
def test_where_pwsh_looks(powershell: str) -> None:
    """The folder of its own modules is among those that are looked into."""
    if os.name == "nt":
        pytest.skip("Windows PowerShell looks elsewhere")
    folders = scripts.module_folders({"PATH": str(Path(powershell).parent)}, windows=False)
    assert any((one / "Microsoft.PowerShell.Utility").is_dir() for one in folders)


# --- the network ---


@pytest.mark.parametrize(
    ("web", "system", "expected"),
    [
        (Web(), {}, "none, as SYSTEM sees the system"),
        (Web(), {"https": "http://u:s3cret@proxy.example:8080"}, "proxy.example:8080, as SYSTEM sees"),
        (Web(), {"https": "proxy.example:8080"}, "proxy.example:8080, as SYSTEM sees"),
        (Web("none"), {"https": "http://x"}, "none, as [http] says"),
        (Web("http://own.example:3128"), {}, "own.example:3128, as [http] says"),
    ],
)
def test_the_proxy_that_this_account_sees(web: Web, system: dict[str, str], expected: str) -> None:
    """What [http] says, else what the account's system says; never its password."""
    found = network.proxy(web, Facts(account="SYSTEM", proxies=lambda: system))
    assert found.text.startswith(expected)
    assert "s3cret" not in found.line


# --- another collector ---


@dataclass
class Files:
    """A beacon's data root with its two files."""

    home: Path

    def write(self, config: str | bytes, schedule: str | bytes = "<Schedule/>") -> None:
        """Write both."""
        (self.home / "Beacon").mkdir(exist_ok=True)
        for name, content in (("config.xml", config), ("schedule.xml", schedule)):
            raw = content.encode() if isinstance(content, str) else content
            (self.home / "Beacon" / name).write_bytes(raw)

    def findings(self, connection: Connection = CONTOSO, tenants: tuple[str, ...] = ()) -> list[Finding]:
        """Return what they tell of a connection."""
        place = Beacon(self.home, self.home / "p", self.home / "o", "test")
        return list(rivals.findings(place, connection, tenants))


TENANT = "0f7ad3b1-25e7-4a6a-9d6c-0b7c1c2d3e4f"
HITS: dict[str, tuple[str | bytes, str]] = {
    "domain": ("<c Tenant='CONTOSO.example' Secret='s3cret'/>", "config.xml has the tenant"),
    "mail address": ("<c User='adm@contoso.example'/>", "config.xml has the tenant"),
    "id": (f"<c>{TENANT.upper()}</c>", "config.xml has the tenant"),
    "name": ("<c Name='contoso eu'/>", "config.xml has the connection's name"),
    "utf-16": ("<c Name='Contoso EU'/>".encode("utf-16"), "the connection's name"),
    "utf-16 without a mark": ("<c Name='Contoso EU'/>".encode("utf-16-le"), "the connection's name"),
    "utf-8 with a mark": ("<c Name='Contoso EU'/>".encode("utf-8-sig"), "the connection's name"),
    "references": ("<c Name='&#67;ontoso&#x20;EU'/>", "the connection's name"),
    "not UTF-8 elsewhere": (b"<c>\xff\xfe\xfc</c><d>contoso.example</d>", "the tenant"),
    "no XML at all": ("contoso.example", "the tenant"),
}


@pytest.mark.parametrize(("content", "expected"), HITS.values(), ids=HITS)
def test_two_collectors_for_one_tenant(tmp_path: Path, content: str | bytes, expected: str) -> None:
    """The tenant's id or domain, or the connection's name, however it is written; nothing else is shown."""
    files = Files(tmp_path)
    files.write(content)
    (found,) = files.findings(tenants=(TENANT,))
    assert found.level == "warn"
    assert found.text.startswith("two collectors for one tenant: ")
    assert expected in found.text
    assert "s3cret" not in found.line


@pytest.mark.parametrize(
    "content",
    ["", "<c/>", "<c>contoso.example.org contoso.examples</c>", "<c>Contoso EU2 my-Contoso EU_x</c>", "\0\0"],
)
def test_what_is_no_other_collector(tmp_path: Path, content: str) -> None:
    """Empty files, and names that only begin like ours."""
    files = Files(tmp_path)
    files.write(content)
    assert [one for one in files.findings() if "two collectors" in one.text] == []


def test_the_schedule_counts_too(tmp_path: Path) -> None:
    """A hit in either file, both named."""
    files = Files(tmp_path)
    files.write("<c>contoso.example</c>", "<s>Contoso EU</s>")
    (found,) = files.findings()
    assert "config.xml has the tenant; schedule.xml has the connection's name" in found.text


def test_a_huge_file_is_searched_in_pieces(tmp_path: Path) -> None:
    """A name at the seam of two pieces is found; so is one at the very end."""
    files = Files(tmp_path)
    for place in (rivals._CHUNK - 7, 3 * rivals._CHUNK):  # the seam, and the end
        files.write(b"x" * (place - 1) + b" contoso.example")
        assert len(files.findings()) == 1


def test_files_that_are_absent_or_unreadable(tmp_path: Path) -> None:
    """Absent is told, unreadable is a warning: it may collect the same tenant."""
    files = Files(tmp_path)
    assert [one.level for one in files.findings()] == ["info", "info"]
    (tmp_path / "Beacon" / "config.xml").mkdir(parents=True)
    first, second = files.findings()
    assert (first.level, second.level) == ("warn", "info")
    assert "cannot be read" in first.text


def test_no_beacon_has_no_other_collector() -> None:
    """Where there is no beacon there is nothing to look into."""
    assert list(rivals.findings(BeaconError("none"), CONTOSO, ())) == []


# --- the sign-in ---


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Serve a cloud of one tenant with one app."""
    with serve_cloud(HOME, apps=[DAEMON]) as running:
        yield running


class NoTester:
    """A PowerShell that must not be asked."""

    def probe(self) -> object:
        """Refuse."""
        raise AssertionError

    def __call__(self) -> NoTester:
        """Find itself."""
        return self

    def test(self, job: object) -> model.Tested:
        """Refuse."""
        raise AssertionError(job)


def checked(
    cloud: Cloud, tmp_path: Path, secret: str | None = None, beacon: Beacon | None = None
) -> list[Finding]:
    """Check a connection of our own reader that signs in with a secret."""
    desk = Desk(cloud, tmp_path) if secret is None else Desk(cloud, tmp_path, {"SECRET": secret})
    parameters = {"GraphRoot": "https://graph.microsoft.com", "AccessToken": Granted.TOKEN}
    connection = replace(
        connection_to(FOLDER),
        reader="bridge:Microsoft 365",
        engine="native",
        parameters=parameters,
        sign_in=BY_SECRET,
        tenant=HOME.id,
    )
    place = replace(workplace(tmp_path, beacon=beacon), sign_ins=lambda *_: desk.source(BY_SECRET))
    return list(doctor.connection(place, connection, partial(NoTester)))  # type: ignore[arg-type]  # it has no facts


def test_a_sign_in_is_proved(cloud: Cloud, tmp_path: Path) -> None:
    """Over real TLS: who, which permissions, the clock; the parameters get their token."""
    found = topics(checked(cloud, tmp_path))
    assert (found["sign-in"], found["clock"], found["parameters"]) == ("ok", "ok", "ok")
    assert "permissions" in found


def test_a_domain_that_only_the_organisation_names_is_searched(cloud: Cloud, tmp_path: Path) -> None:
    """The settings and the token have the tenant's id; the beacon's own connection goes by a domain."""
    Files(tmp_path).write(f"<c Tenant='{HOME.domain}'/>")
    beacon = Beacon(tmp_path, tmp_path / "p", tmp_path / "o", "test")
    (found,) = (one for one in checked(cloud, tmp_path, beacon=beacon) if one.topic == rivals.TOPIC)
    assert found.text == "two collectors for one tenant: config.xml has the tenant"


def test_a_sign_in_that_fails_is_told_once(cloud: Cloud, tmp_path: Path) -> None:
    """With its own code; what would need the token is not tried."""
    found = checked(cloud, tmp_path, "wrong-s3cret")
    failed = [one for one in found if one.level == "fail"]
    assert [(one.topic, one.exit_code) for one in failed] == [("sign-in", 5)]
    assert "wrong-s3cret" not in "".join(one.line for one in found)
    assert topics(found)["TestConnection"] == "info"
