"""How long captures stay, which name every employee: until nothing needs them and some days have passed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from bridge.model import Origin, State
from bridge.runs.record import Run, last_delivered
from bridge.runs.store import DELIVERED, READY, REFUSED, Runs

log = logging.getLogger(__name__)
_FAILED = {State.FAILED, State.INTERRUPTED, State.ABANDONED}


def remove_captures(runs: Runs, connection: str, days: int, now: datetime) -> tuple[str, ...]:
    """Remove the captures of a connection's runs that ended more than so many days ago; 0: none.

    Returns the runs' names. Packages, records and logs stay, and so do the captures of the newest whole run,
    of the last delivered one, and of what still waits. A file that another program holds stays for next time.
    The caller holds the connection's lock.
    """
    if not days:
        return ()
    old = (run for run in _unneeded(runs, connection) if now - (run.ended or run.started) > timedelta(days))
    return tuple(run.run for run in old if _remove(runs, run, days))


def _unneeded(runs: Runs, connection: str) -> Iterator[Run]:
    """Yield the connection's runs whose captures nobody waits for."""
    made = [run for run in runs.all() if run.connection == connection]
    whole = [run for run in made if is_whole(run)]
    delivered = last_delivered(made)
    wanted = {run.run for run in (*whole[-1:], delivered) if run}
    for run in made:
        place = runs.place(run)
        is_done = place in {DELIVERED, REFUSED} or (place != READY and run.state in _FAILED)
        if is_done and run.state is not State.RUNNING and run.run not in wanted:
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
