"""The capture: the file of reader XML output that an engine writes for one step, and its canonical text.

The format is described in docs/formats.md and importprocedures/schemas/capture.xsd. One row is one line::

    <r a="1" b="user1@example.org"/>

Attribute names are column keys (``a`` … ``z``, ``aa`` …) in the order of the header's columns; null is no
attribute. The same bytes come from ps_scripts/Invoke-Reader.ps1 and from CaptureWriter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge import system
from bridge.model import Capture, Column, Gap, Job, Step

NAMESPACE = "urn:beacon-bridge:capture:1"
VERSION = "1"
PART = ".part"  # the suffix of a capture that has no trailer yet

# What XML 1.0 cannot hold, in a Python string whose surrogate pairs are joined.
_UNHOLDABLE = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_TO_ESCAPE = re.compile(f"[{_UNHOLDABLE}]|_(?=x[0-9A-Fa-f]{{4}}(?:_|[{_UNHOLDABLE}]))")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_SPECIAL = re.compile(f'[&<>"\t\n\r{_UNHOLDABLE}]|_x')  # neither escape nor attribute changes what has none
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#x9;",
    "\n": "&#xA;",
    "\r": "&#xD;",
}
# Bytes that need no care: neither markup nor a control character, nor the first one of U+FFFE.
_SURE = bytes(byte for byte in range(0x20, 0x100) if byte not in b'&<>"\xef')
_MARKUP = "".join(_ENTITIES).encode()
_SEPARATOR = "\x7f"  # hardly ever in a text; where it is, each cell is looked at by itself


def escape(text: str) -> str:
    """Return the text with everything XML 1.0 cannot hold as ``_xHHHH_``; ``unescape`` gives it back exactly.

    An underscore that would be read as the start of such an escape becomes ``_x005F_``.
    """
    if not _TO_ESCAPE.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _TO_ESCAPE.sub(lambda found: f"_x{ord(found.group()):04X}_", joined)


def unescape(text: str) -> str:
    """Return what ``escape`` was given; surrogates may stand alone in it."""
    if not has_escape(text):
        return text
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)


def has_escape(text: str) -> bool:
    """Return whether ``unescape`` would change a text."""
    return "_x" in text and _ESCAPED.search(text) is not None


def attribute(text: str) -> str:
    """Return canonical cell text as it stands between the quotes of an attribute."""
    for character, entity in _ENTITIES.items():
        text = text.replace(character, entity)
    return text


def _shown(cell: str) -> str:
    """Return canonical cell text with every escape that it needs."""
    return attribute(escape(cell)) if _SPECIAL.search(cell) else cell


def _marked_up(cells: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """Return cells that need no escape but entities, all of them written at once."""
    texts = [cell for cell in cells if cell is not None]
    written = attribute(_SEPARATOR.join(texts)).split(_SEPARATOR)
    if len(written) != len(texts):
        return tuple([None if cell is None else attribute(cell) for cell in cells])
    rest = iter(written)
    return tuple([None if cell is None else next(rest) for cell in cells])


def attributes(values: Iterable[tuple[str, str | None]]) -> str:
    """Return `` name="value"`` for each value that is not None, escaped."""
    return "".join(f' {name}="{attribute(escape(text))}"' for name, text in values if text is not None)


@lru_cache
def keys(count: int) -> tuple[str, ...]:
    """Return the first ``count`` column keys: a … z, aa, ab …"""

    def key(number: int) -> str:
        head, tail = divmod(number, 26)
        return (key(head - 1) if head else "") + chr(ord("a") + tail)

    return tuple(key(number) for number in range(count))


@lru_cache
def openings(count: int) -> tuple[str, ...]:
    """Return what stands before each column's cell in a row line: `` a="`` on."""
    return tuple(f' {key}="' for key in keys(count))


def row_line(openings: Sequence[str], cells: Sequence[str | None]) -> str:
    """Return one row in its only form; None is null."""
    parts = ["<r"]
    for opening, text in zip(openings, cells, strict=True):
        if text is not None:
            parts += (opening, _shown(text), '"')
    parts.append("/>\n")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class RowForm:
    """The form of all rows in which just the same cells are null: makes the line of `row_line`, sooner.

    ``text`` takes cells that need no escape; ``marks`` are its own bytes that no cell may have besides.
    """

    text: str
    marks: bytes

    @classmethod
    def of(cls, openings: Sequence[str], cells: Sequence[str | None]) -> RowForm:
        """Return the form of a row, and of all that are like it."""
        parts = (
            "%.0s" if text is None else f'{opening}%s"' for opening, text in zip(openings, cells, strict=True)
        )
        text = f"<r{''.join(parts)}/>\n"
        return cls(text, text.encode().translate(None, _SURE))

    def line(self, cells: tuple[str | None, ...]) -> bytes:
        """Return one row in its only form."""
        try:
            line = (self.text % cells).encode()
            if b"_x" not in line:
                care = line.translate(None, _SURE)
                if care == self.marks:
                    return line
                if not care.translate(None, _MARKUP):
                    cells = _marked_up(cells)
                    return (self.text % cells).encode()
        except UnicodeEncodeError:  # a lone surrogate
            pass
        return (self.text % tuple([None if cell is None else _shown(cell) for cell in cells])).encode()


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
        self._file.writelines(lines)
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
