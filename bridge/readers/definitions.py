"""The definition files of a reader folder as XML: read strictly, with the line of every complaint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from lxml import etree

from bridge.errors import BeaconError

Element = etree._Element  # what the parser returns; only this module and the census know whose it is
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
MOST_BYTES = 16 * 1024 * 1024
HINT = "The folder is not as the beacon delivers it; `beacon-bridge list NAME --census` shows its shape."

_BLANK = b"\xef\xbb\xbf\xff\xfe \t\r\n\0"  # byte order marks and white space, of UTF-8 and of UTF-16


class Unreadable(Exception):
    """A definition file that is no XML we accept.

    ``reason`` and ``line`` tell why and show nothing of the file; ``detail`` may show some of it.
    """

    def __init__(self, reason: str, line: int | None = None, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.line, self.detail = reason, line, detail


class Definition:
    """One definition file: its path, its root element, and complaints that name file and line.

    ``warnings`` collects what is left out or guessed at, as sentences with the file's name and line.
    """

    def __init__(self, path: Path, root: str) -> None:
        self.path = path
        try:
            self.root = parse(path)
        except Unreadable as error:
            where = f"{path}:{error.line}" if error.line else f"{path}"
            raise BeaconError(f"{where}: {error.reason}{error.detail}.", hint=HINT) from error
        self.warnings: list[str] = []
        if self.root.tag != root:
            raise self.wrong(self.root, f"the root element is {self.root.tag!r}, expected {root!r}")

    def wrong(self, element: Element, text: str) -> BeaconError:
        """Return a complaint about an element of this file."""
        return BeaconError(f"{self.path}:{element.sourceline}: {text}.", hint=HINT)

    def warn(self, element: Element, text: str) -> None:
        """Keep a remark about an element of this file."""
        self.warnings.append(f"{self.path.name}:{element.sourceline}: {text}.")

    def text(self, element: Element, name: str) -> str:
        """Return an attribute that must be there and not blank."""
        value = str(element.get(name) or "").strip()
        if not value:
            raise self.wrong(element, f"{element.tag} has no {name}")
        return value

    def number(self, element: Element, name: str) -> int:
        """Return an attribute that must be a whole number of at most nine digits."""
        text = self.text(element, name)
        if not re.fullmatch("-?[0-9]{1,9}", text):
            raise self.wrong(element, f"{name} is {text!r}, expected a whole number")
        return int(text)

    def section(self, name: str) -> Element | None:
        """Return the root's child of that name, None if there is none; two of them are refused."""
        found = self.root.findall(name)
        if len(found) > 1:
            raise self.wrong(found[1], f"{name} stands there twice")
        return found[0] if found else None

    def children(self, element: Element | None, *names: str) -> Iterator[Element]:
        """Yield the child elements, each of which must have one of the names."""
        for child in element.iterchildren("*") if element is not None else ():
            if child.tag not in names:
                raise self.wrong(child, f"unknown element {child.tag!r}, expected {' or '.join(names)}")
            yield child

    def unknown(self, element: Element, known: frozenset[str]) -> None:
        """Keep a remark about each attribute that is not among the known ones, and so has no effect here."""
        for name in map(str, element.attrib):
            if name not in known:
                self.warn(element, f"the attribute {name} of {element.tag} is not known and has no effect")

    def file(self, element: Element, name: str, folder: Path) -> Path:
        """Return a file of the folder that an element names, as Windows would find it: in any case.

        A file that is missing or lies outside the folder is refused.
        """
        path = PureWindowsPath(name)
        if path.anchor or ".." in path.parts or any(":" in part for part in path.parts):
            raise self.wrong(element, f"{name!r} lies outside the folder")
        found = folder
        for part in path.parts:
            found = as_written(found / part)
        if not found.is_file():
            raise self.wrong(element, f"there is no file {name!r} in the folder")
        if not found.resolve().is_relative_to(folder.resolve()):
            raise self.wrong(element, f"{name!r} lies outside the folder")
        return found


def as_written(path: Path) -> Path:
    """Return the path with its last part as it is written on disk, which may differ in case.

    The path itself, if there is nothing of that name in any case.
    """
    if not path.parent.is_dir():
        return path
    same = [entry for entry in path.parent.iterdir() if entry.name.casefold() == path.name.casefold()]
    return path if path in same else min(same, default=path)


def parse(path: Path) -> Element:
    """Return the root element of a definition file, whatever it is; Unreadable if it is no clean XML."""
    content = _content(path)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        detail = str(error.msg).rpartition(", line ")[0]
        raise Unreadable("this is no well-formed XML", error.lineno, f": {detail}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        line = content.replace(b"\0", b"").partition(b"<!DOCTYPE")[0].count(b"\n") + 1
        raise Unreadable("a DTD or entity declaration is not accepted here", line)
    return root


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise Unreadable("cannot be read", detail=f": {error.strerror or error}") from error
    if size > MOST_BYTES:
        raise Unreadable(f"is larger than {MOST_BYTES // 1024**2} MiB")
    if not content.strip(_BLANK):
        raise Unreadable("is empty")
    return content
