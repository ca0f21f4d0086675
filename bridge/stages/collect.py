"""The stage that runs the reader: every step leaves a capture, or the run fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from bridge import deliver
from bridge.collect import proof
from bridge.errors import (
    BeaconError,
    ReaderError,
)
from bridge.model import (
    Capture,
    Collected,
    Connection,
    Gap,
    Job,
    Owner,
    Reader,
    Say,
    Talk,
)
from bridge.readers import folder as reader_folder
from bridge.runs.record import Run, StepLine
from bridge.runs.recorder import recorded
from bridge.signin.permissions import granted
from bridge.workplace import Workplace

# Gaps that say what happened. Any other name is a reader's own and must be listed under `optional`.
GENERAL_GAPS = frozenset({"warning", "skipped", "error", "cut"})


def collect(workplace: Workplace, run: Run, connection: Connection, reader: Reader, say: Say) -> Run:
    """Run the reader's steps; every one leaves a capture, or the run fails."""
    with recorded(workplace.runs, run, "collect", say) as stage:
        stage.say(Talk("stage", f"collect: {run.reader.name} of {run.tenant}, run {run.run}"))
        source = workplace.sign_ins(connection, partial(_telling, stage.say))
        if source is not None:
            claims = source.grant().claims  # the right tenant, or nothing is read
            stage.save(replace(stage.run, permissions=tuple(sorted(granted(claims))) if claims else None))
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
            hint="Grant the permission or turn the switch that is named. If it may be left out, write in "
            f'[connections."{connection.name}"]: '
            f"optional = {sorted({*connection.optional, *(gap.name for gap in unlisted)})}",
        )
