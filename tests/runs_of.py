"""Runs of our reader folder whose rows a test says: those of a simulated tenant, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bridge import beacon, pipeline
from bridge.model import Connection, Gap, Owner, Step
from bridge.readers import folder
from bridge.runs.record import Run
from bridge.workplace import Workplace
from tests.engines import RowsEngine, contoso, silent, workplace
from tools.tenant import Tenant
from tools.tenant.faults import NO_FAULTS, Faults
from tools.tenant.truth import Row, truth

World = dict[str, list[Row]]
Cells = Mapping[str, Iterable[Sequence[str | None]]]
OURS = "bridge:Microsoft 365"
FOLDER = beacon.shipped() / "Inventory" / "Reader" / "Microsoft 365"
MOMENT = "2026-11-22T08:15:30Z"


def world(tenant: Tenant, faults: Faults = NO_FAULTS) -> World:
    """Return every row of a tenant, by step; those of Control with a moment."""
    found = {step: list(rows) for step, rows in truth(tenant, faults).items()}
    for step in ("Control.xml/Opening", "Control.xml/Closing"):
        found[step] = [{**row, "Moment": MOMENT} for row in found[step]]
    return found


def changed(before: World, step: str, change: Callable[[list[Row]], list[Row]]) -> World:
    """Return a world in which one step's rows are others."""
    return {**before, step: change(before[step])}


def ours(place: Workplace, **more: object) -> Connection:
    """Return the connection Contoso, read by our own folder."""
    parameters = {
        "GraphRoot": "https://graph.microsoft.com",
        "AccessToken": contoso(place).parameters["ApiKey"],
    }
    facts: dict[str, object] = {"reader": OURS, "parameters": parameters, **more}
    return replace(contoso(place), **facts)  # type: ignore[arg-type]  # fields by name


def site(home: Path) -> Workplace:
    """Return a workplace without runs."""
    return workplace(home)


def collected(place: Workplace, rows: World, *, gaps: Sequence[Gap] = (), **more: object) -> Run:
    """Collect a world into a run of our folder; ``more`` are further fields of the connection."""
    steps = {step.id: [column.name for column in step.columns] for step in _steps()}
    cells = {step: [[row[name] for name in steps[step]] for row in found] for step, found in rows.items()}
    return collected_cells(place, cells, gaps=gaps, **more)


def collected_cells(place: Workplace, cells: Cells, *, gaps: Sequence[Gap] = (), **more: object) -> Run:
    """Collect the cells of each step into a run of our folder, as they are made."""
    engine = RowsEngine(rows=(), by_step=cells, gaps=gaps)
    named = {"optional": tuple({gap.name for gap in gaps}), **more}
    return pipeline.collect(replace(place, engines=lambda _: engine), ours(place, **named), silent)


def _steps() -> Sequence[Step]:
    return folder.load(FOLDER, Owner.BRIDGE).to_collect


# --- many people, made as they are read ---

_SKUS = tuple(f"{number:08x}-0000-4000-8000-000000000000" for number in range(40))
_REPORTS = ("getOffice365ActiveUserDetail", "getOffice365ActivationsUserDetail", "getM365AppUserDetail")
_DAY = "2026-11-19T00:00:00"


def crowd(users: int, *, first: int = 0, every: int = 0) -> Cells:
    """Return the cells of a tenant of so many users, whose numbers begin with ``first``.

    Each has two licences, three rows of usage and a sign-in. Of every so many one is not what it was.
    """
    numbers = range(first, first + users)

    def odd(number: int) -> bool:
        return bool(every) and number % every == 0

    return {
        "Subscription.xml/Subscription": (_subscription(sku, users) for sku in _SKUS),
        "User.xml/User": (_user(number, odd(number)) for number in numbers),
        "Assignment.xml/Assignment": (
            (_id(number), _SKUS[(number + more + odd(number)) % 40], None, "Active", _PLANS)
            for number in numbers
            for more in (0, 20)
        ),
        "Usage.xml/Usage": (_usage(number, report, odd(number)) for report in _REPORTS for number in numbers),
        "SignIn.xml/SignIn": ((_id(number), MOMENT, None, MOMENT) for number in numbers),
    }


_PLANS = ";".join(f"{number:08x}-1111-4000-8000-000000000000" for number in range(3))
_DETAILS = ";".join(
    f"{name} Last Activity Date=2026-11-0{n}" for n, name in enumerate(("Exchange", "Teams"), 1)
)


def _id(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def _name(number: int) -> str:
    return f"user{number}@contoso.example"


def _subscription(sku: str, users: int) -> Sequence[str | None]:
    units = (str(users), "0", "0", "0", str(users // 20))
    return (sku, f"PART_{sku[:8]}", f"Product {sku[:8]}", sku, "contoso", "User", "Enabled", *units, sku)


def _user(number: int, odd: bool) -> Sequence[str | None]:
    name = _name(number)
    names = (f"User {number} & Co", "User", str(number), "true", "Member", MOMENT, "Germany")
    return (_id(number), name, name, f"SMTP:{name}", None, *names, f"Unit {odd:d}", "DE", None, None)


def _usage(number: int, report: str, odd: bool) -> Sequence[str | None]:
    details = f"Display Name=User {number};{_DETAILS};More={odd:d}"
    return (report, _DAY, "D30", _name(number), None, "false", _DAY, None, "OFFICE 365 E3+VISIO", details)
