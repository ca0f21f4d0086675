"""One small tree for each row of a serializer's file, streamed; depth, size and declarations are bounded."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bridge.convert.frames import parser_that_refuses_entities, translated
from bridge.errors import ReaderOutputError

MOST_DEPTH = 100
MOST_NODES = 100_000  # in one row
MOST_CHARACTERS = 16 * 1024 * 1024  # in one row
MOST_TAG = 1024 * 1024  # bytes of one tag with its attributes, or of a comment
_CHUNK = 64 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(slots=True)
class Node:
    """An element: its name without name space, its attributes, its text, its children.

    ``depth`` is 1 for a row.
    """

    tag: str
    attrs: dict[str, str]
    depth: int = 1
    parts: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's own text, whole."""
        return "".join(self.parts)


def rows(path: Path, root: str) -> Iterator[Node]:
    """Yield each child of the root element, whole; ReaderOutputError if it is no clean document."""
    builder = _Builder(path.name, root)
    with translated(builder.wrong), path.open("rb") as file:
        encoding, skip = encoding_of(file.read(4))
        file.seek(skip)
        builder.begin(encoding)
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")("strict")
        while True:
            chunk = file.read(_CHUNK)
            content = decoder.decode(chunk, not chunk).encode() if encoding else chunk
            yield from builder.feed(content, last=not chunk)
            if not chunk:
                return


def encoding_of(head: bytes) -> tuple[str | None, int]:
    """Return the encoding that a file's first bytes prove, and how many of them are its mark.

    A byte order mark beats the declaration: Windows PowerShell's ``>`` stores UTF-16 whatever the text says.
    None: the declaration decides.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, len(mark)
    if head[:4] == b"<\0?\0" or (head[:1] == b"<" and head[1:2] == b"\0"):
        return "utf-16-le", 0
    if head[:2] == b"\0<":
        return "utf-16-be", 0
    return None, 0


class _Builder:
    """Builds the tree of one row at a time."""

    def __init__(self, name: str, root: str) -> None:
        self._name, self._root = name, root
        self._stack: list[Node] = []
        self._done: list[Node] = []
        self._nodes = self._characters = self._depth = self._fed = 0

    def begin(self, encoding: str | None) -> None:
        """Make the parser; an encoding that is known overrides the declaration's."""
        self._parser = parser_that_refuses_entities(self.wrong, "utf-8" if encoding else None)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, content: bytes, *, last: bool) -> list[Node]:
        """Parse more and return the rows that are whole now."""
        self._parser.Parse(content, last)
        self._fed += len(content)
        if self._fed - self._parser.CurrentByteIndex > MOST_TAG:
            raise self.wrong(f"one tag of it holds more than {MOST_TAG:,} bytes")
        done, self._done = self._done, []
        return done

    def wrong(self, text: str) -> ReaderOutputError:
        """Return a complaint about this file."""
        return ReaderOutputError(f"{self._name}: {text}.")

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self._depth += 1
        if self._depth == 1:
            if tag != self._root:
                raise self.wrong(f"its root element is {tag!r}, expected {self._root!r}")
            return
        self._count(sum(map(len, attrs.values())))
        if self._depth > MOST_DEPTH:
            raise self.wrong(f"it is nested more than {MOST_DEPTH} deep")
        node = Node(tag, attrs, self._depth - 1)
        if self._stack:
            self._stack[-1].children.append(node)
        self._stack.append(node)

    def _end(self, _: str) -> None:
        self._depth -= 1
        if not self._stack:
            return
        node = self._stack.pop()
        if not self._stack:
            self._done.append(node)
            self._nodes = self._characters = 0

    def _text(self, text: str) -> None:
        if self._stack:
            self._characters += len(text)
            self._stack[-1].parts.append(text)
            if self._characters > MOST_CHARACTERS:
                raise self.wrong(f"one row holds more than {MOST_CHARACTERS:,} characters")
        elif text.strip():
            raise self.wrong(f"text stands between its rows: {text[:40]!r}")

    def _count(self, characters: int) -> None:
        self._nodes += 1
        self._characters += characters
        if self._nodes > MOST_NODES or self._characters > MOST_CHARACTERS:
            raise self.wrong(f"one row holds more than {MOST_NODES:,} elements")
