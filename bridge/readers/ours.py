"""Our reader folder Microsoft 365 by name: its steps, and which states of an assignment take a unit."""

from __future__ import annotations

from bridge.model import Owner

READER = "Microsoft 365"

OPENING, CLOSING = "Control.xml/Opening", "Control.xml/Closing"
ORGANIZATION = "Organization.xml/Organization"
SUBSCRIPTION = "Subscription.xml/Subscription"
SERVICE_PLAN = "ServicePlan.xml/ServicePlan"
COMMERCE = "CommerceSubscription.xml/CommerceSubscription"
USAGE = "Usage.xml/Usage"
USER = "User.xml/User"
ASSIGNMENT = "Assignment.xml/Assignment"
SIGN_IN = "SignIn.xml/SignIn"

# learn.microsoft.com/graph/api/resources/licenseassignmentstate: Active, ActiveWithError, Disabled, Error
HOLDING = frozenset({"Active", "ActiveWithError"})


def is_ours(owner: Owner, name: str) -> bool:
    """Return whether a reader folder is this one, whose rows we know; the beacon's of that name is not."""
    return owner is Owner.BRIDGE and name == READER
