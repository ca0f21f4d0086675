"""The parts put together: a workplace for this machine."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import beacon, expiry, settings, system
from bridge.beacon import Beacon
from bridge.doctor import Facts
from bridge.doctor.scripts import host_scripts, module_folders
from bridge.errors import BeaconError
from bridge.model import Connection, Engine, Owner, Reader, Secret
from bridge.runs.store import Runs
from bridge.schedule import Scheduler, run_path
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.secrets.values import values
from bridge.settings import Settings
from bridge.web.route import ProxyLogin, Route
from bridge.workplace import Grant, Workplace

if TYPE_CHECKING:
    from bridge.collect.powershell import PowerShell
    from bridge.signin.source import Source


def workplace(
    config: Path | None, root: Path | None, environment: Mapping[str, str], read_stdin: Callable[[], str]
) -> Workplace:
    """Return the workplace that the options, the settings and this machine make; SettingsError if wrong."""
    said = settings.load(config, environment, system.default_state())
    kept = store(said)
    secrets = Secrets(environment, read_stdin, kept)
    find_route = partial(Route.of, said.web, secrets.fetch)
    return Workplace(
        settings=said,
        runs=Runs(said.state),
        beacon=_beacon(root, said),
        values=partial(_values, secrets),
        engines=partial(_engine, find_route, environment),
        sign_ins=partial(_sign_in, find_route, secrets, kept),
        expiries=partial(expiry.each, secrets=secrets, dates=kept),
    )


def store(said: Settings) -> Store:
    """Return the store of secrets below the state folder."""
    return Store(said.state / "secrets", system.vault())


def _beacon(root: Path | None, said: Settings) -> Beacon | BeaconError:
    try:
        return beacon.find(
            system.registry(), root=root, settings_root=said.root, program_data=system.program_data()
        )
    except BeaconError as error:
        return error


def _values(
    secrets: Secrets, connection: Connection, reader: Reader, granted: Grant | None = None
) -> Mapping[str, str | Secret]:
    return values(at_its_cloud(connection, reader), reader, secrets, granted)


def fills_root(reader: Reader, *, signs_in: bool) -> bool:
    """Return whether a connection's cloud fills the reader's GraphRoot: our own folder's, with a sign-in."""
    return signs_in and reader.owner is Owner.BRIDGE


def at_its_cloud(connection: Connection, reader: Reader) -> Connection:
    """Return the connection with its cloud's GraphRoot where that fills it, unless another one is given."""
    if not fills_root(reader, signs_in=connection.sign_in is not None):
        return connection
    return replace(connection, parameters={"GraphRoot": connection.cloud.graph, **connection.parameters})


def _sign_in(
    find_route: Callable[[], Route],
    secrets: Secrets,
    store: Store,
    connection: Connection,
    tell: Callable[[str], None],
) -> Source | None:
    if connection.sign_in is None:
        return None
    from bridge.signin.source import sign_in

    return sign_in(connection, secrets, store, find_route(), tell)


def _engine(
    find_route: Callable[[], Route], environment: Mapping[str, str], connection: Connection
) -> Engine:
    route = find_route()
    if connection.engine == "native":
        from bridge.collect.graph import Graph

        return Graph(route)
    return find_tester(route.child(environment), route.login())


def find_tester(environment: Mapping[str, str], login: ProxyLogin | None = None) -> PowerShell:
    """Return this machine's PowerShell: 32-bit on Windows, or BeaconError."""
    from bridge.collect.powershell import PowerShell, find_powershell

    executable = find_powershell(environment, windows=system.WINDOWS)
    limit = system.path_length_limit()
    return PowerShell(executable, environment, windows=system.WINDOWS, path_limit=limit, login=login)


def connected_tester(environment: Mapping[str, str], said: Settings) -> PowerShell:
    """Return this machine's PowerShell on the way of [http]; its password cannot come from standard input."""
    secrets = Secrets(environment, lambda: "", Store(said.state / "secrets", system.vault()))
    route = Route.of(said.web, secrets.fetch)
    return find_tester(route.child(environment), route.login())


# --- what watches and schedules ---


def scheduler(environment: Mapping[str, str], state: Path) -> Scheduler:
    """Return this machine's Task Scheduler; BeaconError on a system that has none."""
    if not system.WINDOWS:
        raise BeaconError(
            "There is no Windows Task Scheduler on this system.",
            hint="Run it on the beacon; with --print it shows the tasks anywhere.",
        )
    root = Path(environment.get("SystemRoot", r"C:\Windows"))
    return Scheduler(system.Schtasks(root / "System32" / "schtasks.exe"), state / "schedule")


def next_start(environment: Mapping[str, str], said: Settings) -> Callable[[str], datetime | None]:
    """Return what knows the next start of a connection's task, in local time; elsewhere there is none."""
    if not system.WINDOWS:
        return lambda _: None
    tasks = scheduler(environment, said.state)
    return lambda name: tasks.next_start(run_path(name), datetime.now())  # local, as tasks are


def expiries(environment: Mapping[str, str], said: Settings) -> Callable[[Connection], date | None]:
    """Return what knows when the first credential of a connection expires; standard input is left alone."""
    kept = store(said)
    secrets = Secrets(environment, lambda: "", kept)
    return lambda connection: expiry.first(connection, secrets, kept)


def facts(environment: Mapping[str, str]) -> Facts:
    """Return what a check asks this operating system."""
    return Facts(
        windows=system.WINDOWS,
        account=system.account(),
        registry=system.registry(),
        zone=system.zone,
        proxies=urllib.request.getproxies,
        modules=module_folders(environment, windows=system.WINDOWS),
        own_scripts=host_scripts(),
    )
