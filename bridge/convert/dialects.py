"""Which dialect a file of reader XML output is in, and its rows: ours, Export-Clixml's, ConvertTo-Xml's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from bridge.capture import keys
from bridge.convert import clixml, convertto
from bridge.convert.frames import Frames, parse_header, parse_trailer, row_cells
from bridge.convert.trees import encoding_of
from bridge.convert.values import Row, Scalar, Value, is_integer
from bridge.errors import ReaderOutputError
from bridge.sqltypes import WHOLE


class Kind(Enum):
    """The dialects."""

    CAPTURE = "capture"
    CLIXML = "Export-Clixml"
    CONVERT_TO_XML = "ConvertTo-Xml"


_ROOT = re.compile(r"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")
_KINDS = {"capture": Kind.CAPTURE, "Objs": Kind.CLIXML, "Objects": Kind.CONVERT_TO_XML}


def sniff(head: bytes, name: str) -> Kind:
    """Return the dialect that a file's first bytes show; ReaderOutputError if none."""
    encoding, skip = encoding_of(head)
    text = head[skip:].decode(encoding or "utf-8", "replace")
    found = _ROOT.search(text)
    if not found or found.group(1) not in _KINDS:
        shown = f"its root element is {found.group(1)!r}" if found else "it does not begin as XML does"
        raise ReaderOutputError(
            f"{name} is no reader XML output: {shown}.",
            hint="Expected: a capture, or a file that Export-Clixml or ConvertTo-Xml wrote.",
        )
    return _KINDS[found.group(1)]


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a file in any dialect, property name -> value."""
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(4096), path.name)
        if kind is Kind.CLIXML:
            yield from clixml.read(path)
        elif kind is Kind.CONVERT_TO_XML:
            yield from convertto.read(path)
        else:
            yield from _capture(path)
    except OSError as error:
        raise ReaderOutputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _capture(path: Path) -> Iterator[Row]:
    """Yield a capture's rows; whole numbers and bits as such by their column's type, the rest as text."""
    with path.open("rb") as file:
        frames = Frames(file.read, path.name)
        header = parse_header(frames.head(), frames)
        names = keys(len(header.columns))
        count = 0

        def wrong(text: str) -> ReaderOutputError:
            return frames.wrong(f"row {count}: {text}")

        for chunk in frames.lines():
            for line in chunk.splitlines(keepends=True):
                count += 1
                cells = zip(header.columns, row_cells(line, names, wrong), strict=True)
                yield {column.prop: _typed(text, column.type) for column, text in cells}
        if (expected := parse_trailer(frames.tail(), frames).rows) != count:
            raise frames.wrong(f"its trailer counts {expected} rows, it has {count}")


def _typed(text: str | None, kind: str) -> Value:
    if text is None:
        return None
    if kind in WHOLE and is_integer(text):
        return Scalar("integer", text)
    return Scalar("bool", text) if kind == "bit" and text in {"true", "false"} else text
