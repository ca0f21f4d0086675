"""Rows as a capture holds them: a line each, in the only form there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bridge.capture.text import ENTITIES, attribute, shown

# Bytes that need no care: neither markup nor a control character, nor the first one of U+FFFE.
_SURE = bytes(byte for byte in range(0x20, 0x100) if byte not in b'&<>"\xef')
_MARKUP = "".join(ENTITIES).encode()
_SEPARATOR = "\x7f"  # hardly ever in a text; where it is, each cell is looked at by itself


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
            parts += (opening, shown(text), '"')
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
        return (self.text % tuple([None if cell is None else shown(cell) for cell in cells])).encode()


def _marked_up(cells: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """Return cells that need no escape but entities, all of them written at once."""
    texts = [cell for cell in cells if cell is not None]
    written = attribute(_SEPARATOR.join(texts)).split(_SEPARATOR)
    if len(written) != len(texts):
        return tuple([None if cell is None else attribute(cell) for cell in cells])
    rest = iter(written)
    return tuple([None if cell is None else next(rest) for cell in cells])
