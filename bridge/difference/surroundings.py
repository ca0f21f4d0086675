"""What changed around the rows of two runs: reader, program, settings, permissions, engine, gaps, checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from bridge.difference.found import Fact
from bridge.runs.record import Run

NOTHING = "-"
_SHOWN = 12  # characters of a hash
Facts = Iterator[tuple[str, object, object]]


def facts(before: Run, after: Run) -> tuple[Fact, ...]:
    """Return everything around the rows that is not what it was, as the two records tell it."""
    told = (
        *_whole(before, after),
        *_reader(before, after),
        *_program(before, after),
        *_differing("settings", _flat(before.settings), _flat(after.settings)),
        *_permissions(before, after),
        *_engine(before, after),
        *_differing("gap", _gaps(before), _gaps(after)),
        *_checks(before, after),
    )
    return tuple(Fact(topic, text(old), text(new)) for topic, old, new in told if old != new)


def text(value: object) -> str:
    """Return a value of a record as people read it."""
    if value is None or value in ("", ()):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(text(one) for one in value) or NOTHING
    return str(value)


def _whole(before: Run, after: Run) -> Facts:
    yield "connection", before.connection, after.connection
    yield "tenant", before.tenant, after.tenant
    yield "outcome", before.state, after.state
    yield "development", before.development, after.development
    yield "concealed names", _is_concealed(before), _is_concealed(after)
    yield "version of the source", before.source_version, after.source_version
    yield "steps that do not apply", before.not_applicable, after.not_applicable


def _is_concealed(run: Run) -> bool:
    return any(gap.name == "concealed" for gap in run.gaps)


def _reader(before: Run, after: Run) -> Facts:
    yield "reader folder", before.reader.folder, after.reader.folder
    yield "source type", before.reader.source_type, after.reader.source_type
    yield "reader hash", before.reader.sha256[:_SHOWN], after.reader.sha256[:_SHOWN]
    old, new = (
        {name: sha256[:_SHOWN] for name, sha256 in run.reader.files_before.items()} for run in (before, after)
    )
    yield from _differing("reader file", old, new)


def _program(before: Run, after: Run) -> Facts:
    yield "beacon-bridge", before.program.bridge, after.program.bridge
    yield "Python", before.program.python, after.program.python
    yield "system", before.program.system, after.program.system
    yield "machine", before.program.machine, after.program.machine


def _permissions(before: Run, after: Run) -> Facts:
    if before.permissions is None or after.permissions is None:
        yield "permissions", _granted(before), _granted(after)
        return
    old, new = (dict.fromkeys(run.permissions or (), "granted") for run in (before, after))
    yield from _differing("permission", old, new)


def _granted(run: Run) -> object:
    return "not known: the token does not say" if run.permissions is None else run.permissions


def _engine(before: Run, after: Run) -> Facts:
    old, new = (_flat(asdict(run.engine)) if run.engine else {} for run in (before, after))
    yield from _differing("engine", old, new)
    yield "bits of the captures", sorted(set(before.capture_bits)), sorted(set(after.capture_bits))


def _gaps(run: Run) -> dict[str, object]:
    return _joined((gap.name, f"{gap.text} ({gap.count})") for gap in run.gaps)


def _checks(before: Run, after: Run) -> Facts:
    """Yield the checks that are another; two that are fine differ in their numbers only."""
    old, new = (
        _joined((check.name, f"{check.level}: {check.text}") for check in run.checks)
        for run in (before, after)
    )
    fine = {one.name for run in (before, after) for one in run.checks} - {
        one.name for run in (before, after) for one in run.checks if one.level != "ok"
    }
    for topic, was, is_now in _differing("check", old, new):
        if was is None or is_now is None or topic.removeprefix("check ") not in fine:
            yield topic, was, is_now


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return texts by name, those of one name one after another."""
    found: dict[str, object] = {}
    for name, said in pairs:
        found[name] = f"{found[name]}; {said}" if name in found else said
    return found


def _flat(value: Mapping[str, object], before: str = "") -> dict[str, object]:
    """Return a tree as one table whose keys are paths."""
    flat: dict[str, object] = {}
    for name, one in value.items():
        path = f"{before}{name}"
        flat |= _flat(one, f"{path}.") if isinstance(one, Mapping) else {path: one}
    return flat


def _differing(topic: str, old: Mapping[str, object], new: Mapping[str, object]) -> Facts:
    for name in dict.fromkeys((*old, *new)):
        yield f"{topic} {name}", old.get(name), new.get(name)
