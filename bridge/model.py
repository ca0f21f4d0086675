"""The nouns that travel between the modules, all frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal, NoReturn, Protocol

SOURCE_TO_TARGET = "SourceToTarget"
EXECUTE_ON_TARGET = "ExecuteOnTarget"


class Owner(StrEnum):
    """Whose reader folder it is."""

    BEACON = "beacon"  # below the beacon's ImportProcedures
    BRIDGE = "bridge"  # ours, shipped in bridge.importprocedures
    PATH = "path"  # an absolute path in the settings


class Origin(StrEnum):
    """Where a run's captures come from."""

    ENGINE = "engine"
    BY_HAND = "by-hand"


class State(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    COMPLETE = "complete"
    COMPLETE_WITH_GAPS = "complete-with-gaps"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"


class Secret:
    """A text that shows itself only to who asks for it by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text: for standard input of a child or a header, never for a log."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


# --- reader folders (facts/adapter.md: readerV3.config and reader XML of the vendor's adapters) ---


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


# --- a connection ---


@dataclass(frozen=True, slots=True)
class Minutes:
    """Deadlines in minutes; 0 means none."""

    step: float = 120
    run: float = 600
    silence: float = 30


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A secret named in the settings, ``env:NAME`` or ``stdin:NAME``, not yet fetched."""

    where: str
    name: str

    def __str__(self) -> str:
        return f"{self.where}:{self.name}"


@dataclass(frozen=True, slots=True)
class Connection:
    """One tenant, read by one reader folder, as bridge.toml describes it."""

    name: str
    reader: str
    tenant: str
    engine: str = "powershell"
    deliver_to: Path | None = None
    parameters: Mapping[str, str | SecretReference] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    tolerate_errors: tuple[str, ...] = ()
    skip_patterns: tuple[str, ...] = ()
    too_long: Literal["refuse", "cut"] = "refuse"
    minutes: Minutes = Minutes()


# --- collecting ---


@dataclass(frozen=True, slots=True)
class Gap:
    """A named, known hole in otherwise complete data; ``count`` is how often the same text came."""

    name: str
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Talk:
    """Something that happens now and is worth telling: the progress of a run.

    ``kind``: ``stage`` (a stage begins), ``step`` (a step begins or, with ``done``, ends), ``rows`` (rows so
    far), ``log`` (a line of the reader), ``gap``, ``wait`` (throttled; the text says how long and why).
    """

    kind: Literal["stage", "step", "rows", "log", "gap", "wait"]
    text: str
    step: str = ""
    rows: int = 0
    done: bool = False


Say = Callable[[Talk], None]
TokenSource = Callable[[Secret | None], Secret]  # the token that was rejected, if one was -> a good one


@dataclass(frozen=True)
class Job:
    """What an engine is asked to collect. ``values`` are plain or secret, complete and checked."""

    run: str
    reader: Reader
    values: Mapping[str, str | Secret]
    folder: Path  # the run folder; captures go to folder/"capture"
    minutes: Minutes
    tolerate_errors: tuple[str, ...] = ()
    skip_patterns: tuple[str, ...] = ()
    token: TokenSource | None = None  # for our own folders only

    @property
    def captures(self) -> Path:
        """Where the captures go."""
        return self.folder / "capture"


@dataclass(frozen=True, slots=True)
class Bits:
    """The proofs of 32 bits: the executable's PE header, and ``[IntPtr]::Size * 8`` inside.

    None where there is nothing to prove: no PE file (development), no PowerShell (native engine).
    The third proof is each capture's own header.
    """

    executable: int | None
    inside: int | None


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Which engine collected, and on what; ``bits`` are its proofs of 32 bits."""

    name: str  # powershell | native | remote
    bits: Bits
    executable: str = ""
    version: str = ""  # of PowerShell, or of Python for the native engine
    edition: str = ""  # Desktop | Core | Python
    development: bool = False
    language_mode: str = ""
    execution_policy: str = ""
    culture: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    """One step's reader XML output on disk, whole.

    ``rows`` and ``gaps`` are what its trailer says.
    """

    step: str
    path: Path
    rows: int
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """What an engine brought home; it raises rather than return less than every step."""

    engine: EngineFacts
    captures: tuple[Capture, ...]
    source_version: str | None = None
    not_applicable: tuple[str, ...] = ()  # step ids that VersionFrom excludes, of the source's version


@dataclass(frozen=True, slots=True)
class Tested:
    """What a reader's own TestConnection and VersionCheck said.

    ``ok``: TestConnection returned the text OK and nothing else went wrong. ``said`` is what it returned,
    ``error`` what went wrong; ``version`` is VersionCheck's, None if there is none or it failed, and
    ``version_error`` why.
    """

    ok: bool
    said: tuple[str, ...] = ()
    error: str = ""
    version: str | None = None
    version_error: str = ""


class Engine(Protocol):
    """Writes one capture a step, numbered in run order, or raises a BridgeError."""

    def collect(self, job: Job, say: Say) -> Collected:
        """Collect every step of ``job.reader.to_collect`` in order."""
        ...


# --- packages ---


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
