"""Two runs compared: what is around them, each step, each SKU, and every row that is not what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

from bridge.capture import unescape
from bridge.difference import surroundings
from bridge.difference.found import Fact, Kind, Named, Person, RowChange, SkuChange, StepChange
from bridge.difference.keys import key_of
from bridge.difference.rows import Side, StepRows
from bridge.difference.skus import Move, Skus
from bridge.errors import PackageError, SettingsError
from bridge.model import Origin
from bridge.readers.ours import ASSIGNMENT, SUBSCRIPTION, USER, is_ours
from bridge.runs.captures import refuse_removed, still_there, untouched
from bridge.runs.record import Run, StepLine
from bridge.runs.store import Runs
from bridge.tables import Cells, Tables


@dataclass(frozen=True)
class Difference:
    """What differs between two runs of a reader; its lists are read as they are asked for, from disk."""

    before: Run
    after: Run
    facts: tuple[Fact, ...]
    steps: tuple[StepChange, ...]
    skus: tuple[SkuChange, ...] | None  # None: not our reader folder, or a run without its steps
    _rows: Mapping[str, StepRows]
    _people: Skus

    def rows(self, step: str) -> Iterator[RowChange]:
        """Yield the rows of a step that are not what they were, by key."""
        found = self._rows.get(step)
        for kind, old, new in found.pairs() if found else ():
            before, after = (_named(found, cells) for cells in (old, new)) if found else (None, None)
            one = after or before or {}
            key = {name: one[name] for name in found.key.columns} if found and found.key else {}
            yield RowChange(cast("Kind", kind), key, self._name(step, one), before, after)

    def movers(self, sku: str, move: Move) -> Iterator[Person]:
        """Yield the users who gained or lost a SKU."""
        yield from self._people.movers(sku, move)

    def _name(self, step: str, row: Named) -> str | None:
        key = self._rows[step].key
        if key and key.name:
            return row.get(key.name)
        person = row[key.person] if key and key.person else None
        return self._people.name(person) if person and self.skus is not None else None


def _named(found: StepRows, cells: Cells | None) -> Named | None:
    if cells is None:
        return None
    exact = (None if cell is None else unescape(cell) for cell in cells)
    return dict(zip(found.columns, exact, strict=True))


# --- comparing ---


@contextmanager
def compared(runs: Runs, before: Run, after: Run) -> Iterator[Difference]:
    """Compare two runs of one reader folder; what it takes to do so is gone when the block ends.

    Raises SettingsError for different folders, PackageError for a run whose captures are not whole, were
    saved by hand or are removed, and ReaderOutputError for one whose captures have changed.
    """
    refuse_others(before, after)
    sides = tuple(_sides(runs, run) for run in (before, after))
    with still_there(runs, before, after), Tables(runs.state) as base:
        found = {
            line.step.id: _step(base, line, after, sides[0][line.step.id], sides[1][line.step.id])
            for line in after.steps
            if _have_columns(line.step.id, sides)
        }
        people = Skus(base)
        yield Difference(
            before,
            after,
            (*surroundings.facts(before, after), *_reports(found)),
            tuple(_steps(before, after, found, sides)),
            _skus(people, before, sides),
            found,
            people,
        )


def refuse_others(before: Run, after: Run) -> None:
    """Refuse runs that cannot be compared, by name."""
    for run in (before, after):
        if run.origin is not Origin.ENGINE:
            raise PackageError(
                f"The captures of {run.run} were saved by hand; only what an engine collected is compared.",
                hint="Name two runs of a connection; `beacon-bridge show` lists them.",
            )
        if not run.is_collected:
            raise PackageError(
                f"The run {run.run} is {run.state}: its captures are not whole.",
                hint="Name a run that ended well; `beacon-bridge show` lists them.",
            )
    readers = [(run.reader.owner, run.reader.name) for run in (before, after)]
    if readers[0] != readers[1]:
        said = " and ".join(
            f"{run.run} is of {run.reader.name} ({run.reader.owner})" for run in (before, after)
        )
        raise SettingsError(
            f"Runs of different reader folders are not compared: {said}.",
            hint="Name two runs of the same folder; `beacon-bridge show` lists them.",
        )


def _sides(runs: Runs, run: Run) -> dict[str, Side]:
    """Return where the rows of each step lie."""
    refuse_removed(runs, run)
    found = {}
    for line in run.steps:
        if path := untouched(runs, run, line):
            found[line.step.id] = Side(path, _columns(line))
    return found


def _have_columns(step: str, sides: tuple[dict[str, Side], ...]) -> bool:
    """Return whether both runs have rows of a step, and a column to compare them by."""
    before, after = (side.get(step) for side in sides)
    return bool(before and after and set(before.columns) & set(after.columns))


def _columns(line: StepLine) -> tuple[str, ...]:
    return tuple(column.name for column in line.step.columns)


def _step(base: Tables, line: StepLine, run: Run, before: Side, after: Side) -> StepRows:
    """Compare one step by the columns that both runs have."""
    both = tuple(name for name in after.columns if name in before.columns)
    key = key_of(run, line.step, both)
    around = tuple(name for name in key.around if name in both) if key else ()
    columns = tuple(name for name in both if name not in around)
    found = StepRows(base, line.number, columns, replace(key, around=around) if key else None)
    found.compare(before, after)
    return found


def _steps(
    before: Run, after: Run, found: Mapping[str, StepRows], sides: tuple[dict[str, Side], ...]
) -> Iterator[StepChange]:
    lines = {line.step.id: line for run in (after, before) for line in run.steps}
    rows = [{line.step.id: line.rows for line in run.steps if line.capture} for run in (before, after)]
    for number, step in enumerate(lines, start=1):
        if step not in found:
            yield StepChange(number, step, rows[0].get(step), rows[1].get(step))
            continue
        one = found[step]
        kinds = one.kinds()
        yield StepChange(
            number,
            step,
            *one.counts,
            one.key.columns if one.key else (),
            kinds.get("added", 0),
            kinds.get("removed", 0),
            kinds.get("changed", 0),
            one.changed_columns(),
            tuple(
                name
                for name in dict.fromkeys((*sides[0][step].columns, *sides[1][step].columns))
                if name not in one.columns
            ),
        )


def _reports(found: Mapping[str, StepRows]) -> Iterator[Fact]:
    """Yield what is told around the rows of a step, such as the day a report was made, where it differs."""
    for step in found.values():
        old, new = step.told
        for name in sorted({*old, *new}):
            was, is_now = (_told(told.get(name)) for told in (old, new))
            if was != is_now:
                yield Fact(f"report {unescape(name)}", was, is_now)


def _told(found: set[Cells] | None) -> str:
    texts = sorted(", ".join(_day(cell) for cell in cells) for cells in found or ())
    return "; ".join(texts[:3]) + ("; ..." if len(texts) > 3 else "") or surroundings.NOTHING


def _day(cell: str | None) -> str:
    return surroundings.text(cell if cell is None else unescape(cell).removesuffix("T00:00:00"))


def _skus(people: Skus, run: Run, sides: tuple[dict[str, Side], ...]) -> tuple[SkuChange, ...] | None:
    wanted = (SUBSCRIPTION, ASSIGNMENT, USER)
    if not is_ours(run.reader.owner, run.reader.name):
        return None
    if any(step not in side for step in wanted for side in sides):
        return None
    subscriptions, assignments, users = ((sides[0][step], sides[1][step]) for step in wanted)
    return people.compare(subscriptions, assignments, users)
