"""What an engine is asked for, what it says on the way, and what it brings home."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from bridge.model.connection import Minutes
from bridge.model.reader import Reader
from bridge.model.words import Secret


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
