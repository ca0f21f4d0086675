"""The file of a capture: its header and trailer, and what writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge import system
from bridge.capture.rows import keys, openings, row_line
from bridge.capture.text import attributes
from bridge.model import Capture, Column, Gap, Job, Step

NAMESPACE = "urn:beacon-bridge:capture:1"
VERSION = "1"
PART = ".part"  # the suffix of a capture that has no trailer yet


@dataclass(frozen=True, slots=True)
class Header:
    """What a capture says of itself before its first row."""

    reader: str
    owner: str
    reader_sha256: str
    file: str
    procedure: str
    step: str
    table: str
    columns: tuple[Column, ...]
    engine: str
    bits: str  # "32" | "64" | "none" (the native engine is no PowerShell)
    version: str  # of PowerShell, or of Python
    start: str  # UTC, yyyy-MM-ddTHH:mm:ssZ

    @classmethod
    def of(cls, job: Job, step: Step, *, engine: str, bits: str, version: str) -> Header:
        """Return the header of one step of a job that begins now."""
        return cls(
            reader=job.reader.name,
            owner=job.reader.owner.value,
            reader_sha256=job.reader.sha256,
            file=step.file,
            procedure=step.procedure,
            step=step.name,
            table=step.table,
            columns=step.columns,
            engine=engine,
            bits=bits,
            version=version,
            start=system.timestamp(system.now()),
        )


@dataclass(frozen=True, slots=True)
class Trailer:
    """What a capture says after its last row; its presence says that the step succeeded."""

    rows: int
    end: str
    gaps: tuple[Gap, ...]


def column_element(key: str, column: Column) -> str:
    """Return one ``<column/>`` line, the same in captures and package entries."""
    facts = (
        ("key", key),
        ("name", column.name),
        ("type", column.type),
        ("length", None if column.length is None else str(column.length)),
        ("precision", None if column.precision is None else str(column.precision)),
        ("scale", None if column.scale is None else str(column.scale)),
        ("property", column.prop),
    )
    return f"<column{attributes(facts)}/>\n"


def gap_element(gap: Gap) -> str:
    """Return one ``<gap/>`` element, the same in captures and manifests."""
    return f"<gap{attributes((('name', gap.name), ('count', str(gap.count)), ('text', gap.text)))}/>"


def head(header: Header) -> str:
    """Return everything before a capture's rows."""
    facts = (
        ("reader", header.reader),
        ("owner", header.owner),
        ("reader-sha256", header.reader_sha256),
        ("file", header.file),
        ("procedure", header.procedure),
        ("step", header.step),
        ("table", header.table),
        ("engine", header.engine),
        ("bits", header.bits),
        ("version", header.version),
        ("start", header.start),
    )
    columns = zip(keys(len(header.columns)), header.columns, strict=True)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<capture xmlns="{NAMESPACE}" version="{VERSION}">\n'
        f"<header{attributes(facts)}>\n"
        + "".join(column_element(key, column) for key, column in columns)
        + "</header>\n<rows>\n"
    )


def tail(trailer: Trailer) -> str:
    """Return everything after a capture's rows."""
    gaps = "".join(gap_element(gap) for gap in trailer.gaps)
    facts = attributes((("rows", str(trailer.rows)), ("end", trailer.end)))
    return f"</rows>\n<trailer{facts}>{gaps}</trailer>\n</capture>\n"


class CaptureWriter:
    """Writes one capture beside its place and moves it there when it is whole.

    Used as a context manager; leaving it without ``finish`` keeps the ``.part`` file for support.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.rows = 0
        self._header = header
        self._openings = openings(len(header.columns))
        self._part = path.with_name(path.name + PART)
        self._file = self._part.open("wb")
        self._file.write(head(header).encode())
        self.mark()

    def write(self, cells: Sequence[str | None]) -> None:
        """Write one row of canonical cell text, in column order; None is null."""
        self._file.write(row_line(self._openings, cells).encode())
        self.rows += 1

    def write_lines(self, lines: Sequence[bytes]) -> None:
        """Write rows that are row lines already, as `RowForm` makes them."""
        self._file.write(b"".join(lines))  # writelines would write one at a time
        self.rows += len(lines)

    def mark(self) -> None:
        """Remember this place, for `rewind`."""
        self._mark = self._file.tell(), self.rows

    def rewind(self) -> None:
        """Throw away the rows that came after the mark."""
        place, self.rows = self._mark
        self._file.seek(place)
        self._file.truncate()

    def restart(self) -> None:
        """Throw the rows away; the step begins again."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(head(self._header).encode())
        self.rows = 0
        self.mark()

    def finish(self, gaps: Sequence[Gap] = ()) -> Capture:
        """Write the trailer, flush, and move the file to its place."""
        trailer = Trailer(self.rows, system.timestamp(system.now()), tuple(gaps))
        self._file.write(tail(trailer).encode())
        system.flush(self._file)
        self._file.close()
        system.replace(self._part, self.path)
        return Capture(f"{self._header.file}/{self._header.step}", self.path, self.rows, trailer.gaps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def capture_paths(job: Job) -> Iterator[tuple[Step, Path]]:
    """Yield each step to collect with its capture's path: ``capture/001.xml`` on, in run order."""
    for number, step in enumerate(job.reader.to_collect, start=1):
        yield step, job.captures / f"{number:03}.xml"
