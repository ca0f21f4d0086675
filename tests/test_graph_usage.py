"""Usage reports read by the native engine: where they may come from, and what their CSV becomes."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.collect.graph import options, sheet
from bridge.collect.graph.cells import Unfit
from bridge.collect.graph.download import is_allowed
from bridge.collect.graph.reports import REPORTS
from bridge.collect.graph.usage import Lot
from bridge.errors import ReaderError
from bridge.model import Capture, Gap, Minutes
from tests.tenancy import Told, expected, rows_of
from tests.test_graph import collects, dripping, fails, gaps, rows
from tests.watched import watched
from tools.tenant import Answer, Faults, Tenant, scenario

USAGE = "Usage.xml/Usage"
EMAIL = "getEmailActivityUserDetail"
HEAD = "Report Refresh Date,User Principal Name,Is Deleted,Last Activity Date,Send Count,Report Period"
SEVERAL = "Report Refresh Date,User Principal Name,Teams Last Activity Date,Exchange Last Activity Date"
SWITCH = (
    "Switch it off in the Microsoft 365 admin centre under Settings > Org settings > Services > Reports; "
    "that can take 48 hours"
)


def of(captures: tuple[Capture, ...]) -> Capture:
    """Return the capture of the step."""
    return next(one for one in captures if one.step == USAGE)


# --- which reports ---


def test_every_report_is_read_with_the_period_asked_for(tmp_path: Path) -> None:
    """All twelve, by names in any case and order, bring the tenant's rows; a name that comes twice is one.

    The rows come in the table's order, whatever the order of the names.
    """
    tenant = Tenant(150, 4)
    names = ",".join(report.name.upper() for report in reversed(REPORTS)) + f", {EMAIL},"
    with watched(tenant) as service:
        collected = collects(service, tmp_path, Reports=names, Period="d90")
    listed = ",".join(report.name for report in REPORTS)
    assert rows(collected) == expected(tenant, reports=listed, period="D90")
    assert len(service.addresses("/reports/")) == 12


def test_reports_are_asked_for_one_after_another(tmp_path: Path) -> None:
    """A report is asked for when the one before has been read."""
    with watched(Tenant(50)) as service:
        collects(service, tmp_path)
    asked = [target for target in service.addresses("/") if "/files/" in target or "/reports/" in target]
    kinds = ["files" if "/files/" in target else "reports" for target in asked]
    assert kinds == ["reports", "files"] * 4


# --- where they come from ---


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://reports.office.com/data/x?sig=1", True),
        ("https://office.com/x", True),
        ("https://REPORTS.OFFICE.COM/x", True),
        ("https://store.contoso.example/x", True),
        ("http://reports.office.com/x", False),
        ("https://evil-office.com/x", False),
        ("https://office.com.evil.example/x", False),
        ("https://sub.store.contoso.example/x", False),
        ("https://evil.example\\@reports.office.com/x", False),
        ("https://evil.example\\.office.com/x", False),
        ("https://reports.office.com@evil.example/x", False),
        ("https://user:word@reports.office.com/x", False),
        ("https://graph.microsoft.com/x", False),
        ("/relative", False),
        ("https://[", False),
        ("https://off\u00adice.com/x", False),
        ("https://\uff4fffice.com/x", False),
        ("https://a..office.com/x", False),
        ("https://a%00.office.com/x", False),
        ("https://evil.example;.office.com/x", False),
        ("https://evil.example\u2044.office.com/x", False),
        ("https://b\u00fccher.example/x", True),
        ("https://xn--bcher-kva.example/x", True),
        ("", False),
    ],
)
def test_a_report_comes_from_known_hosts_only(address: str, allowed: bool) -> None:
    """Office's own hosts, and those that the administrator named, over https; nothing that looks so."""
    asked = options.read(
        {
            "GraphRoot": "https://graph.microsoft.com",
            "ReportHosts": "STORE.contoso.example, b\u00fccher.example",
        }
    )
    assert is_allowed(address, asked) is allowed


def test_graphs_own_host_can_be_named() -> None:
    """What the administrator trusts is trusted, also if it is Graph itself."""
    root = "https://graph.microsoft.com"
    asked = options.read({"GraphRoot": root, "ReportHosts": "graph.microsoft.com"})
    assert is_allowed(f"{root}/x", asked)


def test_a_simulated_graph_serves_its_own_reports() -> None:
    """Where GraphRoot is http on loopback, that very host and port may serve reports, and no other port."""
    asked = options.read({"GraphRoot": "http://127.0.0.1:8080"})
    assert is_allowed("http://127.0.0.1:8080/files/x", asked)
    assert not is_allowed("http://127.0.0.1:8081/files/x", asked)
    assert not is_allowed("http://localhost:8080/files/x", asked)


def test_another_host_is_named_without_the_address(tmp_path: Path) -> None:
    """An address elsewhere is refused with its host and the parameter; the secret in it is not shown."""
    away = {EMAIL: [Answer(302, "", {"Location": "https://blob.example/file?sig=SECRET"})]}
    told = Told()
    error = fails(tmp_path, away, told=told, Reports=EMAIL)
    assert "https://blob.example:443" in str(error)
    assert 'ReportHosts = "blob.example"' in error.hint
    assert "SECRET" not in str(error) + error.hint + str(told.talk)


@pytest.mark.parametrize(
    "address",
    [
        "https://[SECRET/x",
        "https://a..office.com/?SECRET",
        "https://a\x00.office.com/?SECRET",
        "https://SECRET@reports.office.com/",
        "https://reports.office.com:SECRET/",
        "//SECRET",
    ],
)
def test_an_address_that_is_none_is_an_error_that_does_not_show_it(address: str, tmp_path: Path) -> None:
    """What no client can read is refused in words of our own."""
    told = Told()
    error = fails(tmp_path, {EMAIL: [Answer(302, "", {"Location": address})]}, told=told, Reports=EMAIL)
    assert isinstance(error, ReaderError)
    assert "SECRET" not in str(error) + error.hint + str(told.talk) + repr(error.__cause__)


def test_the_token_does_not_go_to_a_download(tmp_path: Path) -> None:
    """The file is asked for without Authorization; Graph itself is asked with it."""
    with watched(Tenant(20)) as service:
        collects(service, tmp_path)
    assert len(service.addresses("/files/")) == 4
    assert not [target for target in service.signed if "/files/" in target]


def test_a_refused_download_is_asked_for_once_more(tmp_path: Path) -> None:
    """An address whose time is up is replaced by a new one; the rows are all there."""
    tenant = Tenant(40)
    with watched(tenant, instead={"/files/": [Answer(403, "<Error>expired</Error>")]}) as service:
        collected = collects(service, tmp_path, Reports=EMAIL)
    assert rows_of(of(collected.captures)) == expected(tenant, reports=EMAIL)[USAGE]
    assert len(service.addresses(f"/reports/{EMAIL}")) == 2


@pytest.mark.parametrize(
    "answers",
    [
        [Answer(403, "<Error>ADDRESS</Error>")] * 2,
        [Answer(400, "ADDRESS"), Answer(416, "ADDRESS")],
        [Answer(302, "", {"Location": "http://127.0.0.1:1/ADDRESS"})] * 2,
        [Answer(429, "ADDRESS", {"Retry-After": "1200"})],
    ],
    ids=["refused twice", "refused otherwise", "redirected", "busy for too long"],
)
def test_a_download_that_does_not_come_shows_no_address(answers: list[Answer], tmp_path: Path) -> None:
    """The error says which report and what happened; address and body, which may quote it, stay out."""
    told = Told()
    with watched(Tenant(40), instead={"/files/": answers}) as service, pytest.raises(ReaderError) as caught:
        collects(service, tmp_path, told, Reports=EMAIL)
    said = str(caught.value) + caught.value.hint + str(told.talk) + repr(caught.value.__cause__)
    assert EMAIL in str(caught.value)
    assert caught.value.retryable
    secrets = [target.removeprefix("/files/") for target in service.addresses("/files/")]
    assert secrets
    assert not [secret for secret in (*secrets, "ADDRESS") if secret in said]


@pytest.mark.parametrize("cut", ["length", "row"])
def test_a_cut_download_never_looks_whole(cut: str, tmp_path: Path) -> None:
    """A file that ends before its length, or in a row, is tried four times and fails the run."""
    told = Told()
    error = fails(tmp_path, faults=Faults(cut=cut), told=told, Reports=EMAIL)
    assert f"Gave up after 4 attempts: The download of {EMAIL}" in str(error)
    assert error.retryable
    assert told.texts("wait") == [f"waiting {seconds} seconds: a download broke off" for seconds in (1, 2, 4)]
    assert not (tmp_path / "capture" / "006.xml").exists()


def test_a_download_that_breaks_off_is_asked_for_again(tmp_path: Path) -> None:
    """Its rows are thrown away and it waits a second; the reports before it are not read again."""
    tenant, before = Tenant(60), "getM365AppUserDetail"
    content = "".join([f"{HEAD}\r\n", *["2026-11-20,a@b,False,2026-11-19,7,30\r\n"] * 3000]).encode()
    half = Answer(200, "", {"Content-Length": "1000000"}, [content])
    told = Told()
    with watched(tenant, instead={f"/reports/{EMAIL}": [half]}) as service:
        collected = collects(service, tmp_path, told, Reports=f"{EMAIL},{before}")
    assert rows_of(of(collected.captures)) == expected(tenant, reports=f"{before},{EMAIL}")[USAGE]
    assert of(collected.captures).rows == len(rows_of(of(collected.captures)))
    assert told.texts("wait") == ["waiting 1 seconds: a download broke off"]
    assert told.texts("log") == []
    assert len(service.addresses(f"/reports/{before}")) == 1
    assert len(service.addresses(f"/reports/{EMAIL}")) == 2


def test_a_download_whose_end_cannot_be_told_is_no_download(tmp_path: Path) -> None:
    """Without a length and without chunks a whole file looks as one that was cut where a row ends."""
    tenant, told = Tenant(60), Told()
    open_end = Answer(200, "", {"Connection": "close"}, [f"{HEAD}\r\n".encode()])
    with watched(tenant, instead={"/files/": [open_end]}) as service:
        collected = collects(service, tmp_path, told, Reports=EMAIL)
    assert rows_of(of(collected.captures)) == expected(tenant, reports=EMAIL)[USAGE]
    assert told.texts("wait") == ["waiting 1 seconds: a download broke off"]


@pytest.mark.parametrize("what", ["step", "run"])
def test_a_download_that_drips_ends_at_the_deadline(what: str, tmp_path: Path) -> None:
    """However steadily bytes come, step and run take no longer than their minutes."""
    drip = Answer(200, "", {"Content-Length": "100000"}, dripping(f"{HEAD}\r\n".encode(), 0.3))
    minutes = Minutes(step=0.05) if what == "step" else Minutes(run=0.05)
    started = time.monotonic()
    error = fails(tmp_path, {"/files/": [drip]}, minutes=minutes, Reports=EMAIL)
    assert f"{what} is not done after 0.05 minutes" in str(error)
    assert error.retryable
    assert time.monotonic() - started < 5


# --- facts and gaps ---


def test_concealed_names_are_gaps(tmp_path: Path) -> None:
    """The setting and each report with hidden names are noted, with numbers and what turns it off."""
    tenant, faults = scenario("concealed", 60, 3)
    with watched(tenant, faults) as service:
        collected = collects(service, tmp_path, Reports=EMAIL)
    number = of(collected.captures).rows
    setting = "the tenant's setting displayConcealedNames is on: usage reports hide who used what. "
    assert gaps(collected) == [
        Gap("concealed", setting + SWITCH),
        Gap("concealed", f"{EMAIL} hides the names in {number} of {number} rows. {SWITCH}"),
    ]


def test_mixed_names_are_counted(tmp_path: Path) -> None:
    """Where the setting is off and some names are hidden all the same, the rows are counted."""
    tenant, faults = scenario("mixed-names", 60, 3)
    with watched(tenant, faults) as service:
        collected = collects(service, tmp_path, Reports=EMAIL)
    found = rows_of(of(collected.captures))
    hidden = [row for row in found if "@" not in (row["UserPrincipalName"] or "")]
    assert 0 < len(hidden) < len(found)
    assert gaps(collected) == [
        Gap("concealed", f"{EMAIL} hides the names in {len(hidden)} of {len(found)} rows. {SWITCH}")
    ]


@pytest.mark.parametrize(
    ("report", "answer"),
    [
        (EMAIL, Answer(404, "{}")),
        ("getSkypeForBusinessActivityUserDetail", Answer(400, "{}")),
        ("getSkypeForBusinessActivityUserDetail", Answer(200, f"{HEAD}\r\n")),
        ("getSkypeForBusinessActivityUserDetail", Answer(200)),
    ],
)
def test_a_report_that_is_not_there_is_a_fact(report: str, answer: Answer, tmp_path: Path) -> None:
    """What Microsoft has retired, or a cloud does not have, is told and leaves no gap."""
    told = Told()
    with watched(Tenant(9), instead={f"/reports/{report}": [answer]}) as service:
        collected = collects(service, tmp_path, told, Reports=report)
    assert not gaps(collected)
    assert of(collected.captures).rows == 0
    assert told.texts("log") == [f"fact: {report} is not offered by this cloud, or retired"]


def test_a_setting_that_is_not_said_is_unknown(tmp_path: Path) -> None:
    """Settings without displayConcealedNames are neither a gap nor an error."""
    with watched(Tenant(9), instead={"/admin/reportSettings": [Answer(200, "{}")]}) as service:
        assert not gaps(collects(service, tmp_path, Reports=EMAIL))


def test_a_report_without_a_byte_is_no_fact(tmp_path: Path) -> None:
    """Only a report that is retired may be empty."""
    assert "it is empty" in str(fails(tmp_path, {"/files/": [Answer(200)]}, Reports=EMAIL))


def test_a_wrong_request_is_no_fact(tmp_path: Path) -> None:
    """400 for a report that is not retired is an error."""
    assert "HTTP 400" in str(fails(tmp_path, {EMAIL: [Answer(400, "{}")]}, Reports=EMAIL))


# --- the CSV ---


def blocks(content: bytes, size: int) -> Iterator[bytes]:
    """Yield bytes in blocks of a size."""
    return (content[start : start + size] for start in range(0, len(content), size))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 65536])
def test_rows_are_the_same_however_they_arrive(mark: str, end: str, size: int) -> None:
    """Marks, line ends, quoted commas and line breaks, and characters cut by a block change nothing."""
    want = [["a", "b"], ["x,y", "1\r\n2\n\n3"], ['say "hi"', "Zoë \U0001f600"], ["", ""], ["\r", "\ufeff"]]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(want)
    content = (mark + file.getvalue() + end).encode()
    assert list(sheet.rows(blocks(content, size))) == want


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"a,b\r\n1\r\n", "row 1 has 1 cells, expected 2"),
        (b"a,b\r\n1,2\r\n1,2,3\r\n", "row 2 has 3 cells, expected 2"),
        (b'a,b\r\n1,2\r\n"1,2', "after row 1 it is no CSV"),
        (b'a,b\r\n"1"x,2\r\n', "after row 0 it is no CSV"),
        (b"a,b\r\n1,\xff\r\n", "not UTF-8"),
        (b"a,b\r\n1,\xc3", "not UTF-8"),
        (b"a,b\r\n1," + b"x" * 200_000 + b"\r\n", "no CSV"),
    ],
)
def test_what_is_no_whole_csv_is_refused(content: bytes, said: str) -> None:
    """Rows that are too short or long, quotes without an end and other encodings name the row."""
    with pytest.raises(Unfit) as caught:
        list(sheet.rows(blocks(content, 5)))
    assert said in str(caught.value)


def lot(columns: str, name: str = EMAIL, period: str = "D7") -> Lot:
    """Return a lot of rows with these columns."""
    return Lot(next(report for report in REPORTS if report.name == name), columns.split(","), period)


def test_a_row_becomes_cells() -> None:
    """Dates, truth and the period get their form; what no column takes is kept in Details, in order."""
    item = lot(HEAD + ",Odd;Name").item(["2026-11-20", "a@b", "FALSE", "2026-11-19", "7", "30", "x\\y;z\r\n"])
    assert item == {
        "Report": EMAIL,
        "ReportRefreshDate": "2026-11-20T00:00:00",
        "ReportPeriod": "D30",
        "UserPrincipalName": "a@b",
        "Product": None,
        "IsDeleted": "false",
        "LastActivityDate": "2026-11-19T00:00:00",
        "ActivatedDevices": None,
        "AssignedProducts": None,
        "Details": r"Send Count=7;Odd\;Name=x\\y\;z\r\n",
    }


def test_columns_are_known_in_any_case() -> None:
    """Details keep the names as the file writes them."""
    row = ["2026-11-20", "a@b", "FALSE", "2026-11-19", "7", "30", "x"]
    assert lot(HEAD.upper() + ",oDD").item(row) == {
        **lot(HEAD + ",oDD").item(row),
        "Details": "SEND COUNT=7;oDD=x",
    }
    columns = "report refresh date,USER PRINCIPAL NAME,teams last activity date"
    item = lot(columns).item(["", "a@b", "2026-01-02"])
    assert (item["LastActivityDate"], item["Details"]) == (
        "2026-01-02T00:00:00",
        "teams last activity date=2026-01-02",
    )


def test_empty_cells_are_null() -> None:
    """Nothing in a cell is null, in each column; the period is then the one that was asked for."""
    item = lot(HEAD).item([""] * 6)
    assert {name for name, cell in item.items() if cell is not None} == {"Report", "ReportPeriod"}
    assert item["ReportPeriod"] == "D7"


def test_the_newest_of_several_dates_counts() -> None:
    """A report without a date of its own has those of its services; they stay in Details."""
    row = ["2026-11-20", "a@b", "2026-01-02", "2026-10-01"]
    item = lot(SEVERAL, "getOffice365ActiveUserDetail").item(row)
    assert item["LastActivityDate"] == "2026-10-01T00:00:00"
    assert item["Details"] == "Teams Last Activity Date=2026-01-02;Exchange Last Activity Date=2026-10-01"


def test_activations_are_summed() -> None:
    """Devices are counted over their kinds, nothing being none; the report has no period."""
    columns = "Report Refresh Date,User Principal Name,Product Type,Last Activated Date,Windows,Mac,Android"
    item = lot(columns, "getOffice365ActivationsUserDetail").item(["", "a@b", "APPS", "", "2", "", "1"])
    assert (item["ActivatedDevices"], item["Product"], item["ReportPeriod"]) == ("3", "APPS", "ALL")
    assert item["Details"] == "Windows=2;Android=1"


@pytest.mark.parametrize(
    ("columns", "row", "said"),
    [
        ("Report Refresh Date,Name", None, "there is no column 'User Principal Name'"),
        ("User Principal Name", None, "there is no column 'Report Refresh Date'"),
        ("Report Refresh Date,User Principal Name,A,A", None, "a column comes twice"),
        ("Report Refresh Date,User Principal Name,A,a", None, "a column comes twice"),
        (HEAD, ["2026-02-30", "a@b", "", "", "", ""], "row 1 has the date '2026-02-30'"),
        (SEVERAL, ["", "a@b", "2026-11-19", "2026-02-30"], "row 1 has the date '2026-02-30'"),
        (SEVERAL, ["", "a@b", "2026-11-19", "-"], "row 1 has the date '-'"),
        (HEAD, ["20/11/2026", "a@b", "", "", "", ""], "row 1 has the date '20/11/2026'"),
        (HEAD, ["", "a@b", "", "2026-11-19T00:00:00", "", ""], "expected one such as 2026-11-24"),
        (HEAD, ["", "a@b", "perhaps", "", "", ""], "row 1 says Is Deleted 'perhaps', expected True or False"),
        (HEAD, ["", "a@b", " ", "", "", ""], "row 1 says Is Deleted ' '"),
        (
            "Report Refresh Date,User Principal Name,Product Type,Windows",
            ["", "a@b", "APPS", "two"],
            "row 1 counts 'two' devices",
        ),
    ],
)
def test_a_report_that_is_not_as_documented_is_refused(
    columns: str, row: list[str] | None, said: str
) -> None:
    """Missing columns and values of another form are named."""
    with pytest.raises(Unfit) as caught:
        found = lot(columns)
        if row is not None:
            found.item(row)
    assert said in str(caught.value)
