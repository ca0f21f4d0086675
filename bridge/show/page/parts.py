"""What a page is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Cell = str | int | None


@dataclass(frozen=True)
class Chart:
    """Bars from left to right: for each label one bar of each series, or one bar of all of them."""

    title: str
    kind: Literal["bars", "stacked"]
    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]
    note: str = ""

    @property
    def grid(self) -> Grid:
        """The chart's numbers as a table."""
        numbers = zip(self.labels, *self.series.values(), strict=True)
        return Grid(self.title, ("", *self.series), [(name, *map(int, row)) for name, *row in numbers])


@dataclass(frozen=True)
class Grid:
    """A table: numbers stand to the right, and None is what is not known."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold nothing but numbers, as far as they are known."""
        columns = ([row[at] for row in self.rows] for at in range(len(self.head)))
        return tuple(all(one is None or isinstance(one, int) for one in cells) for cells in columns)


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str


Part = Chart | Grid | Note
