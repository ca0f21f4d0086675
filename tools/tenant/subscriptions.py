"""What the tenant bought: subscribedSkus and directory subscriptions in Graph's shape, made to agree.

A SKU's ``subscriptionIds`` are the ``id`` of its directory subscriptions, and its prepaid units are the sum
of their licences by status (learn.microsoft.com/graph/api/resources/subscribedsku, .../companysubscription).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from tools.tenant.guids import guid
from tools.tenant.people import REFRESHED
from tools.tenant.skus import E3, FLOW, POWER_BI, STORE, VISIO, Item, Sku

_NOON = datetime.combine(REFRESHED, time(12))


def sku_item(sku: Sku, account: str, name: str, consumed: int, *, lost: bool = False) -> Item:
    """Return a SKU as Graph lists it; ``lost`` adds the id of a subscription that is listed nowhere."""
    bought = list(commerce(sku, account, consumed))
    units = {"enabled": 0, "suspended": 0, "warning": 0, "lockedOut": 0}
    for one in bought:
        units[one["status"].lower()] += one["totalLicenses"]
    return {
        "accountName": name,
        "accountId": account,
        "appliesTo": sku.applies_to,
        "capabilityStatus": sku.status,
        "consumedUnits": consumed,
        "id": f"{account}_{sku.id}",
        "skuId": sku.id,
        "skuPartNumber": sku.part,
        "subscriptionIds": [*(one["id"] for one in bought), *([guid(f"{account}/lost")] if lost else [])],
        "prepaidUnits": units,
        "servicePlans": [_plan(sku, number) for number in range(sku.plans)],
    }


def _plan(sku: Sku, number: int) -> Item:
    return {
        "servicePlanId": sku.plan(number),
        "servicePlanName": f"{sku.part}_{number}",
        "provisioningStatus": ("Success", "Success", "PendingActivation", "Disabled")[number % 4],
        "appliesTo": "Company" if number % 10 == 9 else sku.applies_to,
    }


def commerce(sku: Sku, account: str, consumed: int) -> Iterator[Item]:
    """Yield the directory subscriptions of a SKU: one or more, one product's with a trial beside it."""
    bought = consumed + 25 if sku.applies_to == "User" else 1_000_000
    shares = (bought - 10, 10) if sku in {E3, VISIO} else (bought,)
    for number, share in enumerate(shares):
        trial = sku == VISIO and number == 1
        yield _subscription(sku, account, number, share, sku.status, trial=trial)
    if sku.extra:
        yield _subscription(sku, account, len(shares), sku.extra, "Suspended")


def _subscription(
    sku: Sku, account: str, number: int, licences: int, status: str, *, trial: bool = False
) -> Item:
    key = f"{account}/{sku.part}/{number}"
    made = _NOON - timedelta(days=400 + 31 * number + len(sku.part))
    ends = _NOON + timedelta(days=20 + 17 * len(sku.part) % 300)
    free = sku in {FLOW, POWER_BI, STORE}
    return {
        "id": guid(key),
        "commerceSubscriptionId": None if free else guid(f"{key}/commerce"),
        "createdDateTime": f"{made.isoformat()}Z",
        "isTrial": trial,
        "nextLifecycleDateTime": None if free else f"{ends.isoformat()}.25Z",
        "ownerId": None if free else guid(f"{key}/owner"),
        "ownerTenantId": None if free else account,
        "ownerType": None if free else "User",
        "serviceStatus": [_plan(sku, one) for one in range(min(sku.plans, 3))],
        "skuId": sku.id,
        "skuPartNumber": sku.part,
        "status": status,
        "totalLicenses": licences,
    }
