"""What is wrong with a settings file, as sentences that name the key and show no value."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.settings.shape import (
    BeaconTable,
    BridgeTable,
    CloudTable,
    ConnectionTable,
    File,
    HttpTable,
    MinutesTable,
    SecretTable,
    SignInTable,
    Table,
)

_KEY = "[key]"  # how pydantic marks a finding about a key itself


def sentence(path: Path, finding: dict[str, Any]) -> str:
    """Return one finding as a sentence that names the key and shows no value."""
    keys = _keys(finding["loc"])
    dotted = ".".join(f'"{key}"' if " " in key else key for key in keys)
    if finding["type"] == "extra_forbidden":
        known = _known_keys(keys[:-1])
        near = nearest(keys[-1], known) or f"Valid here: {', '.join(known)}."
        return f"{path}: {dotted}: there is no such key. {near}"
    if finding["type"] == "missing":
        return f"{path}: {dotted}: this key is missing."
    expected = finding["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = expected.replace("valid string", "text").replace("valid dictionary", "table")
    if _KEY in finding["loc"]:
        expected = "a name of letters, digits, underscores and blanks that begins with a letter or digit"
    return f"{path}: {dotted}: expected {expected}."


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the TOML keys of a finding's location, without pydantic's marks."""
    keys = [str(part) for part in location if part != _KEY]
    if len(keys) > 4 and keys[2] == "parameters":  # connections, NAME, parameters, PARAMETER, tag, ...
        del keys[4]
    elif len(keys) > 3 and keys[2] == "cloud":  # connections, NAME, cloud, tag, ...
        del keys[3]
    return keys


def _known_keys(keys: list[str]) -> list[str]:
    tables: dict[str, type[Table]] = {
        "beacon": BeaconTable,
        "bridge": BridgeTable,
        "http": HttpTable,
        "minutes": MinutesTable,
        "signin": SignInTable,
        "cloud": CloudTable,
    }
    if not keys:
        return list(File.model_fields)
    if keys[0] == "connections" and len(keys) == 2:
        return list(ConnectionTable.model_fields)
    return list(tables.get(keys[-1], SecretTable).model_fields)


def nearest(word: str, known: Mapping[str, Any] | list[str]) -> str | None:
    """Return a question about the nearest known word, if one is near."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {found[0]!r}?" if found else None
