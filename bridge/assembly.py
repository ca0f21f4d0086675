"""The parts put together: a workplace for this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import beacon, settings, system
from bridge.beacon import Beacon
from bridge.errors import BeaconError
from bridge.model import Connection, Engine, Reader, Secret
from bridge.runs.store import Runs
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.secrets.values import values
from bridge.settings import Settings
from bridge.workplace import Workplace

if TYPE_CHECKING:
    from bridge.collect.powershell import PowerShell


def workplace(
    config: Path | None, root: Path | None, environment: Mapping[str, str], read_stdin: Callable[[], str]
) -> Workplace:
    """Return the workplace that the options, the settings and this machine make; SettingsError if wrong."""
    said = settings.load(config, environment, system.default_state())
    secrets = Secrets(environment, read_stdin, Store(said.state / "secrets", system.vault()))
    return Workplace(
        settings=said,
        runs=Runs(said.state),
        beacon=_beacon(root, said),
        values=partial(_values, secrets),
        engines=partial(_engine, environment),
    )


def _beacon(root: Path | None, said: Settings) -> Beacon | BeaconError:
    try:
        return beacon.find(
            system.registry(), root=root, settings_root=said.root, program_data=system.program_data()
        )
    except BeaconError as error:
        return error


def _values(secrets: Secrets, connection: Connection, reader: Reader) -> Mapping[str, str | Secret]:
    return values(connection, reader, secrets)


def _engine(environment: Mapping[str, str], connection: Connection) -> Engine:
    if connection.engine == "native":
        from bridge.collect.graph import Graph

        return Graph()
    return find_tester(environment)


def find_tester(environment: Mapping[str, str]) -> PowerShell:
    """Return this machine's PowerShell: 32-bit on Windows, or BeaconError."""
    from bridge.collect.powershell import PowerShell, find_powershell

    executable = find_powershell(environment, windows=system.WINDOWS)
    return PowerShell(executable, environment, windows=system.WINDOWS, path_limit=system.path_length_limit())
