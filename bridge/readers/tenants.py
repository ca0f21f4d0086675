"""Tenants that more than one connection reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bridge.errors import SettingsError
from bridge.model import Connection

_MICROSOFT_365 = {"Microsoft 365", "Microsoft Office 365"}  # the current reader folder and the deprecated one


def refuse_doubles(path: Path | None, connections: Mapping[str, Connection]) -> None:
    """Raise SettingsError for names that differ only in case, and for one tenant read twice the same way."""
    names: dict[str, str] = {}
    sources: dict[tuple[str, str], str] = {}
    for name, connection in connections.items():
        if other := names.get(name.casefold()):
            raise SettingsError(f"{path}: the connections {other!r} and {name!r} differ only in case.")
        source = (connection.reader.casefold(), connection.tenant.casefold())
        if other := sources.get(source):
            raise SettingsError(
                f"{path}: the connections {other!r} and {name!r} read the same tenant with the same reader.",
                hint="One connection serves all subscriptions of a tenant: remove one of the two.",
            )
        names[name.casefold()] = sources[source] = name


def warnings(connections: Mapping[str, Connection]) -> tuple[str, ...]:
    """Return a sentence for each tenant that more than one Microsoft 365 reader counts."""
    tenants: dict[str, list[Connection]] = {}
    for connection in connections.values():
        if _folder_name(connection.reader) in _MICROSOFT_365:
            tenants.setdefault(connection.tenant.casefold(), []).append(connection)
    return tuple(
        f"The tenant {served[0].tenant} is read by {len(served)} Microsoft 365 connections "
        f"({', '.join(one.name for one in served)}): its licences would be counted twice."
        for served in tenants.values()
        if len(served) > 1
    )


def _folder_name(reader: str) -> str:
    """Return the folder's own name of a reader in the settings: a bare name, ``bridge:NAME``, or a path."""
    bare = reader.removeprefix("bridge:")
    return re.split(r"[\\/]", bare.rstrip("\\/"))[-1]
