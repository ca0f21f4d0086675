"""From an item of Graph's JSON to a row line: strictly typed cells, and lines compiled for a step."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from bridge.capture import RowForm, openings

Item = dict[str, Any]
Shown = Callable[[Any], str | None]

_SECONDS = r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
_MOMENT = re.compile(_SECONDS + r"(?:\.[0-9]{1,7})?Z")
_USUAL = re.compile(f"{_SECONDS}Z")  # found sooner, and nearly always


class Unfit(ValueError):
    """An item that is not shaped as Graph documents it; the message says where."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column's cell: the property it comes from, and how a value that is not null is shown.

    ``shown`` raises Unfit for a value of another type; None is for a text, which is its own cell.
    """

    name: str
    shown: Shown | None = None


def text(name: str) -> Cell:
    """Return the cell of a text."""
    return Cell(name)


def whole(name: str) -> Cell:
    """Return the cell of a whole number."""

    def shown(value: Any) -> str:  # noqa: ANN401  # JSON can be anything, here and below
        if type(value) is not int:
            raise _other(name, value, "a whole number")
        return str(value)

    return Cell(name, shown)


def flag(name: str) -> Cell:
    """Return the cell of true or false."""

    def shown(value: Any) -> str:  # noqa: ANN401
        if value is True:
            return "true"
        if value is False:
            return "false"
        raise _other(name, value, "true or false")

    return Cell(name, shown)


def moment(name: str) -> Cell:
    """Return the cell of a moment in UTC: ``yyyy-MM-ddTHH:mm:ss[.f]Z`` without trailing zeros."""
    is_usual, is_moment = _USUAL.fullmatch, _MOMENT.fullmatch

    def shown(value: Any) -> str:  # noqa: ANN401
        if type(value) is str:
            if is_usual(value):
                return value
            if is_moment(value):
                return value[:-1].rstrip("0").rstrip(".") + "Z"
        raise _other(name, value, "a moment such as 2026-11-24T08:15:30Z")

    return Cell(name, shown)


def texts(name: str, *, empty: str | None = "") -> Cell:
    """Return the cell of a list of texts: sorted as UTF-16 sorts them, joined by ``;``."""

    def shown(value: Any) -> str | None:  # noqa: ANN401
        if type(value) is not list:
            raise _other(name, value, "a list of texts")
        if not value:
            return empty
        try:
            joined = ";".join(sorted(value))
        except TypeError as error:
            raise _other(name, value, "a list of texts") from error
        return joined if joined.isascii() else ";".join(sorted(value, key=_utf16))

    return Cell(name, shown)


def _utf16(value: str) -> bytes:
    return value.encode("utf-16-be", "surrogatepass")


def _other(name: str, value: object, expected: str) -> Unfit:
    kinds: dict[type, str] = {list: "a list", dict: "an object"}
    shown = kinds.get(type(value)) or repr(str(value)[:80])
    return Unfit(f"{name} is {shown}, expected {expected}")


class Lines:
    """Makes row lines of flat items.

    All of a row's cells are taken at once, those that are no texts are shown, and the line comes from the
    form of rows with the same nulls. What is no text by then has no form, and is refused.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._take: Callable[[Item], tuple[Any, ...]] = itemgetter(*(cell.name for cell in cells))
        self._shown = [(place, cell.shown) for place, cell in enumerate(cells) if cell.shown is not None]
        self._openings = openings(len(cells))
        self._forms: dict[tuple[type, ...], RowForm] = {}

    def line(self, item: Item) -> bytes:
        """Return the line of an item; raise Unfit for a property that is missing or of another type."""
        try:
            row = list(self._take(item))
        except KeyError as error:
            raise Unfit(f"there is no {error.args[0]}") from error
        for place, shown in self._shown:
            if (value := row[place]) is not None:
                row[place] = shown(value)
        form = self._forms.get(tuple(map(type, row))) or self._form(row)
        return form.line(tuple(row))

    def _form(self, row: Sequence[Any]) -> RowForm:
        for cell, value in zip(self._cells, row, strict=True):
            if value is not None and type(value) is not str:
                raise _other(cell.name, value, "a text")
        form = RowForm.of(self._openings, row)
        self._forms[tuple(map(type, row))] = form
        return form
