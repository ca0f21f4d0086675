"""Rows of captures and data entries as tables of a temporary SQLite file, for questions across rows."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge import system
from bridge.capture import keys
from bridge.convert.frames import ENTRY_TAIL, Frames, parse_entry_head, parse_header, parse_trailer
from bridge.errors import PackageError, ReaderOutputError
from bridge.model import Column

_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "#x9": "\t", "#xA": "\n", "#xD": "\r"}
_ENTITY = re.compile("&(amp|lt|gt|quot|#x9|#xA|#xD);")
# A cell as `capture.attribute` writes it: nothing else is a row.
_TEXT = r'[^"<>&\x00-\x1f]*+(?>(?:&(?:amp|lt|gt|quot|#x9|#xA|#xD);[^"<>&\x00-\x1f]*+)*)'
_STALE = 24 * 3600.0  # seconds after which a folder of tables is that of a process that was killed
_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

Cells = tuple[str | None, ...]
Values = tuple[object, ...]


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
        Raises ReaderOutputError for a line that is no row, for what follows the rows, for a count that is not
        the trailer's, and for a column that is not there.
        """
        pattern = self._pattern(names)
        count = 0
        for chunk in self.frames.lines():
            text = self._decoded(chunk)
            found = [match.groups() for match in pattern.finditer(text)]
            if len(found) != text.count("\n"):
                raise self.frames.wrong(f"one of the rows from {count + 1} on is no row")
            count += len(found)
            yield from map(_plain, found) if "&" in text else found
        self._refuse_tail(count)

    def chosen(self, names: Sequence[str], numbers: Iterator[int]) -> Iterator[Cells]:
        """Yield the cells of the rows with these numbers, which rise from 0; others are passed over."""
        pattern = self._pattern(names)
        first = 0
        wanted = next(numbers, None)
        for chunk in self.frames.lines():
            last = first + chunk.count(b"\n")
            lines = self._decoded(chunk).split("\n") if wanted is not None and wanted < last else []
            while wanted is not None and wanted < last:
                found = pattern.match(lines[wanted - first])
                if found is None:
                    raise self.frames.wrong(f"row {wanted + 1} is no row")
                yield _plain(found.groups())
                wanted = next(numbers, None)
            first = last
        self._refuse_tail(first)

    def _pattern(self, wanted: Sequence[str]) -> re.Pattern[str]:
        """Return the pattern of a row line with a group for each wanted column, in the step's order."""
        names = [column.name for column in self.columns]
        if missing := [name for name in wanted if name not in names]:
            raise self.frames.wrong(f"it has no column {missing[0]}")
        if list(wanted) != sorted(set(wanted), key=names.index):
            raise ValueError("columns are asked for once each, in the order that the step has them in")
        parts = (
            f'(?>(?: {key}="({_TEXT})")?)' if name in wanted else f'(?>(?: {key}="{_TEXT}")?)'
            for key, name in zip(keys(len(names)), names, strict=True)
        )
        return re.compile(f"^<r{''.join(parts)}/>$", re.MULTILINE)

    def _decoded(self, chunk: bytes) -> str:
        try:
            return chunk.decode()
        except UnicodeDecodeError as error:
            raise self.frames.wrong(f"it is not UTF-8: {error.reason}") from error

    def _refuse_tail(self, count: int) -> None:
        """Refuse an end that does not fit: it is read, and with it the whole file."""
        tail = self.frames.tail()
        if not self.is_capture and tail != ENTRY_TAIL:
            raise self.frames.wrong("bytes follow its end")
        if self.is_capture and (said := parse_trailer(tail, self.frames).rows) != count:
            raise self.frames.wrong(f"its trailer counts {said} rows, it has {count}")


def _plain(cells: Cells) -> Cells:
    return tuple(
        _ENTITY.sub(lambda found: _ENTITIES[found[1]], text) if text and "&" in text else text
        for text in cells
    )


@contextmanager
def capture(path: Path) -> Iterator[Rows]:
    """Open a capture; ReaderOutputError where it cannot be read or is none."""
    wrong = _wrong_file(path)
    with _read_by(wrong):
        file = path.open("rb")
    with file:
        frames = Frames(_reading(file.read, wrong), path.name)
        yield Rows(parse_header(frames.head(), frames).columns, frames, is_capture=True)


@contextmanager
def entry(package: Path, name: str) -> Iterator[Rows]:
    """Open a data entry of a package; PackageError where it cannot be read, ReaderOutputError if it is none.

    Whether the package may be believed is for `package.verify` to say; the bytes are compared with their
    checksum as they are read.
    """
    wrong = _wrong_package(package)
    with _read_by(wrong):
        archive = zipfile.ZipFile(package)
    with archive:
        with _read_by(wrong):
            file = archive.open(name)
        with file:
            frames = Frames(_reading(file.read, wrong), f"{package.name}/{name}")
            _, columns = parse_entry_head(frames.head(), frames)
            yield Rows(columns, frames, is_capture=False)


Wrong = Callable[[Exception], ReaderOutputError | PackageError]


def _wrong_file(path: Path) -> Wrong:
    return lambda error: ReaderOutputError(f"{path} cannot be read: {_said(error)}.")


def _wrong_package(path: Path) -> Wrong:
    return lambda error: PackageError(f"{path} cannot be read: {_said(error)}.")


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@contextmanager
def _read_by(wrong: Wrong) -> Iterator[None]:
    try:
        yield
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
        raise wrong(error) from error


def _reading(read: Callable[[int], bytes], wrong: Wrong) -> Callable[[int], bytes]:
    """Return a read whose failures have a name; those of whoever uses the rows keep their own."""

    def named(size: int) -> bytes:
        with _read_by(wrong):
            return read(size)

    return named


# --- the tables ---


class Tables(AbstractContextManager["Tables"]):
    """A temporary SQLite file below ``folder``, gone when the block ends; memory stays at some megabytes.

    Cells are texts in their canonical form, or NULL. A disk that is full is a retryable PackageError. What a
    killed process left there is removed by a later one.
    """

    def __init__(self, folder: Path) -> None:
        _remove_stale(folder)
        with self._kept():
            self._place = tempfile.TemporaryDirectory(
                prefix="tables-", dir=folder, ignore_cleanup_errors=True
            )
            self._base = sqlite3.connect(Path(self._place.name) / "tables.sqlite", isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -8000"):
            self.do(f"PRAGMA {setting}")
        # SQLite's sorted runs hold cells, too; the setting is the whole process's and is undone at the end
        self.do(f"PRAGMA temp_store_directory = {_quoted(self._place.name, sign=chr(39))}")

    def load(self, table: str, rows: Rows, columns: Sequence[str]) -> int:
        """Make a table of the named columns and return how many rows it has."""
        self.do(f"CREATE TABLE {_quoted(table)} ({', '.join(f'{_quoted(name)} TEXT' for name in columns)})")
        return self.fill(table, len(columns), rows.cells(columns))

    def fill(self, table: str, columns: int, rows: Iterable[Values]) -> int:
        """Put rows of so many columns into a table and return how many they were."""
        marks = ", ".join(repeat("?", columns))
        put = f"INSERT INTO {_quoted(table)} VALUES ({marks})"  # noqa: S608  # quoted
        with self._kept(), self._together():
            return self._base.executemany(put, rows).rowcount

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Write many rows at once; there is no journal, so what fails stays half done."""
        self._base.execute("BEGIN")
        try:
            yield
        finally:
            if self._base.in_transaction:
                self._base.execute("COMMIT")

    def do(self, statement: str, *values: object) -> None:
        """Run a statement."""
        with self._kept():
            self._base.execute(statement, values)

    def ask(self, question: str, *values: object) -> Iterator[Values]:
        """Yield the rows that answer a question."""
        with self._kept():
            yield from self._base.execute(question, values)

    def number(self, question: str, *values: object) -> int:
        """Return the one whole number that answers a question; 0 for NULL."""
        (found,) = next(self.ask(question, *values))
        return int(str(found or 0))

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Turn an error of the disk into PackageError."""
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code is not None and code & 0xFF not in _DISK:
                raise
            raise PackageError(
                f"The rows cannot be put side by side on disk: {error}.",
                hint="Make room on the disk of the state folder, or give this account rights to it.",
                retryable=True,
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(sqlite3.Error):
            self._base.execute("PRAGMA temp_store_directory = ''")
        self._base.close()
        self._place.cleanup()


def _quoted(name: str, sign: str = '"') -> str:
    """Return a name as SQL takes any."""
    return f"{sign}{name.replace(sign, sign * 2)}{sign}"


def _remove_stale(folder: Path) -> None:
    now = system.now().timestamp()
    for place in folder.glob("tables-*"):
        with suppress(OSError):
            if now - place.stat().st_mtime > _STALE:
                shutil.rmtree(place, ignore_errors=True)
