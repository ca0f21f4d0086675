"""The rows of one reading of a tenant, by step: from a run's captures, or from a package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bridge import tables
from bridge.errors import PackageError, SettingsError
from bridge.model import Check, Gap, Origin, Owner, Package, State
from bridge.package.verify import verify
from bridge.readers.ours import (
    ASSIGNMENT,
    CLOSING,
    COMMERCE,
    OPENING,
    ORGANIZATION,
    READER,
    SUBSCRIPTION,
    USAGE,
    USER,
    is_ours,
)
from bridge.runs import captures
from bridge.runs.record import Run
from bridge.runs.store import Runs
from bridge.tables import Rows

STEPS = (OPENING, ORGANIZATION, SUBSCRIPTION, COMMERCE, USAGE, USER, ASSIGNMENT, CLOSING)

Open = Callable[[], AbstractContextManager[Rows]]


@dataclass(frozen=True)
class Source:
    """What is known of one reading, and how each of STEPS is opened."""

    run: str
    connection: str
    tenant: str
    started: datetime  # of the run, to the second, in UTC
    state: State
    development: bool
    gaps: tuple[Gap, ...]
    warned: tuple[Check, ...]  # what was compared and is to be looked at
    steps: Mapping[str, Open]

    def gap(self, name: str) -> Gap | None:
        """Return the first gap of a name, if there is one."""
        return next((gap for gap in self.gaps if gap.name == name), None)


def of_run(runs: Runs, run: Run) -> Source:
    """Return the rows of a run's captures.

    Raises SettingsError where another reader folder made them, PackageError where they are not whole, not
    there any more, or spoken against by a check, ReaderOutputError where they were changed.
    """
    _refuse_others(run.run, run.reader.owner, run.reader.name)
    if run.origin is not Origin.ENGINE or captures.are_removed(runs, run):
        raise _without_captures(runs, run)
    if not run.is_collected:
        raise PackageError(
            f"The run {run.run} is {run.state}: its captures are not whole.",
            hint=f'Collect again: beacon-bridge run "{run.connection}"',
        )
    _refuse_bad(run)
    paths = {line.step.id: captures.untouched(runs, run, line) for line in run.steps}
    steps = {step: partial(tables.capture, path) for step, path in paths.items() if path}
    return Source(
        run.run,
        run.connection,
        run.tenant,
        _moment(run.run),
        run.state,
        run.development,
        run.gaps,
        _warned(run.checks),
        _complete(run.run, steps),
    )


def of_package(path: Path) -> Source:
    """Return the rows of a package, after it was verified; PackageError if it is none."""
    return _of_verified(verify(path))


def _of_verified(package: Package) -> Source:
    made = package.manifest
    _refuse_others(package.path.name, made.owner, made.reader)
    steps = {line.step: partial(tables.entry, package.path, line.entry) for line in made.tables}
    return Source(
        made.run,
        made.connection,
        made.tenant,
        _moment(made.run),
        made.outcome,
        made.development,
        made.gaps,
        _warned(made.checks),
        _complete(package.path.name, steps),
    )


def _refuse_bad(run: Run) -> None:
    """Refuse what a check, or a stage that failed, spoke against."""
    checks = [check for check in run.checks if check.level == "refused"]
    if checks or run.state in _BAD:
        why = "; ".join(f"the check {check.name} refused it: {check.text}" for check in checks)
        raise PackageError(
            f"The run {run.run} is {run.state}: {why or 'it did not end well'}.",
            hint=f"beacon-bridge show {run.run}",
        )


_BAD = {State.FAILED, State.INTERRUPTED, State.ABANDONED}


def _warned(checks: Iterable[Check]) -> tuple[Check, ...]:
    return tuple(check for check in checks if check.level == "warned")


def _moment(run: str) -> datetime:
    return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _refuse_others(what: str, owner: Owner, name: str) -> None:
    if is_ours(owner, name):
        return
    whose = {Owner.BRIDGE: "our", Owner.BEACON: "the beacon's", Owner.PATH: "another"}[owner]
    raise SettingsError(
        f"{what} was read by {whose} folder {name!r}; a position can be told of bridge:{READER} only.",
        hint=f'Give a connection reader = "bridge:{READER}" and run it.',
    )


def _complete(what: str, steps: Mapping[str, Open]) -> Mapping[str, Open]:
    if missing := [step for step in STEPS if step not in steps]:
        raise PackageError(
            f"{what} was made before the step {missing[0]} was there.",
            hint="Run the connection again with this version.",
        )
    return steps


def _without_captures(runs: Runs, run: Run) -> PackageError:
    package = runs.package(run)
    why = "has no captures of an engine" if run.origin is not Origin.ENGINE else "has no captures any more"
    hint = f'beacon-bridge position "{package}"' if package else f'beacon-bridge run "{run.connection}"'
    return PackageError(
        f"The run {run.run} {why}{'; its package can still be read' if package else ''}.", hint=hint
    )
