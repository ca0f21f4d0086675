"""A run told in sentences: what was read, what came of it, and the one next command."""

from __future__ import annotations

from collections.abc import Iterator

from bridge import deliver
from bridge.model import Origin, State
from bridge.package.layout import BRIDGE_1
from bridge.runs.captures import are_removed
from bridge.runs.record import Run
from bridge.runs.store import DELIVERED, READY, REFUSED, Runs
from bridge.show.screen import local


def tell(run: Run, runs: Runs) -> Iterator[str]:
    """Yield the lines of the story."""
    yield f"Run {run.run} of {run.connection} ({run.tenant}), number {run.number}: {run.state}"
    yield f"  began {local(run.started)}" + (f", ended {local(run.ended)}" if run.ended else "")
    yield f"  reader {run.reader.name} ({run.reader.owner}, {run.reader.source_type}), {run.reader.folder}"
    yield from _engine(run)
    for stage in run.stages:
        yield f"  {stage.name}: {stage.outcome} after {stage.seconds:.1f} s, {stage.rows:,} rows"
    for line in run.steps:
        rows = "no rows known" if line.rows is None else f"{line.rows:,} rows"
        if line.step.id in run.not_applicable:
            rows = f"does not apply to version {run.source_version} of the source"
        yield f"    {line.number:03} {line.step.id} -> {line.step.table}: {rows}"
    for gap in run.gaps:
        yield f"  gap {gap.name}, {gap.count} times: {gap.text}"
    for check in run.checks:
        if check.level != "ok":
            yield f"  check {check.name}, {check.level}: {check.text}"
    if run.accepted_drop:
        yield f"  fewer rows than last time were accepted, because: {run.accepted_drop}"
    if run.reader.changed:
        yield f"  files of the reader folder changed during the run: {', '.join(run.reader.changed)}"
    if are_removed(runs, run):
        yield "  captures removed, as [bridge] keep_captures says"
    yield from _package(run, runs)
    if run.error:
        yield f"  failed in {run.error.stage}: {run.error.name}: {run.error.sentence}"
        yield from (f"    {finding}" for finding in run.error.findings)
        yield f"  {run.error.hint}"
    yield f"  log: {runs.path(run.run) / 'log.txt'}"
    yield f"Next: {next_command(run, runs)}"


def _engine(run: Run) -> Iterator[str]:
    if run.origin is Origin.BY_HAND:
        yield "  captures saved by hand: nothing proves where their rows come from"
    if run.engine is None:
        return
    bits = run.engine.bits
    yield f"  engine {run.engine.name}, version {run.engine.version}" + (
        " (development: not on a beacon)" if run.development else ""
    )
    if bits.inside is not None:
        header = f"PE header {bits.executable}-bit" if bits.executable else "no PE header here"
        captures = ", ".join(sorted(set(run.capture_bits))) or "unknown"
        yield f"  bits: {header}, inside {bits.inside}-bit, captures {captures}"


def _package(run: Run, runs: Runs) -> Iterator[str]:
    if run.package is None:
        return
    place = runs.place(run)
    yield f"  package {place}: {runs.package(run) or 'not there'}"
    yield f"    identity {run.package.identity}"
    if run.refused and place == REFUSED:
        yield f"    refused: {run.refused}"
    for receipt in run.receipts:
        because = f", because: {receipt.reason}" if receipt.reason else ""
        undoes = f", undoing {', '.join(receipt.undoes)}" if receipt.undoes else ""
        yield f"    {receipt.state} {local(receipt.moment)} at {receipt.target}{because}{undoes}"
    if run.receipts:
        yield f"    now {deliver.whereabouts(run.receipts[-1], run.package.size)}"
    yield f"    {BRIDGE_1.readers}"


def next_command(run: Run, runs: Runs) -> str:
    """Return the one command that makes sense next, or why there is none."""
    place = runs.place(run)
    if run.state is State.RUNNING:
        return "wait: it is running"
    if place == DELIVERED and run.state is not State.ABANDONED:
        return "nothing: the package was delivered"
    if place == REFUSED and run.refused and run.refused.startswith("superseded"):
        return f"nothing: {run.refused}"
    if place == READY and run.state is not State.ABANDONED:
        more = " --accept-by-hand" if run.origin is Origin.BY_HAND else ""
        more += ' --again --reason "WHY"' if deliver.is_lost(run) else ""
        return f"beacon-bridge deliver {run.run}{more}"
    if run.is_refused_for_drop and not are_removed(runs, run):
        return run.command_to_accept_drop
    if _can_convert(run, place) and not are_removed(runs, run):
        return f"beacon-bridge convert {run.run}"
    if run.origin is Origin.BY_HAND:
        return f'beacon-bridge convert --reader "{run.reader.name}" STEP=FILE...'
    return f'beacon-bridge run "{run.connection}"'


def _can_convert(run: Run, place: str) -> bool:
    """Return whether the captures are whole and converting them once more can help."""
    if not run.is_collected or run.refused_checks:
        return False
    return (
        run.state is not State.FAILED or place == REFUSED or (run.error is not None and run.error.retryable)
    )
