"""A tenant's position: the numbers against the tenant's own data, and what is not known is never a zero."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from bridge.errors import PackageError, ReaderOutputError, SettingsError
from bridge.model import Check, Gap, Origin, State
from bridge.position import Licence, Matching, Position, Stranger, of_package, of_run, position
from bridge.show import position as shown
from tests.positions import Given, given, place, run, source
from tools.tenant import Tenant
from tools.tenant.truth import Row

REFRESHED = date(2026, 11, 19)
SKU, OTHER = "6fd2c87f-b296-42f0-b197-1e91e994b900", "06ebc4ee-1bb5-47dd-8120-11324bc54e06"
ACTIVE, DEVICES = "getOffice365ActiveUserDetail", "getOffice365ActivationsUserDetail"


def told(tmp_path: Path, rows: Given, *gaps: Gap) -> Position:
    """Return the position that rows give."""
    return position(source(tmp_path, rows, gaps=gaps), tmp_path)


def licence(found: Position, sku: str = SKU) -> Licence:
    """Return the line of one SKU."""
    (one,) = (one for one in found.licences if one.sku == sku)
    return one


# --- against a tenant's own data ---


def holders(rows: dict[str, list[Row]], sku: str) -> set[str | None]:
    """Return who takes a unit of a SKU, with plain Python."""
    return {
        row["UserId"]
        for row in rows["Assignment.xml/Assignment"]
        if row["SkuId"] == sku and row["State"] in {"Active", "ActiveWithError"}
    }


def days(rows: dict[str, list[Row]]) -> dict[str, str]:
    """Return the last day of each name that is in the report of active users; empty where there is none."""
    return {
        str(row["UserPrincipalName"]).lower(): (row["LastActivityDate"] or "")[:10]
        for row in rows["Usage.xml/Usage"]
        if row["Report"] == ACTIVE and row["IsDeleted"] != "true"
    }


def use(day: str | None, period: int) -> str:
    """Return what a last day means."""
    if not day:
        return "unreported" if day is None else "never"
    return "active" if date.fromisoformat(day) > REFRESHED - timedelta(days=period) else "before"


@pytest.mark.parametrize(
    ("odd", "period"), [("unknown-sku", 30), ("deleted-in-reports", 7), ("churn", 180), ("no-mail", 90)]
)
def test_the_numbers_are_the_tenants(tmp_path: Path, odd: str, period: int) -> None:
    """Every count of every SKU is what plain Python counts in the tenant's own rows."""
    rows = given(Tenant(200, seed=3, oddities=frozenset({odd})), period=f"D{period}")
    found = told(tmp_path, rows)
    users = {row["UserId"]: row for row in rows["User.xml/User"]}
    seen = days(rows)
    devices: Counter[str] = Counter()
    for row in rows["Usage.xml/Usage"]:
        devices[str(row["UserPrincipalName"]).lower()] += int(row["ActivatedDevices"] or 0)
    bought = {row["SkuId"]: row for row in rows["Subscription.xml/Subscription"]}
    assigned = {row["SkuId"] for row in rows["Assignment.xml/Assignment"] if holders(rows, str(row["SkuId"]))}
    assert {one.sku for one in found.licences} == bought.keys() | assigned
    for one in found.licences:
        those = holders(rows, one.sku)
        names = [str(users[user]["UserPrincipalName"]).lower() if user in users else "" for user in those]
        uses = Counter(use(seen.get(name), period) for name in names)
        units = bought.get(one.sku, {})
        assert [one.bought, one.warning, one.suspended, one.locked_out] == [
            int(units[name] or 0) if units else None
            for name in ("Enabled", "Warning", "Suspended", "LockedOut")
        ]
        assert one.assigned == len(those)
        assert one.assigned_disabled == sum(
            user in users and users[user]["AccountEnabled"] == "false" for user in those
        )
        assert one.active == uses["active"]
        assert one.active_before == uses["before"]
        assert one.never_active == uses["never"]
        assert one.not_reported == uses["unreported"]
        assert one.devices == sum(devices[name] for name in names)
    assert found.people.users == len(users)
    assert found.people.guests == sum(row["UserType"] == "Guest" for row in users.values())
    assert sum(one.active or 0 for one in found.licences), "somebody was active"


def test_the_dates_of_the_data_are_told(tmp_path: Path) -> None:
    """When the tenant was read, and until which day each report goes, for which period."""
    rows = given(Tenant(50))
    rows["Control.xml/Opening"][0]["Moment"] = "2026-11-22T08:15:31Z"
    rows["Control.xml/Closing"][0]["Moment"] = "2026-11-22T08:19:00Z"
    found = told(tmp_path, rows)
    assert (found.opened, found.closed) == ("2026-11-22T08:15:31Z", "2026-11-22T08:19:00Z")
    assert {(one.name, one.refreshed, one.period) for one in found.reports} >= {
        (ACTIVE, REFRESHED, "D30"),
        (DEVICES, REFRESHED, "ALL"),
    }
    assert found.organization == "Contoso"


def test_no_licences(tmp_path: Path) -> None:
    """A tenant that bought nothing has no line, and no number."""
    assert told(tmp_path, given(Tenant(40, oddities=frozenset({"no-licences"})))).licences == ()


# --- single rows ---


def one_user(**more: str | None) -> dict[str, list[Row]]:
    """Return a tenant of one user with one licence, who was active yesterday."""
    usage: Row = {
        "Report": ACTIVE,
        "ReportRefreshDate": "2026-11-19T00:00:00",
        "ReportPeriod": "D30",
        "UserPrincipalName": "Ada@Contoso.example",
        "LastActivityDate": "2026-11-18T00:00:00",
        **more,
    }
    return {
        "Subscription.xml/Subscription": [{"SkuId": SKU, "SkuPartNumber": "E3", "Enabled": "5"}],
        "Usage.xml/Usage": [usage],
        "User.xml/User": [{"UserId": "u1", "UserPrincipalName": "ada@contoso.EXAMPLE"}],
        "Assignment.xml/Assignment": [{"UserId": "u1", "SkuId": SKU, "State": "Active"}],
    }


@pytest.mark.parametrize(
    ("day", "active", "before", "never"),
    [
        ("2026-11-19", 1, 0, 0),
        ("2026-10-21", 1, 0, 0),
        ("2026-10-20", 0, 1, 0),
        ("2020-01-01", 0, 1, 0),
        (None, 0, 0, 1),
    ],
)
def test_the_period_ends_on_the_refresh_day(
    tmp_path: Path, day: str | None, active: int, before: int, never: int
) -> None:
    """Thirty days are the refresh day and the 29 before it; names are compared without regard to case."""
    one = licence(told(tmp_path, one_user(LastActivityDate=f"{day}T00:00:00" if day else None)))
    assert (one.active, one.active_before, one.never_active, one.not_reported) == (active, before, never, 0)


def test_a_deleted_account_of_the_same_name_was_not_the_user(tmp_path: Path) -> None:
    """A user whom the report knows as deleted only is not in it."""
    one = licence(told(tmp_path, one_user(IsDeleted="true")))
    assert (one.active, one.never_active, one.not_reported) == (0, 0, 1)


@pytest.mark.parametrize(
    ("state", "assigned"), [("Active", 1), ("ActiveWithError", 1), ("Error", 0), ("Disabled", 0)]
)
def test_what_takes_a_unit(tmp_path: Path, state: str, assigned: int) -> None:
    """Only the states that take a unit count, and a user with two assignments of a SKU counts once."""
    rows = one_user()
    rows["Assignment.xml/Assignment"] = [
        {"UserId": "u1", "SkuId": SKU, "State": state, "AssignedByGroup": group} for group in (None, "g1")
    ]
    assert licence(told(tmp_path, rows)).assigned == assigned


def renewal(tmp_path: Path, *subscriptions: tuple[str | None, str]) -> tuple[date | None, bool]:
    """Return the renewal that subscriptions of one SKU give: each its date, and whether it is a trial."""
    rows = one_user()
    rows["CommerceSubscription.xml/CommerceSubscription"] = [
        {"SkuId": SKU, "Status": "Enabled", "NextLifecycleDateTime": moment, "IsTrial": trial}
        for moment, trial in subscriptions
    ]
    one = licence(told(tmp_path, rows))
    return one.renewal, one.renewal_is_trial


def test_the_next_renewal_is_the_first_to_come(tmp_path: Path) -> None:
    """What lies before the run has renewed already; the date says whether it ends a trial."""
    cases: list[tuple[list[tuple[str | None, str]], tuple[date | None, bool]]] = [
        ([("2026-11-22T08:15:29.9Z", "true"), ("2027-03-01T00:00:00Z", "false")], (date(2027, 3, 1), False)),
        ([("2027-01-01T00:00:00.25Z", "true"), ("2027-03-01T00:00:00Z", "false")], (date(2027, 1, 1), True)),
        ([(None, "false")], (None, False)),
        ([("2020-01-01T00:00:00Z", "true")], (None, False)),
    ]
    for number, (subscriptions, expected) in enumerate(cases):
        home = tmp_path / str(number)
        home.mkdir()
        assert renewal(home, *subscriptions) == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["Suspended", "Enabled"], (date(2027, 1, 2), False)),
        (["Suspended", "Warning"], (date(2027, 1, 1), True)),
        (["Enabled", "LockedOut"], (date(2027, 1, 1), False)),
    ],
)
def test_what_ends_is_no_renewal(
    tmp_path: Path, statuses: list[str], expected: tuple[date | None, bool]
) -> None:
    """An enabled subscription's date goes first; where only others are left, theirs is told to end them."""
    rows = one_user()
    rows["CommerceSubscription.xml/CommerceSubscription"] = [
        {"SkuId": SKU, "Status": status, "NextLifecycleDateTime": f"2027-01-0{day}T00:00:00Z"}
        for day, status in enumerate(statuses, start=1)
    ]
    one = licence(told(tmp_path, rows))
    assert (one.renewal, one.renewal_ends) == expected


def test_a_user_who_comes_twice_counts_once(tmp_path: Path) -> None:
    """Among the accounts, in every number of a licence, and among those whom mail does not tell apart."""
    rows = one_user()
    devices: Row = {"Report": DEVICES, "UserPrincipalName": "ada@contoso.example", "ActivatedDevices": "3"}
    rows["Usage.xml/Usage"].append({**rows["Usage.xml/Usage"][0], **devices})
    rows["User.xml/User"] *= 2
    rows["User.xml/User"] = [{**row, "Mail": "ada@b.example"} for row in rows["User.xml/User"]]
    from_two = source(tmp_path, rows)
    found = position(from_two, tmp_path)
    one = licence(found)
    assert (found.people.users, found.people.holders) == (1, 1)
    assert (one.assigned, one.active, one.not_reported, one.devices) == (1, 1, 0, 3)
    with Matching([from_two], tmp_path) as matching:
        assert list(matching.counts()) == []


def test_a_sku_that_is_no_longer_subscribed_keeps_its_users(tmp_path: Path) -> None:
    """It has a line of its own, without numbers of licences, by the name that is still known."""
    rows = one_user()
    rows["Assignment.xml/Assignment"].append({"UserId": "u1", "SkuId": OTHER, "State": "Active"})
    rows["CommerceSubscription.xml/CommerceSubscription"] = [{"SkuId": OTHER, "SkuPartNumber": "SPE_E5"}]
    one = licence(told(tmp_path, rows), OTHER)
    assert (one.name, one.part_number, one.bought, one.suspended, one.assigned) == (
        "SPE_E5",
        "SPE_E5",
        None,
        None,
        1,
    )


def test_odd_names_come_whole(tmp_path: Path) -> None:
    """What XML cannot hold, and markup, is in the name as the tenant has it."""
    rows = one_user()
    name = 'E3 <b>&"\x01_x0041_\n\U0001f600'
    rows["Subscription.xml/Subscription"][0]["ProductName"] = name
    assert licence(told(tmp_path, rows)).name == name


# --- what is not known ---


def unknown(found: Position) -> list[int | None]:
    """Return the numbers that usage gives."""
    one = licence(found)
    return [one.active, one.active_before, one.never_active, one.not_reported]


@pytest.mark.parametrize("odd", ["concealed", "mixed-names", "unknown-names"])
def test_concealed_usage_is_not_known(tmp_path: Path, odd: str) -> None:
    """Names without @ are joined to nobody: the numbers are None, and the reason says how many are hidden."""
    found = told(tmp_path, given(Tenant(60, oddities=frozenset({odd}))))
    assert unknown(found) == [None] * 4
    assert licence(found).devices is None
    assert f"{ACTIVE} hides the names in" in found.unknown["activity"]
    assert licence(found).assigned > 0


def test_the_setting_conceals_too(tmp_path: Path) -> None:
    """The gap alone is enough: names may be hidden in one report and old in another."""
    setting = "the tenant's setting displayConcealedNames is on: usage reports hide who used what."
    found = told(tmp_path, given(Tenant(60)), Gap("concealed", setting))
    assert unknown(found) == [None] * 4
    assert found.unknown == dict.fromkeys(("activity", "devices"), setting)


@pytest.mark.parametrize(
    ("report", "kinds"),
    [(ACTIVE, {"activity"}), (DEVICES, {"devices"}), ("getOneDriveUsageAccountDetail", set())],
)
def test_each_report_conceals_for_itself(tmp_path: Path, report: str, kinds: set[str]) -> None:
    """One hidden name elsewhere makes nothing unknown; by its gap, or by its rows."""
    rows = given(Tenant(60))
    found = told(tmp_path, rows, Gap("concealed", f"{report} hides the names in 1 of 9 rows."))
    assert found.unknown.keys() == kinds
    (tmp_path / "more").mkdir()
    rows["Usage.xml/Usage"].append({**one_user()["Usage.xml/Usage"][0], "Report": report, **HIDDEN})
    assert told(tmp_path / "more", rows).unknown.keys() == kinds


HIDDEN: Row = {"UserPrincipalName": "5C2A1F"}


def test_a_row_without_a_name_hides_none(tmp_path: Path) -> None:
    """Nobody is in it, so nobody is concealed."""
    rows = given(Tenant(60))
    rows["Usage.xml/Usage"].append({**one_user()["Usage.xml/Usage"][0], "UserPrincipalName": None})
    assert told(tmp_path, rows).unknown == {}


def test_a_run_that_was_refused_is_no_position(tmp_path: Path) -> None:
    """A check that refused it is named, and so is a stage that failed; `show` tells more."""
    at = place(tmp_path, Contoso=given(Tenant(20)))
    made = run(at)
    refused = (Check("users", "refused", "20 users were read, Graph counts 40"),)
    with pytest.raises(PackageError, match="the check users refused it: 20 users were read") as caught:
        of_run(at.runs, replace(made, checks=refused))
    assert caught.value.hint == f"beacon-bridge show {made.run}"
    with pytest.raises(PackageError, match=f"{made.run} is failed: it did not end well"):
        of_run(at.runs, replace(made, state=State.FAILED))


def test_a_warning_is_among_the_facts(tmp_path: Path) -> None:
    """What a check says to look at stands above the numbers, and in JSON; what is fine does not."""
    at = place(tmp_path, Contoso=given(Tenant(20)))
    odd = Check("drop", "warned", "fewer <rows> than last time")
    made = replace(run(at), checks=(Check("users", "ok", "20 users"), odd))
    found = position(of_run(at.runs, made), tmp_path)
    assert found.warned == (odd,)
    assert any("warned: fewer <rows> than last time" in str(line) for line in shown.lines(found))
    assert shown.as_json(found)["warned"] == (asdict(odd),)
    assert "warned: fewer &lt;rows&gt; than last time" in shown.html(found)


def test_a_report_that_was_not_read_is_not_known(tmp_path: Path) -> None:
    """No row of a report is no zero: the reason is the gap, or that there was no row."""
    rows = one_user()
    found = told(tmp_path, rows)
    assert (licence(found).active, licence(found).devices) == (1, None)
    assert found.unknown == {"devices": f"no row of {DEVICES} was read"}
    (tmp_path / "more").mkdir()
    rows["Usage.xml/Usage"] = []
    found = told(tmp_path / "more", rows, Gap("usage", "Reports.Read.All is missing"))
    assert found.unknown == dict.fromkeys(("activity", "devices"), "Reports.Read.All is missing")


def test_renewals_without_their_permission_are_not_known(tmp_path: Path) -> None:
    """The reason is the gap's."""
    found = told(tmp_path, one_user(), Gap("commerce-subscriptions", "Organization.Read.All is missing"))
    assert found.unknown["renewals"] == "Organization.Read.All is missing"


# --- runs and packages ---


def test_a_package_says_what_its_run_says(tmp_path: Path) -> None:
    """The same numbers, names and dates."""
    at = place(tmp_path, Contoso=given(Tenant(120, oddities=frozenset({"unknown-sku"}))))
    made = run(at)
    package = at.runs.package(made)
    assert package
    assert position(of_package(package), tmp_path) == position(of_run(at.runs, made), tmp_path)


def test_captures_that_are_gone(tmp_path: Path) -> None:
    """The package still can be read, and is named; without one, only another run helps."""
    at = place(tmp_path, Contoso=given(Tenant(20)))
    made = run(at)
    (at.runs.path(made.run) / "capture" / "001.xml").unlink()
    with pytest.raises(PackageError, match="no captures any more; its package can still be read") as caught:
        of_run(at.runs, made)
    package = at.runs.package(made)
    assert package
    assert caught.value.hint == f'beacon-bridge position "{package}"'
    package.unlink()
    with pytest.raises(PackageError) as caught:
        of_run(at.runs, made)
    assert caught.value.hint == 'beacon-bridge run "Contoso"'


def test_captures_that_were_changed_are_refused(tmp_path: Path) -> None:
    """A capture is read only if it is what was collected."""
    at = place(tmp_path, Contoso=given(Tenant(20)))
    made = run(at)
    path = at.runs.path(made.run) / str(made.steps[2].capture)
    path.write_bytes(path.read_bytes().replace(b"ENTERPRISEPACK", b"ENTERPRISEPICK"))
    with pytest.raises(ReaderOutputError, match="SHA-256 has changed"):
        of_run(at.runs, made)


def test_other_runs_are_refused(tmp_path: Path) -> None:
    """A run by hand has no captures of ours, and one of another folder is not ours to tell about."""
    at = place(tmp_path, Contoso=given(Tenant(20)))
    made = run(at)
    with pytest.raises(PackageError, match="no captures of an engine"):
        of_run(at.runs, replace(made, origin=Origin.BY_HAND))
    with pytest.raises(SettingsError, match=r"our folder 'Microsoft Office 365'.*bridge:Microsoft 365 only"):
        of_run(at.runs, replace(made, reader=replace(made.reader, name="Microsoft Office 365")))
    with pytest.raises(PackageError, match=r"before the step Organization.xml/Organization was there"):
        of_run(at.runs, replace(made, steps=(made.steps[0], *made.steps[2:])))


# --- who is not matched by mail ---


def user(name: str, mail: str | None, kind: str = "Member", *, connection: str = "") -> Row:
    """Return a user's row."""
    return {
        "UserId": f"{connection}{name}",
        "UserPrincipalName": f"{name}@x.example",
        "Mail": mail,
        "UserType": kind,
    }


def people(tmp_path: Path, **tenants: list[Row]) -> list[Stranger]:
    """Return whom mail does not tell apart, of tenants by their connections' names."""
    sources = [
        source(
            tmp_path,
            {
                "Organization.xml/Organization": [{"TenantId": f"id-{name}"}],
                "User.xml/User": users,
                "Assignment.xml/Assignment": [{"UserId": "ada", "SkuId": SKU, "State": "Active"}],
            },
            name=name,
        )
        for name, users in tenants.items()
    ]
    with Matching(sources, tmp_path) as found:
        return [
            one for count in list(found.counts()) for one in found.strangers(count.kind, guests=count.guests)
        ]


def named(found: list[Stranger]) -> set[tuple[str, bool, str]]:
    """Return each as its kind, whether guests make it so, and where it is."""
    return {(one.kind, one.guests, f"{one.connection}/{one.user}") for one in found}


def test_users_without_mail(tmp_path: Path) -> None:
    """No mail, or a blank one; guests apart; it is told who holds a licence."""
    found = people(
        tmp_path, One=[user("ada", None), user("bob", " "), user("eve", None, "Guest"), user("ok", "a@b")]
    )
    assert named(found) == {
        ("without mail", False, "One/ada"),
        ("without mail", False, "One/bob"),
        ("without mail", True, "One/eve"),
    }
    assert {one.user: one.holds for one in found} == {"ada": True, "bob": False, "eve": False}


def test_mail_that_two_users_share(tmp_path: Path) -> None:
    """Without regard to case; a mail that a user shares with a guest only is told apart."""
    found = people(
        tmp_path,
        One=[
            user("ada", "Team@b.example"),
            user("bob", "team@B.example"),
            user("carl", "c@b.example"),
            user("guest", "c@b.example", "Guest"),
        ],
    )
    assert named(found) == {
        ("mail shared", False, "One/ada"),
        ("mail shared", False, "One/bob"),
        ("mail shared", True, "One/carl"),
        ("mail shared", True, "One/guest"),
    }


def test_mail_in_several_tenants(tmp_path: Path) -> None:
    """Two members of two tenants with one mail; a guest elsewhere is told apart."""
    found = people(
        tmp_path,
        One=[user("ada", "a@b.example"), user("bob", "b@b.example"), user("carl", "c@b.example")],
        Two=[user("ada2", "A@b.example"), user("bob2", "b@b.example", "Guest"), user("dan", "d@b.example")],
    )
    assert named(found) == {
        ("mail in several tenants", False, "One/ada"),
        ("mail in several tenants", False, "Two/ada2"),
        ("mail in several tenants", True, "One/bob"),
        ("mail in several tenants", True, "Two/bob2"),
    }


def test_a_tenant_that_two_connections_read_counts_once(tmp_path: Path) -> None:
    """Its users are not in two tenants; the second connection is named."""
    rows = given(Tenant(40))
    sources = [source(tmp_path, rows, name="One"), source(tmp_path, rows, name="Two")]
    with Matching(sources, tmp_path) as found:
        assert found.again == ("Two",)
        assert {one.kind for one in found.counts()} == {"without mail"}


def another(rows: Given) -> Given:
    """Return the rows as another tenant would have them, whose organization may not be read."""
    users = [{**row, "UserId": f"x{row['UserId']}"} for row in rows["User.xml/User"]]
    held = [{**row, "UserId": f"x{row['UserId']}"} for row in rows["Assignment.xml/Assignment"]]
    none: Given = {"Organization.xml/Organization": []}
    return {**rows, **none, "User.xml/User": users, "Assignment.xml/Assignment": held}


@pytest.mark.parametrize("blind", ["One", "Two"])
@pytest.mark.parametrize("tenant", ["CONTOSO.example", "other.example"])
def test_a_tenant_is_known_without_its_organization(tmp_path: Path, tenant: str, blind: str) -> None:
    """One connection may not read it: the name in the settings tells, or the users' ids do."""
    rows = given(Tenant(40))
    rows["Organization.xml/Organization"][0]["DefaultDomain"] = "contoso.example"
    sources = [
        source(
            tmp_path,
            {**rows, "Organization.xml/Organization": []} if name == blind else rows,
            name=name,
            tenant=tenant if name == blind else "",
        )
        for name in ("One", "Two")
    ]
    with Matching(sources, tmp_path) as found:
        assert found.again == ("Two",)


def test_a_name_in_the_settings_is_enough(tmp_path: Path) -> None:
    """Nobody may read the organization, and no user is in both."""
    rows = given(Tenant(40))
    none: Given = {"Organization.xml/Organization": []}
    sources = [
        source(tmp_path, {**rows, **none}, name="One", tenant="contoso.example"),
        source(tmp_path, another(rows), name="Two", tenant="Contoso.Example"),
    ]
    with Matching(sources, tmp_path) as found:
        assert found.again == ("Two",)


def test_the_counts_are_those_of_the_lists(tmp_path: Path) -> None:
    """So many users, with so many addresses, of whom so many hold a licence; a list can be bounded."""
    rows = given(Tenant(90))
    sources = [
        source(tmp_path, rows, name="One"),
        source(tmp_path, another(rows), name="Two"),
    ]
    with Matching(sources, tmp_path) as found:
        for count in list(found.counts()):
            listed = list(found.strangers(count.kind, guests=count.guests))
            assert count.users == len(listed) > 0
            assert count.mails == len({one.mail for one in listed if one.mail})
            assert count.holders == sum(one.holds for one in listed)
            assert len(list(found.strangers(count.kind, guests=count.guests, most=2))) == 2
    assert list(tmp_path.glob("tables-*")) == []
