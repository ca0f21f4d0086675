"""A position as a page with charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.position import Licence, Position
from bridge.show.page import Chart, Grid, Note, Part, page
from bridge.show.position.words import (
    HALF,
    MOST_BARS,
    MOST_LISTED,
    PEOPLE,
    UNITS,
    USERS,
    Everyone,
    again,
    counted,
    facts,
    person,
    renewal,
)

_HEAD = ("Product", "Part number", *UNITS, *USERS, "Renewal")


def html(found: Position) -> str:
    """Return one position as a page."""
    return page(f"Position of {found.connection}", facts(found), [Note(HALF), *_parts(found)])


def all_html(found: Everyone) -> str:
    """Return all positions as a page, and at most some users of each kind."""
    parts: list[Part] = [Note(HALF)]
    for one in found.positions:
        parts.append(Grid(one.connection, ("What", "Says"), facts(one)))
        parts += _parts(one, f"{one.connection}: ")
    parts += map(Note, again(found.matching))
    for count in list(found.matching.counts()):
        listed = found.matching.strangers(count.kind, guests=count.guests, most=MOST_LISTED)
        more = f"At most {MOST_LISTED} are listed here; --json and --csv list all."
        parts.append(Grid(counted(count), PEOPLE, [person(user) for user in listed], note=more))
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
        rows = [[one.name, one.part_number, *_numbers(one), renewal(one)] for one in found.licences]
        yield Grid(f"{before}Licences", _HEAD, rows)
    else:
        yield Note(f"{before}The tenant has no licences.")


def _numbers(one: Licence) -> list[int | None]:
    return [getattr(one, name) for name in (*UNITS.values(), *USERS.values())]


def _most(found: Sequence[Licence]) -> list[Licence]:
    """Return those with the most users, in the order of the table."""
    kept = sorted(found, key=lambda one: one.assigned, reverse=True)[:MOST_BARS]
    return [one for one in found if one in kept]


def _left_out(bars: Sequence[Licence], of: Sequence[Licence], more: str) -> str:
    shown = f"The {len(bars)} of {len(of)} products with the most users." if len(bars) < len(of) else ""
    return f"{shown} {more}".strip()
