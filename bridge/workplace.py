"""One beacon with its settings: what every command works on, each part passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bridge import beacon
from bridge.beacon import Beacon
from bridge.errors import BeaconError, SettingsError
from bridge.expiry import Expiry
from bridge.model import Connection, Engine, Granted, Owner, Reader, Secret
from bridge.readers import folder
from bridge.runs.record import Run
from bridge.runs.store import Runs
from bridge.settings import Settings

if TYPE_CHECKING:  # msal is slow to import; only a sign-in needs it
    from bridge.signin.source import Source

Grant = Callable[[Granted], Secret]


class Values(Protocol):
    """Fills a reader's parameters for a connection."""

    def __call__(
        self, connection: Connection, reader: Reader, granted: Grant | None = None
    ) -> Mapping[str, str | Secret]:
        """Return a value for each declared parameter, or raise SettingsError.

        ``granted`` is asked for what the connection's sign-in grants; None where there is no sign-in.
        """
        ...


class SignIns(Protocol):
    """Signs a connection in."""

    def __call__(self, connection: Connection, tell: Callable[[str], None]) -> Source | None:
        """Return the source of its tokens, which asks nobody yet; None without [signin].

        ``tell`` is told what does not fail a run. Raises SettingsError where [http] is wrong.
        """
        ...


def no_sign_in(connection: Connection, tell: Callable[[str], None]) -> None:
    """Sign nobody in."""


class Expiries(Protocol):
    """Knows the last day of a connection's credentials."""

    def __call__(self, connection: Connection) -> Iterator[Expiry]:
        """Yield each that has one; SettingsError for a credential that cannot be had."""
        ...


def no_expiries(connection: Connection) -> Iterator[Expiry]:
    """Know of no last day."""
    yield from ()


class Engines(Protocol):
    """Chooses the engine of a connection."""

    def __call__(self, connection: Connection) -> Engine:
        """Return the engine, or raise BeaconError."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a reader's name leads: whose folder, where it lies, where its overrides would."""

    owner: Owner
    folder: Path
    override: Path | None = None


@dataclass(frozen=True)
class Workplace:
    """The settings, the runs, the beacon if there is one, and how to get values and engines."""

    settings: Settings
    runs: Runs
    beacon: Beacon | BeaconError  # the error says where it was looked for; our own readers work all the same
    values: Values
    engines: Engines
    sign_ins: SignIns = no_sign_in
    expiries: Expiries = no_expiries

    @property
    def beacon_folders(self) -> tuple[Path, ...]:
        """The beacon's data root, ImportProcedures and overrides, if there is one: no package goes there."""
        if isinstance(self.beacon, BeaconError):
            return ()
        found = self.beacon
        return tuple(one for one in (found.data_root, found.procedures, found.overrides) if one is not None)

    def locate(self, name: str) -> Place:
        """Return where a reader's name leads; BeaconError if it is the beacon's and there is none."""
        if Path(name).is_absolute():
            return Place(Owner.PATH, Path(name))
        bare = name.removeprefix("bridge:")
        _refuse_climbing(bare)
        if name.startswith("bridge:"):
            return Place(Owner.BRIDGE, beacon.shipped() / "Inventory" / "Reader" / bare)
        if isinstance(self.beacon, BeaconError):
            raise self.beacon
        overrides = self.beacon.overrides
        return Place(
            Owner.BEACON,
            self.beacon.procedures / "Inventory" / "Reader" / name,
            overrides / "Reader" / name,
        )

    def reader(self, name: str) -> Reader:
        """Return the reader folder that a name in the settings means, read whole."""
        place = self.locate(name)
        return folder.load(place.folder, place.owner, place.override)

    def connection_of(self, run: Run) -> Connection:
        """Return the connection of a run as the settings have it today."""
        if run.connection in self.settings.connections:
            return self.settings.connections[run.connection]
        raise SettingsError(
            f"The run {run.run} belongs to the connection {run.connection!r}, "
            "which the settings no longer have.",
            hint="Add it again, or take the package from the run's folder.",
        )


def _refuse_climbing(name: str) -> None:
    """Refuse a folder's name that leads elsewhere: what is called the beacon's, or ours, must be."""
    if not name.strip(". ") or any(sign in name for sign in "/\\:"):
        raise BeaconError(
            f"{name!r} is no reader folder's name.",
            hint="Name a folder as `beacon-bridge list` shows it, or give an absolute path.",
        )
