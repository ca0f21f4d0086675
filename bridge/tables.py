"""Rows of captures and data entries as tables of a temporary SQLite file, for questions across rows."""

from __future__ import annotations

import re
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.capture import keys
from bridge.convert.frames import Frames, parse_entry_head, parse_header, parse_trailer
from bridge.errors import PackageError, ReaderOutputError
from bridge.model import Column

_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "#x9": "\t", "#xA": "\n", "#xD": "\r"}
_ENTITY = re.compile("&(amp|lt|gt|quot|#x9|#xA|#xD);")
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")

Cells = tuple[str | None, ...]


# --- where rows come from ---


@dataclass(frozen=True)
class Rows:
    """The rows of one step, read once and in order: its columns, and chunks of whole row lines."""

    columns: tuple[Column, ...]
    frames: Frames
    is_capture: bool

    def cells(self, names: Sequence[str]) -> Iterator[Cells]:
        """Yield each row's cells of the named columns, None for null.

        A text is as the capture holds it, without its entities: ``capture.unescape`` gives the exact one.
        Raises ReaderOutputError for a line that is no row, for a count that is not the trailer's, and for a
        column that is not there.
        """
        pattern = _pattern([column.name for column in self.columns], names, self.frames)
        count = 0
        for chunk in self.frames.lines():
            text = chunk.decode()
            found = [match.groups() for match in pattern.finditer(text)]
            if len(found) != text.count("\n"):
                raise self.frames.wrong(f"one of the rows from {count + 1} on is no row")
            count += len(found)
            yield from map(_plain, found) if "&" in text else found
        tail = self.frames.tail()
        if self.is_capture and parse_trailer(tail, self.frames).rows != count:
            raise self.frames.wrong(f"its trailer does not count {count} rows")


def _pattern(names: Sequence[str], wanted: Sequence[str], frames: Frames) -> re.Pattern[str]:
    """Return the pattern of a row line with a group for each wanted column, which come in their own order."""
    if missing := [name for name in wanted if name not in names]:
        raise frames.wrong(f"it has no column {missing[0]}")
    if list(wanted) != sorted(wanted, key=list(names).index):
        raise ValueError("columns are asked for in the order that the step has them in")
    parts = (
        f'(?: {key}="([^"<]*)")?' if name in wanted else f'(?: {key}="[^"<]*")?'
        for key, name in zip(keys(len(names)), names, strict=True)
    )
    return re.compile(f"^<r{''.join(parts)}/>$", re.MULTILINE)


def _plain(cells: Cells) -> Cells:
    return tuple(
        _ENTITY.sub(lambda found: _ENTITIES[found[1]], text) if text and "&" in text else text
        for text in cells
    )


@contextmanager
def capture(path: Path) -> Iterator[Rows]:
    """Open a capture; ReaderOutputError where it cannot be read or is none."""
    try:
        with path.open("rb") as file:
            frames = Frames(file.read, path.name)
            yield Rows(parse_header(frames.head(), frames).columns, frames, is_capture=True)
    except OSError as error:
        raise ReaderOutputError(f"{path} cannot be read: {error.strerror or error}.") from error


@contextmanager
def entry(package: Path, name: str) -> Iterator[Rows]:
    """Open a data entry of a package; PackageError where it cannot be read."""
    try:
        with zipfile.ZipFile(package) as archive, archive.open(name) as file:
            frames = Frames(file.read, f"{package.name}/{name}")
            _, columns = parse_entry_head(frames.head(), frames)
            yield Rows(columns, frames, is_capture=False)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise PackageError(f"{package} cannot be read: {error}.") from error


# --- the tables ---


class Tables(AbstractContextManager["Tables"]):
    """A temporary SQLite file below ``folder``, gone when the block ends; memory stays at some megabytes.

    Cells are texts in their canonical form, or NULL.
    """

    def __init__(self, folder: Path) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="tables-", dir=folder, ignore_cleanup_errors=True)
        self._base = sqlite3.connect(Path(self._place.name) / "tables.sqlite", isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -8000"):
            self._base.execute(f"PRAGMA {setting}")
        self._base.execute(f"PRAGMA temp_store_directory = '{self._place.name}'")

    def load(self, table: str, rows: Rows, columns: Sequence[str]) -> int:
        """Make a table of the named columns and return how many rows it has."""
        count = 0

        def counted() -> Iterator[Cells]:
            nonlocal count
            for cells in rows.cells(columns):
                count += 1
                yield cells

        for name in (table, *columns):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a table or a column")
        self.do(f"CREATE TABLE {table} ({', '.join(f'{name} TEXT' for name in columns)})")
        marks = ", ".join("?" * len(columns))
        self._base.execute("BEGIN")
        self._base.executemany(f"INSERT INTO {table} VALUES ({marks})", counted())  # noqa: S608  # a checked name
        self._base.execute("COMMIT")
        return count

    def do(self, statement: str, *values: object) -> None:
        """Run a statement."""
        self._base.execute(statement, values)

    def ask(self, question: str, *values: object) -> Iterator[tuple[object, ...]]:
        """Yield the rows that answer a question."""
        yield from self._base.execute(question, values)

    def number(self, question: str, *values: object) -> int:
        """Return the one whole number that answers a question; 0 for NULL."""
        (found,) = next(self.ask(question, *values))
        return int(str(found or 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()
        self._place.cleanup()
