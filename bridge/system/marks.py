"""The Mark of the Web: the zone a file came from, as Windows remembers it beside the file."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.system.files import WINDOWS


def zone(path: Path) -> int | None:
    """Return the zone in the file's ``Zone.Identifier`` stream (3: internet), None where there is none."""
    if not WINDOWS:
        return None
    try:
        text = Path(f"{path}:Zone.Identifier").read_text("utf-8", "replace")
    except OSError:  # no stream, or no NTFS
        return None
    return zone_of(text)


def zone_of(text: str) -> int | None:
    """Return the zone that the text of such a stream names, None if it names none."""
    found = re.search(r"(?mi)^\s*ZoneId\s*=\s*(\d+)", text)
    return int(found[1]) if found else None
