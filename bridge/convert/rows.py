"""Rows of reader XML output checked against their columns and written as canonical row lines.

Most rows of a capture are canonical already: a regular expression compiled for the step's columns verifies
many at a time and they pass through as they are. Any row it does not match goes through the XML parser and
`columns.canonical`, which alone say what is wrong. The pattern accepts nothing that this slow way would
change; tests/test_rows.py compares the two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from bridge.capture import Header, Trailer, has_escape, keys, openings, row_line
from bridge.convert import columns as rules
from bridge.convert import dialects
from bridge.convert.columns import Misfit, TooLong
from bridge.convert.frames import (
    ENTRY_TAIL,
    Frames,
    entry_head,
    parse_entry_head,
    parse_header,
    parse_trailer,
    row_cells,
)
from bridge.convert.values import Row, Unfit, cell
from bridge.errors import ReaderOutputError
from bridge.model import Column, Gap, Step
from bridge.sqltypes import TEXTS

__all__ = ["ENTRY_TAIL", "Converted", "EntryFacts", "check_entry", "copy_rows", "entry_head"]

Write = Callable[[bytes], object]
MOST_FINDINGS = 20
SHOWN = 80  # characters of a value in a finding


@dataclass(frozen=True, slots=True)
class Converted:
    """What converting one file found: header and trailer only where the file is a capture."""

    rows: int
    gaps: tuple[Gap, ...]
    header: Header | None
    trailer: Trailer | None


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What a data entry says of itself, with the rows counted."""

    step: str
    procedure: str
    table: str
    columns: tuple[Column, ...]
    rows: int


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        ...


# --- a file to row lines ---


def copy_rows(source: Path, step: Step, write: Write, *, too_long: Literal["refuse", "cut"]) -> Converted:
    """Write the file's rows as canonical row lines, in chunks of about 256 KiB.

    ``source`` is a capture, or what Export-Clixml or ConvertTo-Xml wrote. Raises ReaderOutputError with up to
    twenty findings; what was written until then is worthless.
    """
    try:
        with source.open("rb") as file:
            if dialects.sniff(file.read(4096), source.name) is not dialects.Kind.CAPTURE:
                return _copy_objects(source, step, write, cuts=too_long == "cut")
            file.seek(0)
            return _copy_capture(Frames(file.read, source.name), step, write, cuts=too_long == "cut")
    except OSError as error:
        raise ReaderOutputError(f"{source} cannot be read: {error.strerror or error}.") from error


def _copy_capture(frames: Frames, step: Step, write: Write, *, cuts: bool) -> Converted:
    header = parse_header(frames.head(), frames)
    if (header.file, header.step) != (step.file, step.name):
        raise frames.wrong(f"it is of the step {header.file}/{header.step}, expected {step.id}")
    if (header.procedure, header.table) != (step.procedure, step.table) or header.columns != step.columns:
        raise frames.wrong(f"its columns or table are not those of {step.id}: the reader has changed since")
    checker = Checker(step.id, step.columns, cuts=cuts)
    for chunk in frames.lines():
        write(checker.lines(chunk))
    trailer = parse_trailer(frames.tail(), frames)
    checker.refuse()
    if checker.rows != trailer.rows:
        raise frames.wrong(f"its trailer counts {trailer.rows} rows, it has {checker.rows}")
    return Converted(checker.rows, (*trailer.gaps, *checker.gaps()), header, trailer)


def _copy_objects(source: Path, step: Step, write: Write, *, cuts: bool) -> Converted:
    checker = Checker(step.id, step.columns, cuts=cuts)
    for row in dialects.read(source):
        write(checker.row(row))
    checker.refuse()
    return Converted(checker.rows, checker.gaps(), None, None)


def check_entry(stream: Readable) -> EntryFacts:
    """Read a data entry again and return what it says; ReaderOutputError unless all of it is canonical."""
    frames = Frames(stream.read, "data entry")
    facts, columns = parse_entry_head(frames.head(), frames)
    checker = Checker(facts["step"], columns, cuts=False)
    for chunk in frames.lines():
        if checker.lines(chunk) != chunk and not checker.findings:
            raise frames.wrong(f"a row before row {checker.rows + 1} is not in its canonical form")
    if frames.tail() != ENTRY_TAIL:
        raise frames.wrong("bytes follow its end")
    checker.refuse()
    return EntryFacts(facts["step"], facts["procedure"], facts["table"], columns, checker.rows)


# --- checking ---


@dataclass
class Checker:
    """Checks the rows of one step, counts them, and gathers what is wrong with them."""

    step: str
    columns: tuple[Column, ...]
    cuts: bool
    rows: int = 0
    findings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._keys = keys(len(self.columns))
        self._openings = openings(len(self.columns))
        self._rules = [rules.rule(column) for column in self.columns]
        self._properties: dict[str, list[int]] = {}
        for number, column in enumerate(self.columns):
            self._properties.setdefault(column.prop.casefold(), []).append(number)
        self._cut: Counter[str] = Counter()
        self._many = re.compile(f"(?>(?:{self._pattern()})*)", re.ASCII)

    def _pattern(self) -> str:
        """Return the pattern of one canonical row line."""
        parts = (
            f'(?>(?:{opening}{rule.pattern}")?)'
            for opening, rule in zip(self._openings, self._rules, strict=True)
        )
        return f"<r{''.join(parts)}/>\n"

    def lines(self, chunk: bytes) -> bytes:
        """Return the chunk's row lines in canonical form; wrong ones are left out and noted."""
        try:
            text = chunk.decode()
        except UnicodeDecodeError as error:
            self.rows += chunk.count(b"\n", 0, error.start)
            raise self._malformed(f"a byte is not UTF-8: {error.reason}") from error
        return self._by_line(text) if has_escape(text) else self._fast(text, chunk)

    def _fast(self, text: str, chunk: bytes) -> bytes:
        """Pass what the pattern matches; give the line it stops at to the slow way."""
        found = self._many.match(text)
        if found and found.end() == len(text):
            self.rows += chunk.count(b"\n")
            return chunk
        parts: list[str] = []
        place = 0
        while place < len(text):
            found = self._many.match(text, place)
            end = found.end() if found else place
            if end > place:
                self.rows += text.count("\n", place, end)
                parts.append(text[place:end])
            if end == len(text):
                break
            place = text.index("\n", end) + 1
            parts.append(self._line(text[end:place]))
        return "".join(parts).encode()

    def _by_line(self, text: str) -> bytes:
        """Give the lines with escapes to the slow way, pass the others if the pattern matches."""
        return "".join(self._one(line + "\n") for line in text[:-1].split("\n")).encode()

    def _one(self, line: str) -> str:
        if has_escape(line) or not self._many.fullmatch(line):
            return self._line(line)
        self.rows += 1
        return line

    def _line(self, line: str) -> str:
        """Return one row line with canonical cells, through the XML parser."""
        return self._canonical(row_cells(line.encode(), self._keys, self._malformed))

    def row(self, row: Row) -> bytes:
        """Return an object's canonical row line; its properties match columns without regard to case."""
        cells: list[str | None] = [None] * len(self.columns)
        missing = set(range(len(cells)))
        for name, value in row.items():
            for number in self._properties.get(name.casefold(), ()):
                if number not in missing:
                    self._note(number, f"a second property {name!r}", "one property")
                missing.discard(number)
                try:
                    cells[number] = cell(value)
                except Unfit as error:
                    self._note(number, str(error), "text, a number, a date, true, false or null")
        for number in sorted(missing):
            self._note(number, "nothing", f"a property {self.columns[number].prop!r}")
        return self._canonical(cells).encode()

    def _canonical(self, cells: Sequence[str | None]) -> str:
        line = row_line(
            self._openings,
            [None if text is None else self._cell(number, text) for number, text in enumerate(cells)],
        )
        self.rows += 1
        return line

    def _cell(self, number: int, text: str) -> str:
        rule = self._rules[number]
        try:
            return rule.canonical(text)
        except TooLong as error:
            if self.cuts and rule.column.length is not None and rule.column.type in TEXTS:
                self._cut[rule.column.name] += 1
                return rules.cut(text, rule.column.length)
            self._note(number, _shown(text), str(error))
        except Misfit as error:
            self._note(number, _shown(text), str(error))
        return text

    # --- what is wrong ---

    def _note(self, number: int, found: str, expected: str) -> None:
        column = self.columns[number].name
        self.findings.append(f"{self.step}, row {self.rows + 1}, {column}: {found}; expected {expected}")
        if len(self.findings) >= MOST_FINDINGS:
            self.refuse()

    def refuse(self) -> None:
        """Raise ReaderOutputError if anything was noted."""
        if self.findings:
            more = " (there may be more)" if len(self.findings) >= MOST_FINDINGS else ""
            raise ReaderOutputError(
                f"{self.step}: {len(self.findings)} values do not fit their columns{more}:",
                findings=tuple(self.findings),
            )

    def _malformed(self, text: str) -> ReaderOutputError:
        return ReaderOutputError(f"{self.step}, row {self.rows + 1}: {text}.", findings=tuple(self.findings))

    def gaps(self) -> tuple[Gap, ...]:
        """Return a gap for each column whose texts were cut."""
        return tuple(
            Gap("cut", f"{self.step}: {name} was cut to its length", count)
            for name, count in self._cut.items()
        )


def _shown(text: str) -> str:
    """Return the first characters of a value, with everything unprintable escaped."""
    return ascii(text[:SHOWN])[1:-1] if not text[:SHOWN].isprintable() else repr(text[:SHOWN])[1:-1]
