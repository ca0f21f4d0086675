"""What two runs say of each SKU: its units, and which users hold it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from bridge.capture import unescape
from bridge.difference.found import Person, SkuChange, Units
from bridge.difference.rows import Side
from bridge.readers.ours import HOLDING
from bridge.tables import Tables, Values

_UNITS = ("CapabilityStatus", "Enabled", "Warning", "Suspended", "LockedOut", "ConsumedUnits")
_NAMES = ("SkuId", "SkuPartNumber", "ProductName")
Move = Literal["gained", "lost"]
Sides = tuple[Side, Side]


class Skus:
    """The SKUs of two runs, and the users who gained or lost one."""

    def __init__(self, base: Tables) -> None:
        self._base = base

    def compare(self, subscriptions: Sides, assignments: Sides, users: Sides) -> tuple[SkuChange, ...]:
        """Return what each SKU was and is, by name; ``movers`` is answered from then on."""
        self._base.do("CREATE TABLE held (sku TEXT, person TEXT, side INTEGER)")
        for number, side in enumerate(assignments):
            self._base.fill("held", 3, _holders(side, number))
        self._base.do(_HOLDERS)
        self._base.do("DROP TABLE held")
        self._base.do(_MOVERS)
        self._name(users)
        old, new = (dict(_subscribed(side)) for side in subscriptions)
        counts = {str(sku): tuple(map(int, map(str, numbers))) for sku, *numbers in self._base.ask(_COUNTS)}
        found = [_sku(sku, old.get(sku), new.get(sku), counts.get(sku)) for sku in {*old, *new, *counts}]
        return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.sku)))

    def _name(self, users: Sides) -> None:
        """Keep the principal name of every user of either run."""
        for number, side in enumerate(users):
            self._base.do(f"CREATE TABLE people{number} (person TEXT, name TEXT)")
            self._base.fill(f"people{number}", 2, side.cells(("UserId", "UserPrincipalName")))
            self._base.do(f"CREATE INDEX by_person{number} ON people{number} (person)")

    def name(self, person: str) -> str | None:
        """Return a user's principal name after or, for one who is gone, before; None for a stranger."""
        for table in ("people1", "people0"):
            found = next(self._base.ask(f"SELECT name FROM {table} WHERE person = ?", person), None)  # noqa: S608  # ours
            if found is not None:
                return None if found[0] is None else unescape(str(found[0]))
        return None

    def movers(self, sku: str, move: Move) -> Iterator[Person]:
        """Yield who gained or lost a SKU, by id."""
        question = "SELECT person FROM movers WHERE sku = ? AND gained = ? ORDER BY person"
        for (person,) in self._base.ask(question, sku, int(move == "gained")):
            yield Person(str(person), self.name(str(person)))


def _holders(side: Side, number: int) -> Iterator[Values]:
    for person, sku, state in side.cells(("UserId", "SkuId", "State")):
        if state in HOLDING:
            yield sku, person, number


_HOLDERS = """
CREATE TABLE holders AS
SELECT sku, person, MIN(side) = 0 AS held, MAX(side) = 1 AS holds FROM held GROUP BY sku, person
"""
_MOVERS = "CREATE TABLE movers AS SELECT sku, person, holds AS gained FROM holders WHERE held != holds"
_COUNTS = """
SELECT sku, SUM(held), SUM(holds), SUM(holds AND NOT held), SUM(held AND NOT holds) FROM holders GROUP BY sku
"""


def _subscribed(side: Side) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    for sku, *cells in side.cells((*_NAMES, *_UNITS)):
        yield str(sku), tuple(None if cell is None else unescape(cell) for cell in cells)


def _sku(
    sku: str,
    old: tuple[str | None, ...] | None,
    new: tuple[str | None, ...] | None,
    counts: tuple[int, ...] | None,
) -> SkuChange:
    part_number, product = (new or old or (None, None))[:2]
    return SkuChange(
        sku,
        product or part_number or sku,
        part_number or "",
        _units(old),
        _units(new),
        *(counts or (0, 0, 0, 0)),
    )


def _units(cells: tuple[str | None, ...] | None) -> Units | None:
    if cells is None:
        return None
    status, *numbers = cells[2:]
    return Units(status, *(None if number is None else int(number) for number in numbers))
