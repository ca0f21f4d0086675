"""An engine for tests: it writes real captures from rows that the test gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.beacon import Beacon
from bridge.capture import CaptureWriter, Header, capture_paths
from bridge.errors import BeaconError
from bridge.model import (
    Bits,
    Capture,
    Collected,
    Connection,
    EngineFacts,
    Gap,
    Job,
    Say,
    SecretReference,
    Step,
    Talk,
    Web,
)
from bridge.runs.store import Runs
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.secrets.values import values
from bridge.settings import Settings
from bridge.system import FileVault
from bridge.workplace import Workplace
from tests.folders import make_reader_folder

Rows = Sequence[Sequence[str | None]]
DEVELOPMENT = EngineFacts("powershell", Bits(None, 64), development=True, version="7.6")
ROWS: Rows = (("1", "user1@example.org"), ("2", 'Zoë "Z" <z@example.org>'), ("3", None))
PARAMETERS = {"ServiceUrl": "https://badges.example", "ApiKey": SecretReference("env", "KEY")}
CANARY = "plain-canary"  # the secret behind env:KEY


def nothing(_: Job) -> None:
    """Do nothing."""


@dataclass
class RowsEngine:
    """Obeys model.Engine: every step's capture holds the given rows.

    ``before`` and ``after`` are called with the job, before the first capture and after the last; what they
    raise is what the engine raises. ``by_step`` gives single steps their own rows.
    """

    rows: Rows = ROWS
    gaps: Sequence[Gap] = ()
    by_step: Mapping[str, Iterable[Sequence[str | None]]] = field(default_factory=dict)
    facts: EngineFacts = DEVELOPMENT
    header_bits: str = "64"
    before: Callable[[Job], None] = nothing
    after: Callable[[Job], None] = nothing

    def collect(self, job: Job, say: Say) -> Collected:
        """Write one capture a step."""
        self.before(job)
        captures = tuple(self._capture(job, step, path, say) for step, path in capture_paths(job))
        self.after(job)
        return Collected(self.facts, captures)

    def _capture(self, job: Job, step: Step, path: Path, say: Say) -> Capture:
        say(Talk("step", "begins", step.id))
        header = Header.of(
            job, step, engine=self.facts.name, bits=self.header_bits, version=self.facts.version
        )
        with CaptureWriter(path, header) as writer:
            for row in self.by_step.get(step.id, self.rows):
                writer.write(row)
            say(Talk("rows", "", step.id, writer.rows))
            capture = writer.finish(self.gaps)
        say(Talk("step", "ended", step.id, writer.rows, done=True))
        return capture


def silent(_: Talk) -> None:
    """Say nothing."""


def connection_to(folder: Path, **more: object) -> Connection:
    """Return the connection ``Contoso`` read by the reader folder at ``folder``."""
    facts: dict[str, object] = {"parameters": PARAMETERS, **more}
    return Connection("Contoso", str(folder), "contoso.example", **facts)  # type: ignore[arg-type]  # fields by name


def workplace(
    home: Path,
    engine: RowsEngine | None = None,
    *,
    beacon: Beacon | None = None,
    reader: Path | None = None,
    **more: object,
) -> Workplace:
    """Return a workplace below ``home`` with one connection, Contoso, whose engine is the given one.

    ``reader`` is its reader folder (else one is made), ``more`` are further fields of the connection.
    """
    folder = reader or home / "readers" / "Badge Service"
    if not folder.exists():
        make_reader_folder(folder.parent, folder.name)
    contoso = connection_to(folder, **more)
    settings = Settings(None, home / "state", None, None, "unknown", {"Contoso": contoso}, (), Web(), {})
    secrets = Secrets({"KEY": CANARY}, lambda: "", Store(settings.state / "secrets", FileVault()))
    return Workplace(
        settings=settings,
        runs=Runs(settings.state),
        beacon=beacon or BeaconError("no beacon here"),
        values=lambda connection, reader, granted=None: values(connection, reader, secrets, granted),
        engines=lambda connection: engine or RowsEngine(),
    )


def contoso(place: Workplace) -> Connection:
    """Return the workplace's one connection."""
    return place.settings.connections["Contoso"]
