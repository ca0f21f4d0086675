"""What each reader step must bring home, said from the tenant's data alone.

It knows neither Graph's paging nor any engine, so that an engine can be compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tools.tenant.data import Item, Tenant
from tools.tenant.faults import NO_FAULTS, REPORTS_ROLE, SIGN_INS_ROLE, Faults
from tools.tenant.graph import drift
from tools.tenant.reports import Report, asked
from tools.tenant.truth_usage import Row, concealed, usage

__all__ = ["Row", "gaps", "truth"]

_ORGANIZATION = "Organization.Read.All"
_SETTINGS = "ReportSettings.Read.All"


def truth(
    tenant: Tenant,
    faults: Faults = NO_FAULTS,
    *,
    reports: str = "",
    period: str = "D30",
    sign_ins: bool = True,
    names: Mapping[str, str] | None = None,
) -> Mapping[str, Iterator[Row]]:
    """Return the expected rows of each step of the reader folder Microsoft 365, by step id.

    ``reports`` and ``period`` are written as for the reader; ``names`` are names for people, by the GUIDs of
    SKUs and service plans. The Moment of Control is None here. Whether a run can succeed at all is not said.
    """
    known = names or {}
    organization = _ORGANIZATION not in faults.forbidden
    return {
        "Control.xml/Opening": _control(tenant, 1),
        "Organization.xml/Organization": iter([_organization(tenant.organization())] if organization else []),
        "Subscription.xml/Subscription": (_subscription(sku, known) for sku in tenant.skus()),
        "ServicePlan.xml/ServicePlan": (
            _plan(sku, plan, known) for sku in tenant.skus() for plan in sku["servicePlans"]
        ),
        "CommerceSubscription.xml/CommerceSubscription": (
            map(_commerce, tenant.subscriptions()) if organization else iter(())
        ),
        "Usage.xml/Usage": (
            row for report in offered(reports, faults) for row in usage(tenant, report, period)
        ),
        "User.xml/User": map(_user, _people(tenant)),
        "Assignment.xml/Assignment": (
            _assignment(user, state)
            for user in _people(tenant, "licenseAssignmentStates")
            for state in user["licenseAssignmentStates"]
        ),
        "SignIn.xml/SignIn": _sign_ins(tenant) if sign_ins and _premium(faults) else iter(()),
        "Control.xml/Closing": _control(tenant, 2),
    }


def gaps(
    tenant: Tenant, faults: Faults = NO_FAULTS, *, reports: str = "", sign_ins: bool = True
) -> frozenset[str]:
    """Return the names of the gaps that a run must have."""
    found = {
        "organization": _ORGANIZATION in faults.forbidden,
        "commerce-subscriptions": _ORGANIZATION in faults.forbidden,
        "usage": REPORTS_ROLE in faults.forbidden and bool(asked(reports)),
        "sign-ins": sign_ins and not _premium(faults),
        "concealed": bool(asked(reports))
        and (
            (_settings(faults) and "concealed" in tenant.oddities)
            or any(concealed(tenant, report) for report in offered(reports, faults))
        ),
    }
    return frozenset(name for name, there in found.items() if there)


def offered(reports: str, faults: Faults) -> tuple[Report, ...]:
    """Return the reports that can be read, of those that are asked for."""
    if faults.no_reports or REPORTS_ROLE in faults.forbidden:
        return ()
    return tuple(report for report in asked(reports) if report.name not in faults.retired)


def _settings(faults: Faults) -> bool:
    return _SETTINGS not in faults.forbidden and not faults.no_reports


def _premium(faults: Faults) -> bool:
    return SIGN_INS_ROLE not in faults.forbidden and not faults.no_premium


# --- the rows ---


def _people(tenant: Tenant, *names: str) -> Iterator[Item]:
    return map(tenant.user, tenant.listed(names))


def _control(tenant: Tenant, number: int) -> Iterator[Row]:
    """Yield the counts of the first or the second time that somebody asks."""
    more = drift(number) if "churn" in tenant.oddities else 0
    for entity, count in (("User", tenant.users), ("LicensedUser", tenant.licensed)):
        yield {"Entity": entity, "Moment": None, "Count": f"{max(0, count + more):d}"}


def _organization(item: Item) -> Row:
    domains = item["verifiedDomains"]
    return {
        "TenantId": item["id"],
        "DisplayName": item["displayName"],
        "DefaultDomain": next((one["name"] for one in domains if one["isDefault"]), None),
        "InitialDomain": next((one["name"] for one in domains if one["isInitial"]), None),
        "CountryLetterCode": item["countryLetterCode"],
        "TenantType": item["tenantType"],
        "CreatedDateTime": _moment(item["createdDateTime"]),
    }


def _subscription(sku: Item, names: Mapping[str, str]) -> Row:
    units = sku["prepaidUnits"]
    return {
        "SkuId": sku["skuId"],
        "SkuPartNumber": sku["skuPartNumber"],
        "ProductName": names.get(sku["skuId"], sku["skuPartNumber"]),
        "AccountId": sku["accountId"],
        "AccountName": sku["accountName"],
        "AppliesTo": sku["appliesTo"],
        "CapabilityStatus": sku["capabilityStatus"],
        "Enabled": f"{units['enabled']:d}",
        "Warning": f"{units['warning']:d}",
        "Suspended": f"{units['suspended']:d}",
        "LockedOut": f"{units['lockedOut']:d}",
        "ConsumedUnits": f"{sku['consumedUnits']:d}",
        "SubscriptionIds": _joined(sku["subscriptionIds"]),
    }


def _plan(sku: Item, plan: Item, names: Mapping[str, str]) -> Row:
    return {
        "SkuId": sku["skuId"],
        "ServicePlanId": plan["servicePlanId"],
        "ServicePlanName": plan["servicePlanName"],
        "PlanName": names.get(plan["servicePlanId"], plan["servicePlanName"]),
        "AppliesTo": plan["appliesTo"],
        "ProvisioningStatus": plan["provisioningStatus"],
    }


def _commerce(item: Item) -> Row:
    return {
        "SubscriptionId": item["id"],
        "CommerceSubscriptionId": item["commerceSubscriptionId"],
        "SkuId": item["skuId"],
        "SkuPartNumber": item["skuPartNumber"],
        "Status": item["status"],
        "IsTrial": _flag(item["isTrial"]),
        "TotalLicenses": f"{item['totalLicenses']:d}",
        "CreatedDateTime": _moment(item["createdDateTime"]),
        "NextLifecycleDateTime": _moment(item["nextLifecycleDateTime"]),
        "OwnerType": item["ownerType"],
        "OwnerTenantId": item["ownerTenantId"],
    }


def _user(user: Item) -> Row:
    return {
        "UserId": user["id"],
        "UserPrincipalName": user["userPrincipalName"],
        "Mail": user["mail"],
        "ProxyAddresses": _joined(user["proxyAddresses"]),
        "OtherMails": _joined(user["otherMails"]),
        "DisplayName": user["displayName"],
        "GivenName": user["givenName"],
        "Surname": user["surname"],
        "AccountEnabled": _flag(user["accountEnabled"]),
        "UserType": user["userType"],
        "CreatedDateTime": _moment(user["createdDateTime"]),
        "Country": user["country"],
        "Department": user["department"],
        "UsageLocation": user["usageLocation"],
        "OnPremisesImmutableId": user["onPremisesImmutableId"],
        "OnPremisesLastSyncDateTime": _moment(user["onPremisesLastSyncDateTime"]),
    }


def _assignment(user: Item, state: Item) -> Row:
    return {
        "UserId": user["id"],
        "SkuId": state["skuId"],
        "AssignedByGroup": state["assignedByGroup"],
        "State": state["state"],
        "DisabledPlans": ";".join(sorted(state["disabledPlans"])),
    }


_MOMENTS: Mapping[str, str] = {
    "LastSignInDateTime": "lastSignInDateTime",
    "LastNonInteractiveSignInDateTime": "lastNonInteractiveSignInDateTime",
    "LastSuccessfulSignInDateTime": "lastSuccessfulSignInDateTime",
}


def _sign_ins(tenant: Tenant) -> Iterator[Row]:
    for user in _people(tenant, "signInActivity"):
        activity = user.get("signInActivity") or {}
        dates = {column: _sign_in(activity.get(name)) for column, name in _MOMENTS.items()}
        yield {"UserId": user["id"], **dates}


def _sign_in(text: str | None) -> str | None:
    return None if text == "0001-01-01T00:00:00Z" else _moment(text)


# --- the texts ---


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _joined(texts: Iterable[str]) -> str | None:
    return ";".join(sorted(texts)) or None


def _moment(text: str | None) -> str | None:
    """Return a UTC moment without trailing zeros in its fraction."""
    if text is None:
        return None
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction.rstrip('0')}".rstrip(".") + "Z"
