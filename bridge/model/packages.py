"""A package, what it says of itself, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from bridge.model.collecting import Gap
from bridge.model.reader import Column
from bridge.model.words import Origin, Owner, State


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison made before a package is sealed; ``text`` tells both numbers.

    ``noted`` is a difference that is no reason to doubt, ``warned`` one to look at; ``refused`` kept the
    package from being made. ``number`` is what a later run compares its own with; no manifest has it.
    """

    name: str
    level: Literal["ok", "noted", "warned", "refused"]
    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class TableLine:
    """One data entry of a package, as its manifest lists it."""

    entry: str
    step: str
    procedure: str
    table: str
    columns: tuple[Column, ...]
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a package says of itself; its SHA-256 is the package's identity."""

    layout: str
    connection: str
    tenant: str
    source_type: str
    reader: str
    owner: Owner
    reader_sha256: str
    run: str
    origin: Origin
    engine: str
    bits: str  # "32", "64" or "unknown"
    development: bool
    outcome: State
    gaps: tuple[Gap, ...]
    tables: tuple[TableLine, ...]
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """A sealed package on disk: ``identity`` is its manifest's SHA-256, ``sha256`` that of the file."""

    path: Path
    manifest: Manifest
    identity: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a package at its destination."""

    state: Literal["placing", "placed"]
    target: Path
    sha256: str
    moment: datetime
    reason: str = ""  # why it was sent again
    undoes: tuple[str, ...] = ()  # newer runs that were delivered before it
