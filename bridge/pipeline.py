"""The story of a run on one screen: collect, convert, deliver, and each of them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bridge import deliver, stages
from bridge.errors import PackageError
from bridge.model import Connection, Origin, Package, Say
from bridge.package.verify import compare, verify
from bridge.runs.record import Run
from bridge.workplace import Workplace


def run(workplace: Workplace, connection: Connection, say: Say, *, strict: bool = False) -> Run:
    """Collect, convert, and deliver if the connection says where to; ``strict`` does not deliver gaps."""
    with workplace.runs.lock(connection.name, "run"):
        current = stages.begin(workplace, connection)
        current = stages.collect(workplace, current, connection, say)
        current = stages.convert(workplace.runs, current, say)
        if connection.deliver_to is None or (strict and current.gaps):
            return current
        return stages.deliver_newest(workplace, current, connection, say)


def collect(workplace: Workplace, connection: Connection, say: Say) -> Run:
    """Collect only: the run folder then holds the captures."""
    with workplace.runs.lock(connection.name, "collect"):
        return stages.collect(workplace, stages.begin(workplace, connection), connection, say)


def convert(workplace: Workplace, current: Run, say: Say) -> Run:
    """Make the run's package again from its captures."""
    with workplace.runs.lock(current.connection, "convert"):
        return stages.convert(workplace.runs, current, say)


def convert_by_hand(
    workplace: Workplace, connection: Connection, reader: str, files: Mapping[str, Path], say: Say
) -> Run:
    """Make a package from reader XML output that somebody saved by hand, one file for every step."""
    with workplace.runs.lock(connection.name, "convert"):
        current = stages.begin(workplace, replace(connection, reader=reader), Origin.BY_HAND)
        current = stages.take_files(workplace.runs, current, files, say)
        return stages.convert(workplace.runs, current, say)


def deliver_run(
    workplace: Workplace,
    current: Run,
    say: Say,
    *,
    again: bool = False,
    reason: str = "",
    accept_by_hand: bool = False,
) -> Run:
    """Deliver one run's package; a second time only with ``again`` and a reason."""
    with workplace.runs.lock(current.connection, "deliver"):
        deliver.refuse_run(current, workplace.runs, again=again, accept_by_hand=accept_by_hand)
        connection = workplace.connection_of(current)
        if not again:
            return stages.deliver_newest(workplace, current, connection, say)
        folder = deliver.refuse_folder(connection.deliver_to, workplace.data_root, connection.name)
        return stages.send(workplace, current, folder, say, again=True, reason=reason)


def deliver_waiting(workplace: Workplace, connection: Connection, say: Say) -> Run | None:
    """Deliver the newest waiting package of a connection; None if nothing waits."""
    with workplace.runs.lock(connection.name, "deliver"):
        waiting = [one for one in workplace.runs.waiting(connection.name) if one.origin is Origin.ENGINE]
        if not waiting or connection.deliver_to is None:
            return None
        deliver.refuse_run(waiting[-1], workplace.runs, again=False, accept_by_hand=False)
        return stages.deliver_newest(workplace, waiting[-1], connection, say)


def verify_run(workplace: Workplace, current: Run) -> Package:
    """Verify the run's package against its record and, where they are there, its captures."""
    path = workplace.runs.package(current)
    if path is None or current.package is None:
        raise PackageError(
            f"The run {current.run} has no package.", hint=f"beacon-bridge convert {current.run}"
        )
    if (found := deliver.sha256_of(path)) != current.package.sha256:
        raise PackageError(f"{path.name} has changed since it was sealed: its SHA-256 is {found}.")
    package = verify(path)
    if package.identity != current.package.identity:
        raise PackageError(f"{path.name} is not the package that run.json names.")
    sources = stages.sources(workplace.runs, current)
    if all(source.path.exists() for source in sources):
        compare(package.manifest, sources, stages.too_long(current))
    return package
