"""How long captures stay, which name every employee: until nothing needs them and some days have passed."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta

from bridge import system
from bridge.errors import BridgeError, BusyError
from bridge.model import Origin, State
from bridge.runs.record import Run, last_delivered
from bridge.runs.store import Runs

log = logging.getLogger(__name__)
_FAILED = {State.FAILED, State.INTERRUPTED, State.ABANDONED}


@contextmanager
def swept(runs: Runs, connection: str, known: Container[str], days: int) -> Iterator[None]:
    """Remove what is old when the block ends, well or not: of a connection, and of those nobody knows now.

    What goes wrong meanwhile is logged, and hides nothing. The caller holds the connection's lock.
    """
    try:
        yield
    finally:
        try:
            _sweep(runs, connection, known, days)
        except (BridgeError, OSError) as error:
            log.warning("captures are not removed: %s", " ".join(str(error).split()))


def _sweep(runs: Runs, connection: str, known: Container[str], days: int) -> None:
    if not days:
        return
    now = system.now()
    remove_captures(runs, connection, days, now)
    for name in sorted({run.connection for run in runs.all()}):
        if name == connection or name in known:
            continue
        is_held = name.casefold() == connection.casefold()  # one lock for both spellings
        with suppress(BusyError), nullcontext() if is_held else runs.lock(name, "remove captures"):
            remove_captures(runs, name, days, now)


def remove_captures(runs: Runs, connection: str, days: int, now: datetime) -> tuple[str, ...]:
    """Remove the captures of a connection's runs that ended more than so many days ago; 0: none.

    Returns the runs' names. Packages, records and logs stay, and so do the captures of the newest whole run,
    of the last delivered one, of the newest that waits, and of what was only collected. A file that another
    program holds stays for next time. The caller holds the connection's lock.
    """
    if not days:
        return ()
    old = (run for run in _unneeded(runs, connection) if now - (run.ended or run.started) > timedelta(days))
    return tuple(run.run for run in old if _remove(runs, run, days))


def _unneeded(runs: Runs, connection: str) -> Iterator[Run]:
    """Yield the connection's runs whose captures nobody waits for."""
    made = [run for run in runs.all() if run.connection == connection]
    whole = [run for run in made if is_whole(run)]
    waiting = (*runs.waiting(connection)[-1:], runs.newest_waiting(connection))
    wanted = {run.run for run in (*whole[-1:], last_delivered(made), *waiting) if run}
    for run in made:
        is_only_collected = run.package is None and run.state not in _FAILED
        if not is_only_collected and run.state is not State.RUNNING and run.run not in wanted:
            yield run


def is_whole(run: Run) -> bool:
    """Return whether an engine brought everything home, and nothing after that spoke against the rows."""
    return (
        run.origin is Origin.ENGINE
        and run.is_collected
        and run.state in {State.COMPLETE, State.COMPLETE_WITH_GAPS}
    )


def _remove(runs: Runs, run: Run, days: int) -> bool:
    """Remove what lies in a run's capture folder; return whether anything went."""
    files = [path for path in (runs.path(run.run) / "capture").glob("*") if path.is_file()]
    for path in files:
        with suppress(OSError):
            path.unlink()
    gone = sum(not path.exists() for path in files)
    if gone:
        log.info("%s: %d of %d captures are removed after %d days", run.run, gone, len(files), days)
    return gone > 0
