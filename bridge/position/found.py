"""What is told of a tenant: its licences, its people, the reports that were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from bridge.model import Check, Gap, State


@dataclass(frozen=True)
class Licence:
    """One SKU. Counts of licences are None where it is not subscribed (any more), or Graph does not say.

    ``assigned`` are users who take a unit. Each of them is one of ``active`` (in the report's period),
    ``active_before``, ``never_active`` (the report knows the user and no date) and ``not_reported``; all four
    are None where usage is not known. ``devices`` are those on which its users activated Office, whatever
    product of it. ``renewal`` is the first day in the life cycle of enabled subscriptions that was still to
    come; ``renewal_ends``: there is none, and it is a day of the others, which are coming to their end.
    """

    sku: str
    name: str
    part_number: str
    applies_to: str | None
    status: str | None
    bought: int | None
    warning: int | None
    suspended: int | None
    locked_out: int | None
    assigned: int
    assigned_disabled: int
    active: int | None
    active_before: int | None
    never_active: int | None
    not_reported: int | None
    devices: int | None
    renewal: date | None
    renewal_is_trial: bool
    renewal_ends: bool


@dataclass(frozen=True)
class Report:
    """A usage report as it was read: until which day its data goes, for which period, and how many rows."""

    name: str
    refreshed: date | None
    period: str
    rows: int


@dataclass(frozen=True)
class People:
    """How many accounts there are; ``holders`` take a unit of any SKU."""

    users: int
    guests: int
    disabled: int
    holders: int


@dataclass(frozen=True)
class Position:
    """One tenant as it was when the run read it: between ``opened`` and ``closed``, by the service's clock.

    ``unknown`` says why a number is None: by ``activity``, ``devices`` and ``renewals``.
    """

    run: str
    connection: str
    tenant: str
    organization: str | None
    started: datetime
    opened: str | None
    closed: str | None
    state: State
    development: bool
    gaps: tuple[Gap, ...]
    warned: tuple[Check, ...]
    people: People
    reports: tuple[Report, ...]
    licences: tuple[Licence, ...]
    unknown: Mapping[str, str]

    def report(self, name: str) -> Report | None:
        """Return a report that was read."""
        return next((one for one in self.reports if one.name == name), None)
