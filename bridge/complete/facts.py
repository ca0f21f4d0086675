"""What the rows of a run of our Microsoft 365 folder say, as the checks compare it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from bridge.readers.ours import USER

LEAST_SLACK = 10  # users; the count is eventually consistent
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Sku:
    """A subscribed SKU."""

    id: str
    part_number: str
    applies_to: str
    consumed: int | None
    subscriptions: tuple[str, ...]

    @property
    def name(self) -> str:
        """What people call it."""
        return self.part_number or self.id


@dataclass(frozen=True, slots=True)
class People:
    """Users as User and Assignment tell them apart.

    ``twice`` have more than one row of User, ``example`` is one of them; ``strangers`` are assigned a licence
    and have no row; ``assigned`` have any assignment, ``licensed`` one that takes a unit; the assignments of
    ``scattered`` do not stand side by side; ``signed_in_twice`` have more than one row of SignIn.
    """

    twice: int = 0
    example: str = ""
    strangers: int = 0
    assigned: int = 0
    licensed: int = 0
    scattered: int = 0
    signed_in_twice: int = 0


@dataclass(frozen=True)
class Facts:
    """What a run's rows say: ``rows`` by step id, ``counts`` by what Graph counted, the rest by SKU id.

    ``holders`` are the distinct users whose assignment takes a unit, ``others`` those whose assignment does
    not. ``reported`` is None where the report of active users was not read.
    """

    rows: Mapping[str, int]
    gaps: Collection[str] = ()
    counts: Mapping[str, Sequence[int]] = field(default_factory=dict)
    skus: Sequence[Sku] = ()
    commerce: Collection[str] = ()  # every id of a commerce subscription, in lower case
    part_numbers: Mapping[str, str] = field(default_factory=dict)
    people: People = People()
    holders: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    reported: int | None = None
    empty: Collection[str] = ()  # reports that were asked for and have no rows
    by_hand: bool = False  # somebody saved the rows: which steps there are was up to him
    offered: bool = True  # whether the cloud has usage reports
    left_out: Set[str] = frozenset()  # steps that nobody asked for, or whose gap says why there are no rows
    dated: int = 0  # rows of SignIn with any date
    share: Fraction = Fraction(1, 200)  # count_slack of the connection

    @property
    def slack(self) -> int:
        """By how many users two readings may differ: a share of the largest count, and at least ten."""
        most = max(self.counts.get("User") or [self.rows.get(USER, 0)])
        return max(LEAST_SLACK, ceil(self.share * most))

    @property
    def most_licensed(self) -> int:
        """Licensed users by their assignments or as Graph counted them, whichever are more."""
        return max([self.people.licensed, *self.counts.get("LicensedUser", ())])


def listed(texts: Sequence[str]) -> str:
    """Return the first twenty, and how many more there are."""
    more = f" and {len(texts) - MOST_NAMED:,} more" if len(texts) > MOST_NAMED else ""
    return "; ".join(texts[:MOST_NAMED]) + more


def many(count: int, noun: str) -> str:
    """Return ``1 user``, ``1,200 users``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
