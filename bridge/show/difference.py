"""What differs between two runs, as people and scripts get it: lines, JSON and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from bridge.convert.values import display
from bridge.difference import Difference, Named, RowChange, SkuChange, StepChange
from bridge.runs.record import Run
from bridge.show import screen
from bridge.show.page import Chart, Grid, Note, Part, page

MOST_LISTED = 20  # rows of a step and users of a SKU on a screen and on a page; JSON has all
MOST_BARS = 25
_WIDEST = 120  # characters of what a row was and is, on a screen and on a page
_MOVES = ("gained", "lost")
_AROUND = ("What", "Before", "After")
_STEPS = ("Step", "Before", "After", "Added", "Removed", "Changed")
_SKUS = ("Product", "Part number", "Status", "Units", "Consumed", "Users", "Gained", "Lost")
_PEOPLE = ("Product", "", "User")
_ROWS = ("", "Which", "What")
_NOTHING = "Nothing around the rows has changed."
_SAME = "No row has changed."


# --- for scripts ---


def as_json(found: Difference) -> dict[str, object]:
    """Return the difference; its long lists are iterators, to be written as they come."""
    return {
        "before": _run(found.before),
        "after": _run(found.after),
        "facts": (asdict(fact) for fact in found.facts),
        "steps": (_step(found, step) for step in found.steps),
        "skus": None if found.skus is None else (_sku(found, sku) for sku in found.skus),
    }


def _run(run: Run) -> dict[str, object]:
    return {
        "run": run.run,
        "connection": run.connection,
        "tenant": run.tenant,
        "started": screen.local(run.started),
        "state": str(run.state),
        "reader": run.reader.name,
        "owner": str(run.reader.owner),
    }


def _step(found: Difference, step: StepChange) -> dict[str, object]:
    told = asdict(step)
    del told["number"]
    return {**told, "columns": step.columns or {}, "rows": (_row(row) for row in found.rows(step.step))}


def _row(row: RowChange) -> dict[str, object]:
    """Return one row: whole if it came or went, else its key and what each column was and is."""
    told: dict[str, object] = {"kind": row.kind, "name": row.name, "key": dict(row.key)}
    if row.before is not None and row.after is not None:
        return {**told, "columns": {name: [was, is_now] for name, was, is_now in _changes(row)}}
    return {**told, "row": row.after or row.before}


def _changes(row: RowChange) -> Iterator[tuple[str, str | None, str | None]]:
    before, after = row.before or {}, row.after or {}
    return ((name, was, after[name]) for name, was in before.items() if was != after[name])


def _sku(found: Difference, sku: SkuChange) -> dict[str, object]:
    return {
        **asdict(sku),
        "gained_users": map(asdict, found.movers(sku.sku, "gained")),
        "lost_users": map(asdict, found.movers(sku.sku, "lost")),
    }


# --- for people ---


def lines(found: Difference) -> list[object]:
    """Return what differs: around the rows, in each step, for each SKU; long lists are cut."""
    told: list[object] = [f"{name:<6}  {display(text)}" for name, text in _runs(found)]
    told += ["", *_table(_AROUND, _around(found), _NOTHING), ""]
    told += [*_table(_STEPS, [_counts(step) for step in found.steps], ""), *_notes(found)]
    if found.skus is not None:
        told += ["", *_table(_SKUS, [_numbers(sku) for sku in _changed(found)], "No SKU has changed.")]
        told += _moved_lines(found)
    for step in _differing(found):
        told += ["", f"{step.step}{_of_all(step)}:", *_table(_ROWS, _listed(found, step), "")]
    return told


def _runs(found: Difference) -> list[tuple[str, str]]:
    return [
        (
            name,
            f"{run.run} of {run.connection} ({run.tenant}), begun {screen.local(run.started)}, {run.state}",
        )
        for name, run in (("Before", found.before), ("After", found.after))
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], nothing: str) -> list[object]:
    if not rows:
        return [nothing] if nothing else []
    drawn = screen.table(head, ([display(_cell(cell)) for cell in row] for row in rows))
    for column in drawn.columns[1:]:
        if head is _STEPS or column.header in {"Units", "Consumed", "Users", "Gained", "Lost"}:
            column.justify = "right"
    return [drawn]


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _around(found: Difference) -> list[tuple[str, str, str]]:
    return [(fact.topic, fact.before, fact.after) for fact in found.facts]


def _counts(step: StepChange) -> tuple[str, int | None, int | None, int, int, int | None]:
    changed = step.changed if step.key else None
    return step.step, step.before, step.after, step.added, step.removed, changed


def _notes(found: Difference) -> Iterator[str]:
    """Yield which columns changed how often, and which could not be compared."""
    for step in found.steps:
        if step.columns:
            yield f"{step.step}: {', '.join(f'{name} {count:,}' for name, count in step.columns.items())}"
    for step in found.steps:
        if step.uncompared:
            yield f"{step.step}: not compared row by row: {', '.join(map(display, step.uncompared))}"
    if any(step.columns is not None and not step.key for step in found.steps):
        yield "Rows of another's folder have no key we know: one that changed went, and another came."


def _differing(found: Difference) -> list[StepChange]:
    return [step for step in found.steps if step.added or step.removed or step.changed]


def _of_all(step: StepChange) -> str:
    total = step.added + step.removed + step.changed
    return f", {MOST_LISTED} of {total:,} rows (--json has all)" if total > MOST_LISTED else ""


def _listed(found: Difference, step: StepChange) -> list[tuple[str, str, str]]:
    rows = islice(found.rows(step.step), MOST_LISTED)
    return [(row.kind, _which(row), _what(row)) for row in rows]


def _which(row: RowChange) -> str:
    key = _pairs(row.key)
    return f"{row.name} ({key})" if row.name and row.name not in row.key.values() else key


def _what(row: RowChange) -> str:
    if row.before is not None and row.after is not None:
        told = ", ".join(f"{name}: {_shown(was)} -> {_shown(is_now)}" for name, was, is_now in _changes(row))
    else:
        told = _pairs({k: v for k, v in (row.after or row.before or {}).items() if k not in row.key and v})
    return told if len(told) <= _WIDEST else f"{told[: _WIDEST - 3]}..."


def _pairs(cells: Named) -> str:
    return ", ".join(f"{name}={_shown(text)}" for name, text in cells.items())


def _shown(text: str | None) -> str:
    return "-" if text is None else text or '""'


# --- SKUs ---


def _changed(found: Difference) -> list[SkuChange]:
    return [sku for sku in found.skus or () if sku.differs]


def _numbers(sku: SkuChange) -> tuple[str, str, str, str, str, str, int, int]:
    old, new = sku.before, sku.after
    return (
        sku.name,
        sku.part_number,
        _arrow(old and old.status, new and new.status, None if old and new else "not subscribed"),
        _arrow(old and old.enabled, new and new.enabled),
        _arrow(old and old.consumed, new and new.consumed),
        _arrow(sku.assigned_before, sku.assigned_after),
        sku.gained,
        sku.lost,
    )


def _arrow(was: object, is_now: object, none: str | None = None) -> str:
    before, after = (none if value is None and none else _cell(value) for value in (was, is_now))
    return f"{after}" if before == after else f"{before} -> {after}"


def _moved_lines(found: Difference) -> Iterator[str]:
    for sku in _changed(found):
        for move, count in (("gained", sku.gained), ("lost", sku.lost)):
            if count:
                names = ", ".join(display(name) for name in _movers(found, sku, move))
                more = f" and {count - MOST_LISTED:,} more" if count > MOST_LISTED else ""
                yield f"{display(sku.name)} {move} by {count:,}: {names}{more}"


def _movers(found: Difference, sku: SkuChange, move: str) -> list[str]:
    people = found.movers(sku.sku, "gained" if move == "gained" else "lost")
    return [person.name or person.user for person in islice(people, MOST_LISTED)]


# --- a page ---


def html(found: Difference) -> str:
    """Return the difference as a page."""
    title = f"What changed for {found.after.connection}"
    return page(title, _runs(found), list(_parts(found)))


def _parts(found: Difference) -> Iterator[Part]:
    around = _around(found)
    yield Grid("Around the rows", _AROUND, around) if around else Note(_NOTHING)
    if steps := _differing(found):
        yield Chart(
            "Rows that differ",
            "bars",
            [step.step.split("/")[1] for step in steps],
            {
                "Added": [step.added for step in steps],
                "Removed": [step.removed for step in steps],
                "Changed": [step.changed for step in steps],
            },
        )
    else:
        yield Note(_SAME)
    yield from _sku_parts(found)
    yield Grid("Steps", _STEPS, [_counts(step) for step in found.steps], note=". ".join(_notes(found)))
    for step in steps:
        note = f"The first{_of_all(step)}." if _of_all(step) else ""
        yield Grid(step.step, _ROWS, _listed(found, step), note=note.replace("first,", "first"))


def _sku_parts(found: Difference) -> Iterator[Part]:
    changed = _changed(found)
    if not changed:
        return
    moved = sorted(changed, key=lambda sku: sku.gained + sku.lost, reverse=True)[:MOST_BARS]
    bars = [sku for sku in changed if sku in moved]
    left_out = f"The {len(bars)} of {len(changed)} products with the most movement."
    note = left_out if len(bars) < len(changed) else ""
    names = [sku.name for sku in bars]
    users = {"Before": [sku.assigned_before for sku in bars], "After": [sku.assigned_after for sku in bars]}
    yield Chart("Users who hold a licence", "bars", names, users, note=note)
    units = {
        "Before": [(sku.before and sku.before.enabled) or 0 for sku in bars],
        "After": [(sku.after and sku.after.enabled) or 0 for sku in bars],
    }
    if units["Before"] != units["After"]:
        yield Chart("Units", "bars", names, units, note=note)
    yield Grid("Products that changed", _SKUS, [_numbers(sku) for sku in changed])
    people = [
        (sku.name, move, name) for sku in changed for move in _MOVES for name in _movers(found, sku, move)
    ]
    if people:
        note = f"At most {MOST_LISTED} of each are listed here; --json lists all."
        yield Grid("Who gained and who lost", _PEOPLE, people, note=note)
