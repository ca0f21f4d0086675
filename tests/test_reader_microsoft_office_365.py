"""The deprecated reader folder on a double of MSOnline, and what is said of its retirement."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge import beacon, system
from bridge.cli import main
from bridge.collect.powershell import PowerShell, find_powershell
from bridge.errors import ReaderError
from bridge.model import Job, Minutes, Owner, Reader, Secret
from bridge.readers import folder, retired
from tests.folders import (
    TEST_CONNECTION,
    config_xml,
    make_beacon,
    make_reader_folder,
    reader_parent,
    readers_xml,
    source_step,
)
from tests.msonline import PASSWORD, USER, World, account_sku_id, install
from tests.tenancy import Told, expected, our_reader, rows_of
from tools.tenant import Tenant
from tools.tenant.truth import Row

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = beacon.shipped_readers() / "Microsoft Office 365"
SKUS, PLANS, BOUGHT, USERS, ASSIGNED = (
    f"{name}.xml/{name}"
    for name in ("Subscription", "ServicePlan", "CommerceSubscription", "User", "Assignment")
)

# The columns of the current reader that the deprecated one cannot fill, and why.
MISSING: Mapping[str, Mapping[str, str]] = {
    SKUS: {
        "ProductName": "names for people came later",
        "AccountId": "not in the property map",
        "AppliesTo": "not in the property map; TargetClass says Tenant where Graph says Company",
        "CapabilityStatus": "MSOnline has units by state, and no state",
        "SubscriptionIds": "not in the property map",
    },
    PLANS: {"PlanName": "names for people came later", "AppliesTo": "as for Subscription"},
    BOUGHT: {"OwnerType": "came with Graph", "OwnerTenantId": "came with Graph"},
    USERS: {
        "Mail": "MSOnline has none; the address after SMTP: in ProxyAddresses is the main one",
        "OtherMails": "not in the property map",
    },
    ASSIGNED: {"State": "MSOnline lists what is assigned, without a state"},
}
REPORTED = (  # what people heard from the service after its retirement
    "MSOnline is retired and access is disallowed. For more information, see https://aka.ms/MSOnlineRetirement.",
    "The HTTP request was forbidden with client authentication scheme 'Negotiate'.",
    "Access Denied. You do not have permissions to call this cmdlet.",
)

needs_home = pytest.mark.skipif(os.name == "nt", reason="Windows PowerShell finds modules below Documents")


def deprecated_reader() -> Reader:
    """Return our deprecated reader folder, read whole."""
    return folder.load(FOLDER, Owner.BRIDGE)


def collected(home: Path, place: Path) -> dict[str, list[Row]]:
    """Return the rows of each step, read by a PowerShell whose modules lie below ``home``."""
    executable = find_powershell(os.environ, windows=system.WINDOWS)
    engine = PowerShell(executable, {**os.environ, "HOME": str(home)}, windows=system.WINDOWS)
    (place / "capture").mkdir(parents=True)
    values: Mapping[str, str | Secret] = {"UserName": USER, "Password": Secret(PASSWORD)}
    job = Job("20261122T081530Z-4f2a", deprecated_reader(), values, place, Minutes())
    done = engine.collect(job, Told()).captures
    assert not any(one.gaps for one in done)
    return {one.step: rows_of(one) for one in done}


# --- the folder ---


def test_the_folder_has_the_columns_of_the_current_one() -> None:
    """Same names, types and lengths in the same order, but for those of the list and the old product id."""
    current = {step.id: step.columns for step in our_reader().to_collect}
    reader = deprecated_reader()
    assert [step.id for step in reader.to_collect] == list(MISSING)
    for step in reader.to_collect:
        kept = [one for one in current[step.id] if one.name not in MISSING[step.id]]
        assert [one for one in step.columns if one.name != "AccountSkuId"] == kept
    assert reader.warnings == ()
    assert [(one.name, one.secret) for one in reader.parameters] == [("UserName", False), ("Password", True)]


def test_what_is_missing_is_written_down() -> None:
    """The page of the migration has a line for each column without a counterpart."""
    page = (DOCS / "migration.md").read_text("utf-8")
    names = [f"`{step.partition('/')[2]}.{name}`" for step, columns in MISSING.items() for name in columns]
    assert [name for name in names if name not in page] == []


# --- the property map ---


def from_current(tenant: Tenant) -> dict[str, list[Row]]:
    """Return the current reader's rows as the deprecated one must bring them, by the property map."""
    skus = {sku["skuId"]: account_sku_id(sku) for sku in tenant.skus()}
    rows = {step: found for step, found in expected(tenant).items() if step in MISSING}
    for row in rows[SKUS]:
        row["AccountSkuId"] = skus[str(row["SkuId"])]
    rows[ASSIGNED] = list(_assigned(rows[ASSIGNED], skus))
    return {step: [_without(row, MISSING[step]) for row in found] for step, found in rows.items()}


def _assigned(rows: list[Row], skus: Mapping[str, str]) -> Iterator[Row]:
    """Yield what is assigned: a licence's plans are off where every way to it switches them off."""
    ways: dict[tuple[str | None, str | None], list[Row]] = {}
    for row in rows:
        if row["State"] != "Error":
            ways.setdefault((row["UserId"], row["SkuId"]), []).append(row)
    for (_, sku), found in ways.items():
        off = set.intersection(*(set(str(one["DisabledPlans"]).split(";")) for one in found))
        old = {
            "SkuId": sku if sku in skus else None,
            "AccountSkuId": skus.get(str(sku), "contoso:GONE"),
            "DisabledPlans": ";".join(sorted(off)),
        }
        yield from ({**row, **old} for row in found)


def _without(row: Row, names: Mapping[str, str]) -> Row:
    return {name: text for name, text in row.items() if name not in names}


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: sorted((name, text or "") for name, text in row.items()))


@pytest.mark.powershell
@needs_home
def test_the_property_map(tmp_path: Path) -> None:
    """Cell by cell the rows are the current reader's, for 510 users with odd names and lost products.

    More than 500 users, so that a Get-MsolUser without -All would be noticed.
    """
    tenant = Tenant(510, seed=4, oddities=frozenset({"unknown-sku"}))
    rows = collected(install(tmp_path / "home", World.of(tenant)), tmp_path / "run")
    for step, right in from_current(tenant).items():
        assert _sorted(rows[step]) == _sorted(right), step
    assert len(rows[USERS]) == 510
    assert {row["SkuId"] is None for row in rows[ASSIGNED]} == {True, False}


@pytest.mark.powershell
@needs_home
def test_users_without_licences_are_a_tenant(tmp_path: Path) -> None:
    """No product at all is possible: five users, and no other row."""
    world = World.of(Tenant(5, oddities=frozenset({"no-licences"})))
    rows = collected(install(tmp_path / "home", world), tmp_path / "run")
    assert {step: len(found) for step, found in rows.items()} == {**dict.fromkeys(MISSING, 0), USERS: 5}


# --- what is said of it ---


@dataclass
class Site:
    """A machine with the settings of one connection, Old, and what a command says."""

    home: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, Any, str]:
        """Run a command with --json: exit code, its JSON, standard error."""
        code = main([*words, "--json", "--config", str(self.home / "bridge.toml")])
        out, err = self.capture.readouterr()
        return code, json.loads(out), err

    def settings(self, reader: str, parameters: str, root: Path | None = None) -> None:
        """Write the settings."""
        beacon_root = f"[beacon]\nroot = '{root}'\n" if root else ""
        (self.home / "bridge.toml").write_text(
            f"{beacon_root}[bridge]\nstate = '{self.home / 'state'}'\n[connections.Old]\n"
            f"reader = '{reader}'\ntenant = 'contoso.example'\nparameters = {parameters}\n",
            "utf-8",
        )


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Site:
    """A connection of the deprecated folder of ours, on a machine without the module."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OLD", PASSWORD)
    made = Site(tmp_path, capsys)
    made.settings(
        "bridge:Microsoft Office 365", f"{{ UserName = '{USER}', Password = {{ secret = 'env:OLD' }} }}"
    )
    return made


def no_module(home: Path) -> None:
    """Leave the machine without it."""


def refused(home: Path) -> None:
    """Install the module of a service that says what the retired one says."""
    install(home, World.of(Tenant(3), refusal=REPORTED[0]))


def empty(home: Path) -> None:
    """Install the module of a service that lets everybody in and shows nothing."""
    install(home, World())


@pytest.mark.powershell
@needs_home
@pytest.mark.parametrize(
    ("world", "happened"),
    [
        (no_module, "the PowerShell module MSOnline is not on this machine"),
        (refused, "Connect-MsolService was refused: MSOnline is retired and access is disallowed"),
        (empty, "showed an empty world: no account SKU and no user"),
    ],
)
def test_check_and_run_say_what_happened(world: Callable[[Path], None], happened: str, site: Site) -> None:
    """What happened, since when, and the way on; exit code 6, and no retry can help."""
    world(site.home / "home")
    code, said, err = site("run", "Old")
    assert (code, said["error"]["name"], said["error"]["retryable"]) == (6, "ReaderError", False)
    assert happened in said["error"]["sentence"]
    assert "retired the MSOnline service as of 2025-05-30" in said["error"]["sentence"]
    assert said["error"]["hint"] == retired.WAY_ON
    assert "Skype for Business Online as of 2021-07-31" in err
    code, said, _ = site("check", "Old")
    found = {one["topic"]: one for one in said}
    assert (code, found["retired"]["level"], found["TestConnection"]["level"]) == (6, "warn", "fail")
    assert happened in found["TestConnection"]["text"]
    assert "as of 2025-05-30" in found["TestConnection"]["text"]
    assert found["TestConnection"]["fix"] == retired.WAY_ON
    missing = world is no_module  # and then it must not be installed
    assert (found["modules"]["level"], found["modules"]["fix"]) == (
        ("warn", retired.WAY_ON) if missing else ("ok", "")
    )


@pytest.mark.powershell
@needs_home
def test_where_it_still_answers_check_says_what_is_coming(site: Site) -> None:
    """With a module that works, TestConnection is good, and the retirement is told all the same."""
    install(site.home / "home", World.of(Tenant(3)))
    code, said, _ = site("check", "Old")
    assert code == 0
    found = {one["topic"]: one["level"] for one in said}
    assert (found["TestConnection"], found["retired"]) == ("ok", "warn")


def test_list_says_it_too(site: Site) -> None:
    """Among the warnings of the folder; the current one has none."""
    assert "2025-05-30" in site("list", "bridge:Microsoft Office 365")[1]["warnings"][0]
    assert site("list", "bridge:Microsoft 365")[1]["warnings"] == []


# --- the beacon's own folder ---

VENDOR = """
function PingBadges {{ param($ServiceUrl, $ApiKey) {0}; 'OK' }}
function ListHolders {{ param($ServiceUrl, $ApiKey) {0} }}
function ListBadges {{ param($ServiceUrl, $ApiKey) }}
"""


def vendor_folder(site: Site, does: str) -> None:
    """Give the connection a beacon's deprecated folder, whose functions do this, with two steps."""
    root = make_beacon(site.home)
    steps = readers_xml(source_step(), source_step("LoadBadges", 120, method="ListBadges", table="#Badge"))
    config = config_xml({"Holder.xml": "Evidence"}, functions=TEST_CONNECTION)
    script = VENDOR.format(does)
    made = make_reader_folder(reader_parent(root), FOLDER.name, script, {"Holder.xml": steps}, config=config)
    site.settings(made.name, "{ ServiceUrl = 'https://x.example', ApiKey = { secret = 'env:OLD' } }", root)


@pytest.mark.powershell
def test_the_beacons_own_folder_is_understood(site: Site) -> None:
    """Scripts that are not ours run unchanged; what they say is translated, in `run` and in `check`."""
    vendor_folder(site, "try { New-CsOnlineSession } catch { Connect-MsolService -Credential $null }")
    code, said, _ = site("run", "Old")
    assert (code, said["error"]["retryable"], said["error"]["hint"]) == (6, False, retired.WAY_ON)
    assert retired.MSONLINE.sentence in said["error"]["sentence"]
    code, said, _ = site("check", "Old")
    found = {one["topic"]: one for one in said}
    assert (code, found["retired"]["level"]) == (6, "warn")
    assert found["TestConnection"]["fix"] == retired.WAY_ON
    assert retired.MSONLINE.sentence in found["TestConnection"]["text"]


@pytest.mark.powershell
def test_an_empty_world_is_no_result_of_the_beacons_own_folder(site: Site) -> None:
    """Every step ended well and empty: that is a failure, and nothing is packaged."""
    vendor_folder(site, "")
    code, said, _ = site("run", "Old")
    assert (code, said["error"]["retryable"], said["error"]["hint"]) == (6, False, retired.WAY_ON)
    assert said["error"]["sentence"].startswith("Every one of the 2 steps is empty")
    assert not list((site.home / "state").rglob("*.zip"))


ERRORS = {
    REPORTED[0]: (retired.MSONLINE,),
    f"{REPORTED[2]} [Microsoft.Online.Administration.Automation.AccessDeniedException,"
    "Microsoft.Online.Administration.Automation.GetUser]": (retired.MSONLINE,),
    'Die Benennung "Get-MsolUser" wurde nicht als Name eines Cmdlet erkannt.': (retired.MSONLINE,),
    "The specified module 'MSOnline' was not loaded": (retired.MSONLINE,),
    "The specified module 'LyncOnlineConnector' was not loaded": (retired.SKYPE,),
    "Connecting to remote server admin1e.online.lync.com failed": (retired.SKYPE,),
    "Get-CsOnlineUser and Get-MsolUser are not recognized": retired.MODULES,
    "HTTP 403: Authorization_RequestDenied: Insufficient privileges": (),
    r"C:\Windows\Modules\MSOnline\1.1.183.57\MSOnline.psd1 is not there": (retired.MSONLINE,),
    r"Access to C:\Users\svc-msonline\x.csv is denied": (),
    r"C:\Scripts\MSOnline\badges.csv, MSONLINE\ada, msonline-sync@b.example, ada@msonline": (),
    "No such host: msonline.contoso.example; the account svc-msolsync is locked": (),
    **dict.fromkeys(REPORTED[1:], ()),  # anybody may say that
}


@pytest.mark.parametrize(("text", "gone"), ERRORS.items())
def test_which_errors_name_what_is_retired(text: str, gone: tuple[retired.Retired, ...]) -> None:
    """By cmdlet, module or error id, in any language; what anybody could have said names nothing."""
    assert retired.named_in(text) == gone


@pytest.mark.parametrize(("reader", "gone"), [("Microsoft Office 365", True), ("Badge Service", False)])
def test_a_general_error_is_the_deprecated_readers_alone(reader: str, gone: bool) -> None:
    """What WCF says of any endpoint names what is retired where nothing else can be meant."""
    assert bool(retired.named_in(REPORTED[1], reader)) == gone


@pytest.mark.parametrize(
    ("reader", "gone"),
    [
        ("Microsoft Office 365", True),
        ("bridge:microsoft office 365", True),
        (r"D:\Readers\Microsoft Office 365" + "\\", True),
        ("/srv/Microsoft Office 365", True),
        ("Microsoft 365", False),
        ("bridge:Microsoft 365", False),
    ],
)
def test_which_readers_rest_on_it(reader: str, gone: bool) -> None:
    """The deprecated folder, however the settings name it."""
    assert bool(retired.warnings(reader)) == gone


def test_an_empty_world_is_the_deprecated_readers_alone() -> None:
    """Zero rows in every step of another reader may be right, and so may one row among empty steps."""
    retired.refuse_empty_world("Badge Service", {"a": 0, "b": 0})
    retired.refuse_empty_world("Microsoft Office 365", {"a": 0, "b": 1})
    with pytest.raises(ReaderError, match="2 steps is empty"):
        retired.refuse_empty_world("Microsoft Office 365", {"a": 0, "b": 0})
