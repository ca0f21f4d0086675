"""By which columns a row of our own reader folder is known again in another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.model import Owner, Step
from bridge.runs.record import Run

READER = "Microsoft 365"


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


USAGE = "Usage.xml/Usage"
USER = "User.xml/User"
ASSIGNMENT = "Assignment.xml/Assignment"
SUBSCRIPTION = "Subscription.xml/Subscription"
KEYS: Mapping[str, Key] = {
    "Control.xml/Opening": Key(("Entity",)),
    "Organization.xml/Organization": Key(("TenantId",)),
    SUBSCRIPTION: Key(("SkuId",)),
    "ServicePlan.xml/ServicePlan": Key(("SkuId", "ServicePlanId")),
    "CommerceSubscription.xml/CommerceSubscription": Key(("SubscriptionId",)),
    USAGE: Key(
        ("Report", "UserPrincipalName", "Product"),
        ("ReportRefreshDate", "ReportPeriod"),
        None,
        "UserPrincipalName",
    ),
    USER: Key(("UserId",), (), None, "UserPrincipalName"),
    ASSIGNMENT: Key(("UserId", "SkuId", "AssignedByGroup"), (), "UserId"),
    "SignIn.xml/SignIn": Key(("UserId",), (), "UserId"),
    "Control.xml/Closing": Key(("Entity",)),
}


def is_ours(run: Run) -> bool:
    """Return whether a run's reader folder is the one whose keys we know."""
    return run.reader.owner is Owner.BRIDGE and run.reader.name == READER


def key_of(run: Run, step: Step, columns: tuple[str, ...]) -> Key | None:
    """Return the key of a step that is compared by these columns; None where we do not know one."""
    key = KEYS.get(step.id) if is_ours(run) else None
    return key if key and set(key.columns) <= set(columns) else None
