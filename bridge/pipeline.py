"""The story of a run on one screen: collect, convert, deliver, and each of them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bridge import deliver, stages
from bridge.errors import PackageError
from bridge.model import Connection, Origin, Package, Say, Talk
from bridge.package.draft import sources, too_long
from bridge.package.verify import compare, verify
from bridge.runs.record import Run
from bridge.runs.retention import swept
from bridge.workplace import Workplace


def run(
    workplace: Workplace, connection: Connection, say: Say, *, strict: bool = False, anyway: bool = False
) -> Run:
    """Collect, convert, and deliver if the connection says where to; ``strict`` does not deliver gaps.

    ``anyway`` delivers although SaaS Management is in use.
    """
    runs, settings = workplace.runs, workplace.settings
    with (
        runs.lock(connection.name, "run"),
        swept(runs, connection.name, settings.connections, settings.keep_captures),
    ):
        current = _collect(workplace, connection, say, strict=strict)
        current = stages.convert(runs, current, say)
        if connection.deliver_to is not None and not current.is_held:
            current = _deliver(workplace, current, connection, say, anyway=anyway)
        return current


def collect(workplace: Workplace, connection: Connection, say: Say) -> Run:
    """Collect only: the run folder then holds the captures."""
    with workplace.runs.lock(connection.name, "collect"):
        return _collect(workplace, connection, say)


def _collect(workplace: Workplace, connection: Connection, say: Say, *, strict: bool = False) -> Run:
    reader = workplace.reader(connection.reader)
    current = stages.begin(workplace, connection, reader, strict=strict)
    return stages.collect(workplace, current, connection, reader, say)


def convert(workplace: Workplace, current: Run, say: Say) -> Run:
    """Make the run's package again from its captures."""
    with workplace.runs.lock(current.connection, "convert"):
        return stages.convert(workplace.runs, workplace.runs.load(current.run), say)


def convert_by_hand(
    workplace: Workplace, connection: Connection, reader: str, files: Mapping[str, Path], say: Say
) -> Run:
    """Make a package from reader XML output that somebody saved by hand, one file for every step."""
    with workplace.runs.lock(connection.name, "convert"):
        folder = workplace.reader(reader)
        by_step = stages.files_by_step(folder, files)
        current = stages.begin(workplace, replace(connection, reader=reader), folder, Origin.BY_HAND)
        current = stages.take_files(workplace.runs, current, by_step, say)
        return stages.convert(workplace.runs, current, say)


def deliver_run(
    workplace: Workplace,
    current: Run,
    say: Say,
    *,
    again: bool = False,
    reason: str = "",
    accept_by_hand: bool = False,
    accept_drop: bool = False,
    anyway: bool = False,
) -> Run:
    """Deliver one run's package; a second time only with ``again`` and a reason.

    ``accept_drop`` first packages a run that was refused for its fewer rows, for a reason; without deliver_to
    it then waits. ``anyway`` delivers although SaaS Management is in use.
    """
    with workplace.runs.lock(current.connection, "deliver"):
        current = workplace.runs.load(current.run)
        if accept_drop:
            current = stages.accept_drop(workplace.runs, current, reason, say)
            if workplace.connection_of(current).deliver_to is None:
                return current
        deliver.refuse_run(current, workplace.runs, again=again, accept_by_hand=accept_by_hand)
        connection = workplace.connection_of(current)
        return stages.send(workplace, current, connection, say, again=again, reason=reason, anyway=anyway)


def deliver_waiting(
    workplace: Workplace, connection: Connection, say: Say, *, anyway: bool = False
) -> Run | None:
    """Deliver the newest waiting package of a connection; None if nothing waits or it has no deliver_to.

    Packages made by hand, and those that ``--strict`` holds back, wait on: each of them wants to be named.
    """
    if connection.deliver_to is None:
        return None
    for held in (one for one in workplace.runs.waiting(connection.name) if one.is_held):
        text = (
            f"{held.run} of {held.connection} has gaps and was run with --strict: it waits until it is named"
        )
        say(Talk("stage", f"{text}. Next: beacon-bridge deliver {held.run}"))
    if workplace.runs.newest_waiting(connection.name) is None:
        return None
    with workplace.runs.lock(connection.name, "deliver"):
        newest = workplace.runs.newest_waiting(connection.name)
        return _deliver(workplace, newest, connection, say, anyway=anyway) if newest else None


def _deliver(workplace: Workplace, current: Run, connection: Connection, say: Say, *, anyway: bool) -> Run:
    deliver.refuse_run(current, workplace.runs, again=False, accept_by_hand=False)
    return stages.send(workplace, current, connection, say, anyway=anyway)


def verify_run(workplace: Workplace, current: Run) -> Package:
    """Verify the run's package against its record and, where they are there, its captures."""
    path = workplace.runs.package(current)
    if path is None or current.package is None:
        raise PackageError(
            f"The run {current.run} has no package.",
            hint=current.command_for_a_package,
        )
    if (found := deliver.sha256_of(path)) != current.package.sha256:
        raise PackageError(f"{path.name} has changed since it was sealed: its SHA-256 is {found}.")
    package = verify(path)
    if package.identity != current.package.identity:
        raise PackageError(f"{path.name} is not the package that run.json names.")
    captures = sources(workplace.runs.path(current.run), current)
    if all(source.path.exists() for source in captures):
        compare(package.manifest, captures, too_long(current))
    return package
