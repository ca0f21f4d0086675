"""A value that one of PowerShell's serializers wrote, and what it is as a cell, as JSON, and on a screen."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Union

Kind = Literal["integer", "bool", "number", "moment", "text"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value that is no plain text, with the exact text of the file.

    ``integer`` and ``bool`` are JSON numbers and booleans; ``number`` (decimal, double) and ``moment`` stay
    the file's text, because JSON would change them.
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
        return _trimmed(value.text) if value.kind == "moment" else value.text
    if isinstance(value, SecureText):
        raise Unfit("a SecureString")
    raise Unfit("a list" if isinstance(value, list) else "a nested object")


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
    text = value if isinstance(value, str) else plain(value)
    if text is None:
        return ""
    return "".join(_visible(char) for char in str(text))


def _visible(char: str) -> str:
    if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    return char
