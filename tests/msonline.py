"""A module MSOnline of our own, which shows the simulated tenant in the shapes of the retired one.

Public: the names of cmdlets and properties, the values of the enums, AccountSkuId as account and part number
with a colon between them, that Get-MsolUser shows 500 users without -All, and that GroupsAssigningLicense is
empty or has the user's own id where a licence is assigned directly.

Inferred: that Licenses has what is assigned and no assignment that failed, that a plan is Disabled there only
if every way to the licence switches it off, and that moments are UTC.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.tenant import Tenant
from tools.tenant.skus import GONE
from tools.tenant.subscriptions import sku_item

MODULE = Path(__file__).parent / "data" / "modules" / "MSOnline"
USER, PASSWORD = "admin@contoso.example", "pass#word 1"
Item = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """What the module shows; ``refusal`` is what its sign-in says instead of letting anybody in."""

    skus: Iterable[Item] = ()
    subscriptions: Iterable[Item] = ()
    users: Iterable[Item] = ()
    refusal: str = ""

    @classmethod
    def of(cls, tenant: Tenant, refusal: str = "") -> World:
        """Return the tenant as the retired module shows it."""
        skus = {item["skuId"]: item for item in tenant.skus()}
        known = {GONE.id: sku_item(GONE, tenant.id, tenant.stem, 0), **skus}
        return cls(
            skus=map(_sku, skus.values()),
            subscriptions=map(_subscription, tenant.subscriptions()),
            users=(_user(number, user, known) for number, user in enumerate(tenant.everybody())),
            refusal=refusal,
        )


def install(home: Path, world: World) -> Path:
    """Put the module where a PowerShell whose HOME is ``home`` finds it; return ``home``."""
    place = home / ".local" / "share" / "powershell" / "Modules" / "MSOnline"
    shutil.copytree(MODULE, place)
    facts = {"user": USER, "password": PASSWORD, "refusal": world.refusal}
    (place / "world.json").write_text(json.dumps(facts), "utf-8")
    shared: dict[str, int] = {}
    users = (_sharing(user, shared) for user in world.users)
    for name, items in {"AccountSku": world.skus, "Subscription": world.subscriptions, "User": users}.items():
        with (place / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(item)}\n" for item in items)
    (place / "Shared.jsonl").write_text("".join(f'{{"plans": {plans}}}\n' for plans in shared), "utf-8")
    return home


def _sharing(user: Item, shared: dict[str, int]) -> Item:
    """Return a user whose lists of plans are numbers of shared ones: there are few, and many have them."""
    licences = [
        {**one, "ServiceStatus": f"r{shared.setdefault(json.dumps(one['ServiceStatus']), len(shared))}"}
        for one in user["Licenses"]
    ]
    return {**user, "Licenses": licences}


# --- old shapes ---


def _text(value: str | None) -> str | None:
    return None if value is None else f"s{value}"


def _moment(value: str | None) -> str | None:
    return None if value is None else f"d{value}"


def _sku(sku: Item) -> Item:
    units = sku["prepaidUnits"]
    return {
        "AccountName": _text(sku["accountName"]),
        "AccountObjectId": f"g{sku['accountId']}",
        "AccountSkuId": _text(account_sku_id(sku)),
        "ActiveUnits": units["enabled"],
        "ConsumedUnits": sku["consumedUnits"],
        "LockedOutUnits": units["lockedOut"],
        "ServiceStatus": [_status(plan, plan["provisioningStatus"]) for plan in sku["servicePlans"]],
        "SkuId": f"g{sku['skuId']}",
        "SkuPartNumber": _text(sku["skuPartNumber"]),
        "SubscriptionIds": [f"g{one}" for one in sku["subscriptionIds"]],
        "SuspendedUnits": units["suspended"],
        "TargetClass": f"eSkuTargetClass.{'Tenant' if sku['appliesTo'] == 'Company' else sku['appliesTo']}",
        "WarningUnits": units["warning"],
    }


def account_sku_id(sku: Item) -> str:
    """Return the id by which the retired module names a product."""
    return f"{sku['accountName']}:{sku['skuPartNumber']}"


def _status(plan: Item, status: str) -> Item:
    return {
        "ProvisioningStatus": f"eProvisioningStatus.{status}",
        "ServicePlan": {
            "ServiceName": _text(plan["servicePlanName"]),
            "ServicePlanId": f"g{plan['servicePlanId']}",
            "ServiceType": _text("Exchange"),
            "TargetClass": "eSkuTargetClass.User",
        },
    }


def _subscription(one: Item) -> Item:
    return {
        "DateCreated": _moment(one["createdDateTime"]),
        "IsTrial": one["isTrial"],
        "NextLifecycleDate": _moment(one["nextLifecycleDateTime"]),
        "ObjectId": f"g{one['id']}",
        "OcpSubscriptionId": None
        if one["commerceSubscriptionId"] is None
        else f"g{one['commerceSubscriptionId']}",
        "ServiceStatus": [],
        "SkuId": f"g{one['skuId']}",
        "SkuPartNumber": _text(one["skuPartNumber"]),
        "Status": f"eSubscriptionStatus.{one['status']}",
        "TotalLicenses": one["totalLicenses"],
    }


def _user(number: int, user: Item, skus: Mapping[str, Item]) -> Item:
    licences = list(_licences(number, user, skus))
    return {
        "AlternateEmailAddresses": [_text(one) for one in user["otherMails"]],
        "BlockCredential": None if user["accountEnabled"] is None else not user["accountEnabled"],
        "Country": _text(user["country"]),
        "Department": _text(user["department"]),
        "DisplayName": _text(user["displayName"]),
        "FirstName": _text(user["givenName"]),
        "ImmutableId": _text(user["onPremisesImmutableId"]),
        "IsLicensed": bool(licences),
        "LastDirSyncTime": _moment(user["onPremisesLastSyncDateTime"]),
        "LastName": _text(user["surname"]),
        "Licenses": licences,
        "ObjectId": f"g{user['id']}",
        "ProxyAddresses": [_text(one) for one in user["proxyAddresses"]],
        "UsageLocation": _text(user["usageLocation"]),
        "UserPrincipalName": _text(user["userPrincipalName"]),
        "UserType": None if user["userType"] is None else f"eUserType.{user['userType']}",
        "WhenCreated": _moment(user["createdDateTime"]),
    }


def _licences(number: int, user: Item, skus: Mapping[str, Item]) -> Iterator[Item]:
    """Yield a licence for each product that a user has; each shape that a direct one can have occurs."""
    states = [one for one in user["licenseAssignmentStates"] if one["state"] != "Error"]
    for sku_id in dict.fromkeys(one["skuId"] for one in states):
        sku, ways = skus[sku_id], [one for one in states if one["skuId"] == sku_id]
        groups = [one["assignedByGroup"] for one in ways]
        licence: dict[str, Any] = {
            "AccountSku": {
                "AccountName": _text(sku["accountName"]),
                "SkuPartNumber": _text(sku["skuPartNumber"]),
            },
            "AccountSkuId": _text(account_sku_id(sku)),
            "GroupsAssigningLicense": [f"g{one or user['id']}" for one in groups],
            "ServiceStatus": [
                _status(plan, "Disabled" if plan["servicePlanId"] in _off_everywhere(ways) else "Success")
                for plan in sku["servicePlans"]
            ],
        }
        if not any(groups) and number % 3 == 1:
            licence["GroupsAssigningLicense"] = []  # no group ever gave it
        if not any(groups) and number % 3 == 2:
            del licence["GroupsAssigningLicense"]  # an older version of the module
        yield licence


def _off_everywhere(ways: Iterable[Item]) -> set[str]:
    """Return the plans that every way to a licence switches off: one that leaves a plan on is enough."""
    plans = [set(one["disabledPlans"]) for one in ways]
    return set.intersection(*plans) if plans else set()
