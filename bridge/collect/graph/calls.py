"""What the native engine lists on Microsoft Graph: each step that is a list of items, as a call.

The fields are those of learn.microsoft.com/graph/api/resources/user, .../organization, .../subscribedsku,
.../companysubscription, .../signinactivity and .../licenseassignmentstate; docs/readers.md says what the
columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bridge.collect.graph.cells import Cell, Item, Unfit, flag, moment, text, texts, whole
from bridge.collect.graph.names import Names
from bridge.readers import ours

_NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Call:
    """One step: the path below /v1.0, the least permission, and each column's cell.

    ``rows`` makes flat rows of an item of the answer: itself, or one for each of its parts. ``gap`` is what
    is noted where the permission is missing; without one that is an error. ``once`` is the property by which
    an item that comes again is known, and how such items are called.
    """

    path: str
    permission: str
    cells: Mapping[str, Cell]
    rows: Callable[[Item, Names], Iterable[Item]]
    gap: str = ""
    once: tuple[str, str] = ("id", "users")


# --- rows ---


def _itself(item: Item, _: Names) -> Iterable[Item]:
    return (item,)


def _inner(item: Item, name: str) -> Item:
    """Return the properties of an object within an item, each called ``name.property``."""
    inner = item.get(name)
    if not isinstance(inner, dict):
        raise Unfit(f"there is no {name}")
    return {f"{name}.{key}": value for key, value in inner.items()}


def _parts(item: Item, name: str) -> list[Item]:
    parts = item.get(name)
    if type(parts) is not list or set(map(type, parts)) - {dict}:
        raise Unfit(f"{name} is no list of objects")
    return parts


def _organization(item: Item, _: Names) -> Iterable[Item]:
    """Yield a tenant with its domains; what Graph left out is null."""
    domains = _parts(item, "verifiedDomains") if item.get("verifiedDomains") is not None else []
    nothing = dict.fromkeys(("displayName", "countryLetterCode", "tenantType", "createdDateTime"))
    yield {
        **nothing,
        **item,
        "default": next((one.get("name") for one in domains if one.get("isDefault") is True), None),
        "initial": next((one.get("name") for one in domains if one.get("isInitial") is True), None),
    }


def _subscription(item: Item, names: Names) -> Iterable[Item]:
    name = names.product(item.get("skuId"), item.get("skuPartNumber"))
    yield {**item, **_inner(item, "prepaidUnits"), "name": name}


def _plans(item: Item, names: Names) -> Iterable[Item]:
    """Yield each service plan of a product, in the answer's order."""
    for plan in _parts(item, "servicePlans"):
        name = names.plan(plan.get("servicePlanId"), plan.get("servicePlanName"))
        yield {**plan, "skuId": item["skuId"], "name": name}


def _states(item: Item, _: Names) -> Iterable[Item]:
    """Return each licenseAssignmentState of a user, with the user's id."""
    user = item["id"]
    return [{**state, "id": user} for state in _parts(item, "licenseAssignmentStates")]


def _sign_ins(item: Item, _: Names) -> Iterable[Item]:
    """Return a user's last sign-ins, null where there was none: Graph leaves it out, or says the year 1."""
    activity = item.get("signInActivity")
    if activity is None:
        activity = {}
    if type(activity) is not dict:
        raise Unfit("signInActivity is no object")
    row = {name: None if (date := activity.get(name)) == _NEVER else date for name in _SIGN_INS}
    row["id"] = item["id"]
    return (row,)


_SIGN_INS = ("lastSignInDateTime", "lastNonInteractiveSignInDateTime", "lastSuccessfulSignInDateTime")


# --- the steps ---

_ORGANIZATION = Call(
    path="/organization?$select=id,displayName,verifiedDomains,countryLetterCode,tenantType,createdDateTime",
    permission="Organization.Read.All",
    cells={
        "TenantId": text("id"),
        "DisplayName": text("displayName"),
        "DefaultDomain": text("default"),
        "InitialDomain": text("initial"),
        "CountryLetterCode": text("countryLetterCode"),
        "TenantType": text("tenantType"),
        "CreatedDateTime": moment("createdDateTime"),
    },
    rows=_organization,
    gap="organization",
    once=("id", "organizations"),
)

_SUBSCRIPTION = Call(
    path="/subscribedSkus?$select=skuId,skuPartNumber,accountId,accountName,appliesTo,capabilityStatus,"
    "consumedUnits,prepaidUnits,subscriptionIds",
    permission="LicenseAssignment.Read.All",
    cells={
        "SkuId": text("skuId"),
        "SkuPartNumber": text("skuPartNumber"),
        "ProductName": text("name"),
        "AccountId": text("accountId"),
        "AccountName": text("accountName"),
        "AppliesTo": text("appliesTo"),
        "CapabilityStatus": text("capabilityStatus"),
        "Enabled": whole("prepaidUnits.enabled"),
        "Warning": whole("prepaidUnits.warning"),
        "Suspended": whole("prepaidUnits.suspended"),
        "LockedOut": whole("prepaidUnits.lockedOut"),
        "ConsumedUnits": whole("consumedUnits"),
        "SubscriptionIds": texts("subscriptionIds"),
    },
    rows=_subscription,
    once=("skuId", "products"),
)

_SERVICE_PLAN = Call(
    path="/subscribedSkus?$select=skuId,skuPartNumber,servicePlans",
    permission="LicenseAssignment.Read.All",
    cells={
        "SkuId": text("skuId"),
        "ServicePlanId": text("servicePlanId"),
        "ServicePlanName": text("servicePlanName"),
        "PlanName": text("name"),
        "AppliesTo": text("appliesTo"),
        "ProvisioningStatus": text("provisioningStatus"),
    },
    rows=_plans,
    once=("skuId", "products"),
)

_COMMERCE_SUBSCRIPTION = Call(
    path="/directory/subscriptions",
    permission="Organization.Read.All",
    cells={
        "SubscriptionId": text("id"),
        "CommerceSubscriptionId": text("commerceSubscriptionId"),
        "SkuId": text("skuId"),
        "SkuPartNumber": text("skuPartNumber"),
        "Status": text("status"),
        "IsTrial": flag("isTrial"),
        "TotalLicenses": whole("totalLicenses"),
        "CreatedDateTime": moment("createdDateTime"),
        "NextLifecycleDateTime": moment("nextLifecycleDateTime"),
        "OwnerType": text("ownerType"),
        "OwnerTenantId": text("ownerTenantId"),
    },
    rows=_itself,
    gap="commerce-subscriptions",
    once=("id", "subscriptions"),
)

_USER = Call(
    path="/users?$select=id,userPrincipalName,mail,proxyAddresses,otherMails,displayName,givenName,surname,"
    "accountEnabled,userType,createdDateTime,country,department,usageLocation,onPremisesImmutableId,"
    "onPremisesLastSyncDateTime&$top=999",
    permission="User.Read.All",
    cells={
        "UserId": text("id"),
        "UserPrincipalName": text("userPrincipalName"),
        "Mail": text("mail"),
        "ProxyAddresses": texts("proxyAddresses", empty=None),
        "OtherMails": texts("otherMails", empty=None),
        "DisplayName": text("displayName"),
        "GivenName": text("givenName"),
        "Surname": text("surname"),
        "AccountEnabled": flag("accountEnabled"),
        "UserType": text("userType"),
        "CreatedDateTime": moment("createdDateTime"),
        "Country": text("country"),
        "Department": text("department"),
        "UsageLocation": text("usageLocation"),
        "OnPremisesImmutableId": text("onPremisesImmutableId"),
        "OnPremisesLastSyncDateTime": moment("onPremisesLastSyncDateTime"),
    },
    rows=_itself,
)

_ASSIGNMENT = Call(
    path="/users?$select=id,licenseAssignmentStates&$top=250",
    permission="User.Read.All",
    cells={
        "UserId": text("id"),
        "SkuId": text("skuId"),
        "AssignedByGroup": text("assignedByGroup"),
        "State": text("state"),
        "DisabledPlans": texts("disabledPlans"),
    },
    rows=_states,
)

_SIGN_IN = Call(
    path="/users?$select=id,signInActivity&$top=500",
    permission="AuditLog.Read.All or an Entra ID P1 licence",
    cells={
        "UserId": text("id"),
        "LastSignInDateTime": moment("lastSignInDateTime"),
        "LastNonInteractiveSignInDateTime": moment("lastNonInteractiveSignInDateTime"),
        "LastSuccessfulSignInDateTime": moment("lastSuccessfulSignInDateTime"),
    },
    rows=_sign_ins,
    gap="sign-ins",
)

CALLS: Mapping[str, Call] = {
    ours.ORGANIZATION: _ORGANIZATION,
    ours.SUBSCRIPTION: _SUBSCRIPTION,
    ours.SERVICE_PLAN: _SERVICE_PLAN,
    ours.COMMERCE: _COMMERCE_SUBSCRIPTION,
    ours.USER: _USER,
    ours.ASSIGNMENT: _ASSIGNMENT,
    ours.SIGN_IN: _SIGN_IN,
}
