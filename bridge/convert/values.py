"""A value that one of PowerShell's serializers wrote, and what it is as a cell, as JSON, and on a screen."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Union

Kind = Literal["integer", "bool", "number", "moment", "span", "bytes", "object"]
_UNFIT = {"bytes": "a byte array", "object": "an object that was written as text"}
_INTEGER = re.compile("-?[0-9]{1,20}", re.ASCII)
_SPAN = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,7}))?S)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value that is no plain text, with the exact text of the file.

    ``integer`` and ``bool`` are JSON numbers and booleans; everything else stays the file's text, because
    JSON would change it. ``span`` is a TimeSpan as CLIXML writes it; ``bytes`` and ``object`` are no cells.
    """

    kind: Kind
    text: str


class SecureText:
    """A SecureString: null on a screen, refused by `convert`; its content is not kept."""


Value = Union[None, str, Scalar, SecureText, "list[Value]", "dict[str, Value]"]
Row = Mapping[str, Value]

WHOLE_VALUE = "value"  # the key of a row that has no properties


class Unfit(ValueError):
    """A value that cannot be a cell; the message says what it is."""


def cell(value: Value) -> str | None:
    """Return a value as cell text, null as None; Unfit for anything that is not one value."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Scalar):
        return _scalar_cell(value)
    if isinstance(value, SecureText):
        raise Unfit("a SecureString")
    raise Unfit("a list" if isinstance(value, list) else "a nested object")


def _scalar_cell(value: Scalar) -> str:
    if value.kind in _UNFIT:
        raise Unfit(_UNFIT[value.kind])
    if value.kind == "moment":
        return _trimmed(value.text)
    return _span(value.text) if value.kind == "span" else value.text


def _span(text: str) -> str:
    """Return a duration as .NET's format ``c`` has it: P1DT2H3M4.5S is 1.02:03:04.5000000."""
    form = _SPAN.fullmatch(text)
    if not form:
        raise Unfit(f"the duration {text[:40]!r}")
    sign, days, *clock, fraction = form.groups()
    whole = ":".join(f"{int(part or 0):02}" for part in clock)
    return f"{sign}{f'{days}.' if days else ''}{whole}" + (f".{fraction:0<7}" if fraction else "")


def is_integer(text: str) -> bool:
    """Return whether a text is a whole number that some .NET integer holds."""
    return _INTEGER.fullmatch(text) is not None


def _trimmed(text: str) -> str:
    """Return a moment without trailing zeros in its fraction: 02:30:15.1200000Z is 02:30:15.12Z."""
    whole, point, rest = text.partition(".")
    if not point:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    fraction = rest[:digits].rstrip("0")
    return whole + (f".{fraction}" if fraction else "") + rest[digits:]


def as_json(row: Row) -> str:
    """Return a row as one line of ASCII JSON."""
    return json.dumps({name: plain(value) for name, value in row.items()}, ensure_ascii=True)


def plain(value: Value) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, Scalar):
        if value.kind == "integer":
            return int(value.text)
        return value.text == "true" if value.kind == "bool" else value.text
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return None if isinstance(value, SecureText) else value


def display(value: Value) -> str:
    """Return a value for a table: control, direction and unpaired characters are shown escaped."""
    if isinstance(value, list | dict):
        return json.dumps(plain(value), ensure_ascii=True)
    if value is None or isinstance(value, SecureText):
        return ""
    return "".join(map(_visible, value.text if isinstance(value, Scalar) else value))


def _visible(char: str) -> str:
    if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    return char
