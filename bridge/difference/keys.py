"""By which columns a row of our own reader folder is known again in another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.model import Step
from bridge.readers.ours import (
    ASSIGNMENT,
    CLOSING,
    COMMERCE,
    OPENING,
    ORGANIZATION,
    SERVICE_PLAN,
    SIGN_IN,
    SUBSCRIPTION,
    USAGE,
    USER,
    is_ours,
)
from bridge.runs.record import Run


@dataclass(frozen=True, slots=True)
class Key:
    """The columns that make a row the same row.

    ``around`` are columns that tell of the whole report: they are told as facts, once, and no row has changed
    because of them. ``person`` holds the id of a user, ``name`` a principal name.
    """

    columns: tuple[str, ...]
    around: tuple[str, ...] = ()
    person: str | None = None
    name: str | None = None


KEYS: Mapping[str, Key] = {
    OPENING: Key(("Entity",)),
    ORGANIZATION: Key(("TenantId",)),
    SUBSCRIPTION: Key(("SkuId",)),
    SERVICE_PLAN: Key(("SkuId", "ServicePlanId")),
    COMMERCE: Key(("SubscriptionId",)),
    USAGE: Key(
        ("Report", "UserPrincipalName", "Product"),
        ("ReportRefreshDate", "ReportPeriod"),
        None,
        "UserPrincipalName",
    ),
    USER: Key(("UserId",), (), None, "UserPrincipalName"),
    ASSIGNMENT: Key(("UserId", "SkuId", "AssignedByGroup"), (), "UserId"),
    SIGN_IN: Key(("UserId",), (), "UserId"),
    CLOSING: Key(("Entity",)),
}


def key_of(run: Run, step: Step, columns: tuple[str, ...]) -> Key | None:
    """Return the key of a step that is compared by these columns; None where we do not know one."""
    key = KEYS.get(step.id) if is_ours(run.reader.owner, run.reader.name) else None
    return key if key and set(key.columns) <= set(columns) else None
