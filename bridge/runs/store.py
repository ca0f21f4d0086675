"""The run folders: records, history, locks."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from bridge import system
from bridge.errors import BusyError, PackageError, SettingsError
from bridge.model import Origin, Say, State, Talk
from bridge.runs import record
from bridge.runs.record import Run

BUILDING, READY, DELIVERED, REFUSED = "building", "ready", "delivered", "refused"
PLACES = (BUILDING, READY, DELIVERED, REFUSED)
_LOOK = "Look at that folder; the runs around it are not touched."
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}", re.ASCII)


@contextmanager
def kept() -> Iterator[None]:
    """Turn an error of the disk below the state folder into PackageError."""
    try:
        yield
    except OSError as error:
        raise PackageError(
            f"{error.filename or 'The state folder'} cannot be written or read: {error.strerror or error}.",
            hint="Make room on the disk of the state folder, or give this account rights to it.",
            retryable=True,
        ) from error


class Runs:
    """Everything below ``<state>/runs`` and ``<state>/locks``."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.folder = state / "runs"
        self._locks = state / "locks"

    # --- making and keeping records ---

    def new(self, moment: datetime) -> tuple[str, int]:
        """Create a run folder; return its name and number, which grows even if the clock jumps back."""
        with kept():
            for folder in (self.state, self.folder, self._locks):
                system.make_private_folder(folder)
            return self._new(moment)

    def _new(self, moment: datetime) -> tuple[str, int]:
        with FileLock(self._locks / ".number.lock"):
            number = self._last_number() + 1
            name = f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
            folder = self.folder / name
            folder.mkdir()
            for place in ("capture", *PLACES):
                (folder / place).mkdir()
            system.write_whole(self.folder / ".number", str(number).encode())
        return name, number

    def _last_number(self) -> int:
        try:
            return int((self.folder / ".number").read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return max((run.number for run in self.all()), default=0)

    def save(self, run: Run) -> None:
        """Write run.json whole, or raise PackageError and leave the old one."""
        with kept():
            system.write_whole(self.path(run.run) / "run.json", record.to_json(run))

    def path(self, name: str) -> Path:
        """Return the folder of a run."""
        return self.folder / name

    # --- finding them again ---

    def load(self, name: str) -> Run:
        """Return a run by its name or as ``last:CONNECTION``; SettingsError if there is none."""
        if name.startswith("last:"):
            return self._last(name.removeprefix("last:"))
        path = self.path(name) / "run.json"
        if not _NAME.fullmatch(name) or not path.exists():
            raise SettingsError(
                f"There is no run {name!r} in {self.folder}.", hint="`beacon-bridge show` lists the runs."
            )
        with kept():
            found = record.from_json(path.read_bytes(), str(path))
        if found.run != name:
            raise PackageError(f"{path} is the record of another run, {found.run}.", hint=_LOOK)
        return self._with_state_now(found)

    def _last(self, connection: str) -> Run:
        found = [run for run in self.all() if run.connection == connection]
        if not found:
            raise SettingsError(
                f"There is no run of {connection!r} yet.", hint=f"beacon-bridge run {connection!r}"
            )
        return found[-1]

    def all(self) -> tuple[Run, ...]:
        """Return every run that has a readable record, oldest first; `unreadable` names the others."""
        found = []
        for path in self._records():
            try:
                found.append(self.load(path.parent.name))
            except PackageError:
                continue
        return tuple(sorted(found, key=lambda run: run.number))

    def unreadable(self) -> tuple[str, ...]:
        """Return a sentence for each run folder whose record cannot be read."""
        said = []
        for path in self._records():
            try:
                self.load(path.parent.name)
            except PackageError as error:
                said.append(str(error))
        return tuple(said)

    def _records(self) -> list[Path]:
        return [path for path in self.folder.glob("*/run.json") if _NAME.fullmatch(path.parent.name)]

    def _with_state_now(self, run: Run) -> Run:
        """Return the run as abandoned if it says it is running and its process is gone."""
        if run.state is not State.RUNNING:
            return run
        if system.is_alive(run.program.pid, run.program.process_started):
            return run
        return replace(run, state=State.ABANDONED)

    # --- packages: the state is the folder a package lies in ---

    def package(self, run: Run) -> Path | None:
        """Return where the run's package lies now, None if it has none (building/ does not count)."""
        for place in (READY, DELIVERED, REFUSED):
            path = self.path(run.run) / place / f"{run.run}.zip"
            if path.exists():
                return path
        return None

    def place(self, run: Run) -> str:
        """Return the package's state: ready, delivered, refused or ``-``."""
        path = self.package(run)
        return path.parent.name if path else "-"

    def move_package(self, run: Run, source: str, target: str) -> Path:
        """Move the run's package from one state to another; that rename is the change of state."""
        path = self.path(run.run) / target / f"{run.run}.zip"
        with kept():
            system.replace(self.path(run.run) / source / f"{run.run}.zip", path)
        return path

    def refuse(self, run: Run, source: str, why: str) -> Run:
        """Move the run's package to refused/ and record why."""
        refused = replace(run, refused=why)
        self.save(refused)
        self.move_package(run, source, REFUSED)
        return refused

    def waiting(self, connection: str) -> tuple[Run, ...]:
        """Return the connection's runs whose package waits in ready/, oldest first; those by hand too."""
        return tuple(run for run in self.all() if run.connection == connection and self.place(run) == READY)

    def newest_waiting(self, connection: str) -> Run | None:
        """Return the newest run whose package waits and need not be named: None if there is none.

        Those made by hand, and those that ``--strict`` holds back, want to be named.
        """
        made = [run for run in self.waiting(connection) if run.origin is Origin.ENGINE and not run.is_held]
        return made[-1] if made else None

    # --- the log ---

    @contextmanager
    def log(self, run: Run, say: Say) -> Iterator[Say]:
        """Yield a Say that also writes to the run's log.txt; row counts are for the screen only."""
        with kept():
            file = self._log_path(run).open("a", encoding="utf-8", buffering=1)

        def told(talk: Talk) -> None:
            if talk.kind != "rows":
                with kept():
                    file.write(_log_line(f"{talk.kind:<5} {talk.step} {talk.text}"))
            say(talk)

        try:
            yield told
        finally:
            with suppress(OSError):  # a disk that is full says so again when the file is closed
                file.close()

    def note(self, run: Run, text: str) -> None:
        """Write one entry to the run's log.txt."""
        with kept(), self._log_path(run).open("a", encoding="utf-8") as file:
            file.write(_log_line(text))

    def _log_path(self, run: Run) -> Path:
        return self.path(run.run) / "log.txt"

    # --- locks ---

    @contextmanager
    def lock(self, connection: str, purpose: str) -> Iterator[None]:
        """Hold the connection's lock; BusyError names who holds it since when."""
        name = f"connection {connection.casefold()}"  # a bare CON or NUL is no file name on Windows
        lock = FileLock(self._locks / f"{name}.lock", timeout=0)
        holder = self._locks / f"{name}.json"
        with kept():
            for folder in (self.state, self._locks):
                system.make_private_folder(folder)
            try:
                lock.acquire()
            except Timeout:
                raise BusyError(f"{connection} is busy: {_who(holder)}.") from None
        try:
            with kept():
                system.write_whole(holder, _holder(purpose))
            yield
        finally:
            with suppress(OSError):  # the lock counts; its holder's name is for people
                holder.unlink(missing_ok=True)
            lock.release()


def _log_line(text: str) -> str:
    """Return one line, with anything that would break it or the terminal shown escaped."""
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return f"{system.timestamp(system.now())} {shown}\n"


def _holder(purpose: str) -> bytes:
    pid, _ = system.own_process()
    facts = {"pid": pid, "purpose": purpose, "since": system.timestamp(system.now())}
    return json.dumps(facts).encode()


def _who(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_bytes())
    except (OSError, ValueError):
        return "another process holds its lock"
    return f"process {facts.get('pid')} holds its lock since {facts.get('since')} ({facts.get('purpose')})"
