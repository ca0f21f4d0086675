"""A CSV file that is read while it arrives: rows by column, and nothing that was cut looks whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from bridge.collect.graph.cells import Unfit


class Arriving(io.RawIOBase):
    """Blocks of bytes as they come, as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True: that is what it is for."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # its parent's type is wider
        """Fill a buffer as far as the block at hand goes; 0 at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def rows(blocks: Iterator[bytes]) -> Iterator[list[str]]:
    """Yield the lines of a CSV in UTF-8, with or without a byte order mark: first the columns, then rows.

    A cell may hold commas and line breaks. Raises Unfit for a row that is shorter or longer than the columns,
    for quotes that do not end, and for what is no UTF-8; empty lines are passed over.
    """
    file = io.TextIOWrapper(io.BufferedReader(Arriving(blocks)), encoding="utf-8-sig", newline="")
    number = 0
    try:
        lines = filter(None, csv.reader(file, strict=True))
        columns = next(lines, None)
        if columns is None:
            raise Unfit("it is empty")
        yield columns
        for number, row in enumerate(lines, start=1):
            if len(row) != len(columns):
                raise Unfit(f"row {number} has {len(row)} cells, expected {len(columns)}")
            yield row
    except UnicodeDecodeError as error:
        raise Unfit(f"after row {number} a byte is not UTF-8: {error.reason}") from error
    except csv.Error as error:
        raise Unfit(f"after row {number} it is no CSV: {error}") from error
