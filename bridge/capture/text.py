"""Canonical cell text in XML: what XML cannot hold is escaped, what it would change becomes an entity."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What XML 1.0 cannot hold, in a Python string whose surrogate pairs are joined.
_UNHOLDABLE = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_TO_ESCAPE = re.compile(f"[{_UNHOLDABLE}]|_(?=x[0-9A-Fa-f]{{4}}(?:_|[{_UNHOLDABLE}]))")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_SPECIAL = re.compile(f'[&<>"\t\n\r{_UNHOLDABLE}]|_x')  # neither escape nor attribute changes what has none
ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#x9;",
    "\n": "&#xA;",
    "\r": "&#xD;",
}


def escape(text: str) -> str:
    """Return the text with everything XML 1.0 cannot hold as ``_xHHHH_``; ``unescape`` gives it back exactly.

    An underscore that would be read as the start of such an escape becomes ``_x005F_``.
    """
    if not _TO_ESCAPE.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _TO_ESCAPE.sub(lambda found: f"_x{ord(found.group()):04X}_", joined)


def unescape(text: str) -> str:
    """Return what ``escape`` was given; surrogates may stand alone in it."""
    if not has_escape(text):
        return text
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)


def has_escape(text: str) -> bool:
    """Return whether ``unescape`` would change a text."""
    return "_x" in text and _ESCAPED.search(text) is not None


def attribute(text: str) -> str:
    """Return canonical cell text as it stands between the quotes of an attribute."""
    for character, entity in ENTITIES.items():
        text = text.replace(character, entity)
    return text


def shown(cell: str) -> str:
    """Return canonical cell text with every escape that it needs."""
    return attribute(escape(cell)) if _SPECIAL.search(cell) else cell


def attributes(values: Iterable[tuple[str, str | None]]) -> str:
    """Return `` name="value"`` for each value that is not None, escaped."""
    return "".join(f' {name}="{attribute(escape(text))}"' for name, text in values if text is not None)
