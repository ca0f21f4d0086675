"""The checks in their order, and what becomes of a run that one of them refuses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bridge.complete import assignments, subscriptions, units, usage, users
from bridge.complete.drop import drops
from bridge.complete.facts import Facts
from bridge.complete.witness import NEEDED, See, Witness
from bridge.errors import ReaderOutputError
from bridge.model import Check, Gap, Origin, Step, TableLine
from bridge.readers.ours import ASSIGNMENT, COMMERCE, SIGN_IN, SUBSCRIPTION, USAGE, USER, is_ours
from bridge.runs.record import Run

# In the order they are told, with the steps whose rows each of them needs.
ORDER = (
    ("users", users.counted, (USER,)),
    ("sign-ins", users.signed_in, (USER, SIGN_IN)),
    ("users-twice", users.twice, (USER,)),
    ("assignments", assignments.strangers, (USER, ASSIGNMENT)),
    ("skus", assignments.subscribed, (SUBSCRIPTION, ASSIGNMENT)),
    ("licensed", usage.licensed, (ASSIGNMENT,)),
    ("report", usage.reported, (ASSIGNMENT,)),
    ("reports", usage.empty, (USAGE, ASSIGNMENT)),
    ("units", units.consumed, (SUBSCRIPTION, ASSIGNMENT)),
    ("subscriptions", subscriptions.known, (SUBSCRIPTION, COMMERCE)),
)


class Checks(ExitStack):
    """Compares a run with itself and with ``before``, the connection's last delivered run.

    It sees the rows of our Microsoft 365 folder only; what those of another folder mean is not known. People
    are put side by side in a temporary file below ``folder``, where later ones remove what was left over.
    """

    def __init__(self, run: Run, before: Run | None, folder: Path) -> None:
        super().__init__()
        self._run, self._before, self._folder = run, before, folder
        self._witness: Witness | None = None

    def __enter__(self) -> Self:
        if is_ours(self._run.reader.owner, self._run.reader.name):
            self._witness = self.enter_context(Witness(self._folder))
        return self

    def see(self, step: Step) -> See | None:
        """Return what takes the step's row lines while they are packaged; None where they are not needed."""
        return self._witness.see(step) if self._witness else None

    def judge(self, tables: Sequence[TableLine], gaps: Sequence[Gap]) -> tuple[Check, ...]:
        """Return every check of what was packaged."""
        rows, names = {line.step: line.rows for line in tables}, {gap.name for gap in gaps}
        found: list[Check] = []
        if self._witness:
            facts = self._witness.facts(self._run, rows, names)
            found += _checks(facts, _seen(tables))
            found += usage.concealed(facts)
        return (*found, *drops(self._run, rows, names, self._before, found))


def _seen(tables: Sequence[TableLine]) -> set[str]:
    """Return the steps with the columns that are needed: a run of an older folder may lack some."""
    return {
        line.step
        for line in tables
        if {column.name for column in line.columns}.issuperset(NEEDED.get(line.step, ()))
    }


def _checks(facts: Facts, seen: Collection[str]) -> Iterator[Check]:
    for name, check, needed in ORDER:
        if not facts.left_out.isdisjoint(needed):
            continue
        if missing := [step for step in needed if step not in seen]:
            yield Check(name, "noted", f"not compared: the run has no such rows of {', '.join(missing)}")
        else:
            yield check(facts)


# --- a run that does not add up ---


def refuse(run: Run, checks: Sequence[Check]) -> None:
    """Raise ReaderOutputError, with the numbers, if a check refuses the run."""
    refused = [check for check in checks if check.level == "refused"]
    if not refused:
        return
    texts = "; ".join(f"{check.name}: {check.text}" for check in refused)
    names = {check.name for check in refused}
    raise ReaderOutputError(
        f"The data does not add up: {texts}.", hint=_hint(run, names), retryable=names != {"drop"}
    )


def _hint(run: Run, refused: Collection[str]) -> str:
    if set(refused) == {"drop"}:
        return f"Find out why. If it is right: {run.command_to_accept_drop}"
    if run.origin is Origin.BY_HAND:
        return "Save the output of every step again, at one time, and convert it again."
    again = f'Users may have come and gone while they were read: beacon-bridge run "{run.connection}".'
    place = f'[connections."{run.connection}"]'
    if set(refused) <= {"sign-ins", "drop"}:
        return f'{again} If it happens again, leave sign-ins out: SignIns = "no" in parameters of {place}.'
    return f"{again} If it happens again, set count_slack in {place}."
