"""What a comparison finds: facts around two runs, numbers of each step and SKU, and single rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["added", "removed", "changed"]
Named = Mapping[str, str | None]  # cells by the name of their column, exact; None is null


@dataclass(frozen=True, slots=True)
class Fact:
    """Something around the rows that is not what it was; ``-`` where there was, or is, nothing."""

    topic: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class StepChange:
    """One step: rows before and after, None where that run has no such rows.

    ``key`` is empty where rows are compared as a whole: then none has changed, it went and another came.
    ``columns`` counts in how many changed rows each column is another. ``uncompared`` are the columns that
    only one of the runs has, or that are told as facts.
    """

    number: int
    step: str
    before: int | None
    after: int | None
    key: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: Mapping[str, int] | None = None
    uncompared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row that is not what it was: ``before`` of what was removed, ``after`` of what was added, or both.

    ``name`` is the principal name of the user it belongs to, None where there is none or it is unknown.
    """

    kind: Kind
    key: Named
    name: str | None
    before: Named | None
    after: Named | None


@dataclass(frozen=True, slots=True)
class Units:
    """What a subscription says of its units; None where the run does not know it."""

    status: str | None
    enabled: int | None
    warning: int | None
    suspended: int | None
    locked_out: int | None
    consumed: int | None


@dataclass(frozen=True, slots=True)
class SkuChange:
    """One SKU: its units before and after (None: not subscribed), and how many users hold it."""

    sku: str
    name: str
    part_number: str
    before: Units | None
    after: Units | None
    assigned_before: int
    assigned_after: int
    gained: int
    lost: int

    @property
    def differs(self) -> bool:
        """Whether anything of it is another."""
        return self.before != self.after or bool(self.gained or self.lost)


@dataclass(frozen=True, slots=True)
class Person:
    """A user who gained or lost a SKU; the name is None where neither run read that user."""

    user: str
    name: str | None
