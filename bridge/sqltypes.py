"""The SQL Server column types that bulk copy takes, by name and length.

Source: learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WHOLE = {
    "tinyint": (0, 255),
    "smallint": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
TEXTS = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext", "xml", "sql_variant"})
BINARIES = frozenset(
    {"binary", "varbinary", "image", "timestamp", "rowversion", "hierarchyid", "geometry", "geography"}
)
DECIMALS = frozenset({"decimal", "numeric"})
MONEYS = {"money": 2**63, "smallmoney": 2**31}  # in ten-thousandths
FLOATS = frozenset({"float", "real"})
MOMENTS = frozenset({"date", "time", "datetime", "datetime2", "smalldatetime", "datetimeoffset"})
OTHERS = frozenset({"bit", "uniqueidentifier"})
NAMES = frozenset({*WHOLE, *MONEYS}) | TEXTS | BINARIES | DECIMALS | FLOATS | MOMENTS | OTHERS

MOST_LENGTH = 2**31 - 1  # what (max) holds
_SYNONYMS = {"integer": "int", "dec": "decimal"}
_SIZED = frozenset({"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"})
_FORM = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)\s*(?:\(\s*(max|[0-9]{1,10})\s*(?:,\s*([0-9]{1,3})\s*)?\))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type's name in lower case, with the numbers that belong to it."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


def column_type(text: str, length: str | None) -> ColumnType:
    """Return the type that an OutputSchema's Type and Length say; ValueError says what is not understood.

    ``nvarchar(200)``, ``nvarchar(max)`` and ``decimal(18,2)`` are understood as well as a Length of its own,
    which wins over the number in the Type.
    """
    form = _FORM.fullmatch(text.strip())
    name = form.group(1).lower() if form else ""
    name = _SYNONYMS.get(name, name)
    if not form or name not in NAMES:
        raise ValueError(f"unknown Type {text!r}")
    first, second = form.group(2), form.group(3)
    if name in DECIMALS:
        return _decimal(name, text, first or "18", second or "0")
    return ColumnType(name, _length(name, length if length is not None else first))


def _decimal(name: str, text: str, precision: str, scale: str) -> ColumnType:
    if not precision.isdigit() or not 1 <= int(precision) <= 38 or int(scale) > int(precision):
        raise ValueError(f"Type {text!r} has no such precision and scale")
    return ColumnType(name, None, int(precision), int(scale))


def _length(name: str, text: str | None) -> int | None:
    if name not in _SIZED or text is None or text.strip().lower() in {"max", "-1", ""}:
        return None
    if not re.fullmatch(r"\s*[0-9]{1,10}\s*", text) or not 1 <= int(text) <= MOST_LENGTH:
        raise ValueError(f"Length is {text!r}, expected a number from 1 to {MOST_LENGTH}, or max")
    return int(text)
