"""A tenant's position as people and scripts get it: lines, JSON, CSV and a page."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import IO

from rich.table import Table

from bridge import system
from bridge.convert.values import display
from bridge.errors import BridgeError
from bridge.position import Count, Licence, Matching, Position, Stranger
from bridge.show import screen
from bridge.show.page import Chart, Grid, Note, Part, page

HALF = "This is the online half: local Office installations are counted by the server."
MOST_LISTED = 20  # users of a kind on a screen and on a page; JSON and CSV have all
MOST_BARS = 25

_UNITS = {"Bought": "bought", "Warning": "warning", "Suspended": "suspended", "Locked out": "locked_out"}
_USERS = {
    "Assigned": "assigned",
    "To disabled": "assigned_disabled",
    "Active": "active",
    "Before": "active_before",
    "Never": "never_active",
    "Not reported": "not_reported",
    "Devices": "devices",
}
_HEAD = ("Product", "Part number", *_UNITS, *_USERS, "Renewal")
_SAYS = {
    ("without mail", False): "users without mail",
    ("without mail", True): "guests without mail",
    ("mail shared", False): "users who share a mail address in one tenant",
    ("mail shared", True): "users who share one with a guest",
    ("mail in several tenants", False): "users whose mail address is in several tenants",
    ("mail in several tenants", True): "users and guests whose mail address is in several tenants",
}


@dataclass(frozen=True)
class Everyone:
    """The positions of all connections, the errors of those without one, and who does not match by mail."""

    positions: Sequence[Position]
    failed: Mapping[str, BridgeError]
    matching: Matching


# --- for people ---


def facts(found: Position) -> list[tuple[str, str]]:
    """Return what the numbers are of, and when they were true."""
    whose = f"{found.organization} ({found.tenant})" if found.organization else found.tenant
    people = found.people
    return [
        ("Connection", found.connection),
        ("Tenant", whose),
        ("Run", f"{found.run}, begun {screen.local(found.started)}, {found.state}{_development(found)}"),
        ("Read", f"from {found.opened or '-'} to {found.closed or '-'}, by the service's clock"),
        *(
            (f"Report {one.name}", f"until {one.refreshed or '-'}, period {one.period}, {one.rows:,} rows")
            for one in found.reports
        ),
        (
            "Users",
            f"{people.users:,}, of them {people.guests:,} guests and {people.disabled:,} disabled; "
            f"{people.holders:,} hold a licence",
        ),
        *((f"Gap {gap.name}", gap.text) for gap in found.gaps),
        *((f"Check {check.name}", f"{check.level}: {check.text}") for check in found.warned),
        *((f"Unknown {kind}", why) for kind, why in found.unknown.items()),
    ]


def _development(found: Position) -> str:
    return ", development" if found.development else ""


def lines(found: Position) -> list[object]:
    """Return the facts, the licences, and which half it is."""
    told = facts(found)
    width = max(len(name) for name, _ in told)
    return [
        *(f"{name:<{width}}  {display(text)}" for name, text in told),
        "",
        *_tables(found.licences),
        HALF,
    ]


def _tables(found: Sequence[Licence]) -> Iterator[Table | str]:
    """Yield what was bought, then who uses it: both in one table are too wide for most terminals."""
    if not found:
        yield "The tenant has no licences."
        return
    bought = ([one.name, one.part_number, *_counts(one, _UNITS), _renewal(one)] for one in found)
    yield _table(("Product", "Part number", *_UNITS, "Renewal"), bought)
    yield ""
    yield _table(("Product", *_USERS), ([one.name, *_counts(one, _USERS)] for one in found))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    drawn = screen.table(head, ([display(cell) for cell in row] for row in rows))
    for name, column in zip(head, drawn.columns, strict=True):
        if name in _UNITS or name in _USERS:
            column.header = name.replace(" ", "\n")
            column.justify = "right"
        column.no_wrap = name not in {"Product", "Part number"}
    return drawn


def _counts(one: Licence, names: Mapping[str, str]) -> Iterator[str]:
    numbers = (getattr(one, name) for name in names.values())
    return ("-" if number is None else f"{number:,}" for number in numbers)


def _renewal(one: Licence) -> str:
    if one.renewal is None:
        return "-"
    return f"{one.renewal}{' (trial)' * one.renewal_is_trial}{' (ends)' * one.renewal_ends}"


def all_lines(found: Everyone) -> list[object]:
    """Return every position, then the users whom mail does not tell apart, at most some of each kind."""
    told: list[object] = []
    for one in found.positions:
        told += [*lines(one), ""]
    told += [*_again(found.matching)]
    if found.positions:
        told += _matching_lines(found.matching)
    return told


def _again(matching: Matching) -> Iterator[str]:
    for name in matching.again:
        yield f"{name} reads a tenant that another connection reads, too: its users count once."


def _matching_lines(matching: Matching) -> Iterator[object]:
    counts = list(matching.counts())
    if not counts:
        yield "Every user has a mail address that nobody else has."
        return
    yield "Users are matched by mail. Mail does not tell these from each other:"
    for one in counts:
        yield ""
        yield f"{_count(one)}:"
        listed = list(matching.strangers(one.kind, guests=one.guests, most=MOST_LISTED))
        yield screen.table(_PEOPLE, ([display(cell) for cell in _person(user)] for user in listed))
        if one.users > len(listed):
            yield f"and {one.users - len(listed):,} more; --json and --csv list all"


_PEOPLE = ("Mail", "Connection", "Principal name", "Name", "Guest", "Licence")


def _count(one: Count) -> str:
    mails = "" if one.kind == "without mail" else f" with {one.mails:,} addresses"
    return f"{one.users:,} {_SAYS[one.kind, one.guests]}{mails}, {one.holders:,} of them with a licence"


def _person(user: Stranger) -> tuple[str, ...]:
    return (
        user.mail or "-",
        user.connection,
        user.principal_name,
        user.display_name,
        "guest" if user.is_guest else "",
        "yes" if user.holds else "",
    )


# --- for scripts ---


def as_json(found: Position) -> dict[str, object]:
    """Return a position; numbers that are not known are null, and ``unknown`` says why."""
    value = asdict(found)
    value["started"] = system.timestamp(found.started)
    value["half"] = "online"
    return value


def write_all_json(found: Everyone, out: IO[str]) -> None:
    """Write all positions and every user whom mail does not tell apart, one at a time."""
    value = {
        "connections": [as_json(one) for one in found.positions],
        "failed": [{"connection": name, **screen.error_json(error)} for name, error in found.failed.items()],
        "read_again": list(found.matching.again),
        "counts": [asdict(one) for one in found.matching.counts()],
    }
    out.write(screen.as_json(value).removesuffix("\n}") + ',\n  "people": [')
    for number, user in enumerate(_everybody(found.matching)):
        out.write(f"{',' if number else ''}\n    {screen.as_json(asdict(user), indent=None)}")
    out.write("\n  ]\n}\n")


def _everybody(matching: Matching) -> Iterator[Stranger]:
    for one in list(matching.counts()):
        yield from matching.strangers(one.kind, guests=one.guests)


_WHERE = ("connection", "tenant", "run")
_LICENCE = tuple(one.name for one in fields(Licence))
_STRANGER = tuple(one.name for one in fields(Stranger) if one.name not in _WHERE)


def write_csv(found: Position, out: IO[str]) -> None:
    """Write a line a licence; what is not known is empty."""
    _write(out, (*_WHERE, *_LICENCE), _lines(found))


def write_all_csv(found: Everyone, out: IO[str]) -> None:
    """Write the licences of all, then every user whom mail does not tell apart; ``list`` says which it is."""
    licences = ({"list": "licence", **line} for one in found.positions for line in _lines(one))
    people = ({"list": user.kind, **asdict(user)} for user in _everybody(found.matching))
    _write(out, ("list", *_WHERE, *_LICENCE, *_STRANGER), chain(licences, people))


def _lines(found: Position) -> Iterator[dict[str, object]]:
    where = {name: getattr(found, name) for name in _WHERE}
    yield from ({**where, **asdict(licence)} for licence in found.licences)


def _write(out: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_plain(row.get(name)) for name in columns])


def _plain(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula: names come from strangers."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    text = display(str(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@")) else text


# --- a page ---


def html(found: Position) -> str:
    """Return one position as a page."""
    return page(f"Position of {found.connection}", facts(found), [Note(HALF), *_parts(found)])


def all_html(found: Everyone) -> str:
    """Return all positions as a page, and at most some users of each kind."""
    parts: list[Part] = [Note(HALF)]
    for one in found.positions:
        parts.append(Grid(one.connection, ("What", "Says"), facts(one)))
        parts += _parts(one, f"{one.connection}: ")
    parts += map(Note, _again(found.matching))
    for count in list(found.matching.counts()):
        listed = found.matching.strangers(count.kind, guests=count.guests, most=MOST_LISTED)
        more = f"At most {MOST_LISTED} are listed here; --json and --csv list all."
        parts.append(Grid(_count(count), _PEOPLE, [_person(user) for user in listed], note=more))
    told = [("Connections", str(len(found.positions)))]
    told += [(name, str(error)) for name, error in found.failed.items()]
    return page("Position of all connections", told, parts)


def _parts(found: Position, before: str = "") -> Iterator[Part]:
    bought = [one for one in found.licences if one.bought is not None and one.applies_to != "Company"]
    if bars := _most(bought):
        yield Chart(
            f"{before}Bought and assigned",
            "bars",
            [one.name for one in bars],
            {"Bought": [one.bought or 0 for one in bars], "Assigned": [one.assigned for one in bars]},
            note=_left_out(bars, bought, "Licences that apply to the whole company are in the table only."),
        )
    used = [one for one in found.licences if one.active is not None and one.assigned]
    if bars := _most(used):
        yield Chart(
            f"{before}Use of what is assigned",
            "stacked",
            [one.name for one in bars],
            {
                "Active in the period": [one.active or 0 for one in bars],
                "Active before": [one.active_before or 0 for one in bars],
                "Never active": [one.never_active or 0 for one in bars],
                "Not in the report": [one.not_reported or 0 for one in bars],
            },
            note=_left_out(bars, used, ""),
        )
    if found.licences:
        rows = [[one.name, one.part_number, *_numbers(one), _renewal(one)] for one in found.licences]
        yield Grid(f"{before}Licences", _HEAD, rows)
    else:
        yield Note(f"{before}The tenant has no licences.")


def _numbers(one: Licence) -> list[int | None]:
    return [getattr(one, name) for name in (*_UNITS.values(), *_USERS.values())]


def _most(found: Sequence[Licence]) -> list[Licence]:
    """Return those with the most users, in the order of the table."""
    kept = sorted(found, key=lambda one: one.assigned, reverse=True)[:MOST_BARS]
    return [one for one in found if one in kept]


def _left_out(bars: Sequence[Licence], of: Sequence[Licence], more: str) -> str:
    shown = f"The {len(bars)} of {len(of)} products with the most users." if len(bars) < len(of) else ""
    return f"{shown} {more}".strip()
