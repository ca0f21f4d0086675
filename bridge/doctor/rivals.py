"""Whether the beacon itself collects the same tenant: two collectors count everything twice."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from bridge.beacon import Beacon
from bridge.errors import BeaconError
from bridge.model import Connection, Finding

FILES = (
    "config.xml",
    "schedule.xml",
)  # below Beacon; their schemas are not public, so they are only searched
TOPIC = "other collectors"
_CHUNK = 1024 * 1024
_OVERLAP = 4096  # characters; longer than any name that is looked for, also when each letter is a reference


def findings(
    found: Beacon | BeaconError, connection: Connection, tenants: Collection[str]
) -> Iterator[Finding]:
    """Yield what the beacon's own files say of the tenant's id and domains and of the connection's name.

    ``tenants`` are further names of the tenant, such as the id that its token claims. The files are searched
    as plain text, and nothing of them is shown: they hold credentials.
    """
    if isinstance(found, BeaconError):
        return
    names = dict.fromkeys({connection.tenant, *tenants}, "the tenant")
    names[connection.name] = "the connection's name"
    hits: list[str] = []
    for path in (found.data_root / "Beacon" / file for file in FILES):
        try:
            hits += [f"{path.name} has {what}" for what in sorted(searched(path, names))]
        except OSError as error:
            yield _unread(path, error)
    if hits:
        text = f"two collectors for one tenant: {'; '.join(hits)}"
        fix = "Keep one: set the beacon's own connection to Not scheduled, or remove this one."
        yield Finding(TOPIC, "warn", text, fix)


def _unread(path: Path, error: OSError) -> Finding:
    if isinstance(error, FileNotFoundError):
        return Finding(TOPIC, "info", f"there is no {path}", "Nothing, if the beacon has no connection.")
    text = f"{path} cannot be read: {error.strerror or error}; the beacon may collect the same tenant"
    return Finding(
        TOPIC, "warn", text, "Look at Inventory Systems on the beacon, or check as an administrator."
    )


def searched(path: Path, names: Mapping[str, str]) -> set[str]:
    """Return the values of ``names`` whose keys a file has as whole words; it may have any size."""
    patterns = [(what, _word(name)) for name, what in names.items()]
    found: set[str] = set()
    for text in _texts(path):
        found |= {what for what, pattern in patterns if what not in found and pattern.search(text)}
    return found


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-]|\.\w)", re.IGNORECASE)


def _texts(path: Path) -> Iterator[str]:
    """Yield the file's text in pieces that overlap, character references resolved."""
    with path.open("rb") as file:
        decoder = codecs.getincrementaldecoder(_encoding(file.read(4)))("replace")
        file.seek(0)
        before = ""
        while chunk := file.read(_CHUNK):
            text = before + decoder.decode(chunk)
            yield html.unescape(text)
            before = text[-_OVERLAP:]


def _encoding(head: bytes) -> str:
    """Return how a file is written, by its mark or, without one, by its first sign."""
    if head[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    return {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(head[:2], "utf-8-sig")
