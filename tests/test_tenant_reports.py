"""The simulated tenant's counts, organization, subscriptions, sign-ins and usage reports, over real HTTP."""

from __future__ import annotations

import csv
import io
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
import requests

from tests.clouds import DAEMON, GRAPH, HOME, _own_network, app_token, daemon, running, through
from tools.tenant import Cloud, Service, Tenant, serve, serve_cloud
from tools.tenant.pages import USER_DEFAULTS, Collection, page, read
from tools.tenant.people import PROPERTIES
from tools.tenant.reports import REPORTS, Report

__all__ = ["_own_network", "running"]  # fixtures, used by name

TENANT = Tenant(250, seed=4)
REPORT = f"{GRAPH}/v1.0/reports/getEmailActivityUserDetail(period='D30')"
EVENTUAL = {"ConsistencyLevel": "eventual"}
LICENSED = "/users/$count?$filter=assignedLicenses/$count%20ne%200&$count=true"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Serve a tenant of 250 users."""
    with serve(TENANT) as running:
        yield running


def get(service: Service, path: str, version: str = "v1.0", **headers: str) -> requests.Response:
    """Ask for a path, and stay where it is."""
    headers = {"Authorization": f"Bearer {service.token}", **headers}
    return requests.get(f"{service.root}/{version}{path}", headers=headers, timeout=10, allow_redirects=False)


def path_of(report: Report, period: str = "D30") -> str:
    """Return how a report is asked for."""
    options = f"(period='{period}')" if report.period else ""
    return f"/reports/{report.name}{options}" + ("?$format=text/csv" if report.version == "beta" else "")


def look(cloud: Cloud, url: str, headers: dict[str, str]) -> requests.Response:
    """Ask through the cloud's proxy, and stay where it is."""
    return requests.get(url, headers=headers, timeout=10, allow_redirects=False, **through(cloud))


def table(text: bytes) -> list[list[str]]:
    """Return the rows of a CSV file, its header first."""
    return list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))


# --- counts ---


def test_users_are_counted(service: Service) -> None:
    """$count answers with digits as plain text, for all users and for those who hold a licence."""
    everybody, licensed = get(service, "/users/$count", **EVENTUAL), get(service, LICENSED, **EVENTUAL)
    assert everybody.headers["Content-Type"] == "text/plain"
    assert everybody.content.decode("utf-8-sig") == "250"
    holders = sum(bool(user["assignedLicenses"]) for user in TENANT.everybody())
    assert licensed.content.decode("utf-8-sig") == str(holders)
    assert abs(parsedate_to_datetime(everybody.headers["Date"]).timestamp() - time.time()) < 5


def test_counting_needs_its_header(service: Service) -> None:
    """Without ConsistencyLevel, or with another filter, $count answers 400."""
    assert get(service, "/users/$count").status_code == 400
    assert get(service, "/users/$count?$filter=city eq 'Ulm'", **EVENTUAL).status_code == 400


# --- the organization and what it bought ---


def test_the_organization(service: Service) -> None:
    """One domain is the default one, another the initial one."""
    (found,) = get(service, "/organization").json()["value"]
    domains = found["verifiedDomains"]
    assert [one["name"] for one in domains if one["isDefault"]] == [TENANT.domain]
    assert [one["name"] for one in domains if one["isInitial"]] == ["contoso.onmicrosoft.com"]
    assert (found["countryLetterCode"], found["tenantType"]) == ("DE", "AAD")


def test_subscriptions_are_those_of_the_skus(service: Service) -> None:
    """The subscriptionIds of the SKUs are the ids of the subscriptions, and the units are their licences."""
    skus = get(service, "/subscribedSkus").json()["value"]
    bought = {one["id"]: one for one in get(service, "/directory/subscriptions").json()["value"]}
    assert sorted(one for sku in skus for one in sku["subscriptionIds"]) == sorted(bought)
    assert any(len(sku["subscriptionIds"]) > 1 for sku in skus)
    assert [one["skuPartNumber"] for one in bought.values() if one["isTrial"]] == ["VISIOCLIENT"]
    for sku in skus:
        licences = sum(bought[one]["totalLicenses"] for one in sku["subscriptionIds"])
        assert licences == sum(sku["prepaidUnits"].values())


def test_subscriptions_come_in_pages(service: Service) -> None:
    """A page of two has a next link."""
    assert "@odata.nextLink" in get(service, "/directory/subscriptions?$top=2").json()


# --- users ---


def test_sign_ins_are_capped_at_500() -> None:
    """With signInActivity a page holds 500, whatever $top asks for; other lists keep to $top."""
    with serve(Tenant(800)) as service:
        capped = get(service, "/users?$select=id,signInActivity&$top=999").json()
        whole = get(service, "/users?$select=id&$top=999").json()
    assert (len(capped["value"]), len(whole["value"])) == (500, 800)


def test_sign_ins_in_every_condition(service: Service) -> None:
    """Some users have none, some null, some the date of year 1, some a real one."""
    users = get(service, "/users?$select=id,signInActivity&$top=500").json()["value"]
    found = [user.get("signInActivity", "missing") for user in users]
    assert "missing" in found
    assert None in found
    dates = [one["lastSignInDateTime"] for one in found if isinstance(one, dict)]
    assert {"0001-01-01T00:00:00Z", None} < set(dates)


def test_users_have_addresses(service: Service) -> None:
    """Proxy addresses are lists out of order, some empty; accounts may come from on premises."""
    users = list(TENANT.everybody())
    assert any(user["proxyAddresses"] != sorted(user["proxyAddresses"]) for user in users)
    assert any(user["proxyAddresses"] == [] for user in users)
    assert any(len(user["otherMails"]) > 1 for user in users)
    assert {user["onPremisesImmutableId"] is None for user in users} == {True, False}


# --- reports ---


@pytest.mark.parametrize("report", REPORTS.values(), ids=lambda one: one.name)
def test_a_report_is_a_redirect_to_its_file(service: Service, report: Report) -> None:
    """Graph answers 302; the address needs no token and gives CSV with the documented columns."""
    sent = get(service, path_of(report), report.version)
    assert sent.status_code == 302
    file = requests.get(sent.headers["Location"], timeout=10)
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.content.startswith(b"\xef\xbb\xbf") is report.mark
    header, *rows = table(file.content)
    assert tuple(header) == report.columns
    assert rows == list(report.rows(TENANT, "D30"))
    assert rows


def test_a_file_wants_no_token(service: Service) -> None:
    """The address refuses a bearer token with 400, and an address that was invented with 403."""
    where = get(service, path_of(REPORTS["getMailboxUsageDetail"])).headers["Location"]
    stray = {"Authorization": f"Bearer {service.token}"}
    assert requests.get(where, headers=stray, timeout=10).status_code == 400
    assert requests.get(where[:-4], timeout=10).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/reports/getEmailActivityUserDetail(period='D31')", 400),
        ("/reports/getEmailActivityUserDetail", 400),
        ("/reports/getOffice365ActivationsUserDetail(period='D30')", 400),
        ("/reports/getMicrosoft365CopilotUsageUserDetail(period='D30')", 404),
        ("/reports/getShoes(period='D30')", 404),
    ],
)
def test_a_report_is_asked_for_rightly(service: Service, path: str, status: int) -> None:
    """A period that is not known is 400; a report that v1.0 does not have is 404."""
    assert get(service, path).status_code == status


def test_cells_are_quoted(service: Service) -> None:
    """Display names with commas, quotes and line breaks come through."""
    report = REPORTS["getOffice365ActiveUserDetail"]
    raw = requests.get(get(service, path_of(report)).headers["Location"], timeout=10).text
    names = [row[2] for row in table(raw.encode())]
    assert any('"' in name and "," in name for name in names)
    assert any("\n" in name for name in names)
    assert '""' in raw


def test_usage_fits_the_licences(service: Service) -> None:
    """Each licensed user has one row among the active users; Copilot shows those who hold it."""
    licensed = {user["userPrincipalName"]: user for user in TENANT.everybody() if user["assignedLicenses"]}
    active = [row[1] for row in REPORTS["getOffice365ActiveUserDetail"].rows(TENANT)]
    assert active == list(licensed)
    copilot = next(sku for sku in TENANT.skus() if sku["skuPartNumber"] == "Microsoft_365_Copilot")
    rows = list(REPORTS["getMicrosoft365CopilotUsageUserDetail"].rows(TENANT))
    assert len(rows) == copilot["consumedUnits"]


def test_report_settings(service: Service) -> None:
    """The setting that hides names can be read."""
    assert get(service, "/admin/reportSettings").json()["displayConcealedNames"] is False


# --- in the cloud ---


def test_the_cloud_keeps_files_elsewhere() -> None:
    """There the address is Microsoft's own, through the same proxy, and takes no token either."""
    with serve_cloud(HOME, apps=[DAEMON]) as cloud:
        bearer = {"Authorization": f"Bearer {app_token(cloud)}"}
        where = look(cloud, REPORT, bearer).headers["Location"]
        assert where.startswith("https://reports.office.com/")
        assert look(cloud, where, bearer).status_code == 400
        rows = table(look(cloud, where, {}).content)[1:]
    assert rows == list(REPORTS["getEmailActivityUserDetail"].rows(HOME))


def test_other_clouds_have_no_reports() -> None:
    """Under the names of a national cloud, v1.0 has no usage reports."""
    root = "https://graph.microsoft.us"
    with serve_cloud(HOME, apps=[DAEMON]) as cloud:
        app = daemon(cloud, authority=f"https://login.microsoftonline.us/{HOME.id}")
        token = app.acquire_token_for_client([f"{root}/.default"])["access_token"]
        answer = look(cloud, REPORT.replace(GRAPH, root), {"Authorization": f"Bearer {token}"})
    assert answer.status_code == 404


def test_the_clouds_setting_conceals(running: Cloud) -> None:
    """The switch `concealed` hides names in the next file."""
    running.switch("concealed")
    bearer = {"Authorization": f"Bearer {app_token(running)}"}
    file = look(running, look(running, REPORT, bearer).headers["Location"], {})
    running.switch("")
    assert not any("@" in row[1] for row in table(file.content)[1:])


# --- a large tenant ---


def test_a_million_users_are_not_held() -> None:
    """Two pages at the end of 1.1 million users come at once, and need no memory but their own."""
    tenant, key = Tenant(1_100_000), bytes(32)
    users = Collection(
        "users", "user", tenant.listed, tenant.user, frozenset(PROPERTIES), USER_DEFAULTS, top=True
    )
    first = read(users, "$select=id,displayName&$top=999", key)
    tracemalloc.start()
    before = page(users, replace(first, start=1_098_500, number=1100), key)
    found = [user["id"] for user in before.items]
    last = page(users, read(users, before.next_query or "", key), key)
    found += [user["id"] for user in last.items]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [tenant.user(index)["id"] for index in range(1_098_500, 1_100_000)]
    assert last.next_query is None
    assert peak < 2_000_000
