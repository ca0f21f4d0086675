"""A reader folder for another REST service, with all the habits of its kind, through the command line."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bridge import cli
from bridge.capture import unescape
from tests.folders import make_beacon, reader_parent
from tests.larkspur_double import ACCOUNT, KEY, Desk, Item, Larkspur, larkspur

READERS = Path(__file__).parent / "data" / "readers"
NAME = "Larkspur Device Desk"
TABLE = "{urn:beacon-bridge:bridge-1}"
Row = dict[str, str | None]

# The order of the procedures, then of the steps whatever their file, then of the document, then of the list.
STEPS = (
    ("Desk.xml/CreateDesk", "the server"),
    ("Desk.xml/ReadDesk", "this machine"),
    ("Desk.xml/IndexDesk", "the server"),
    ("Device.xml/CreateDevice", "the server"),
    ("Device.xml/ReadDevice", "this machine"),
    ("Device.xml/ReadSpare", "this machine"),
    ("Device.xml/ReadNote", "this machine"),
    ("Device.xml/ReadQuota", "this machine"),
    ("Device.xml/CountDevice", "the server"),
    ("Desk.xml/CountDesk", "the server"),
    ("Program.xml/Create", "the server"),
    ("Program.xml/Read", "this machine"),
    ("Program.xml/Match", "the server"),
    ("Loan.xml/Create", "the server"),
    ("Loan.xml/Read", "this machine"),
    ("Loan.xml/Merge", "the server"),
    ("Handover.xml/Create", "the server"),
    ("Handover.xml/Read", "this machine"),
    ("Cleanup.xml/DropAll", "the server"),
)
READ = [step for step, runs_on in STEPS if runs_on == "this machine" and step != "Device.xml/ReadQuota"]


@dataclass
class Said:
    """What one command line gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)


@dataclass
class Site:
    """A beacon that has the folder and an override of one of its steps, and a settings file that names it."""

    home: Path
    root: Path
    reading: Callable[[], tuple[str, str]]
    monkeypatch: pytest.MonkeyPatch

    @property
    def folder(self) -> Path:
        """The reader folder."""
        return reader_parent(self.root) / NAME

    @property
    def override(self) -> Path:
        """The file that replaces the step Loan.xml/Read."""
        parent = self.root / "Compliance" / "ImportProcedures" / "CustomInventory" / "Reader"
        return parent / NAME / "Loan.xml"

    @property
    def packages(self) -> list[Path]:
        """Every package below the state folder, whatever became of it."""
        return list((self.home / "state").rglob("*.zip"))

    def hashes(self) -> dict[str, str]:
        """Return the hash of every file of the beacon."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}

    def connect(self, url: str, key: str = KEY) -> None:
        """Write the settings of a connection to the service at ``url``; the key is in the environment."""
        self.monkeypatch.setenv("LARKSPUR_KEY", key)
        (self.home / "bridge.toml").write_text(
            f"""[bridge]
state = 'state'
[connections."Desk Köln"]
reader = "{NAME}"
tenant = "larkspur.example"
minutes = {{ step = 2, run = 5, silence = 2 }}
[connections."Desk Köln".parameters]
ServiceUrl = "{url}"
Account = "{ACCOUNT}"
AccountKey = {{ secret = "env:LARKSPUR_KEY" }}
""",
            "utf-8",
        )

    def command(self, *words: str) -> Said:
        """Run one command line."""
        code = cli.main([*words, "--config", str(self.home / "bridge.toml"), "--root", str(self.root)])
        return Said(code, *self.reading())


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Site:
    """Lay out the beacon and the settings; the service is not there yet."""
    root = make_beacon(tmp_path)
    site = Site(tmp_path, root, capsys.readouterr, monkeypatch)
    shutil.copytree(READERS / NAME, site.folder)
    site.override.parent.mkdir(parents=True)
    shutil.copyfile(READERS / "overrides" / NAME / "Loan.xml", site.override)
    site.connect("http://127.0.0.1:9")
    return site


@contextmanager
def serving(site: Site, desk: Desk | None = None, **faults: Any) -> Iterator[Larkspur]:
    """Serve the double and point the settings at it."""
    with larkspur(desk, **faults) as service:
        site.connect(service.url)
        yield service


# --- what the service holds, as the folder's columns want it ---


def expected(desk: Desk) -> dict[str, list[Row]]:
    """Return the rows of each step that applies, made without beacon-bridge from what the double holds."""
    names = {one["id"]: one["name"] for one in desk.desks}
    rows: dict[str, list[Item]] = {
        "Desk.xml/ReadDesk": [
            {"DeskID": one["id"], "DeskName": one["name"], "Town": one["town"]} for one in desk.desks
        ],
        "Device.xml/ReadDevice": [
            {**_device(one), "DeskName": names.get(one["desk"]), "Spare": one["spare"]}
            for one in desk.devices
        ],
        "Device.xml/ReadSpare": [{**_device(one), "DeskName": None, "Spare": True} for one in desk.spares],
        "Device.xml/ReadNote": [
            {"Written": one["written"], "DeviceID": one["device"], "Note": one["text"]} for one in desk.notes
        ],
        "Program.xml/Read": [
            {"ProgramID": one["id"], "Title": one["title"], "Maker": one["maker"], "Release": one["release"]}
            for one in desk.programs
            if one["kind"] == "package"
        ],
        "Loan.xml/Read": [
            {
                "LoanID": one["id"],
                "DeviceID": one["device"],
                "Holder": desk.people[one["person"]]["name"],
                "Due": one["due"],
            }
            for one in desk.loans
            if one["state"] == "open" and one["person"] in desk.people
        ],
        "Handover.xml/Read": [
            {"HandoverID": one["id"], "Clerk": one["clerk"], "Items": len(one["devices"])}
            for one in desk.handovers
        ],
    }
    return {step: [_texts(row) for row in found] for step, found in rows.items()}


def _device(one: Item) -> Item:
    return {"DeviceID": one["id"], "DeviceName": one["name"], "SerialNo": one.get("serial")}


def _texts(row: Item) -> Row:
    return {name: _text(value) for name, value in row.items()}


def _text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def skipped(desk: Desk) -> set[str]:
    """Return what the folder's functions say about the items they leave out."""
    programs = {
        f"program {one['id']} is of the unsupported kind '{one['kind']}', skipped"
        for one in desk.programs
        if one["kind"] != "package"
    }
    return programs | {
        f"person {one['person']} of loan {one['id']} not found, skipping"
        for one in desk.loans
        if one["state"] == "open" and one["person"] not in desk.people
    }


def packaged(path: Path) -> dict[str, list[Row]]:
    """Return a package's rows by step, in column order, read by a parser that is not ours."""
    tables: dict[str, list[Row]] = {}
    with zipfile.ZipFile(path) as archive:
        for entry in (name for name in archive.namelist() if name.startswith("data/")):
            root = etree.fromstring(archive.read(entry))
            columns = [(str(one.get("key")), str(one.get("name"))) for one in root.iter(f"{TABLE}column")]
            tables[str(root.get("step"))] = [
                {name: _cell(row.get(key)) for key, name in columns} for row in root.iter(f"{TABLE}r")
            ]
    return tables


def _cell(found: str | None) -> str | None:
    return None if found is None else unescape(found)


def line_of(text: str) -> int:
    """Return the line of Logic.ps1 that holds a text."""
    lines = (READERS / NAME / "Logic.ps1").read_text("ascii").splitlines()
    (found,) = (number for number, line in enumerate(lines, 1) if text in line)
    return found


# --- the folder as it is listed ---


def test_the_folder_keeps_its_habits() -> None:
    """What makes the folder worth reading, and what an editor would quietly put right."""
    files = {path.name: path.read_bytes() for path in (READERS / NAME).iterdir()}
    marked = {name for name, content in files.items() if content.startswith(b"\xef\xbb\xbf")}
    assert marked == {"readerV3.config", "Desk.xml", "Loan.xml", "Cleanup.xml"}
    declared = {name for name, content in files.items() if b"<?xml" in content[:8]}
    assert declared == {"readerV3.config", "Device.xml", "Handover.xml"}
    assert b"<Readers>" in files["Device.xml"]  # xsi is declared on each of its steps
    assert files["Logic.ps1"].isascii()
    assert files["Logic.ps1"].startswith(b"[Net.ServicePointManager]::SecurityProtocol = ")
    assert {name for name, content in files.items() if b"\r\n" not in content} == {
        "Device.xml",
        "Loan.xml",
        "Handover.xml",
    }


def test_the_folder_is_listed_in_run_order(site: Site) -> None:
    """Procedures, order bands, ties, an unknown procedure before the last one: one order for all files."""
    said = site.command("list", NAME, "--json")
    assert (said.code, said.err) == (0, "")
    assert [(step["id"], step["runs_on"]) for step in said.json["steps"]] == list(STEPS)
    assert (said.json["name"], said.json["owner"]) == (NAME, "beacon")
    assert [(one["name"], one["secret"]) for one in said.json["parameters"]] == [
        ("ServiceUrl", False),
        ("Account", False),
        ("AccountKey", True),
    ]
    (warning,) = said.json["warnings"]
    assert "readerV3.config:25: the procedure DeskHandover is not in the public list" in warning


def test_the_override_replaces_one_step(site: Site) -> None:
    """The step of the same name comes from CustomInventory; its neighbours in that file stay."""
    steps = {step["id"]: step for step in site.command("list", NAME, "--json").json["steps"]}
    replaced = {name: step["method"] for name, step in steps.items() if step["overridden_by"]}
    assert replaced == {"Loan.xml/Read": "ReadLarkspurOpenLoans"}
    assert steps["Loan.xml/Read"]["overridden_by"] == str(site.override)


def test_the_folder_stands_among_the_others(site: Site) -> None:
    """`list` counts the steps that are ours and those that are the server's."""
    said = site.command("list")
    (line,) = (line for line in said.out.splitlines() if line.startswith(NAME))
    assert line.split()[-3:] == ["8", "11", "ok"]
    assert "the beacon's" in line


def test_the_census_holds_no_text_of_the_folder(site: Site) -> None:
    """Marks are counted, BOM or none is told; neither T-SQL nor script text travels."""
    said = site.command("list", NAME, "--census")
    assert said.code == 0
    assert "readerV3.config" in said.out
    for text in ("tempdb", "Invoke-RestMethod", "LarkspurQuota", "Key of the account"):
        assert text not in said.out


# --- the folder as it runs ---


@pytest.mark.powershell
def test_a_run_brings_home_what_the_service_holds(site: Site) -> None:
    """Every row of every step that applies, in column order, and nothing else; the folder is untouched."""
    before, desk = site.hashes(), Desk()
    with serving(site, desk) as service:
        said = site.command("run", "Desk Köln", "--json")
    assert (said.code, said.json["state"]) == (0, "complete-with-gaps"), said.err
    path = Path(said.json["package_path"])
    found, wanted = packaged(path), expected(desk)
    assert list(found) == READ
    for step in READ:
        assert found[step] == wanted[step], step
        assert [list(row) for row in found[step][:1]] == [list(row) for row in wanted[step][:1]]
    assert site.command("verify", str(path)).code == 0
    assert site.hashes() == before
    assert {(gap["name"], gap["text"]) for gap in said.json["gaps"]} == {
        ("skipped", text) for text in skipped(desk)
    }
    assert (said.json["source_version"], said.json["not_applicable"]) == ("8.10", ["Device.xml/ReadQuota"])
    assert (service.asked["/api/login"], service.asked["/api/quotas"]) == (len(READ), 0)
    state = [one for one in (site.home / "state").rglob("*") if one.is_file()]
    assert all(KEY.encode() not in one.read_bytes() for one in state)


@pytest.mark.powershell
def test_the_connection_is_checked_by_the_reader_itself(site: Site) -> None:
    """OK is believed; a wrong key fails with 6, although the reader's `exit` would end a process with 0."""
    with serving(site) as service:
        said = site.command("check", "Desk Köln")
        assert said.code == 0, said.out
        assert "ok    TestConnection: the reader says OK" in said.out
        assert "ok    VersionCheck: the source is version 8.10" in said.out
        site.connect(service.url, key="wr0ng-canary")
        said = site.command("check", "Desk Köln")
    assert said.code == 6
    assert "fail  TestConnection: " in said.out
    assert "the reader ended itself (exit)" in said.out
    assert "Larkspur cannot be used: Response status code does not indicate success: 401" in said.out
    assert "wr0ng-canary" not in said.out + said.err


@pytest.mark.powershell
def test_a_service_that_breaks_leaves_no_package(site: Site) -> None:
    """After 20 good rows the function, script and line are named, and no later step runs."""
    before = site.hashes()
    with serving(site, breaks="spares") as service:
        said = site.command("run", "Desk Köln")
    assert (said.code, site.packages, site.hashes()) == (6, [], before)
    assert "Device.xml/ReadSpare failed after 20 rows in ReadLarkspurSpares: " in said.err
    answer = '500 (Internal Server Error): { "error": "the desk is on fire" }'
    assert f"{answer} (Logic.ps1, line {line_of('?skip=$skip')})" in said.err
    assert (service.asked["/api/spares"], service.asked["/api/notes"]) == (2, 0)
    told = site.command("show", "last:Desk Köln")
    assert "failed in collect: ReaderError: Device.xml/ReadSpare failed" in told.out


@pytest.mark.powershell
def test_files_that_change_during_the_run_fail_it(site: Site) -> None:
    """Reading went well, but the files, an override's too, are not those that were read: no package."""
    files = (site.folder / "Program.xml", site.override)

    def touch(target: str) -> None:
        if target.startswith("/api/devices?skip=20"):
            for file in files:
                file.write_bytes(file.read_bytes() + b"\r\n")

    with serving(site, each=touch) as service:
        said = site.command("run", "Desk Köln")
    assert (said.code, site.packages, service.asked["/api/handovers"]) == (4, [], 1)
    assert "changed during the run" in said.err
    assert all(file.name in said.err for file in files)


@pytest.mark.powershell
def test_a_desk_with_one_of_each_and_none_of_the_rest(site: Site) -> None:
    """A list of one that comes as its element is one row, an empty one is a table without rows."""
    one = {"id": 1, "name": "Only", "town": None}
    hands: list[Item] = [
        {"id": 7, "clerk": "A", "devices": []},
        {"id": 8, "clerk": None, "devices": ["x", "y"]},
    ]
    desk = Desk(desks=[one], devices=[], spares=[], notes=[], programs=[], loans=[], handovers=hands)
    with serving(site, desk):
        said = site.command("run", "Desk Köln", "--json")
    assert (said.code, said.json["state"], said.json["gaps"]) == (0, "complete", [])
    assert packaged(Path(said.json["package_path"])) == expected(desk)
