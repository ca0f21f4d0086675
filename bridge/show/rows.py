"""The rows of a file of reader XML output, as they are read: a table for people, JSON lines for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

from rich.cells import cell_len, set_cell_size

from bridge.convert import dialects
from bridge.convert.values import Row, as_json, display

SAMPLE = 50  # rows that decide a table's columns and widths: no more than these are held in memory
WIDEST = 40  # of a column, in cells of a terminal
CUT, EMPTY, MISSING = "...", '""', "-"


def show(file: Path, out: IO[str], *, json: bool) -> None:
    """Write a file's rows; ReaderOutputError where it cannot be trusted, after the rows before that place."""
    if json:
        for row in dialects.read(file):
            out.write(f"{as_json(row)}\n")
        return
    table = _Table(out)
    try:
        for row in dialects.read(file):
            table.add(row)
    finally:
        table.end()


class _Table:
    """A table that is written while its rows come.

    Its columns are the properties of the first rows, as wide as those need; a later row that needs more is
    out of line. A property that comes up later stands at the end of its row.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._rows = 0
        self._held: list[Row] = []
        self._widths: dict[str, int] | None = None  # None while rows are held

    def add(self, row: Row) -> None:
        """Take one row more."""
        if self._widths is not None:
            self._write(row)
            return
        self._held.append(row)
        if len(self._held) == SAMPLE:
            self._begin()

    def end(self) -> None:
        """Write what is still held, and how many rows there are."""
        if self._widths is None:
            self._begin()
        self._out.write(f"{self._rows:,} row{'' if self._rows == 1 else 's'}\n")

    def _begin(self) -> None:
        """Write the head and the rows that decided it."""
        self._widths = {}
        for row in self._held:
            for name in row:
                widest = max(self._widths.get(name, cell_len(display(name))), cell_len(_shown(row, name)))
                self._widths[name] = min(WIDEST, widest)
        if self._held:
            self._line("#", ((display(name), width) for name, width in self._widths.items()))
        for row in self._held:
            self._write(row)
        self._held = []

    def _write(self, row: Row) -> None:
        widths = self._widths or {}
        self._rows += 1
        more = " ".join(f"{display(name)}={_shown(row, name)}" for name in row if name not in widths)
        cells = [(_shown(row, name), width) for name, width in widths.items()]
        self._line(str(self._rows), cells, more)

    def _line(self, number: str, cells: Iterable[tuple[str, int]], more: str = "") -> None:
        self._out.write("  ".join((f"{number:>5}", *(_fit(*one) for one in cells), more)).rstrip() + "\n")


def _shown(row: Row, name: str) -> str:
    if name not in row:
        return MISSING
    return EMPTY if row[name] == "" else display(row[name])


def _fit(text: str, width: int) -> str:
    """Return a text padded to its column; only a text wider than any column may be is cut."""
    if cell_len(text) > WIDEST:
        text = set_cell_size(text, WIDEST - len(CUT)) + CUT
    return text + " " * (width - cell_len(text))
