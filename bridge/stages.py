"""The stages of a run, each from a run record to the next one."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from bridge import __version__, beacon, deliver, system
from bridge.errors import BeaconError, BridgeError, PackageError, ReaderError, SettingsError
from bridge.model import Capture, Collected, Connection, Gap, Job, Manifest, Origin, Say, State, Talk
from bridge.package.layout import BRIDGE_1
from bridge.package.verify import verify
from bridge.package.write import Source, write
from bridge.readers import folder as reader_folder
from bridge.runs import record
from bridge.runs.record import Failure, PackageLine, Program, ReaderLine, Run, Stage, StepLine
from bridge.runs.store import BUILDING, DELIVERED, READY, REFUSED, Runs
from bridge.workplace import Workplace

# Gaps that say what happened. Any other name is a reader's own and must be listed under `optional`.
GENERAL_GAPS = frozenset({"warning", "skipped", "error", "cut"})


# --- the record of a stage ---


class Recorder:
    """Holds the run record while one stage works on it."""

    def __init__(self, runs: Runs, run: Run, stage: str, say: Say) -> None:
        self.run = run
        self.say = say
        self._runs = runs
        self._stage = stage
        self._started = system.now()
        self._watch = system.stopwatch()
        self.save(replace(run, state=State.RUNNING, error=None, ended=None, program=program()))

    def save(self, run: Run) -> None:
        """Keep the record as it is now."""
        self.run = run
        self._runs.save(run)

    def end(self, state: State, error: BridgeError | None = None) -> None:
        """Close the stage."""
        seconds = round(system.stopwatch() - self._watch, 3)
        stage = Stage(self._stage, self._started, seconds, self.run.rows, state)
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
    """Record a stage whatever becomes of it: done, failed, or interrupted."""
    with runs.log(run, say) as told:
        recorder = Recorder(runs, run, stage, told)
        try:
            yield recorder
        except BridgeError as error:
            recorder.end(State.FAILED, error)
            runs.note(run, f"{type(error).__name__}: {error}")
            raise
        except KeyboardInterrupt:
            recorder.end(State.INTERRUPTED)
            runs.note(run, "interrupted")
            raise
        recorder.end(outcome(recorder.run))


def outcome(run: Run) -> State:
    """Return what the run's data is: complete, or complete with gaps."""
    return State.COMPLETE_WITH_GAPS if run.gaps else State.COMPLETE


# --- begin ---


def begin(workplace: Workplace, connection: Connection, origin: Origin = Origin.ENGINE) -> Run:
    """Read the reader folder and settle every parameter before anything is written or started."""
    reader = workplace.reader(connection.reader)
    if origin is Origin.ENGINE:
        workplace.values(connection, reader)
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


# --- collect ---


def collect(workplace: Workplace, run: Run, connection: Connection, say: Say) -> Run:
    """Run the reader's steps; every one leaves a capture, or the run fails."""
    with recorded(workplace.runs, run, "collect", say) as stage:
        stage.say(Talk("stage", f"collect: {run.reader.name} of {run.tenant}"))
        reader = workplace.reader(connection.reader)
        job = Job(
            run=run.run,
            reader=reader,
            values=workplace.values(connection, reader),
            folder=workplace.runs.path(run.run),
            minutes=connection.minutes,
            tolerate_errors=connection.tolerate_errors,
            skip_patterns=connection.skip_patterns,
        )
        collected = workplace.engines(connection).collect(job, stage.say)
        stage.save(_with_collected(stage.run, collected))
        changed = reader_folder.changed(reader)
        stage.save(replace(stage.run, reader=replace(stage.run.reader, changed=changed)))
        _refuse_changed(changed)
        _refuse_unlisted(stage.run.gaps, connection)
    return stage.run


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


def take_files(runs: Runs, run: Run, files: Mapping[str, Path], say: Say) -> Run:
    """Copy reader XML output that somebody saved by hand into the run's folder, one file for every step."""
    with recorded(runs, run, "collect", say) as stage:
        chosen = _files_by_step(run, files)
        lines = []
        for line in run.steps:
            capture = f"capture/{line.number:03}.xml"
            place = runs.path(run.run) / capture
            shutil.copyfile(chosen[line.step.id], place)
            lines.append(replace(line, capture=capture, capture_sha256=deliver.sha256_of(place)))
        stage.save(replace(stage.run, steps=tuple(lines)))
    return stage.run


def _files_by_step(run: Run, files: Mapping[str, Path]) -> dict[str, Path]:
    """Match ``STEP=FILE`` to steps, by full name (``User.xml/LoadUsers``) or by a step's bare unique name."""
    ids = [line.step.id for line in run.steps]
    chosen: dict[str, Path] = {}
    for name, path in files.items():
        matching = [one for one in ids if name in {one, one.rpartition("/")[2]}]
        if len(matching) != 1:
            raise SettingsError(
                f"{name!r} names {len(matching)} steps.", hint=f"The steps are: {', '.join(ids)}."
            )
        if not path.is_file():
            raise SettingsError(
                f"There is no file {path} for the step {matching[0]}.", hint="Check its path."
            )
        chosen[matching[0]] = path
    if missing := [one for one in ids if one not in chosen]:
        raise SettingsError(
            f"Every step needs its file; missing: {', '.join(missing)}.",
            hint="A package is whole or not at all: add STEP=FILE for each.",
        )
    return chosen


# --- convert ---


def convert(runs: Runs, run: Run, say: Say) -> Run:
    """Turn the captures into a verified package in ready/; one that does not verify goes to refused/."""
    _refuse_uncollected(run)
    with recorded(runs, run, "convert", say) as stage:
        rows = sum(line.rows or 0 for line in run.steps)
        stage.say(Talk("stage", f"convert: {len(run.steps)} steps, {rows:,} rows"))
        path = runs.path(run.run) / BUILDING / f"{run.run}.zip"
        written = write(path, draft(run), sources(runs, run), too_long(run))
        try:
            package = verify(path)
        except PackageError:
            stage.save(replace(stage.run, refused="it did not verify"))
            runs.move_package(run, BUILDING, REFUSED)
            raise
        stage.save(_with_rows(stage.run, written))
        sealed = PackageLine.of(package)
        if runs.place(run) == DELIVERED and run.package and sealed.identity == run.package.identity:
            path.unlink()
            stage.say(Talk("log", "The same package was delivered already; nothing has changed."))
        else:
            stage.save(replace(stage.run, package=sealed, refused=None))
            runs.move_package(run, BUILDING, READY)
    return stage.run


def _refuse_uncollected(run: Run) -> None:
    collected = [stage.outcome for stage in run.stages if stage.name == "collect"]
    whole = all(line.capture or line.step.id in run.not_applicable for line in run.steps)
    if not whole or collected[-1:] not in ([State.COMPLETE], [State.COMPLETE_WITH_GAPS]):
        raise PackageError(
            f"The run {run.run} is {run.state}: its captures are not whole, so there is nothing to convert.",
            hint=f"Collect again: beacon-bridge run {run.connection!r}",
        )


def _with_rows(run: Run, manifest: Manifest) -> Run:
    """Return the run with the rows and gaps that converting found."""
    rows = {table.step: table.rows for table in manifest.tables}
    lines = tuple(replace(line, rows=rows.get(line.step.id)) for line in run.steps)
    return replace(run, steps=lines, gaps=manifest.gaps)


def sources(runs: Runs, run: Run) -> list[Source]:
    """Return the run's captures with their steps, in run order."""
    folder = runs.path(run.run)
    return [Source(line.step, folder / line.capture) for line in run.steps if line.capture]


def too_long(run: Run) -> Literal["refuse", "cut"]:
    """Return the run's rule for texts longer than their column."""
    return "cut" if run.settings.get("too_long") == "cut" else "refuse"


def draft(run: Run) -> Manifest:
    """Return the manifest without what only the captures tell."""
    engine = run.engine
    return Manifest(
        layout=BRIDGE_1.name,
        connection=run.connection,
        tenant=run.tenant,
        source_type=run.reader.source_type,
        reader=run.reader.name,
        owner=run.reader.owner,
        reader_sha256=run.reader.sha256,
        run=run.run,
        origin=run.origin,
        engine=engine.name if engine else "unknown",
        bits=_bits(run),
        development=run.development,
        outcome=State.COMPLETE,
        gaps=(),
        tables=(),
    )


def _bits(run: Run) -> str:
    if run.engine is None:
        return "unknown"
    return "none" if run.engine.bits.inside is None else str(run.engine.bits.inside)


# --- deliver ---


def deliver_newest(workplace: Workplace, run: Run, connection: Connection, say: Say) -> Run:
    """Send the newest waiting package of the connection; older waiting ones are superseded."""
    runs = workplace.runs
    folder = deliver.refuse_folder(connection.deliver_to, workplace.data_root, connection.name)
    newest = deliver.supersede(runs, runs.waiting(run.connection) or (run,))
    if newest.run != run.run:
        deliver.refuse_run(runs.load(run.run), runs, again=False, accept_by_hand=True)
    return send(workplace, run, folder, say)


def send(
    workplace: Workplace, run: Run, folder: Path, say: Say, *, again: bool = False, reason: str = ""
) -> Run:
    """Send one run's package, and record what it undoes if it is sent again."""
    runs = workplace.runs
    undoes = deliver.newer_delivered(run, runs)
    with runs.log(run, say) as told:
        told(Talk("stage", f"deliver: {run.run}.zip to {folder}"))
        if undoes:
            told(Talk("log", f"This undoes what was delivered later: {', '.join(undoes)}."))
        try:
            return deliver.deliver(run, runs, folder, again=again, reason=reason, undoes=undoes)
        except BridgeError as error:
            runs.save(replace(runs.load(run.run), error=Failure.of("deliver", error)))
            runs.note(run, f"{type(error).__name__}: {error}")
            raise
