"""The stages of a run, each from a run record to the next one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from bridge import beacon, deliver, system
from bridge.collect import proof
from bridge.errors import (
    BeaconError,
    BridgeError,
    PackageError,
    ReaderError,
    ReaderOutputError,
)
from bridge.model import (
    Capture,
    Collected,
    Connection,
    Gap,
    Granted,
    Job,
    Manifest,
    Origin,
    Owner,
    Reader,
    Say,
    Secret,
    State,
    Talk,
)
from bridge.package.draft import draft, sources, too_long
from bridge.package.verify import verify
from bridge.package.write import write
from bridge.readers import folder as reader_folder
from bridge.runs import record
from bridge.runs.record import Failure, PackageLine, ReaderLine, Run, StepLine
from bridge.runs.recorder import Clock, name_run, program, recorded
from bridge.runs.store import BUILDING, DELIVERED, READY, Runs, kept
from bridge.workplace import Workplace

# Gaps that say what happened. Any other name is a reader's own and must be listed under `optional`.
GENERAL_GAPS = frozenset({"warning", "skipped", "error", "cut"})


# --- begin ---


def begin(
    workplace: Workplace, connection: Connection, reader: Reader, origin: Origin = Origin.ENGINE
) -> Run:
    """Settle every parameter before anything is written or started, then make the run's folder and record."""
    if origin is Origin.ENGINE:
        workplace.values(connection, reader, None if connection.sign_in is None else _promised)
    moment = system.now()
    name, number = workplace.runs.new(moment)
    run = Run(
        format="run-1",
        run=name,
        number=number,
        connection=connection.name,
        tenant=connection.tenant,
        state=State.RUNNING,
        origin=origin,
        development=False,
        started=moment,
        program=program(),
        settings=record.shown(connection),
        reader=ReaderLine.of(reader, beacon.source_type_label(reader.name, workplace.settings.release)),
        steps=tuple(StepLine(count, step) for count, step in enumerate(reader.to_collect, start=1)),
    )
    workplace.runs.save(run)
    return run


def _promised(_: Granted) -> Secret:
    """Stand in for what the sign-in grants while parameters are settled: nobody has signed in yet."""
    return Secret("granted when the run collects")


# --- collect ---


def collect(workplace: Workplace, run: Run, connection: Connection, reader: Reader, say: Say) -> Run:
    """Run the reader's steps; every one leaves a capture, or the run fails."""
    with recorded(workplace.runs, run, "collect", say) as stage:
        stage.say(Talk("stage", f"collect: {run.reader.name} of {run.tenant}, run {run.run}"))
        source = workplace.sign_ins(connection, partial(_telling, stage.say))
        if source is not None:
            source()  # the right tenant, or nothing is read
        job = Job(
            run=run.run,
            reader=reader,
            values=workplace.values(connection, reader, None if source is None else source.granted),
            folder=workplace.runs.path(run.run),
            minutes=connection.minutes,
            tolerate_errors=connection.tolerate_errors,
            skip_patterns=connection.skip_patterns,
            token=source if reader.owner is Owner.BRIDGE else None,
        )
        done: dict[str, int] = {}
        try:
            collected = workplace.engines(connection).collect(job, partial(_noting, done, stage.say))
        finally:
            stage.save(_looked_at(stage.run, reader, done))
        stage.save(_with_collected(stage.run, collected))
        proof.refuse_bits(collected.engine, stage.run.capture_bits)
        _refuse_changed(stage.run.reader.changed or ())
        _refuse_unlisted(stage.run.gaps, connection)
    return stage.run


def _telling(say: Say, text: str) -> None:
    say(Talk("stage", f"sign-in: {text}"))


def _noting(done: dict[str, int], say: Say, talk: Talk) -> None:
    """Note the rows of each step that ends, so that a failed run's record has them too."""
    if talk.kind == "step" and talk.done:
        done[talk.step] = talk.rows
    say(talk)


def _looked_at(run: Run, reader: Reader, done: Mapping[str, int]) -> Run:
    """Return the run with the rows of its whole steps, and with what changed in the reader folder."""
    return replace(
        run,
        steps=tuple(replace(line, rows=done.get(line.step.id)) for line in run.steps),
        reader=replace(run.reader, changed=reader_folder.changed(reader)),
    )


def _with_collected(run: Run, collected: Collected) -> Run:
    captures = {capture.step: capture for capture in collected.captures}
    expected = {line.step.id for line in run.steps} - set(collected.not_applicable)
    if missing := expected - captures.keys():
        raise ReaderError(f"The engine brought no capture of {', '.join(sorted(missing))}.")
    return replace(
        run,
        steps=tuple(_captured(line, captures.get(line.step.id)) for line in run.steps),
        engine=collected.engine,
        development=collected.engine.development,
        capture_bits=tuple(proof.bits_of(capture.path) for capture in collected.captures),
        source_version=collected.source_version,
        not_applicable=collected.not_applicable,
        gaps=tuple(gap for capture in collected.captures for gap in capture.gaps),
    )


def _captured(line: StepLine, capture: Capture | None) -> StepLine:
    if capture is None:
        return line
    return replace(
        line,
        capture=f"capture/{capture.path.name}",
        capture_sha256=deliver.sha256_of(capture.path),
        rows=capture.rows,
    )


def _refuse_changed(changed: tuple[str, ...]) -> None:
    if changed:
        raise BeaconError(
            f"Files of the reader folder changed during the run: {', '.join(changed)}.",
            hint="Find out what changes that folder, then run again; this run's captures are not trusted.",
        )


def _refuse_unlisted(gaps: tuple[Gap, ...], connection: Connection) -> None:
    unlisted = [gap for gap in gaps if gap.name not in GENERAL_GAPS | set(connection.optional)]
    if unlisted:
        raise ReaderError(
            "The reader left out: " + "; ".join(f"{gap.name}: {gap.text}" for gap in unlisted),
            hint=f'If that may be, add it to [connections."{connection.name}"]: '
            f"optional = {sorted({gap.name for gap in unlisted})}",
        )


# --- convert ---


def convert(runs: Runs, run: Run, say: Say) -> Run:
    """Turn the captures into a verified package in ready/; one that does not verify goes to refused/."""
    _refuse_uncollected(run)
    with recorded(runs, run, "convert", say) as stage:
        _refuse_touched(runs, run)
        rows = sum(line.rows or 0 for line in run.steps)
        stage.say(Talk("stage", f"convert: {len(run.steps)} steps, {rows:,} rows"))
        path = runs.path(run.run) / BUILDING / f"{run.run}.zip"
        written = _write(path, runs, run)
        try:
            package = verify(path)
        except PackageError as error:
            stage.run = runs.refuse(stage.run, BUILDING, f"it did not verify: {error}")
            raise
        stage.save(_with_rows(stage.run, written))
        sealed = PackageLine.of(package)
        if runs.place(run) == DELIVERED and run.package and sealed.identity == run.package.identity:
            path.unlink()
            stage.say(Talk("stage", "The same package was delivered already; nothing has changed."))
        else:
            stage.save(replace(stage.run, package=sealed, refused=None))
            runs.move_package(run, BUILDING, READY)
    return stage.run


def _refuse_uncollected(run: Run) -> None:
    if not run.is_collected:
        raise PackageError(
            f"The run {run.run} is {run.state}: its captures are not whole, so there is nothing to convert.",
            hint=f'Collect again: beacon-bridge run "{run.connection}"',
        )


def _write(path: Path, runs: Runs, run: Run) -> Manifest:
    """Write the package in building/; what is not whole does not stay there and fill the disk."""
    try:
        return write(path, draft(run), sources(runs.path(run.run), run), too_long(run))
    except BridgeError:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _refuse_touched(runs: Runs, run: Run) -> None:
    for line in run.steps:
        if line.capture and deliver.sha256_of(runs.path(run.run) / line.capture) != line.capture_sha256:
            raise ReaderOutputError(
                f"{line.capture} is not what was collected: its SHA-256 has changed.",
                hint=f'Collect again: beacon-bridge run "{run.connection}"',
            )


def _with_rows(run: Run, manifest: Manifest) -> Run:
    """Return the run with the rows and gaps that converting found."""
    rows = {table.step: table.rows for table in manifest.tables}
    lines = tuple(replace(line, rows=rows.get(line.step.id)) for line in run.steps)
    return replace(run, steps=lines, gaps=manifest.gaps)


# --- deliver ---


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


def _note_failure(runs: Runs, run: Run, clock: Clock, error: BridgeError) -> None:
    """Record why a delivery failed; a package that is not what was sealed goes to refused/."""
    name_run(error, run.run)
    with suppress(PackageError), kept():
        now = runs.load(run.run)
        stages = (*now.stages, clock.end(now.rows, State.FAILED))
        failed = replace(now, stages=stages, error=Failure.of("deliver", error))
        if runs.place(run) == READY and _is_damaged(runs, run):
            runs.refuse(failed, READY, str(error))
        else:
            runs.save(failed)
        runs.note(run, f"{type(error).__name__}: {error}")
