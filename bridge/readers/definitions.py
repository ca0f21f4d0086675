"""The definition files of a reader folder as XML: read strictly, with the line of every complaint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from bridge.errors import BeaconError

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
MOST_BYTES = 16 * 1024 * 1024
HINT = "The folder is not as the beacon delivers it; `beacon-bridge list NAME --census` shows its shape."


class Definition:
    """One definition file: its path, its root element, and complaints that name file and line."""

    def __init__(self, path: Path, root: str) -> None:
        self.path = path
        self.root = _parse(path)
        if self.root.tag != root:
            raise self.wrong(self.root, f"the root element is {self.root.tag!r}, expected {root!r}")

    def wrong(self, element: etree._Element | None, text: str) -> BeaconError:
        """Return a complaint about an element of this file."""
        line = f":{element.sourceline}" if element is not None and element.sourceline else ""
        return BeaconError(f"{self.path}{line}: {text}.", hint=HINT)

    def text(self, element: etree._Element, name: str) -> str:
        """Return an attribute that must be there and not blank."""
        value = str(element.get(name) or "").strip()
        if not value:
            raise self.wrong(element, f"{element.tag} has no {name}")
        return value

    def number(self, element: etree._Element, name: str) -> int:
        """Return an attribute that must be a whole number."""
        text = self.text(element, name)
        if not (text.isascii() and text.lstrip("-").isdigit()):
            raise self.wrong(element, f"{name} is {text!r}, expected a whole number")
        return int(text)

    def children(self, element: etree._Element | None, *names: str) -> Iterator[etree._Element]:
        """Yield the child elements, each of which must have one of the names."""
        for child in element if element is not None else ():
            if not isinstance(child.tag, str):  # a comment or a processing instruction
                continue
            if child.tag not in names:
                raise self.wrong(child, f"unknown element {child.tag!r}, expected {' or '.join(names)}")
            yield child


def parse(path: Path) -> etree._Element:
    """Return the root element of a definition file, whatever it is; BeaconError if it is no clean XML."""
    return _parse(path)


def _parse(path: Path) -> etree._Element:
    content = _content(path)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise BeaconError(
            f"{path}:{error.lineno}: this is no well-formed XML: {error.msg}.", hint=HINT
        ) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise BeaconError(f"{path}:1: a DTD or entity declaration is not accepted here.", hint=HINT)
    return root


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise BeaconError(f"{path}: cannot be read: {error.strerror or error}.", hint=HINT) from error
    if size > MOST_BYTES:
        raise BeaconError(f"{path}: is larger than {MOST_BYTES // 1024**2} MiB.", hint=HINT)
    if not content.strip(b"\xef\xbb\xbf \t\r\n\0"):
        raise BeaconError(f"{path}: is empty.", hint=HINT)
    return content
