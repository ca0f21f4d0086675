"""Names for people: Microsoft's CSV of product names and service plans, as an administrator put it there.

Microsoft's page "Product names and service plan identifiers for licensing" offers the file. It is dirty:
ids with spaces around them, in either case, copies in Windows-1252 or with semicolons.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import SettingsError

_PRODUCT = ("GUID", "Product_Display_Name")
_PLAN = ("Service_Plan_Id", "Service_Plans_Included_Friendly_Names")


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id, in lower case; what it does not know keeps the name it has."""

    products: Mapping[str, str] = field(default_factory=dict)
    plans: Mapping[str, str] = field(default_factory=dict)

    def product(self, sku: object, otherwise: object) -> object:
        """Return the name of a product."""
        return self.products.get(str(sku).strip().lower(), otherwise)

    def plan(self, plan: object, otherwise: object) -> object:
        """Return the name of a service plan."""
        return self.plans.get(str(plan).strip().lower(), otherwise)


def read(path: str) -> Names:
    """Return the names of a file, none without a path; SettingsError if it is not that file."""
    if not path:
        return Names()
    try:
        text = _text(Path(path).read_bytes())
        heads = next(iter(text.splitlines()), "")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(heads)))
    except (OSError, ValueError, csv.Error) as error:
        raise _wrong(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    columns = [name.strip().casefold() for name in rows[0]] if rows else []
    if missing := [name for name in (*_PRODUCT, *_PLAN) if name.casefold() not in columns]:
        raise _wrong(path, f"has no column {', '.join(missing)}")
    return Names(
        *(_pairs(rows[1:], *(columns.index(name.casefold()) for name in two)) for two in (_PRODUCT, _PLAN))
    )


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _separator(heads: str) -> str:
    return ";" if heads.count(";") > heads.count(",") else ","


def _pairs(rows: Iterable[list[str]], key: int, name: int) -> dict[str, str]:
    """Return the names by id; the first row that names one counts."""
    pairs: dict[str, str] = {}
    for row in rows:
        if len(row) > max(key, name) and row[key].strip() and row[name].strip():
            pairs.setdefault(row[key].strip().lower(), row[name].strip())
    return pairs


def _wrong(path: str, what: str) -> SettingsError:
    return SettingsError(
        f"ProductNames: {path} {what}.",
        hint="Give the path of Microsoft's CSV of product names and service plan identifiers, or none.",
    )
