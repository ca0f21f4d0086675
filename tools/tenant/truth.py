"""What each reader step must bring home, said from the tenant's data alone.

It knows neither Graph's paging nor any engine, so that an engine can be compared with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tools.tenant.data import Item, Tenant

Row = dict[str, str | None]  # column -> canonical cell text, or None for null


def truth(tenant: Tenant) -> Mapping[str, Iterator[Row]]:
    """Return the expected rows of each step of the reader folder Microsoft 365, by step id."""
    return {
        "Subscription.xml/Subscription": (_subscription(sku) for sku in tenant.skus()),
        "User.xml/User": (_user(user) for user in tenant.everybody()),
        "Assignment.xml/Assignment": (
            _assignment(user, state)
            for user in tenant.everybody()
            for state in user["licenseAssignmentStates"]
        ),
    }


def _subscription(sku: Item) -> Row:
    units = sku["prepaidUnits"]
    return {
        "SkuId": sku["skuId"],
        "SkuPartNumber": sku["skuPartNumber"],
        "AppliesTo": sku["appliesTo"],
        "CapabilityStatus": sku["capabilityStatus"],
        "Enabled": f"{units['enabled']:d}",
        "Warning": f"{units['warning']:d}",
        "Suspended": f"{units['suspended']:d}",
        "LockedOut": f"{units['lockedOut']:d}",
        "ConsumedUnits": f"{sku['consumedUnits']:d}",
    }


def _user(user: Item) -> Row:
    return {
        "UserId": user["id"],
        "UserPrincipalName": user["userPrincipalName"],
        "Mail": user["mail"],
        "DisplayName": user["displayName"],
        "AccountEnabled": "true" if user["accountEnabled"] else "false",
        "UserType": user["userType"],
        "CreatedDateTime": _moment(user["createdDateTime"]),
        "Country": user["country"],
        "Department": user["department"],
        "UsageLocation": user["usageLocation"],
    }


def _assignment(user: Item, state: Item) -> Row:
    return {
        "UserId": user["id"],
        "SkuId": state["skuId"],
        "AssignedByGroup": state["assignedByGroup"],
        "State": state["state"],
        "DisabledPlans": ";".join(sorted(state["disabledPlans"])),
    }


def _moment(text: str | None) -> str | None:
    """Return a UTC moment without trailing zeros in its fraction."""
    if text is None:
        return None
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction.rstrip('0')}".rstrip(".") + "Z"
