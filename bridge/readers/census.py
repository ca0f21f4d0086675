"""The census of a reader folder: elements, attributes, types and counts, fit to be sent to us."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from bridge.readers.definitions import XSI_TYPE, Element, Unreadable, parse
from bridge.readers.folder import existing
from bridge.readers.steps import PROCEDURES

_DEFINITIONS = frozenset({".config", ".xml"})
_SCRIPTS = frozenset({".ps1", ".psm1", ".psd1"})
_MOST_MARKS = 500
_HIDDEN = "(not shown)"

# What counts as a name. A file can hold anything where a name belongs; only what looks like one is shown.
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,31}")
_FILE = re.compile("[A-Za-z0-9][A-Za-z0-9 _.-]{0,47}")
_TYPE = r"[A-Za-z]{1,20}[0-9]?(\((max|[0-9]{1,5})(,[0-9]{1,2})?\))?"

# The attributes whose values say how a folder is built and nothing of whose it is, and the form these have.
_SHOWN = {
    "Type": re.compile(_TYPE),
    XSI_TYPE: re.compile("([a-z]{1,8}:)?[A-Za-z]{1,24}"),
    "Language": re.compile("PowerShell|SQL"),
    "Version": re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})*"),
    "IsMandatory": re.compile("true|false", re.IGNORECASE),
    "ProcedureName": re.compile("|".join(PROCEDURES)),
}


@dataclass(frozen=True, slots=True)
class FileCensus:
    """One file: its size in bytes, how it begins, how often each mark occurs, or why it cannot be read.

    A mark is an element below its parent (``<Readers/Reader>``), an attribute of it (``<Reader Order>``), an
    attribute with its value where that is a type (``<OutputSchema Type=int>``), or ``lines`` of a script.
    """

    name: str
    size: int
    head: str
    counts: Mapping[str, int]
    error: str = ""


def take(folder: Path) -> tuple[FileCensus, ...]:
    """Return the census of every file below the folder, broken or not; script text and values are left out.

    Raises BeaconError if the folder is not there.
    """
    folder = existing(folder)
    return tuple(_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file())


def _file(folder: Path, path: Path) -> FileCensus:
    name, size, kind = _file_name(path.relative_to(folder)), path.stat().st_size, path.suffix.lower()
    try:
        if kind in _DEFINITIONS:
            counts = Counter(_marks(parse(path)))
            return FileCensus(name, size, _head(path), _shortened(counts))
        lines = {"lines": path.read_bytes().count(b"\n")} if kind in _SCRIPTS else {}
        return FileCensus(name, size, _head(path), lines)
    except Unreadable as error:
        where = f" (line {error.line})" if error.line else ""
        return FileCensus(name, size, _head(path), {}, error.reason + where)
    except OSError:
        return FileCensus(name, size, "", {}, "cannot be read")


def _file_name(path: Path) -> str:
    shown = (part if _FILE.fullmatch(part) else _HIDDEN for part in path.parts[:-1])
    known = path.suffix.lower() in _DEFINITIONS | _SCRIPTS and _FILE.fullmatch(path.name)
    return "/".join((*shown, path.name if known else _HIDDEN))


def _head(path: Path) -> str:
    """Return how a file begins: its byte order mark and its XML declaration, if it has them."""
    with path.open("rb") as file:
        first = file.read(64)
    marks = {b"\xef\xbb\xbf": "UTF-8 mark", b"\xff\xfe": "UTF-16 mark", b"\xfe\xff": "UTF-16 mark"}
    found = [text for mark, text in marks.items() if first.startswith(mark)]
    if b"<?xml" in first.replace(b"\0", b""):
        found.append("declaration")
    return ", ".join(found)


def _shortened(counts: Counter[str]) -> dict[str, int]:
    """Return the most frequent marks, in the order of the file; the others together."""
    kept = {mark for mark, _ in counts.most_common(_MOST_MARKS)}
    result = {mark: count for mark, count in counts.items() if mark in kept}
    if len(kept) < len(counts):
        result["others"] = counts.total() - sum(result.values())
    return result


def _marks(root: Element) -> Iterator[str]:
    for element in root.iter("*"):
        tag, parent = _name(element.tag), element.getparent()
        yield f"<{tag}>" if parent is None else f"<{_name(parent.tag)}/{tag}>"
        yield from (f"<{tag} {_attribute(str(name), str(value))}>" for name, value in element.attrib.items())
        if element.text and element.text.strip():
            yield f"<{tag}> with text"


def _attribute(name: str, value: str) -> str:
    form = _SHOWN.get(name)
    if form is None:
        return _name(name)
    return f"{_name(name)}={value if form.fullmatch(value) else _HIDDEN}"


def _name(name: object) -> str:
    """Return an element's or attribute's local name, if it looks like one."""
    local = etree.QName(str(name)).localname
    prefix = "xsi:" if name == XSI_TYPE else ""
    return prefix + (local if _NAME.fullmatch(local) else _HIDDEN)
