"""Stored secrets as scripts and people get them: everything but their values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from rich.table import Table

from bridge.errors import SettingsError
from bridge.secrets.store import Entry
from bridge.show import screen

Found = Mapping[str, Entry | SettingsError]  # by name; the error says why one is of no use


def as_json(name: str, found: Entry | SettingsError, today: date) -> dict[str, object]:
    """Return name, protection, expires (ISO 8601), days_left, for (an account) and problem (a sentence)."""
    value: dict[str, object] = {
        "name": name,
        "protection": None,
        "expires": None,
        "days_left": None,
        "for": None,
        "problem": None,
    }
    if isinstance(found, SettingsError):
        return value | {"problem": found.sentence}
    value |= {"name": found.name, "protection": found.protection, "for": found.account}
    if found.expires:
        value |= {"expires": found.expires.isoformat(), "days_left": (found.expires - today).days}
    return value


def line(entry: Entry, description: str) -> str:
    """Return what is said of a secret that was stored."""
    until = f", until {entry.expires}" if entry.expires else ""
    whose = f", for {entry.account}" if entry.account else ""
    return f"{entry.name} is stored{until}{whose} ({description})"


def table(found: Found, today: date) -> Table:
    """Return one line a secret; one that is of no use with the reason."""
    columns = ("Name", "Protection", "Expires", "Days left", "For", "Problem")
    return screen.table(columns, (_row(name, one, today) for name, one in found.items()))


def _row(name: str, found: Entry | SettingsError, today: date) -> tuple[str, ...]:
    if isinstance(found, SettingsError):
        return (name, "-", "-", "-", "-", found.sentence)
    day = found.expires
    return (
        found.name,
        found.protection,
        str(day or "-"),
        str((day - today).days) if day else "-",
        found.account or "-",
        "",
    )
