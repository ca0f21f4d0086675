"""A reader folder as it travels: parameters, functions, steps and columns, in the shape of the vendor's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from bridge.model.words import Owner

SOURCE_TO_TARGET = "SourceToTarget"
EXECUTE_ON_TARGET = "ExecuteOnTarget"


@dataclass(frozen=True, slots=True)
class Column:
    """One OutputSchema element: a column of the receiving table.

    ``type`` is the SQL type in lower case; ``length`` counts UTF-16 units (bytes for binary types), None
    where the type has none or says max; ``precision``/``scale`` belong to decimal and numeric; ``prop`` is
    the property of the emitted object that feeds the column.
    """

    name: str
    type: str
    prop: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of the connection dialog, as the reader folder declares it."""

    name: str
    display: str
    type: str
    mandatory: bool
    secret: bool


@dataclass(frozen=True, slots=True)
class InputVariable:
    """A function's parameter ``name`` and the connection parameter ``variable`` that fills it."""

    name: str
    variable: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the reader that is no step: TestConnection or VersionCheck."""

    method: str
    inputs: tuple[InputVariable, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One Reader element of a reader XML file.

    ``file`` is the reader XML's name, ``kind`` the local ``xsi:type``; ``method`` and ``columns`` are filled
    for PowerShell SourceToTarget steps only. ``overridden_by`` is the file it was overridden by.
    """

    file: str
    name: str
    procedure: str
    order: int
    kind: str
    table: str = ""
    method: str = ""
    inputs: tuple[InputVariable, ...] = ()
    columns: tuple[Column, ...] = ()
    version_from: str | None = None
    overridden_by: Path | None = None

    @property
    def id(self) -> str:
        """``Computer.xml/LoadHolder``: file and name, which are unique in a folder."""
        return f"{self.file}/{self.name}"

    @property
    def collected(self) -> bool:
        """Whether it is ours to run; the rest is the server's work."""
        return self.kind == SOURCE_TO_TARGET


@dataclass(frozen=True)
class Reader:
    """A reader folder, read whole: what it asks for, what it runs, in run order."""

    name: str
    folder: Path
    owner: Owner
    parameters: tuple[Parameter, ...]
    scripts: tuple[Path, ...]
    test: Function | None
    version_check: Function | None
    steps: tuple[Step, ...]
    hashes: Mapping[str, str]  # path relative to the folder ("override:..." for the override tree) -> SHA-256
    override: Path | None = None  # where its overrides lie or would lie
    warnings: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """One hash over every file's name and hash, in the order of their names."""
        lines = (f"{digest}  {name}\n" for name, digest in sorted(self.hashes.items()))
        return sha256("".join(lines).encode()).hexdigest()

    @property
    def to_collect(self) -> tuple[Step, ...]:
        """The PowerShell steps, in run order."""
        return tuple(step for step in self.steps if step.collected)
