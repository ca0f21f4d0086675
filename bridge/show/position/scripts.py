"""A position for scripts: JSON and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import chain
from typing import IO

from bridge import system
from bridge.convert.values import display
from bridge.position import Licence, Matching, Position, Stranger
from bridge.show import screen
from bridge.show.position.words import Everyone


def as_json(found: Position) -> dict[str, object]:
    """Return a position; numbers that are not known are null, and ``unknown`` says why."""
    value = asdict(found)
    value["started"] = system.timestamp(found.started)
    value["half"] = "online"
    return value


def all_json(found: Everyone) -> dict[str, object]:
    """Return all positions and every user whom mail does not tell apart, as iterators."""
    return {
        "connections": [as_json(one) for one in found.positions],
        "failed": [{"connection": name, **screen.error_json(error)} for name, error in found.failed.items()],
        "read_again": list(found.matching.again),
        "counts": map(asdict, found.matching.counts()),
        "people": map(asdict, _everybody(found.matching)),
    }


def _everybody(matching: Matching) -> Iterator[Stranger]:
    for one in list(matching.counts()):
        yield from matching.strangers(one.kind, guests=one.guests)


_WHERE = ("connection", "tenant", "run")
_LICENCE = tuple(one.name for one in fields(Licence))
_STRANGER = tuple(one.name for one in fields(Stranger) if one.name not in _WHERE)


def write_csv(found: Position, out: IO[str]) -> None:
    """Write a line a licence; what is not known is empty."""
    _write(out, (*_WHERE, *_LICENCE), _lines(found))


def write_all_csv(found: Everyone, out: IO[str]) -> None:
    """Write the licences of all, then every user whom mail does not tell apart; ``list`` says which it is."""
    licences = ({"list": "licence", **line} for one in found.positions for line in _lines(one))
    people = ({"list": user.kind, **asdict(user)} for user in _everybody(found.matching))
    _write(out, ("list", *_WHERE, *_LICENCE, *_STRANGER), chain(licences, people))


def _lines(found: Position) -> Iterator[dict[str, object]]:
    where = {name: getattr(found, name) for name in _WHERE}
    yield from ({**where, **asdict(licence)} for licence in found.licences)


def _write(out: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_plain(row.get(name)) for name in columns])


def _plain(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula: names come from strangers."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    text = display(str(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@")) else text
