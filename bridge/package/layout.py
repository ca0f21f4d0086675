"""The layout of a package, as one frozen value.

``bridge-1`` is ours: the inner layout of Flexera's own intermediate package is not public, and no Flexera
uploader is known to accept this one. docs/formats.md describes it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in the ZIP, and who is known to read it."""

    name: str
    namespace: str
    version: str
    manifest: str
    data: str  # format with the table's number
    readers: str  # one line for people: who reads such a package

    def entry(self, number: int) -> str:
        """Return the name of the data entry with that number, from 1."""
        return self.data.format(number)


BRIDGE_1 = Layout(
    name="bridge-1",
    namespace="urn:beacon-bridge:bridge-1",
    version="version.xml",
    manifest="manifest.xml",
    data="data/{:03}.xml",
    readers="beacon-bridge alone reads a bridge-1 package; no Flexera uploader is known to accept it.",
)
