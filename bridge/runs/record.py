"""The run record: everything that run.json says of one run (docs/formats.md describes each key)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from bridge.errors import BridgeError, PackageError, ReaderOutputError
from bridge.model import (
    Check,
    Connection,
    EngineFacts,
    Gap,
    Granted,
    Origin,
    Owner,
    Package,
    Reader,
    Receipt,
    SecretReference,
    SignIn,
    State,
    Step,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """The error a run ended with, as the terminal showed it."""

    stage: str
    name: str
    sentence: str
    hint: str
    retryable: bool
    exit_code: int
    findings: tuple[str, ...] = ()

    @classmethod
    def of(cls, stage: str, error: BridgeError) -> Failure:
        """Return the failure that an error is."""
        findings = error.findings if isinstance(error, ReaderOutputError) else ()
        return cls(
            stage,
            type(error).__name__,
            error.sentence,
            error.hint,
            error.retryable,
            error.exit_code,
            findings,
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the run: when it began, how long it took, how many rows it saw, how it ended."""

    name: str
    started: datetime
    seconds: float
    rows: int
    outcome: State


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of the run, with the capture it left."""

    number: int
    step: Step
    capture: str | None = None  # relative to the run folder
    capture_sha256: str | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class PackageLine:
    """The sealed package: its file's name, identity (the manifest's SHA-256), hash, size and rows."""

    file: str
    identity: str
    sha256: str
    size: int
    rows: int

    @classmethod
    def of(cls, package: Package) -> PackageLine:
        """Return the line of a verified package."""
        rows = sum(table.rows for table in package.manifest.tables)
        return cls(package.path.name, package.identity, package.sha256, package.size, rows)


@dataclass(frozen=True, slots=True)
class ReaderLine:
    """The reader folder as it was: whose, where, and the hash of every file before and after the run."""

    name: str
    owner: Owner
    folder: str
    source_type: str
    sha256: str
    files_before: Mapping[str, str]
    changed: tuple[str, ...] | None = None  # None: not looked at yet
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, reader: Reader, source_type: str) -> ReaderLine:
        """Return the line of a reader that has just been loaded."""
        return cls(
            reader.name,
            reader.owner,
            str(reader.folder),
            source_type,
            reader.sha256,
            dict(reader.hashes),
            warnings=reader.warnings,
        )


@dataclass(frozen=True, slots=True)
class Program:
    """What ran: versions, machine, and the process, by which a killed run is told from a living one."""

    bridge: str
    python: str
    system: str
    machine: str
    pid: int
    process_started: float


@dataclass(frozen=True)
class Run:
    """One run of one connection. ``number`` grows by one with each run, whatever the clock does."""

    format: Literal["run-1"]
    run: str
    number: int
    connection: str
    tenant: str
    state: State
    origin: Origin
    development: bool
    started: datetime
    program: Program
    settings: Mapping[str, object]
    reader: ReaderLine
    steps: tuple[StepLine, ...]
    ended: datetime | None = None
    stages: tuple[Stage, ...] = ()
    engine: EngineFacts | None = None
    capture_bits: tuple[str, ...] = ()
    source_version: str | None = None
    not_applicable: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    package: PackageLine | None = None
    receipts: tuple[Receipt, ...] = ()
    refused: str | None = None  # why the package lies in refused/
    error: Failure | None = None
    permissions: tuple[str, ...] | None = None  # that the token named; None: it does not say, or was given
    checks: tuple[Check, ...] = ()  # what was compared before the package was sealed
    strict: bool = False  # whether a package with gaps waits until somebody names it
    accepted_drop: str = ""  # why fewer rows than last time are right, as somebody said

    @property
    def is_held(self) -> bool:
        """Whether ``--strict`` holds the package back for its gaps: it goes out only when it is named."""
        return self.strict and bool(self.gaps)

    @property
    def is_collected(self) -> bool:
        """Whether the last collecting brought every step's capture home."""
        outcomes = [stage.outcome for stage in self.stages if stage.name == "collect"]
        whole = all(line.capture or line.step.id in self.not_applicable for line in self.steps)
        return whole and outcomes[-1:] in ([State.COMPLETE], [State.COMPLETE_WITH_GAPS])

    @property
    def delivered(self) -> datetime | None:
        """When its package last reached its destination; None if it never did."""
        return max((one.moment for one in self.receipts if one.state == "placed"), default=None)

    @property
    def refused_checks(self) -> tuple[str, ...]:
        """The names of the checks that kept its package from being made."""
        return tuple(check.name for check in self.checks if check.level == "refused")

    @property
    def is_refused_for_drop(self) -> bool:
        """Whether nothing but rows that are fewer than last time kept its package from being made."""
        return set(self.refused_checks) == {"drop"}

    @property
    def command_to_accept_drop(self) -> str:
        """The command that packages and delivers it although its rows are fewer than last time."""
        by_hand = " --accept-by-hand" if self.origin is Origin.BY_HAND else ""
        return f'beacon-bridge deliver {self.run} --accept-drop{by_hand} --reason "WHY"'

    @property
    def command_for_a_package(self) -> str:
        """The command that makes the run's package or, where nothing can, tells why."""
        if self.is_refused_for_drop:
            return self.command_to_accept_drop
        if self.refused_checks:
            return f"beacon-bridge show {self.run}"
        return f"beacon-bridge {'convert' if self.is_collected else 'show'} {self.run}"

    @property
    def rows(self) -> int:
        """Rows of all steps collected so far."""
        return sum(line.rows or 0 for line in self.steps)


def last_delivered(made: Iterable[Run]) -> Run | None:
    """Return the run whose package reached its destination last, an old one again too; None if none did."""
    placed = [(run.delivered, run.number, run) for run in made if run.delivered]
    return max(placed, default=(None, None, None))[-1]


@cache
def _adapter() -> TypeAdapter[Run]:
    return TypeAdapter(Run)


def to_json(run: Run) -> bytes:
    """Return the record as run.json holds it; half of a surrogate pair, which UTF-8 cannot hold, is ``?``."""
    content = json.dumps(_adapter().dump_python(run, mode="json"), indent=2, ensure_ascii=False)
    return content.encode("utf-8", "replace") + b"\n"


def from_json(content: bytes, where: str) -> Run:
    """Return the record, or raise PackageError that names the file."""
    try:
        return _adapter().validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PackageError(
            f"{where} is no run record: {place or 'the file'}: {first['msg']}.",
            hint="The run's captures are not touched; collect again with `beacon-bridge run CONNECTION`.",
        ) from None


def _shown_parameter(value: str | SecretReference | Granted) -> object:
    if isinstance(value, Granted):
        return {value.value: True}
    return {"secret": str(value)} if isinstance(value, SecretReference) else value


def _shown_sign_in(sign_in: SignIn | None) -> dict[str, object] | None:
    """Return how a connection signs in, its credentials as their references."""
    if sign_in is None:
        return None
    names = ("secret", "certificate", "passphrase", "refresh_token")
    references = {name: getattr(sign_in, name) for name in names}
    given = {name: str(one) for name, one in references.items() if one is not None}
    return {"flow": sign_in.flow, "client_id": sign_in.client_id, **given}


def shown(connection: Connection) -> dict[str, object]:
    """Return a connection's settings without its secrets: a secret is shown as its reference."""
    return {
        "reader": connection.reader,
        "tenant": connection.tenant,
        "engine": connection.engine,
        "deliver_to": str(connection.deliver_to) if connection.deliver_to else None,
        "parameters": {name: _shown_parameter(value) for name, value in connection.parameters.items()},
        "cloud": {"authority": connection.cloud.authority, "graph": connection.cloud.graph},
        "signin": _shown_sign_in(connection.sign_in),
        "optional": list(connection.optional),
        "tolerate_errors": list(connection.tolerate_errors),
        "skip_patterns": list(connection.skip_patterns),
        "too_long": connection.too_long,
        "count_slack": connection.count_slack,
        "max_drop": connection.max_drop,
        "minutes": {
            "step": connection.minutes.step,
            "run": connection.minutes.run,
            "silence": connection.minutes.silence,
        },
    }
