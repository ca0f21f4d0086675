"""`beacon-bridge position`: a table, JSON, CSV and a page, of one run or of all connections."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from bridge import cli
from bridge.workplace import Workplace
from tests.positions import config, given, place, run
from tools.tenant import Tenant

EVIL = "=cmd|'/C calc'!A0 <script>alert(1)</script>\u202e"

BOUGHT = ("name", "part_number", "bought", "warning", "suspended", "locked_out", "renewal")
USES = ("active", "active_before", "never_active", "not_reported")
USED = ("name", "assigned", "assigned_disabled", *USES, "devices")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one state that all tests look at."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def at(home: Path) -> Workplace:
    """Return a workplace whose connections Contoso and Fabrikam have run; a product's name is odd."""
    contoso = given(Tenant(150))
    contoso["Subscription.xml/Subscription"][0]["ProductName"] = EVIL
    fabrikam = given(Tenant(60, seed=2, oddities=frozenset({"concealed"})))
    made = place(home, Contoso=contoso, Fabrikam=fabrikam)
    run(made)
    run(made, "Fabrikam")
    return made


@pytest.fixture(scope="module")
def settings(home: Path, at: Workplace) -> str:
    """Return its bridge.toml."""
    return config(home, at)


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Return what `position` prints."""
    capsys.readouterr()
    assert cli.main(["position", *words]) == code
    return capsys.readouterr().out


def test_a_table_for_people(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The facts with their dates, a line a product in both tables, and which half it is."""
    value = json.loads(said(capsys, "last:Contoso", "--json", "--config", settings))
    told = said(capsys, "last:Contoso", "--config", settings)
    assert "Report getOffice365ActiveUserDetail           until 2026-11-19, period D30, " in told
    assert "150, of them 17 guests and " in told
    lines = [line.split() for line in told.splitlines() if line.startswith("SPE_E5")]
    (one,) = (one for one in value["licences"] if one["part_number"] == "SPE_E5")
    assert lines == [[str(one[name]) for name in names] for names in (BOUGHT, USED)]
    assert one["assigned"] == sum(one[name] for name in USES) > 0
    assert "<script>alert(1)</script>\\u202e" in told
    assert "online half: local Office installations are counted by the server" in told


def test_what_is_concealed_is_a_dash(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With its reason; in JSON it is null, in CSV empty."""
    told = said(capsys, "last:Fabrikam", "--config", settings)
    _, line = (line.split() for line in told.splitlines() if line.startswith("SPE_E5"))
    assert line[3:] == ["-"] * 5
    assert "Unknown activity" in told
    found = json.loads(said(capsys, "last:Fabrikam", "--json", "--config", settings))
    assert {one["active"] for one in found["licences"]} == {None}
    assert "hides the names" in found["unknown"]["activity"]
    rows = list(csv.DictReader(StringIO(said(capsys, "last:Fabrikam", "--csv", "--config", settings))))
    assert {row["never_active"] for row in rows} == {""}


def test_json_of_a_run_and_of_its_package(
    at: Workplace, settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same value, with moments in UTC."""
    made = at.runs.load("last:Contoso")
    package = at.runs.package(made)
    of_run = json.loads(said(capsys, made.run, "--json", "--config", settings))
    assert json.loads(said(capsys, str(package), "--json", "--config", settings)) == of_run
    assert of_run.keys() == {
        *("connection", "tenant", "organization", "run", "started", "opened", "closed"),
        *("state", "development", "gaps", "warned", "people", "reports", "licences"),
        *("unknown", "half"),
    }
    assert of_run["half"] == "online"
    assert of_run["started"].endswith("Z")
    assert of_run["people"]["users"] == 150
    assert {one["refreshed"] for one in of_run["reports"]} == {"2026-11-19"}


def test_csv_is_no_formula(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that a spreadsheet would run begins with an apostrophe; the file says that it is UTF-8."""
    told = said(capsys, "last:Contoso", "--csv", "--config", settings)
    rows = list(csv.DictReader(StringIO(told.removeprefix("\ufeff"))))
    assert told.startswith("\ufeff")
    assert [row["name"] for row in rows if row["part_number"] == "ENTERPRISEPACK"] == [
        "'" + EVIL.replace("\u202e", "\\u202e")
    ]
    assert {row["connection"] for row in rows} == {"Contoso"}
    assert [row["bought"] for row in rows if row["name"] == "WINDOWS_STORE"] == ["1000000"]


def opened(path: Path) -> Any:
    """Return a page as a browser would read it."""
    return html.document_fromstring(path.read_bytes())


def test_a_page(settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both charts, the table and the dates; a name is no markup."""
    said(capsys, "last:Contoso", "--html", str(tmp_path / "page.html"), "--config", settings)
    page = opened(tmp_path / "page.html")
    assert page.xpath("//figure//h2/bdi/text()") == ["Bought and assigned", "Use of what is assigned"]
    assert not page.xpath("//script")
    products = page.xpath("//section//tbody/tr/th/bdi/text()")
    assert EVIL.replace("\u202e", "\\u202e") in products
    assert "WINDOWS_STORE" in products
    assert "WINDOWS_STORE" not in page.xpath("//figure//tbody/tr/th/bdi/text()"), "it would dwarf the others"
    assert "until 2026-11-19" in page.xpath("string(//dl)")


def test_a_page_has_no_chart_without_numbers(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where usage is concealed there is nothing to draw."""
    said(capsys, "last:Fabrikam", "--html", str(tmp_path / "page.html"), "--config", settings)
    assert opened(tmp_path / "page.html").xpath("//figure//h2/bdi/text()") == ["Bought and assigned"]


def test_a_page_that_cannot_be_written(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is named."""
    file = tmp_path / "nowhere" / "page.html"
    assert cli.main(["position", "last:Contoso", "--html", str(file), "--config", settings]) == 3
    assert f"{file} cannot be written" in capsys.readouterr().err


def test_a_page_and_json_are_one_value(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be written is the one value, and nothing was printed before; what can is told apart."""
    nowhere, file = str(tmp_path / "nowhere" / "x"), str(tmp_path / "x")
    for words in (["last:Contoso"], ["--all"]):
        for option in ("--html", "--csv"):
            told = said(capsys, *words, "--json", option, nowhere, "--config", settings, code=3)
            assert json.loads(told)["error"]["name"] == "SettingsError"
            assert json.loads(said(capsys, *words, "--json", option, file, "--config", settings))


@pytest.mark.parametrize("words", [["last:Contoso"], ["--all"]])
def test_csv_in_a_file(
    words: list[str], settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte what is printed, beside the tables: no shell comes between that takes UTF-8 apart."""
    printed = said(capsys, *words, "--csv", "-", "--config", settings)
    assert said(capsys, *words, "--config", settings, "--csv") == printed
    told = said(capsys, *words, "--csv", str(tmp_path / "x.csv"), "--config", settings)
    assert "online half" in told
    assert (tmp_path / "x.csv").read_bytes().decode() == printed
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


# --- all of them ---


def test_nobody_read_is_nobody_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a position nothing is said of mail; with one whose mails are fine it is."""
    fine = given(Tenant(1))
    fine["User.xml/User"][0]["Mail"] = "ada@contoso.example"
    settings = config(tmp_path, at := place(tmp_path, Contoso=fine))
    assert "mail address" not in said(capsys, "--all", "--config", settings, code=3)
    run(at)
    assert "Every user has a mail address that nobody else has." in said(
        capsys, "--all", "--config", settings
    )


def test_all_for_people(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every connection's table, then whom mail does not tell apart, at most twenty of a kind."""
    told = said(capsys, "--all", "--config", settings)
    assert told.count("online half") == 2
    assert "35 users without mail, " in told
    assert "and 15 more; --json and --csv list all" in told
    assert "users whose mail address is in several tenants" in told


def test_all_for_scripts(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and CSV list every one of them by id, as the counts say."""
    found = json.loads(said(capsys, "--all", "--json", "--config", settings))
    assert found.keys() == {"connections", "failed", "read_again", "counts", "people"}
    assert [one["connection"] for one in found["connections"]] == ["Contoso", "Fabrikam"]
    assert found["failed"] == []
    counted = {(one["kind"], one["guests"]): one["users"] for one in found["counts"]}
    for (kind, guests), users in counted.items():
        listed = [one for one in found["people"] if (one["kind"], one["guests"]) == (kind, guests)]
        assert len(listed) == len({(one["connection"], one["user"]) for one in listed}) == users
    rows = list(csv.DictReader(StringIO(said(capsys, "--all", "--csv", "--config", settings)[1:])))
    assert sum(row["list"] != "licence" for row in rows) == sum(counted.values())
    assert {row["user"] for row in rows if row["list"] == "without mail"} == {
        one["user"] for one in found["people"] if one["kind"] == "without mail"
    }
    assert {row["connection"] for row in rows if row["list"] == "licence"} == {"Contoso", "Fabrikam"}


def test_all_on_one_page(settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each connection with its facts and its licences, and the first of each kind of users."""
    said(capsys, "--all", "--html", str(tmp_path / "page.html"), "--config", settings)
    heads = opened(tmp_path / "page.html").xpath("//h2/bdi/text()")
    assert heads[:4] == [
        "Contoso",
        "Contoso: Bought and assigned",
        "Contoso: Use of what is assigned",
        "Contoso: Licences",
    ]
    assert any(head.startswith("35 users without mail") for head in heads)


def test_all_but_those_that_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that never ran fails by name, the others are told; one read otherwise is only named."""
    at = place(tmp_path, Contoso=given(Tenant(30)), Later={})
    run(at)
    settings = config(tmp_path, at)
    with Path(settings).open("a") as file:
        file.write("[connections.Other]\nreader = 'Microsoft Office 365'\ntenant = 'x'\n")
    capsys.readouterr()
    assert cli.main(["position", "--all", "--json", "--config", settings]) == 3
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert [one["connection"] for one in found["connections"]] == ["Contoso"]
    assert [one["connection"] for one in found["failed"]] == ["Later"]
    assert "There is no whole run of 'Later' yet." in told.err
    assert "Other is read by 'Microsoft Office 365', of which no position can be told." in told.err


@pytest.mark.parametrize("words", [[], ["last:Contoso", "--all"], ["last:Contoso", "--json", "--csv"]])
def test_usage(words: list[str], settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run, a package or all of them; one kind of output."""
    assert cli.main(["position", *words, "--config", settings]) == 2
    capsys.readouterr()
