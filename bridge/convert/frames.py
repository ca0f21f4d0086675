"""The frame of a capture or a data entry: what stands before and after its row lines, read strictly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from xml.parsers import expat

from bridge.capture import (
    NAMESPACE,
    VERSION,
    Header,
    Trailer,
    attributes,
    column_element,
    head,
    keys,
    openings,
    row_line,
    tail,
    unescape,
)
from bridge.errors import ReaderOutputError
from bridge.model import Column, Gap, Step

ENTRY_NAMESPACE = "urn:beacon-bridge:bridge-1"
ENTRY_TAIL = b"</rows>\n</table>\n"
ROWS, END = b"<rows>\n", b"</rows>\n"

_CHUNK = 256 * 1024
_MOST_HEAD = 8 * 1024 * 1024
_MOST_TAIL = 8 * 1024 * 1024
_MOST_LINE = 16 * 1024 * 1024

Element = tuple[str, dict[str, str]]
Read = Callable[[int], bytes]
Wrong = Callable[[str], ReaderOutputError]


class Frames:
    """The three parts of a row file, in the order they are read: head, row lines, tail."""

    def __init__(self, read: Read, name: str) -> None:
        self.name = name
        self._read = read
        self._rest = b""

    def head(self) -> bytes:
        """Return everything up to and including the line ``<rows>``."""
        while (end := _line(self._rest, ROWS)) < 0:
            if len(self._rest) > _MOST_HEAD or not self._more():
                raise self.wrong("it has no line <rows>: it is cut short, or no row file")
        end += len(ROWS)
        content, self._rest = self._rest[:end], self._rest[end:]
        return content

    def lines(self) -> Iterator[bytes]:
        """Yield the row lines in chunks of whole lines."""
        while True:
            if (end := _line(self._rest, END)) >= 0:
                if end:
                    yield self._rest[:end]
                self._rest = self._rest[end:]
                return
            # everything up to the last line end is rows; what follows may be the end of rows
            if whole := self._rest.rfind(b"\n") + 1:
                yield self._rest[:whole]
                self._rest = self._rest[whole:]
            if len(self._rest) > _MOST_LINE:
                raise self.wrong(f"it has a line of more than {_MOST_LINE // 1024**2} MiB")
            if not self._more():
                raise self.wrong("its rows do not end: it is cut short, the step did not succeed")

    def tail(self) -> bytes:
        """Return everything from the line ``</rows>`` on."""
        while self._more():
            if len(self._rest) > _MOST_TAIL:
                raise self.wrong("bytes follow its end")
        return self._rest

    def _more(self) -> bool:
        chunk = self._read(_CHUNK)
        self._rest += chunk
        return bool(chunk)

    def wrong(self, text: str) -> ReaderOutputError:
        """Return a complaint about this file."""
        return ReaderOutputError(f"{self.name}: {text}.")


def _line(content: bytes, line: bytes) -> int:
    """Return where a whole line begins, -1 if it is not there."""
    if content.startswith(line):
        return 0
    found = content.find(b"\n" + line)
    return found + 1 if found >= 0 else -1


def elements(content: bytes, wrong: Wrong) -> list[Element]:
    """Return the elements of a small XML document with their attributes; no entity may be declared."""
    found: list[Element] = []
    parser = parser_that_refuses_entities(wrong)
    parser.StartElementHandler = lambda name, attrs: found.append(
        (name, {key: unescape(value) for key, value in attrs.items()})
    )
    with translated(wrong):
        parser.Parse(content, True)
    return found


@contextmanager
def translated(wrong: Wrong) -> Iterator[None]:
    """Raise what an expat parser says as a complaint about the file."""
    try:
        yield
    except expat.ExpatError as error:
        raise wrong(f"it is cut short, or no well-formed XML: {error}") from error
    except UnicodeDecodeError as error:
        raise wrong(f"it is not {error.encoding}: {error.reason}") from error
    except (LookupError, ValueError) as error:  # of the declaration's encoding
        raise wrong(f"it cannot be decoded: {error}") from error


def parser_that_refuses_entities(wrong: Wrong, encoding: str | None = None) -> expat.XMLParserType:
    """Return an expat parser that raises at the first document type declaration."""
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    parser.ordered_attributes = False

    def refuse(*_: object) -> None:
        raise wrong("a document type or entity declaration is not accepted here")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    return parser


def row_cells(line: bytes, keys: Sequence[str], wrong: Wrong) -> list[str | None]:
    """Return the cells of one row line, None for null; anything but a row in its only form is refused."""
    seen: list[Element] = []
    parser = parser_that_refuses_entities(wrong)
    parser.StartElementHandler = lambda name, attrs: seen.append((name, attrs))
    with translated(wrong):
        parser.Parse(line, True)
    if len(seen) != 1 or seen[0][0] != "r":
        raise wrong(f"it is no row: {line[:80]!r}")
    found = {key: unescape(text) for key, text in seen[0][1].items()}
    if unknown := found.keys() - set(keys):
        raise wrong(f"it has the attribute {min(unknown)!r}, which is no column")
    cells = [found.get(key) for key in keys]
    if row_line(openings(len(keys)), cells).encode() != line:
        raise wrong(f"it is not in the form that beacon-bridge writes: {line[:80]!r}")
    return cells


# --- captures ---


def parse_header(content: bytes, frames: Frames) -> Header:
    """Return a capture's header; anything that is not in the canonical form is refused."""
    found = elements(content + b"</rows></capture>", frames.wrong)
    try:
        (root, facts), (_, attrs) = found[0], found[1]
        if root != "capture" or facts != {"xmlns": NAMESPACE, "version": VERSION}:
            raise frames.wrong(f"it is no capture of version {VERSION}")
        header = Header(
            reader=attrs["reader"],
            owner=attrs["owner"],
            reader_sha256=attrs["reader-sha256"],
            file=attrs["file"],
            procedure=attrs["procedure"],
            step=attrs["step"],
            table=attrs["table"],
            columns=_columns(found[2:-1]),
            engine=attrs["engine"],
            bits=attrs["bits"],
            version=attrs["version"],
            start=attrs["start"],
        )
    except (KeyError, IndexError, ValueError) as error:
        raise frames.wrong(f"its header is not whole: {error}") from error
    if head(header).encode() != content:
        raise frames.wrong("its header is not in the form that beacon-bridge writes")
    return header


def parse_trailer(content: bytes, frames: Frames) -> Trailer:
    """Return a capture's trailer; anything else after its rows is refused."""
    prefix = f'<capture xmlns="{NAMESPACE}"><rows>'.encode()
    found = elements(prefix + content, frames.wrong)
    try:
        (name, attrs), *gaps = found[2:]
        trailer = Trailer(
            int(attrs["rows"]),
            attrs["end"],
            tuple(Gap(gap["name"], gap["text"], int(gap["count"])) for _, gap in gaps),
        )
    except (KeyError, ValueError) as error:
        raise frames.wrong("it has no trailer: the step did not succeed") from error
    if name != "trailer" or tail(trailer).encode() != content:
        raise frames.wrong(
            "bytes follow its end, or its trailer is not in the form that beacon-bridge writes"
        )
    return trailer


def _columns(found: list[Element]) -> tuple[Column, ...]:
    def number(attrs: dict[str, str], name: str) -> int | None:
        return int(attrs[name]) if name in attrs else None

    return tuple(
        Column(
            attrs["name"],
            attrs["type"],
            attrs["property"],
            number(attrs, "length"),
            number(attrs, "precision"),
            number(attrs, "scale"),
        )
        for _, attrs in found
    )


# --- data entries ---


def entry_head(step: Step) -> bytes:
    """Return what stands before the rows of a bridge-1 data entry."""
    facts = attributes((("step", step.id), ("procedure", step.procedure), ("table", step.table)))
    columns = zip(keys(len(step.columns)), step.columns, strict=True)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<table xmlns="{ENTRY_NAMESPACE}"{facts}>\n'
        + "".join(column_element(key, column) for key, column in columns)
        + "<rows>\n"
    ).encode()


def parse_entry_head(content: bytes, frames: Frames) -> tuple[dict[str, str], tuple[Column, ...]]:
    """Return a data entry's attributes and columns."""
    found = elements(content + ENTRY_TAIL, frames.wrong)
    try:
        (root, facts), columns = found[0], _columns(found[1:-1])
        if root != "table" or facts["xmlns"] != ENTRY_NAMESPACE:
            raise frames.wrong("it is no data entry")
        file, _, name = facts["step"].rpartition("/")
        step = Step(file, name, facts["procedure"], 0, "", facts["table"], columns=columns)
    except (KeyError, IndexError, ValueError) as error:
        raise frames.wrong(f"its head is not whole: {error}") from error
    if entry_head(step) != content:
        raise frames.wrong("its head is not in the form that beacon-bridge writes")
    return facts, columns
