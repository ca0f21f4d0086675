"""Two runs compared: every row, every SKU and what is around them, against a comparison made apart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge import pipeline
from bridge.difference import Difference, SkuChange, StepChange, Units, before_of, compared, pair_since
from bridge.difference.rows import row_cells, row_text
from bridge.errors import PackageError, ReaderOutputError, SettingsError
from bridge.model import Check, EngineFacts, Gap, Origin, State
from bridge.runs.record import Run
from bridge.runs.store import Runs
from bridge.workplace import Workplace
from tests.engines import RowsEngine, contoso, silent, workplace
from tests.folders import make_reader_folder, readers_xml, source_step
from tests.runs_of import World, changed, collected, collected_cells, crowd, site, world
from tools.tenant import Tenant
from tools.tenant.truth import Row

SMALL, GROWN, OTHER = Tenant(users=40), Tenant(users=55), Tenant(users=40, seed=9)
KEYS: Mapping[str, tuple[str, ...]] = {
    "Control.xml/Opening": ("Entity",),
    "Organization.xml/Organization": ("TenantId",),
    "Subscription.xml/Subscription": ("SkuId",),
    "ServicePlan.xml/ServicePlan": ("SkuId", "ServicePlanId"),
    "CommerceSubscription.xml/CommerceSubscription": ("SubscriptionId",),
    "Usage.xml/Usage": ("Report", "UserPrincipalName", "Product"),
    "User.xml/User": ("UserId",),
    "Assignment.xml/Assignment": ("UserId", "SkuId", "AssignedByGroup"),
    "SignIn.xml/SignIn": ("UserId",),
    "Control.xml/Closing": ("Entity",),
}
AROUND = {"ReportRefreshDate", "ReportPeriod"}
USER, ASSIGNMENT, USAGE = "User.xml/User", "Assignment.xml/Assignment", "Usage.xml/Usage"
ODD = ["", "a\x00b", "_x0041_", '<"&">\r\n\t', "\x01", "Zoë", "'; DROP TABLE lone; --"]

# --- the same, made apart ---


def by_key(rows: list[Row], step: str) -> dict[tuple[str | None, ...], Row]:
    """Return rows by their key, without what is around them."""
    plain = [{name: text for name, text in row.items() if name not in AROUND} for row in rows]
    return {tuple(row[name] for name in KEYS[step]): row for row in plain}


def expected(before: World, after: World, step: str) -> tuple[int, int, int, dict[str, int]]:
    """Return how many rows were added, removed and changed, and how often each column."""
    old, new = by_key(before[step], step), by_key(after[step], step)
    both = [(old[key], new[key]) for key in old.keys() & new.keys() if old[key] != new[key]]
    columns = Counter(name for was, is_now in both for name in was if was[name] != is_now[name])
    return len(new.keys() - old.keys()), len(old.keys() - new.keys()), len(both), dict(columns)


def holders(rows: World) -> dict[str, set[str]]:
    """Return the users who hold each SKU."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows[ASSIGNMENT]:
        if row["State"] in {"Active", "ActiveWithError"}:
            found[str(row["SkuId"])].add(str(row["UserId"]))
    return found


def names(rows: World) -> dict[str, str | None]:
    """Return the principal name of each user."""
    return {str(row["UserId"]): row["UserPrincipalName"] for row in rows[USER]}


def step(found: Difference, name: str) -> StepChange:
    """Return one step."""
    return next(one for one in found.steps if one.step == name)


def spoilt(before: World) -> World:
    """Return the world some days later: people moved, left and came, and a text or two is odd."""
    after = changed(before, USER, lambda rows: [_moved(row, number) for number, row in enumerate(rows[2:])])
    after = changed(after, ASSIGNMENT, _assigned_anew)
    refreshed = {"ReportRefreshDate": "2026-11-25T00:00:00"}
    return changed(after, USAGE, lambda rows: [{**row, **refreshed} for row in rows[1:]])


def _moved(row: Row, number: int) -> Row:
    return {**row, "Department": ODD[number % len(ODD)]} if number < 2 * len(ODD) else row


def _assigned_anew(rows: list[Row]) -> list[Row]:
    """Some are now by group, direct and by group, failed, gone, or of another SKU."""
    failed = {**rows[12], "State": "Error"}
    others = [{**row, "SkuId": "00000000-0000-0000-0000-0000000000f0"} for row in rows[30:32]]
    kept = [*rows[3:12], failed, *rows[13:20], *rows[24:]]
    return [*kept, *_by_group(rows[:6]), *_failed(rows[8:10]), *others]


def _by_group(rows: list[Row]) -> list[Row]:
    return [{**row, "AssignedByGroup": "00000000-0000-0000-0000-00000000beef"} for row in rows]


def _failed(rows: list[Row]) -> list[Row]:
    return [
        {**row, "State": "Error", "AssignedByGroup": "00000000-0000-0000-0000-00000000dead"} for row in rows
    ]


WORLDS: Mapping[str, Callable[[], tuple[World, World]]] = {
    "same": lambda: (world(SMALL), world(SMALL)),
    "grown": lambda: (world(SMALL), world(GROWN)),
    "shrunk": lambda: (world(GROWN), world(SMALL)),
    "other": lambda: (world(SMALL), world(OTHER)),
    "later": lambda: (world(SMALL), spoilt(world(SMALL))),
    "earlier": lambda: (spoilt(world(SMALL)), world(SMALL)),
    "emptied": lambda: (world(SMALL), {name: [] for name in world(SMALL)}),
    "filled": lambda: ({name: [] for name in world(SMALL)}, world(SMALL)),
}


@pytest.fixture(params=WORLDS, ids=str)
def worlds(request: pytest.FixtureRequest) -> tuple[World, World]:
    """Two worlds to compare."""
    return WORLDS[request.param]()


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """A workplace without runs."""
    return site(tmp_path)


def test_every_step(place: Workplace, worlds: tuple[World, World]) -> None:
    """Rows before, after, added, removed, changed, and how often each column, are those counted apart."""
    before, after = worlds
    with compared(place.runs, collected(place, before), collected(place, after)) as found:
        assert [one.step for one in found.steps] == list(KEYS)
        for name in KEYS:
            one = step(found, name)
            assert one.key == KEYS[name]
            assert (one.before, one.after) == (len(before[name]), len(after[name]))
            counted = (one.added, one.removed, one.changed, dict(one.columns or {}))
            assert counted == expected(before, after, name), name


def test_every_row(place: Workplace, worlds: tuple[World, World]) -> None:
    """Each row that differs comes once, exact, with its key, and with its values before and after."""
    before, after = worlds
    with compared(place.runs, collected(place, before), collected(place, after)) as found:
        for name in KEYS:
            old, new = by_key(before[name], name), by_key(after[name], name)
            rows = {tuple(row.key.values()): row for row in found.rows(name)}
            assert len(rows) == len(list(found.rows(name)))
            assert rows.keys() == {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
            for key, row in rows.items():
                assert (row.before, row.after) == (old.get(key), new.get(key))
                there = {(True, True): "changed", (True, False): "removed", (False, True): "added"}
                assert row.kind == there[key in old, key in new]


def test_every_sku(place: Workplace, worlds: tuple[World, World]) -> None:
    """Who holds a SKU, gained and lost it, by direct assignment or by group, is what was counted apart."""
    before, after = worlds
    held, holds = holders(before), holders(after)
    known = {**names(before), **names(after)}
    with compared(place.runs, collected(place, before), collected(place, after)) as found:
        subscribed = {row["SkuId"] for one in worlds for row in one["Subscription.xml/Subscription"]}
        assert found.skus is not None
        assert {one.sku for one in found.skus} == subscribed | held.keys() | holds.keys()
        for one in found.skus:
            old, new = held[one.sku], holds[one.sku]
            assert (one.assigned_before, one.assigned_after) == (len(old), len(new))
            assert (one.gained, one.lost) == (len(new - old), len(old - new))
            gained = {person.user: person.name for person in found.movers(one.sku, "gained")}
            lost = {person.user: person.name for person in found.movers(one.sku, "lost")}
            assert gained == {user: known.get(user) for user in new - old}
            assert lost == {user: known.get(user) for user in old - new}


def test_the_worlds_differ() -> None:
    """The tests above see rows of each kind, users who gain and lose, and groups that change nothing."""
    before, after = WORLDS["later"]()
    assert all(expected(before, after, USER)[1:3])
    added, removed, kept, columns = expected(before, after, ASSIGNMENT)
    assert (added, removed, kept, columns) == (10, 7, 1, {"State": 1})
    old, new = holders(before), holders(after)
    lost = sum(len(old[sku] - new[sku]) for sku in old)
    assert (lost, sum(len(new[sku] - old[sku]) for sku in [*new])) == (5, 2)
    assert expected(*WORLDS["grown"](), USER)[0] == 15


def test_units_and_names_of_a_sku(place: Workplace) -> None:
    """Units are told before and after; a SKU that is not subscribed has none."""

    def buy(rows: list[Row]) -> list[Row]:
        return [
            {**rows[0], "Enabled": "500", "CapabilityStatus": "Warning", "ProductName": "Office"},
            *rows[2:],
        ]

    before = world(SMALL)
    after = changed(before, "Subscription.xml/Subscription", buy)
    bought, dropped = before["Subscription.xml/Subscription"][:2]
    with compared(place.runs, collected(place, before), collected(place, after)) as found:
        by_id: dict[str, SkuChange] = {one.sku: one for one in found.skus or ()}
        one = by_id[str(bought["SkuId"])]
        assert (one.name, one.part_number) == ("Office", bought["SkuPartNumber"])
        assert one.before == Units(
            "Enabled", int(bought["Enabled"] or 0), 0, 0, 0, int(bought["ConsumedUnits"] or 0)
        )
        assert one.after == replace(one.before, status="Warning", enabled=500)
        gone = by_id[str(dropped["SkuId"])]
        assert (gone.after, gone.differs) == (None, True)
        assert sum(one.differs for one in by_id.values()) == 2


def test_names_belong_to_rows(place: Workplace) -> None:
    """Rows that name a user by id have the principal name: the newest, else that of one who left."""
    before = world(SMALL)
    renamed = {**before[USER][0], "UserPrincipalName": "new@contoso.example"}
    after = changed(before, USER, lambda rows: [renamed, *rows[2:]])
    after = changed(
        after, ASSIGNMENT, lambda rows: [row for row in rows if row["UserId"] not in _first(before)]
    )
    with compared(place.runs, collected(place, before), collected(place, after)) as found:
        told = {row.key["UserId"]: row.name for row in found.rows(ASSIGNMENT)}
        gone = before[USER][1]
        assert told == {renamed["UserId"]: "new@contoso.example", gone["UserId"]: gone["UserPrincipalName"]}
        (row,) = (row for row in found.rows(USER) if row.kind == "changed")
        assert row.name == "new@contoso.example"
        assert {row.name for row in found.rows(USAGE)} == set()


def _first(rows: World) -> set[str | None]:
    return {row["UserId"] for row in rows[USER][:2]}


def test_keys_that_come_twice(place: Workplace) -> None:
    """Rows of one key are paired one by one; equal ones cancel out, and what is over came or went."""
    first = world(SMALL)[USAGE][0]

    def of(*details: str) -> World:
        return changed(world(SMALL), USAGE, lambda _: [{**first, "Details": text} for text in details])

    runs = collected(place, of("a", "a", "b", "c")), collected(place, of("a", "d", "e", "a", "a", "f", "g"))
    with compared(place.runs, *runs) as found:
        one = step(found, USAGE)
        assert (one.added, one.removed, one.changed) == (3, 0, 2)
        rows = [
            (row.kind, (row.before or {}).get("Details"), (row.after or {}).get("Details"))
            for row in found.rows(USAGE)
        ]
        assert rows == [
            ("changed", "b", "a"),
            ("changed", "c", "d"),
            ("added", None, "e"),
            ("added", None, "f"),
            ("added", None, "g"),
        ]


def test_null_is_not_empty(place: Workplace) -> None:
    """A cell that was empty and is null has changed."""
    before = changed(world(SMALL), USER, lambda rows: [{**rows[0], "Department": ""}, *rows[1:]])
    after = changed(before, USER, lambda rows: [{**rows[0], "Department": None}, *rows[1:]])
    with compared(place.runs, collected(place, before), collected(place, after)) as found:
        (row,) = found.rows(USER)
        assert ((row.before or {})["Department"], (row.after or {})["Department"]) == ("", None)


@pytest.mark.parametrize("cells", [("",), (None,), ("", None, ""), (None, None), ("a", "\r\n", None)])
def test_a_row_is_one_text(cells: tuple[str | None, ...]) -> None:
    """The text of a row gives its cells back."""
    assert row_cells(row_text(cells)) == cells


def test_nothing_is_left_behind(place: Workplace) -> None:
    """The tables go, also when what is read is refused."""
    runs = collected(place, world(SMALL)), collected(place, world(GROWN))
    with compared(place.runs, *runs):
        assert len(list(place.runs.state.glob("tables-*"))) == 1
    (place.runs.path(runs[1].run) / "capture" / "007.xml").write_bytes(b"x")
    with pytest.raises(ReaderOutputError, match="has changed"), compared(place.runs, *runs):
        pass
    assert list(place.runs.state.glob("tables-*")) == []


# --- reports ---


def test_refresh_dates_are_facts(place: Workplace) -> None:
    """A report that is made anew changes no row; its day and period are told once, before and after."""
    before = world(SMALL)

    def anew(rows: list[Row]) -> list[Row]:
        later = {"ReportRefreshDate": "2026-11-25T00:00:00", "ReportPeriod": "D90"}
        return [{**row, **later} if row["Report"] == "getM365AppUserDetail" else row for row in rows]

    runs = collected(place, before), collected(place, changed(before, USAGE, anew))
    with compared(place.runs, *runs) as found:
        one = step(found, USAGE)
        assert (one.added, one.removed, one.changed) == (0, 0, 0)
        assert one.uncompared == ("ReportRefreshDate", "ReportPeriod")
        day = next(row for row in before[USAGE] if row["Report"] == "getM365AppUserDetail")[
            "ReportRefreshDate"
        ]
        (fact,) = (fact for fact in found.facts if fact.topic.startswith("report "))
        told = (fact.topic, fact.before, fact.after)
        assert told == ("report getM365AppUserDetail", f"{str(day)[:10]}, D30", "2026-11-25, D90")


def test_a_report_that_is_gone_is_a_fact(place: Workplace) -> None:
    """Where one run has no row of a report, that is told."""
    before = world(SMALL)
    after = changed(before, USAGE, lambda rows: [row for row in rows if "Copilot" not in str(row["Report"])])
    with compared(place.runs, collected(place, before), collected(place, after)) as found:
        assert [(fact.topic, fact.after) for fact in found.facts if fact.topic.startswith("report ")] == [
            ("report getMicrosoft365CopilotUsageUserDetail", "-")
        ]


@pytest.mark.parametrize("oddity", ["concealed", "mixed-names"])
def test_names_that_are_concealed(place: Workplace, oddity: str) -> None:
    """Concealment is told; its rows are compared as they are, and belong to no user."""
    hidden = Tenant(users=40, oddities=frozenset({oddity}))
    before, after = world(SMALL), world(hidden)
    gap = Gap("concealed", "names are hidden")
    with compared(place.runs, collected(place, before), collected(place, after, gaps=[gap])) as found:
        assert ("concealed names", "no", "yes") in [(one.topic, one.before, one.after) for one in found.facts]
        one = step(found, USAGE)
        assert (one.added, one.removed, one.changed) == expected(before, after, USAGE)[:3]
        assert one.removed
        concealed = [row for row in found.rows(USAGE) if "@" not in str(row.key["UserPrincipalName"])]
        assert concealed
        assert all(row.name == row.key["UserPrincipalName"] for row in concealed)


# --- other folders ---


def badges(home: Path, columns: str = "") -> Workplace:
    """Return a workplace whose reader folder is not ours."""
    more = '<OutputSchema Name="HolderID" Type="nvarchar" Property="HolderID"/>' + columns
    readers = {"Holder.xml": readers_xml(source_step(columns=more))}
    folder = home / "readers" / "Badge Service"
    if folder.exists():
        (folder / "Holder.xml").write_text(readers["Holder.xml"])
    else:
        make_reader_folder(folder.parent, folder.name, readers=readers)
    return workplace(home, reader=folder)


MAIL = '<OutputSchema Name="Mail" Type="nvarchar" Property="Mail"/>'
NAME = '<OutputSchema Name="Full Name" Type="nvarchar" Property="Name"/>'


def badge_run(place: Workplace, *rows: tuple[str | None, ...]) -> Run:
    """Collect rows into a run."""
    engine = RowsEngine(rows=rows)
    return pipeline.collect(replace(place, engines=lambda _: engine), contoso(place), silent)


def test_rows_without_a_key_are_bags(tmp_path: Path) -> None:
    """Of a folder that is not ours rows come and go, as often as that; none has changed."""
    place = badges(tmp_path, MAIL)
    before = badge_run(place, ("1", "a"), ("1", "a"), ("2", None), ("3", ""))
    after = badge_run(place, ("1", "a"), ("3", None), ("2", None), ("4", "d"), ("4", "d"))
    with compared(place.runs, before, after) as found:
        (one,) = found.steps
        assert (one.key, one.before, one.after) == ((), 4, 5)
        assert (one.added, one.removed, one.changed, one.columns) == (3, 2, 0, {})
        rows = Counter((row.kind, *(row.after or row.before or {}).values()) for row in found.rows(one.step))
        assert rows == {
            ("removed", "1", "a"): 1,
            ("removed", "3", ""): 1,
            ("added", "3", None): 1,
            ("added", "4", "d"): 2,
        }
        assert found.skus is None


def test_columns_of_one_run_only(tmp_path: Path) -> None:
    """Rows are compared by what both runs have, in whatever order; the rest is named."""
    before = badge_run(badges(tmp_path, MAIL), ("1", "a"), ("2", "b"))
    place = badges(tmp_path, NAME)
    after = badge_run(place, ("2", "x"), ("3", "y"))
    with compared(place.runs, before, after) as found:
        (one,) = found.steps
        assert (one.added, one.removed, one.uncompared) == (1, 1, ("Mail", "Full Name"))


def test_columns_in_another_order(tmp_path: Path) -> None:
    """The order of columns is nobody's change."""
    before = badge_run(badges(tmp_path, MAIL + NAME), ("1", "a", "x"), ("2", "b", None))
    place = badges(tmp_path, NAME + MAIL)
    after = badge_run(place, ("2", None, "b"), ("1", "x", "a"))
    with compared(place.runs, before, after) as found:
        (one,) = found.steps
        assert (one.added, one.removed, one.uncompared) == (0, 0, ())


def test_a_step_of_one_run_only(tmp_path: Path) -> None:
    """It is listed with the rows it had, and nothing is said to have come or gone."""
    before = badge_run(badges(tmp_path), ("1",))
    place = badges(tmp_path)
    folder = tmp_path / "readers" / "Badge Service"
    (folder / "Holder.xml").write_text(readers_xml(source_step("LoadOther")))
    after = badge_run(place, ("1", "a"), ("2", "b"))
    with compared(place.runs, before, after) as found:
        assert [(one.step, one.before, one.after, one.added, one.columns) for one in found.steps] == [
            ("Holder.xml/LoadOther", None, 2, 0, None),
            ("Holder.xml/LoadHolder", 1, None, 0, None),
        ]


# --- what is around them ---


def facts(before: Run, after: Run, place: Workplace) -> dict[str, tuple[str, str]]:
    """Return what changed around two runs."""
    with compared(place.runs, before, after) as found:
        assert len({fact.topic for fact in found.facts}) == len(found.facts)
        return {fact.topic: (fact.before, fact.after) for fact in found.facts}


def test_nothing_around_two_equal_runs(place: Workplace) -> None:
    """What is the same is not told."""
    rows = world(SMALL)
    assert facts(collected(place, rows), collected(place, rows), place) == {}


def test_each_thing_around_is_told(place: Workplace) -> None:
    """Reader files, version, settings, permissions, engine, gaps, checks and concealment: old and new."""
    rows = world(SMALL)
    one = collected(place, rows, optional=("usage",))
    hidden = Gap("concealed", "names are hidden", 1)
    other = collected(place, rows, gaps=[hidden], max_drop=0.9, tenant="fabrikam.example")
    files = dict(other.reader.files_before)
    first = sorted(files)[0]
    engine = one.engine
    assert isinstance(engine, EngineFacts)
    after = replace(
        other,
        reader=replace(
            other.reader, sha256="f" * 64, files_before={**files, first: "e" * 64, "New.ps1": "d" * 64}
        ),
        program=replace(other.program, bridge="9.9.9"),
        permissions=("User.Read.All",),
        engine=replace(engine, version="5.1", edition="Desktop"),
        checks=(Check("users", "warned", "8 of 10"), Check("pages", "ok", "11 pages")),
    )
    before = replace(
        one,
        permissions=("Reports.Read.All", "User.Read.All"),
        engine=replace(engine, edition="Core"),
        checks=(Check("users", "ok", "10 of 10"), Check("pages", "ok", "10 pages")),
    )
    told = facts(before, after, place)
    assert told == {
        "tenant": ("contoso.example", "fabrikam.example"),
        "outcome": ("complete", "complete-with-gaps"),
        "concealed names": ("no", "yes"),
        "reader hash": (one.reader.sha256[:12], "f" * 12),
        f"reader file {first}": (files[first][:12], "e" * 12),
        "reader file New.ps1": ("-", "d" * 12),
        "beacon-bridge": (one.program.bridge, "9.9.9"),
        "settings tenant": ("contoso.example", "fabrikam.example"),
        "settings optional": ("usage", "concealed"),
        "settings max_drop": ("0.5", "0.9"),
        "permission Reports.Read.All": ("granted", "-"),
        "engine version": ("7.6", "5.1"),
        "engine edition": ("Core", "Desktop"),
        "gap concealed": ("-", "; ".join(["names are hidden (1)"] * 10)),
        "check users": ("ok: 10 of 10", "warned: 8 of 10"),
    }


def test_permissions_that_are_not_known(place: Workplace) -> None:
    """A token that does not say has not lost what another had."""
    rows = world(SMALL)
    before, after = collected(place, rows), collected(place, rows)
    told = facts(replace(before, permissions=("User.Read.All",)), after, place)
    assert told == {"permissions": ("User.Read.All", "not known: the token does not say")}


# --- what is not compared ---


def test_different_folders_are_refused(tmp_path: Path) -> None:
    """Both runs and both folders are named; a folder of the same name elsewhere is another one."""
    place = badges(tmp_path)
    before, after = badge_run(place, ("1",)), collected(place, world(SMALL))
    with pytest.raises(SettingsError) as refused, compared(place.runs, before, after):
        pass
    assert f"{before.run} is of Badge Service (path) and {after.run} is of Microsoft 365 (bridge)" in str(
        refused.value
    )


def test_what_is_not_whole_is_refused(place: Workplace) -> None:
    """A run that failed, or whose captures were saved by hand, is named."""
    good = collected(place, world(SMALL))
    failed = replace(good, stages=(replace(good.stages[0], outcome=State.FAILED),), state=State.FAILED)
    with (
        pytest.raises(PackageError, match="is failed: its captures are not whole"),
        compared(place.runs, failed, good),
    ):
        pass
    by_hand = replace(good, origin=Origin.BY_HAND)
    with pytest.raises(PackageError, match="saved by hand"), compared(place.runs, good, by_hand):
        pass


def test_captures_that_are_removed(place: Workplace) -> None:
    """The run is named, with what to do."""
    runs = collected(place, world(SMALL)), collected(place, world(SMALL))
    for file in (place.runs.path(runs[0].run) / "capture").iterdir():
        file.unlink()
    with (
        pytest.raises(PackageError, match=f"captures of {runs[0].run} are removed"),
        compared(place.runs, *runs),
    ):
        pass


class Swept(Runs):
    """Runs that lose every capture when their state is asked for: after the captures were looked at."""

    _state: Path

    @property
    def state(self) -> Path:
        """Remove every capture and return the state folder."""
        for file in self._state.glob("runs/*/capture/*"):
            file.unlink()
        return self._state

    @state.setter
    def state(self, value: Path) -> None:
        self._state = value


def test_captures_that_are_removed_meanwhile(place: Workplace) -> None:
    """No lock is held while rows are compared: what another process removed is said to be removed."""
    runs = collected(place, world(SMALL)), collected(place, world(SMALL))
    state = place.runs.state
    with (
        pytest.raises(PackageError, match=f"captures of {runs[0].run} are removed"),
        compared(Swept(state), *runs),
    ):
        pass


# --- which runs are meant ---


def dated(place: Workplace, days_ago: float, **more: object) -> Run:
    """Collect a run that began so many days ago."""
    made = collected(place, {name: [] for name in KEYS})
    moved = replace(made, started=made.started - timedelta(days_ago), **more)  # type: ignore[arg-type]  # by name
    place.runs.save(moved)
    return moved


def test_since_a_day(place: Workplace) -> None:
    """The last whole run that began on that local day or before, against the newest whole one."""
    four, three, newest = dated(place, 4), dated(place, 3), dated(place, 0)
    dated(place, 0, state=State.FAILED)
    day = three.started.astimezone().date()
    for since, expected_run in ((day, three), (day + timedelta(2), three), (day - timedelta(1), four)):
        assert [one.run for one in pair_since(place.runs, "Contoso", since)] == [expected_run.run, newest.run]


def test_since_a_day_that_is_too_early(place: Workplace) -> None:
    """What runs there are is said, and the command that would work."""
    with pytest.raises(SettingsError, match="there is none at all"):
        pair_since(place.runs, "Contoso", dated(place, 3, state=State.FAILED).started.date())
    runs = [dated(place, days) for days in (8, 7, 6, 5, 4, 3)]
    days = [run.started.astimezone().date() for run in runs]
    with pytest.raises(SettingsError, match=f"the first are {runs[0].run} of {days[0]}, ") as refused:
        pair_since(place.runs, "Contoso", days[0] - timedelta(1))
    assert runs[5].run not in str(refused.value)
    assert refused.value.hint == f'beacon-bridge diff "Contoso" --since {days[0]}'


def test_since_a_day_that_is_too_late(place: Workplace) -> None:
    """One run is not compared with itself."""
    newest = dated(place, 1)
    with pytest.raises(SettingsError, match=f"to compare {newest.run} with") as refused:
        pair_since(place.runs, "Contoso", newest.started.astimezone().date())
    assert refused.value.hint == 'Run it: beacon-bridge run "Contoso"'


def test_the_run_before(place: Workplace) -> None:
    """It is the last delivered one or, where none was, the last whole one that has its captures."""
    first, second, third = dated(place, 3), dated(place, 2), dated(place, 1)
    dated(place, 1, state=State.FAILED)
    last = dated(place, 0)
    assert before_of(place.runs, last).run == third.run
    for file in (place.runs.path(third.run) / "capture").iterdir():
        file.unlink()
    assert before_of(place.runs, last).run == second.run
    with pytest.raises(SettingsError, match=f"before {first.run} to compare it with"):
        before_of(place.runs, first)


def test_the_run_delivered_before(tmp_path: Path) -> None:
    """A newer one that was not delivered is passed over."""
    (tmp_path / "Outbox").mkdir()
    place = workplace(tmp_path, deliver_to=tmp_path / "Outbox")
    delivered = pipeline.run(place, contoso(place), silent)
    pipeline.collect(place, contoso(place), silent)
    assert before_of(place.runs, pipeline.collect(place, contoso(place), silent)).run == delivered.run


# --- memory ---

GROWTH = """
import sys
from pathlib import Path
import psutil
from bridge.difference import compared
from bridge.runs.store import Runs

runs = Runs(Path(sys.argv[1]))
process = psutil.Process()
start = process.memory_info().rss
with compared(runs, runs.load(sys.argv[2]), runs.load(sys.argv[3])) as found:
    rows = sum(1 for step in found.steps for _ in found.rows(step.step))
    rows += sum(1 for sku in found.skus for move in ("gained", "lost") for _ in found.movers(sku.sku, move))
print(rows, (process.memory_info().rss - start) // 1024**2)
"""


def test_memory_is_flat(place: Workplace) -> None:
    """Two tenants of 5,000 users each that have nobody in common take some megabytes."""
    runs = [collected_cells(place, crowd(5_000, first=first)) for first in (0, 5_000)]
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(place.runs.state), *(run.run for run in runs)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    rows, grown = map(int, done.stdout.split())
    assert rows == 2 * 5_000 * (1 + 2 + 3 + 1 + 2)  # users, licences, usage, sign-ins; who moved
    assert grown < 45
