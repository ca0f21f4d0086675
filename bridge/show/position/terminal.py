"""A position on a terminal: facts, then tables of the licences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.table import Table

from bridge.convert.values import display
from bridge.position import Licence, Matching, Position
from bridge.show import screen
from bridge.show.position.words import (
    HALF,
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
    bought = ([one.name, one.part_number, *_counts(one, UNITS), renewal(one)] for one in found)
    yield _table(("Product", "Part number", *UNITS, "Renewal"), bought)
    yield ""
    yield _table(("Product", *USERS), ([one.name, *_counts(one, USERS)] for one in found))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    drawn = screen.table(head, ([display(cell) for cell in row] for row in rows))
    for name, column in zip(head, drawn.columns, strict=True):
        if name in UNITS or name in USERS:
            column.header = name.replace(" ", "\n")
            column.justify = "right"
        column.no_wrap = name not in {"Product", "Part number"}
    return drawn


def _counts(one: Licence, names: Mapping[str, str]) -> Iterator[str]:
    numbers = (getattr(one, name) for name in names.values())
    return ("-" if number is None else f"{number:,}" for number in numbers)


def all_lines(found: Everyone) -> list[object]:
    """Return every position, then the users whom mail does not tell apart, at most some of each kind."""
    told: list[object] = []
    for one in found.positions:
        told += [*lines(one), ""]
    told += [*again(found.matching)]
    if found.positions:
        told += _matching_lines(found.matching)
    return told


def _matching_lines(matching: Matching) -> Iterator[object]:
    counts = list(matching.counts())
    if not counts:
        yield "Every user has a mail address that nobody else has."
        return
    yield "Users are matched by mail. Mail does not tell these from each other:"
    for one in counts:
        yield ""
        yield f"{counted(one)}:"
        listed = list(matching.strangers(one.kind, guests=one.guests, most=MOST_LISTED))
        yield screen.table(PEOPLE, ([display(cell) for cell in person(user)] for user in listed))
        if one.users > len(listed):
            yield f"and {one.users - len(listed):,} more; --json and --csv list all"
