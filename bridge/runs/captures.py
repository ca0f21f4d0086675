"""The captures of a run as they lie in its folder: whole and untouched, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.deliver import sha256_of
from bridge.errors import PackageError, ReaderOutputError
from bridge.runs.record import Run, StepLine
from bridge.runs.store import Runs, kept


def are_removed(runs: Runs, run: Run) -> bool:
    """Return whether a capture that the run collected is not there any more."""
    return any(line.capture and not (runs.path(run.run) / line.capture).exists() for line in run.steps)


def refuse_removed(runs: Runs, run: Run) -> None:
    """Raise PackageError where the run's captures are removed, which happens after some days."""
    if are_removed(runs, run):
        raise PackageError(
            f"The captures of {run.run} are removed: they are kept for the days that [bridge] keep_captures "
            "says, and nothing can be made of them any more.",
            hint=f'Name a newer run (`beacon-bridge show`), or: beacon-bridge run "{run.connection}"',
        )


@contextmanager
def still_there(runs: Runs, *made: Run) -> Iterator[None]:
    """Let what cannot be read while the block runs be told as removed, where it is."""
    try:
        yield
    except (PackageError, ReaderOutputError):
        for run in made:
            refuse_removed(runs, run)
        raise


def untouched(runs: Runs, run: Run, line: StepLine) -> Path | None:
    """Return where a step's capture lies, None where the step did not apply.

    Raises PackageError where it is removed or cannot be read, ReaderOutputError where it has changed since.
    """
    if line.capture is None:
        return None
    refuse_removed(runs, run)
    path = runs.path(run.run) / line.capture
    with still_there(runs, run), kept():
        found = sha256_of(path)
    if found != line.capture_sha256:
        raise ReaderOutputError(
            f"{line.capture} is not what was collected: its SHA-256 has changed.",
            hint=f'Collect again: beacon-bridge run "{run.connection}"',
        )
    return path
