"""The stage that sends a package to its destination."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from bridge import deliver
from bridge.errors import (
    BridgeError,
    PackageError,
)
from bridge.model import (
    Connection,
    Say,
    State,
    Talk,
)
from bridge.runs.record import Failure, Run, Stage
from bridge.runs.recorder import Clock, name_run
from bridge.runs.store import READY, Runs, kept
from bridge.workplace import Workplace


def send(
    workplace: Workplace,
    run: Run,
    connection: Connection,
    say: Say,
    *,
    again: bool = False,
    reason: str = "",
    anyway: bool = False,
) -> Run:
    """Send one run's package to the connection's destination; older ones that wait are superseded.

    Records why it failed, and what it undoes if it is sent again. Where SaaS Management is in use nothing is
    sent, unless ``anyway``.
    """
    runs = workplace.runs
    undoes = deliver.newer_delivered(run, runs)
    clock = Clock(run, "deliver")
    with runs.log(run, say) as told:
        told(Talk("stage", f"deliver: {run.run}.zip to {connection.deliver_to or 'nowhere'}"))
        if undoes:
            told(Talk("stage", f"This undoes what was delivered later: {', '.join(undoes)}."))
        try:
            deliver.refuse_retired(workplace.settings.saas_management, anyway=anyway)
            folder = deliver.refuse_folder(connection.deliver_to, workplace.beacon_folders, connection.name)
            if not again:
                deliver.refuse_lost(run)
                deliver.supersede(runs, run)
            sent = deliver.deliver(run, runs, folder, again=again, reason=reason, undoes=undoes)
        except BridgeError as error:
            _note_failure(runs, run, clock, error)
            raise
    done = replace(sent, stages=(*sent.stages, clock.end(sent.rows, State.COMPLETE)))
    runs.save(done)
    return done


def _is_damaged(runs: Runs, run: Run) -> bool:
    path = runs.package(run)
    return path is not None and run.package is not None and deliver.sha256_of(path) != run.package.sha256


def _without_the_same(run: Run, failure: Failure) -> tuple[Stage, ...]:
    """Return the stages without the last one if it failed with just that: what waits is tried for ever."""
    last = run.stages[-1] if run.stages else None
    repeats = (
        run.error == failure and last is not None and (last.name, last.outcome) == ("deliver", State.FAILED)
    )
    return run.stages[:-1] if repeats else run.stages


def _note_failure(runs: Runs, run: Run, clock: Clock, error: BridgeError) -> None:
    """Record why a delivery failed; a package that is not what was sealed goes to refused/."""
    name_run(error, run.run)
    with suppress(PackageError), kept():
        now = runs.load(run.run)
        failure, ended = Failure.of("deliver", error), clock.end(now.rows, State.FAILED)
        failed = replace(now, stages=(*_without_the_same(now, failure), ended), error=failure)
        if runs.place(run) == READY and _is_damaged(runs, run):
            runs.refuse(failed, READY, str(error))
        else:
            runs.save(failed)
        runs.note(run, f"{type(error).__name__}: {error}")
