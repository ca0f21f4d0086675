"""The beginning of a run: every parameter settled, a folder and a record made."""

from __future__ import annotations

from bridge import beacon, system
from bridge.model import (
    Connection,
    Granted,
    Origin,
    Reader,
    Secret,
    State,
)
from bridge.runs import record
from bridge.runs.record import ReaderLine, Run, StepLine
from bridge.runs.recorder import program
from bridge.workplace import Workplace


def begin(
    workplace: Workplace,
    connection: Connection,
    reader: Reader,
    origin: Origin = Origin.ENGINE,
    *,
    strict: bool = False,
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
        strict=strict,
        steps=tuple(StepLine(count, step) for count, step in enumerate(reader.to_collect, start=1)),
    )
    workplace.runs.save(run)
    return run


def _promised(_: Granted) -> Secret:
    """Stand in for what the sign-in grants while parameters are settled: nobody has signed in yet."""
    return Secret("granted when the run collects")
