"""Which two runs are meant: those of a connection around a day, or a run and the one before it."""

from __future__ import annotations

from datetime import date

from bridge.errors import SettingsError
from bridge.runs.captures import are_removed
from bridge.runs.record import Run
from bridge.runs.retention import is_whole
from bridge.runs.store import Runs

_SHOWN = 5


def pair_since(runs: Runs, connection: str, day: date) -> tuple[Run, Run]:
    """Return the connection's last whole run that began on that local day or before, and its newest one.

    Raises SettingsError that tells which runs there are.
    """
    whole = _whole(runs, connection)
    until = [run for run in whole if _day(run) <= day]
    if not until:
        raise SettingsError(
            f"No whole run of {connection!r} with its captures is from {day} or before: {_told(whole)}.",
            hint=_since(connection, whole[0]) if len(whole) > 1 else _RUN.format(connection),
        )
    if until[-1].run == whole[-1].run:
        raise SettingsError(
            f"There is no whole run of {connection!r} after {day} to compare {until[-1].run} with.",
            hint=_RUN.format(connection),
        )
    return until[-1], whole[-1]


def before_of(runs: Runs, run: Run) -> Run:
    """Return the same connection's last delivered run before a run or, if none was, its last whole one."""
    older = [one for one in _whole(runs, run.connection) if one.number < run.number]
    delivered = [one for one in older if one.receipts and one.receipts[-1].state == "placed"]
    if not older:
        raise SettingsError(
            f"There is no whole run of {run.connection!r} before {run.run} to compare it with.",
            hint="Name both runs: beacon-bridge diff RUN RUN",
        )
    return (delivered or older)[-1]


def _since(connection: str, run: Run) -> str:
    return f'beacon-bridge diff "{connection}" --since {_day(run)}'


_RUN = 'Run it: beacon-bridge run "{}"'


def _whole(runs: Runs, connection: str) -> list[Run]:
    """Return the connection's whole runs that still have their captures, oldest first."""
    made = (run for run in runs.all() if run.connection == connection and is_whole(run))
    return [run for run in made if not are_removed(runs, run)]


def _day(run: Run) -> date:
    return run.started.astimezone().date()


def _told(whole: list[Run]) -> str:
    if not whole:
        return "there is none at all"
    shown = ", ".join(f"{run.run} of {_day(run)}" for run in whole[:_SHOWN])
    return f"the first are {shown}" if len(whole) > _SHOWN else f"there are {shown}"
