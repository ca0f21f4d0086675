"""Each oddity of the simulated tenant and each fault of its service, over real HTTP."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from tools.tenant import SCENARIOS, Service, Tenant, scenario, serve
from tools.tenant.faults import NO_FAULTS, ROLES
from tools.tenant.reports import REPORTS, USUAL
from tools.tenant.scenarios import FATAL
from tools.tenant.truth import gaps, truth

ACTIVE, APPS = "getOffice365ActiveUserDetail", "getM365AppUserDetail"
SKYPE = "getSkypeForBusinessActivityUserDetail"


@contextmanager
def served(text: str, users: int = 40) -> Iterator[Service]:
    """Serve a scenario."""
    with serve(*scenario(text, users, seed=4)) as service:
        yield service


def get(service: Service, path: str, **headers: str) -> requests.Response:
    """Ask for a path below /v1.0, or for a whole address."""
    url = path if path.startswith("http") else f"{service.root}/v1.0{path}"
    headers = {"Authorization": f"Bearer {service.token}", **headers}
    return requests.get(url, headers=headers, timeout=10, allow_redirects=False)


def pages(service: Service, path: str = "/users?$select=id&$top=999") -> Iterator[list[Any]]:
    """Follow a list to its end; whatever is no page is an assertion."""
    link: str | None = path
    while link:
        answer = get(service, link)
        assert answer.status_code == 200, answer.text
        yield answer.json()["value"]
        link = answer.json().get("@odata.nextLink")


def ids(users: int = 40) -> list[str]:
    """Return the ids of the users, in the tenant's order."""
    return [user["id"] for user in Tenant(users, seed=4).everybody()]


def report(service: Service, name: str) -> requests.Response:
    """Ask for a report and follow it to its file."""
    answer = get(service, f"/reports/{name}(period='D30')")
    if answer.status_code != 302:
        return answer
    return requests.get(answer.headers["Location"], timeout=10)


def column(service: Service, name: str, report_name: str = ACTIVE) -> list[str]:
    """Return a column of a report."""
    text = report(service, report_name).content.decode("utf-8-sig")
    return [row[name] for row in csv.DictReader(io.StringIO(text, newline=""))]


def failure(answer: requests.Response) -> tuple[int, str]:
    """Return the status and the code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]


# --- names ---


def test_scenarios_add_up() -> None:
    """Several names, separated by commas, are several oddities and faults; what is missing adds up, too."""
    tenant, faults = scenario(
        "concealed, no-mail,storm,forbidden-User.Read.All,forbidden-Reports.Read.All", 7, 3
    )
    assert tenant == Tenant(7, 3, oddities=frozenset({"concealed", "no-mail"}))
    assert faults.storm
    assert faults.forbidden == {"User.Read.All", "Reports.Read.All"}
    assert scenario("", 7, 3) == (Tenant(7, 3), NO_FAULTS)


def test_an_unknown_scenario_is_refused() -> None:
    """A name that does not exist is a ValueError that lists all."""
    with pytest.raises(ValueError, match="'flood'") as caught:
        scenario("storm,flood")
    assert all(name in str(caught.value) for name in SCENARIOS)
    with pytest.raises(ValueError, match="flood"):
        Tenant(oddities=frozenset({"flood"}))


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_changes_something(name: str) -> None:
    """No name is without effect, and its truth can be said."""
    tenant, faults = scenario(name, 40)
    assert (tenant, faults) != scenario("", 40)
    assert all(isinstance(list(rows), list) for rows in truth(tenant, faults).values())


# --- waiting ---


def test_a_storm_punishes_early_retries() -> None:
    """429 comes three times in a row to the patient; who retries at once waits twice as long."""
    with served("storm") as service:
        while (answer := get(service, "/organization")).status_code == 200:
            pass
        early = get(service, "/organization")
        assert (answer.headers["Retry-After"], early.headers["Retry-After"]) == ("1", "2")
        time.sleep(2)
        assert get(service, "/organization").status_code == 429
        assert service.requests.early == 1
        for expected in (429, 200):
            time.sleep(1)
            assert get(service, "/organization").status_code == expected


def test_server_errors_come_with_graphs_body() -> None:
    """Every fifth request fails with 502 or 503 in Graph's form, and says how long to wait."""
    with served("server-errors") as service:
        answers = [get(service, "/organization") for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [503] + [200] * 4 + [502]
    assert failure(answers[4]) == (503, "UnknownError")
    assert answers[4].headers["Retry-After"] == "1"


def test_html_errors_are_no_json() -> None:
    """The same, with a page in HTML."""
    with served("html-errors") as service:
        answers = [get(service, "/organization") for _ in range(5)]
    assert answers[4].status_code == 503
    assert answers[4].headers["Content-Type"].startswith("text/html")
    assert answers[4].text.startswith("<!DOCTYPE html>")


# --- pages ---


def test_empty_pages_lead_on() -> None:
    """Every second page is empty, and nobody is lost."""
    with served("empty-pages") as service:
        found = list(pages(service))
    assert [len(page) for page in found] == [8, 0, 8, 0, 8, 0, 8, 0, 8]
    assert [user["id"] for page in found for user in page] == ids()


def test_the_cap_wins_over_top() -> None:
    """Pages hold fewer than was asked for, and lead on."""
    with served("top-cap") as service:
        assert [len(page) for page in pages(service)] == [8] * 5


def test_a_loop_never_ends() -> None:
    """A page's next link brings the same page with the same link."""
    with served("loop") as service:
        first = get(service, "/users?$select=id&$top=999").json()
        again = get(service, first["@odata.nextLink"]).json()
    assert again["value"] == first["value"]
    assert again["@odata.nextLink"] == first["@odata.nextLink"]


def test_a_page_expires_once() -> None:
    """The third page of a list is refused once as expired; begun anew, the list comes whole."""
    with served("expired-page") as service:
        link = "/users?$select=id&$top=999"
        for _ in range(2):
            link = get(service, link).json()["@odata.nextLink"]
        assert failure(get(service, link)) == (400, "Directory_ExpiredPageToken")
        assert [user["id"] for page in pages(service) for user in page] == ids()


def test_pages_expire_again_and_again() -> None:
    """No list comes to its end, by either of the codes that were seen."""
    codes = []
    with served("expired-pages") as service:
        for _ in range(7):
            with pytest.raises(AssertionError, match="PageToken") as caught:
                list(pages(service))
            codes.append("NotFound" in str(caught.value))
    assert codes == [False, True] * 3 + [False]


def test_a_token_ends_in_the_middle() -> None:
    """The second page wants another token than the first, and takes the new one."""
    with served("expired-token") as service:
        old = service.token
        link = get(service, "/users?$select=id&$top=999").json()["@odata.nextLink"]
        assert failure(get(service, link)) == (401, "InvalidAuthenticationToken")
        assert service.token != old
        assert get(service, link).status_code == 200
        assert get(service, link, Authorization=f"Bearer {old}").status_code == 401


def test_users_come_twice() -> None:
    """Each page begins with the last three users of the page before; all are there."""
    with served("duplicate-rows") as service:
        found = [[user["id"] for user in page] for page in pages(service)]
    assert all(page[:3] == before[-3:] for before, page in pairwise(found))
    assert list(dict.fromkeys(one for page in found for one in page)) == ids()


def test_users_are_lost() -> None:
    """$count says more than the pages hold."""
    with served("lost-users") as service:
        found = [user["id"] for page in pages(service) for user in page]
        counted = get(service, "/users/$count", ConsistencyLevel="eventual").content.decode("utf-8-sig")
    assert (len(found), counted) == (27, "40")
    assert set(found) < set(ids())


@pytest.mark.parametrize(
    ("name", "where"), [("lost-sign-ins", "signInActivity"), ("lost-assignments", "licenseAssignmentStates")]
)
def test_users_are_lost_from_one_list(name: str, where: str) -> None:
    """Only the list that selects a property lacks them."""
    with served(name) as service:
        found = [user["id"] for page in pages(service, f"/users?$select=id,{where}") for user in page]
        assert [user["id"] for page in pages(service) for user in page] == ids()
    assert len(found) == 27
    assert set(found) < set(ids())


def test_users_are_lost_from_several_lists() -> None:
    """A loss from one list does not undo that from every list."""
    with served("lost-users,lost-sign-ins") as service:
        for path in ("/users?$select=id", "/users?$select=id,signInActivity"):
            assert len(list(chain(*pages(service, path)))) == 27


# --- rights ---

CALLS = {
    "LicenseAssignment.Read.All": ["/subscribedSkus"],
    "User.Read.All": ["/users", "/users/$count"],
    "Organization.Read.All": ["/organization", "/directory/subscriptions"],
    "Reports.Read.All": [f"/reports/{ACTIVE}(period='D7')"],
    "AuditLog.Read.All": ["/users?$select=id,signInActivity"],
    "ReportSettings.Read.All": ["/admin/reportSettings"],
}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_permission_is_missing(role: str) -> None:
    """Its calls answer 403, and the others do not."""
    with served(f"forbidden-{role}") as service:
        for name, paths in CALLS.items():
            answers = [get(service, path, ConsistencyLevel="eventual") for path in paths]
            refused = {answer.status_code == 403 for answer in answers}
            assert refused == {name == role or (role == "User.Read.All" and name == "AuditLog.Read.All")}


def test_sign_ins_need_a_premium_licence() -> None:
    """Without Entra ID P1, signInActivity answers 403 with its own code; users come all the same."""
    with served("no-premium") as service:
        refused = get(service, "/users?$select=id,signInActivity")
        assert failure(refused) == (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")
        assert get(service, "/users").status_code == 200


# --- reports ---


def test_names_are_concealed() -> None:
    """The setting says so, and every name is 32 hexadecimal digits, the same in each report."""
    with served("concealed") as service:
        assert get(service, "/admin/reportSettings").json()["displayConcealedNames"] is True
        names = column(service, "User Principal Name")
        assert set(column(service, "User Principal Name", APPS)) <= set(names)
    assert all(len(name) == 32 and set(name) <= set("0123456789ABCDEF") for name in names)


def test_names_are_mixed() -> None:
    """Some names are hashes though the setting is off."""
    with served("mixed-names") as service:
        assert get(service, "/admin/reportSettings").json()["displayConcealedNames"] is False
        assert {"@" in name for name in column(service, "User Principal Name")} == {True, False}


def test_names_are_unknown() -> None:
    """Some rows say (Unknown)."""
    with served("unknown-names") as service:
        names = column(service, "User Principal Name")
    assert {"@" in name for name in names} == {True, False}
    assert {name for name in names if "@" not in name} == {"(Unknown)"}


def test_the_deleted_stay_in_reports() -> None:
    """Reports name users that the list of users no longer has, and when they were deleted."""
    with served("deleted-in-reports") as service:
        deleted = column(service, "Is Deleted")
        assert deleted.count("True") == 5
        assert sum(map(bool, column(service, "Deleted Date"))) == 5
        assert [user["id"] for page in pages(service) for user in page] == ids()


def test_a_report_is_empty() -> None:
    """The report of the apps has its header and no row."""
    with served("empty-report") as service:
        assert column(service, "User Principal Name", APPS) == []
        assert column(service, "User Principal Name")


def test_reports_are_retired() -> None:
    """One report answers 400, another 404."""
    with served("retired-report") as service:
        assert report(service, SKYPE).status_code == 400
        assert report(service, APPS).status_code == 404
        assert report(service, ACTIVE).status_code == 200


def test_a_cloud_without_reports() -> None:
    """No report and no setting is there."""
    with served("no-reports-cloud") as service:
        assert {report(service, name).status_code for name in USUAL} == {404}
        assert get(service, "/admin/reportSettings").status_code == 404


def test_reports_come_at_once() -> None:
    """The file is the answer itself."""
    with served("inline-reports") as service:
        answer = get(service, f"/reports/{ACTIVE}(period='D30')")
    assert answer.status_code == 200
    assert answer.content.decode("utf-8-sig").startswith("Report Refresh Date,")


def test_a_download_is_cut() -> None:
    """The connection ends before as much came as Content-Length says."""
    with served("cut-download") as service, pytest.raises(requests.exceptions.RequestException):
        report(service, ACTIVE)


def test_a_row_is_cut() -> None:
    """Without a Content-Length the file ends in the middle of its first row, and HTTP does not tell."""
    with served("cut-row") as service:
        answer = report(service, ACTIVE)
    assert "Content-Length" not in answer.headers
    header, cut = csv.reader(io.StringIO(answer.text, newline=""))
    assert len(header) == len(REPORTS[ACTIVE].columns)
    assert len(cut) == 1


# --- the tenant ---


def test_nobody_has_mail() -> None:
    """No address of any kind is there."""
    with served("no-mail") as service:
        (users,) = pages(service, "/users?$select=mail,proxyAddresses,otherMails&$top=999")
    assert users == [{"mail": None, "proxyAddresses": [], "otherMails": []}] * 40


def test_sign_ins_are_empty() -> None:
    """Everybody is on the list of sign-ins, and nobody has any."""
    with served("empty-sign-ins") as service:
        (users,) = pages(service, "/users?$select=id,signInActivity&$top=999")
    assert len(users) == 40
    assert {user.get("signInActivity") for user in users} == {None}


def test_there_are_no_licences() -> None:
    """No SKU, no subscription, no assignment; the users are there."""
    with served("no-licences") as service:
        assert get(service, "/subscribedSkus").json()["value"] == []
        assert get(service, "/directory/subscriptions").json()["value"] == []
        (users,) = pages(service, "/users?$select=licenseAssignmentStates&$top=999")
        assert users == [{"licenseAssignmentStates": []}] * 40


def test_skus_are_unknown() -> None:
    """Some hold a SKU that is not subscribed; another has no public name, and is counted."""
    with served("unknown-sku") as service:
        skus = {one["skuId"]: one for one in get(service, "/subscribedSkus").json()["value"]}
        (users,) = pages(service, "/users?$select=assignedLicenses&$top=999")
    held = [one["skuId"] for user in users for one in user["assignedLicenses"]]
    assert set(held) - set(skus)
    (special,) = (one for one in skus.values() if one["skuPartNumber"] == "CONTOSO_SPECIAL_7")
    assert special["consumedUnits"] == held.count(special["skuId"])


def test_a_subscription_is_lost() -> None:
    """One id among the SKUs' subscriptionIds is no directory subscription."""
    with served("lost-subscription") as service:
        named = {
            one for sku in get(service, "/subscribedSkus").json()["value"] for one in sku["subscriptionIds"]
        }
        listed = {one["id"] for one in get(service, "/directory/subscriptions").json()["value"]}
    assert len(named - listed) == 1


def test_users_come_and_go() -> None:
    """The counts differ by three and two from the list; two users are gone later, and one is new."""
    with served("churn") as service:
        counts = [
            get(service, "/users/$count", ConsistencyLevel="eventual").content.decode("utf-8-sig")
            for _ in range(2)
        ]
        (first,) = pages(service)
        (later,) = pages(service, "/users?$select=id,licenseAssignmentStates&$top=999")
    assert counts == ["37", "42"]
    before, after = ({user["id"] for user in one} for one in (first, later))
    assert (len(before), len(before - after), len(after - before)) == (40, 2, 1)


def test_users_are_missing() -> None:
    """Many users have assignments and are not among the users, whose count is right."""
    with served("missing-user") as service:
        (users,) = pages(service)
        (assigned,) = pages(service, "/users?$select=id,licenseAssignmentStates&$top=999")
    assert len(users) == 40
    assert len({one["id"] for one in assigned} - {one["id"] for one in users}) == 50


# --- what a run must say ---


def test_gaps_are_told() -> None:
    """Missing rights and hidden names are gaps; what a cloud does not have is none."""
    expected = {
        "forbidden-Organization.Read.All": {"organization", "commerce-subscriptions"},
        "forbidden-Reports.Read.All": {"usage"},
        "forbidden-AuditLog.Read.All": {"sign-ins"},
        "no-premium": {"sign-ins"},
        "concealed": {"concealed"},
        "mixed-names": {"concealed"},
        "unknown-names": {"concealed"},
    }
    assert {name: found for name in SCENARIOS if (found := gaps(*scenario(name, 40)))} == expected
    assert gaps(*scenario("concealed,no-premium"), reports="none", sign_ins=False) == frozenset()


def test_the_truth_knows_what_cannot_be_read() -> None:
    """A step without its permission has no rows; Usage lacks a report that was retired."""
    tenant, faults = scenario("forbidden-Organization.Read.All,no-premium,retired-report", 40)
    found = {step: list(rows) for step, rows in truth(tenant, faults).items()}
    assert {step for step, rows in found.items() if not rows} == {
        "Organization.xml/Organization",
        "CommerceSubscription.xml/CommerceSubscription",
        "SignIn.xml/SignIn",
    }
    assert {row["Report"] for row in found["Usage.xml/Usage"]} == set(USUAL) - {APPS}


def test_what_nobody_can_read_is_named() -> None:
    """The fatal scenarios are among the scenarios."""
    assert set(SCENARIOS) > FATAL


def test_the_page_explains_every_scenario() -> None:
    """docs/simulated-tenant.md has a line for each name, and says which are fatal."""
    page = (Path(__file__).parents[1] / "docs" / "simulated-tenant.md").read_text("utf-8")
    for name, meaning in SCENARIOS.items():
        assert f"| `{name}` | {meaning} |" in page
    sentence = page.partition("Whoever reads the tenant whole under one of these is wrong: ")[2]
    assert set(re.findall("`([^`]+)`", sentence.partition(".\n")[0])) == FATAL
