"""One stage of a run while it works: its record is kept as it goes, whatever becomes of it."""

from __future__ import annotations

import logging
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from bridge import __version__, system
from bridge.errors import BridgeError, PackageError
from bridge.model import Say, State
from bridge.runs.record import Failure, Program, Run, Stage
from bridge.runs.store import Runs, kept

log = logging.getLogger(__name__)


def program() -> Program:
    """Return what runs."""
    pid, started = system.own_process()
    return Program(
        bridge=__version__,
        python=platform.python_version(),
        system=platform.platform(),
        machine="64-bit" if sys.maxsize > 2**32 else "32-bit",
        pid=pid,
        process_started=started,
    )


def outcome(run: Run) -> State:
    """Return what the run's data is: complete, or complete with gaps."""
    return State.COMPLETE_WITH_GAPS if run.gaps else State.COMPLETE


class Clock:
    """Times one stage of a run and tells the program's log."""

    def __init__(self, run: Run, stage: str) -> None:
        self._run, self._stage = run.run, stage
        self._started = system.now()
        self._watch = system.stopwatch()
        log.info("%s %s of %s begins", run.run, stage, run.connection)

    def end(self, rows: int, state: State) -> Stage:
        """Return the stage as run.json keeps it."""
        seconds = round(system.stopwatch() - self._watch, 3)
        log.info("%s %s: %s, %d rows, %.1f s", self._run, self._stage, state, rows, seconds)
        return Stage(self._stage, self._started, seconds, rows, state)


class Recorder:
    """Holds the run record while one stage works on it."""

    def __init__(self, runs: Runs, run: Run, stage: str, say: Say) -> None:
        self.run = run
        self.say = say
        self._runs = runs
        self._stage = stage
        self._clock = Clock(run, stage)
        self.save(replace(run, state=State.RUNNING, error=None, ended=None, program=program()))

    def save(self, run: Run) -> None:
        """Keep the record as it is now."""
        self.run = run
        self._runs.save(run)

    def end(self, state: State, error: BridgeError | None = None) -> None:
        """Close the stage."""
        stage = self._clock.end(self.run.rows, state)
        failure = Failure.of(self._stage, error) if error else None
        self.save(
            replace(
                self.run,
                state=state,
                ended=system.now(),
                stages=(*self.run.stages, stage),
                error=failure,
            )
        )


@contextmanager
def recorded(runs: Runs, run: Run, stage: str, say: Say) -> Iterator[Recorder]:
    """Record a stage whatever becomes of it: done, failed, or interrupted.

    An error of the disk below the state folder becomes PackageError. Where the disk does not even take the
    record of a failure, the failure is raised all the same, and the run will show as abandoned.
    """
    with runs.log(run, say) as told:
        recorder = Recorder(runs, run, stage, told)
        try:
            with kept():
                yield recorder
        except BridgeError as error:
            name_run(error, run.run)
            with suppress(PackageError):
                recorder.end(State.FAILED, error)
                runs.note(run, f"{type(error).__name__}: {error}")
            raise
        except KeyboardInterrupt:
            with suppress(PackageError):
                recorder.end(State.INTERRUPTED)
                runs.note(run, "interrupted")
            raise
        recorder.end(outcome(recorder.run))


def name_run(error: BridgeError, run: str) -> None:
    """Put the run's name where an error's hint says RUN, so that the hint can be typed as it is."""
    error.hint = re.sub(r"\bRUN\b", run, error.hint)
