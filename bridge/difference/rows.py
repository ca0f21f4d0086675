"""The rows of one step in two runs: those that are equal cancel out, what is left is paired by its key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import tee
from pathlib import Path

from bridge import tables
from bridge.difference.keys import Key
from bridge.tables import Cells, Tables, Values

# What stands between cells and for null in the text of a row: no cell holds either, for XML cannot.
_BETWEEN, _NULL = "\x00", "\x01"
_BEFORE, _AFTER = -1, 1


def row_text(cells: Sequence[str | None]) -> str:
    """Return a row as one text; ``row_cells`` gives the cells back."""
    return _BETWEEN.join([_NULL if cell is None else cell for cell in cells])


def row_cells(text: str) -> Cells:
    """Return the cells of a row's text."""
    return tuple(None if cell == _NULL else cell for cell in text.split(_BETWEEN))


@dataclass(frozen=True)
class Side:
    """One run's rows of a step: its capture, and the names of the capture's columns."""

    path: Path
    columns: tuple[str, ...]

    def cells(self, names: Sequence[str]) -> Iterator[Cells]:
        """Yield each row's cells in the order of the names."""
        own, picked = self._own(names)
        with tables.capture(self.path) as rows:
            yield from map(picked, rows.cells(own)) if picked else rows.cells(own)

    def chosen(self, names: Sequence[str], numbers: Iterator[int]) -> Iterator[Cells]:
        """Yield the cells of the rows with these numbers, which rise."""
        own, picked = self._own(names)
        with tables.capture(self.path) as rows:
            found = rows.chosen(own, numbers)
            yield from map(picked, found) if picked else found

    def _own(self, names: Sequence[str]) -> tuple[list[str], Callable[[Cells], Cells] | None]:
        """Return the names in this capture's order, and what puts its cells into the order asked for."""
        own = [name for name in self.columns if name in names]
        places = [own.index(name) for name in names]
        return own, None if own == list(names) else lambda cells: tuple([cells[place] for place in places])


@dataclass
class StepRows:
    """The rows of one step that are not what they were, in a table of their own once `compare` is done.

    ``told`` has the texts of the columns around the rows, by a row's first column, before and after.
    """

    base: Tables
    number: int
    columns: tuple[str, ...]
    key: Key | None
    counts: tuple[int, int] = (0, 0)
    told: tuple[dict[str, set[Cells]], dict[str, set[Cells]]] = field(default_factory=lambda: ({}, {}))

    @property
    def table(self) -> str:
        """The name of its table: kind, key, and the texts of the rows before and after."""
        return f"pairs{self.number}"

    def compare(self, before: Side, after: Side) -> None:
        """Read both captures and keep what differs."""
        self.base.do("CREATE TABLE seen (digest BLOB, side INTEGER, number INTEGER)")
        self.counts = (
            self.base.fill("seen", 3, self._digests(before, _BEFORE)),
            self.base.fill("seen", 3, self._digests(after, _AFTER)),
        )
        self.base.do(_ODD)
        self.base.do("DROP TABLE seen")
        self.base.do("CREATE TABLE lone (key TEXT, side INTEGER, row TEXT)")
        self.base.fill("lone", 3, self._lone(before, _BEFORE))
        self.base.fill("lone", 3, self._lone(after, _AFTER))
        self.base.do("DROP TABLE odd")
        self.base.do(_PAIRED.format(table=self.table))
        self.base.do("DROP TABLE lone")

    def _digests(self, side: Side, sign: int) -> Iterator[Values]:
        around = self.key.around if self.key else ()
        width = len(self.columns)
        told = self.told[sign > 0]
        for number, cells in enumerate(side.cells((*self.columns, *around))):
            if around:
                told.setdefault(str(cells[0]), set()).add(cells[width:])
            text = row_text(cells[:width])
            yield blake2b(text.encode(), digest_size=16).digest(), sign, number

    def _lone(self, side: Side, sign: int) -> Iterator[Values]:
        """Yield the rows that this side has more often than the other, each as often as that."""
        wanted, times = tee(self.base.ask(_WANTED, sign))
        rows = side.chosen(self.columns, (int(str(number)) for number, _ in wanted))
        places = [self.columns.index(name) for name in self.key.columns] if self.key else None
        for cells, (_, count) in zip(rows, times, strict=True):
            text = row_text(cells)
            key = text if places is None else row_text([cells[place] for place in places])
            for _ in range(int(str(count))):
                yield key, sign, text

    # --- what was found ---

    def kinds(self) -> Mapping[str, int]:
        """Return how many rows were added, removed and changed."""
        found = self.base.ask(f"SELECT kind, COUNT(*) FROM {self.table} GROUP BY kind")  # noqa: S608  # our name
        return {str(kind): int(str(count)) for kind, count in found}

    def changed_columns(self) -> Mapping[str, int]:
        """Return in how many changed rows each column is another, in the step's order."""
        counts: Counter[str] = Counter()
        question = f"SELECT before, after FROM {self.table} WHERE kind = 'changed'"  # noqa: S608  # our name
        for old, new in self.base.ask(question):
            pairs = zip(self.columns, row_cells(str(old)), row_cells(str(new)), strict=True)
            counts.update(name for name, was, is_now in pairs if was != is_now)
        return {name: counts[name] for name in self.columns if counts[name]}

    def pairs(self) -> Iterator[tuple[str, Cells | None, Cells | None]]:
        """Yield the kind of each row, and its cells before and after, ordered by key."""
        for kind, old, new in self.base.ask(f"SELECT kind, before, after FROM {self.table}"):  # noqa: S608  # our name
            yield str(kind), *(None if text is None else row_cells(str(text)) for text in (old, new))  # type: ignore[misc]  # two of them


_ODD = """
CREATE TABLE odd AS SELECT
  CASE WHEN SUM(side) > 0 THEN 1 ELSE -1 END AS side, ABS(SUM(side)) AS times,
  CASE WHEN SUM(side) > 0 THEN MIN(CASE side WHEN 1 THEN number END)
    ELSE MIN(CASE side WHEN -1 THEN number END) END AS number
FROM seen GROUP BY digest HAVING SUM(side) != 0
"""
_WANTED = "SELECT number, times FROM odd WHERE side = ? ORDER BY number"
# The first row of a key pairs with the first of that key on the other side, and so on.
_PAIRED = """
CREATE TABLE {table} AS
WITH numbered AS (
  SELECT key, side, row, ROW_NUMBER() OVER (PARTITION BY key, side ORDER BY row) AS place FROM lone
)
SELECT
  CASE WHEN COUNT(*) = 2 THEN 'changed' WHEN MAX(side) = 1 THEN 'added' ELSE 'removed' END AS kind,
  MAX(CASE side WHEN -1 THEN row END) AS before, MAX(CASE side WHEN 1 THEN row END) AS after
FROM numbered GROUP BY key, place ORDER BY key, place
"""
