"""The census of a reader folder: elements, attributes, types and counts, fit to be sent to us."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from bridge.errors import BeaconError
from bridge.readers.definitions import XSI_TYPE, parse

# Attributes whose values say how a folder is built and nothing of whose it is.
_SHOWN = frozenset({"Type", "Language", "Version", "IsMandatory", "ProcedureName", XSI_TYPE})


@dataclass(frozen=True, slots=True)
class FileCensus:
    """One file: its size, its kind, and how often each element, attribute and shown value occurs."""

    name: str
    size: int
    counts: dict[str, int]
    error: str = ""


def take(folder: Path) -> tuple[FileCensus, ...]:
    """Return the census of every file below the folder; script text and values are left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(_file(folder, path) for path in files)


def _file(folder: Path, path: Path) -> FileCensus:
    name, size = path.relative_to(folder).as_posix(), path.stat().st_size
    if path.suffix.lower() not in {".config", ".xml"}:
        return FileCensus(name, size, {"lines": path.read_bytes().count(b"\n")})
    try:
        root = parse(path)
    except BeaconError as error:
        return FileCensus(name, size, {}, error.sentence.replace(str(path), name))
    counts: Counter[str] = Counter()
    for element in root.iter("*"):
        counts.update(_marks(element))
    return FileCensus(name, size, dict(counts))


def _marks(element: etree._Element) -> list[str]:
    tag = str(element.tag)
    marks = [f"<{tag}>"]
    for name, value in element.attrib.items():
        shown = f"={value!s}" if name in _SHOWN else ""
        marks.append(f"<{tag} {etree.QName(name).localname}{shown}>")
    if element.text and element.text.strip():
        marks.append(f"<{tag}> with text")
    return marks
