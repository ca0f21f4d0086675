"""The stage that turns captures into a verified package."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bridge import deliver
from bridge.complete.checks import Checks, refuse
from bridge.errors import (
    BridgeError,
    PackageError,
)
from bridge.model import (
    Manifest,
    Say,
    Talk,
)
from bridge.package.draft import draft, sources, too_long
from bridge.package.verify import verify
from bridge.package.write import write
from bridge.runs.captures import refuse_removed, untouched
from bridge.runs.record import PackageLine, Run
from bridge.runs.recorder import Recorder, recorded
from bridge.runs.store import BUILDING, DELIVERED, READY, Runs


def convert(runs: Runs, run: Run, say: Say) -> Run:
    """Turn the captures into a verified package in ready/; one that does not verify goes to refused/."""
    _refuse_uncollected(run)
    refuse_removed(runs, run)
    with recorded(runs, replace(run, checks=()), "convert", say) as stage:
        for line in run.steps:
            untouched(runs, run, line)
        rows = sum(line.rows or 0 for line in run.steps)
        stage.say(Talk("stage", f"convert: {len(run.steps)} steps, {rows:,} rows"))
        path = runs.path(run.run) / BUILDING / f"{run.run}.zip"
        _write(path, runs, stage)
        try:
            package = verify(path)
        except PackageError as error:
            stage.run = runs.refuse(stage.run, BUILDING, f"it did not verify: {error}")
            raise
        sealed = PackageLine.of(package)
        if runs.place(run) == DELIVERED and run.package and sealed.identity == run.package.identity:
            path.unlink()
            stage.say(Talk("stage", "The same package was delivered already; nothing has changed."))
        else:
            stage.save(replace(stage.run, package=sealed, refused=None))
            runs.move_package(run, BUILDING, READY)
    return stage.run


def accept_drop(runs: Runs, run: Run, reason: str, say: Say) -> Run:
    """Convert a run that was refused for its fewer rows and for nothing else; the reason is kept."""
    if not run.is_refused_for_drop:
        raise PackageError(
            f"The run {run.run} was not refused for fewer rows alone: there is no drop to accept.",
            hint=f"beacon-bridge show {run.run}",
        )
    deliver.refuse_older(run, runs)
    return convert(runs, replace(run, accepted_drop=" ".join(reason.split())), say)


def _refuse_uncollected(run: Run) -> None:
    if not run.is_collected:
        raise PackageError(
            f"The run {run.run} is {run.state}: its captures are not whole, so there is nothing to convert.",
            hint=f'Collect again: beacon-bridge run "{run.connection}"',
        )


def _write(path: Path, runs: Runs, stage: Recorder) -> None:
    """Write the package in building/; what is not whole does not stay there and fill the disk."""
    run = stage.run
    try:
        with Checks(run, deliver.delivered_before(run, runs), runs.state) as checks:
            captures = sources(runs.path(run.run), run)
            written = write(path, draft(run), captures, too_long(run), judge=checks)
        stage.save(_with_findings(run, written))
        for check in written.checks:
            stage.say(Talk("stage", f"check {check.name}: {check.level}: {check.text}"))
        refuse(run, written.checks)
    except BridgeError:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _with_findings(run: Run, manifest: Manifest) -> Run:
    """Return the run with the rows, gaps and checks that converting found."""
    rows = {table.step: table.rows for table in manifest.tables}
    lines = tuple(replace(line, rows=rows.get(line.step.id)) for line in run.steps)
    return replace(run, steps=lines, gaps=manifest.gaps, checks=manifest.checks)
