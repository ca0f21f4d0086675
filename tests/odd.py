"""Items of Microsoft Graph with a value that Graph does not document: both engines refuse them alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bridge.readers import ours

Item = dict[str, Any]
MOMENT = "2026-11-24T08:15:30Z"
TEXT, FLAG, WHOLE, TEXTS = "a text", "true or false", "a whole number", "a list of texts"
MOMENTS = f"a moment such as {MOMENT}"
WRONG: dict[str, list[Any]] = {
    TEXT: [True, 5, [], ["a"], {}],
    FLAG: ["true", 1, [], [True], {}],
    WHOLE: [True, "5", 1.5, [], [5], {}],
    MOMENTS: [True, 5, "", [], [MOMENT], ["0001-01-01T00:00:00Z"], {}, MOMENT.lower()],
    TEXTS: [True, "a", [None], ["a", 5], [["a"]], {}],
}

# By step: what each property holds.
_SHAPES: dict[str, dict[str, str]] = {
    ours.ORGANIZATION: {
        **dict.fromkeys(("displayName", "countryLetterCode", "tenantType"), TEXT),
        "createdDateTime": MOMENTS,
    },
    ours.SUBSCRIPTION: {
        **dict.fromkeys(("skuPartNumber", "accountId", "accountName", "appliesTo", "capabilityStatus"), TEXT),
        "consumedUnits": WHOLE,
        "subscriptionIds": TEXTS,
    },
    ours.COMMERCE: {
        **dict.fromkeys(("commerceSubscriptionId", "skuId", "skuPartNumber", "status"), TEXT),
        **dict.fromkeys(("ownerType", "ownerTenantId"), TEXT),
        "isTrial": FLAG,
        "totalLicenses": WHOLE,
        **dict.fromkeys(("createdDateTime", "nextLifecycleDateTime"), MOMENTS),
    },
    ours.USER: {
        **dict.fromkeys(("userPrincipalName", "mail", "displayName", "givenName", "surname"), TEXT),
        **dict.fromkeys(("userType", "country", "department", "usageLocation"), TEXT),
        "onPremisesImmutableId": TEXT,
        "accountEnabled": FLAG,
        **dict.fromkeys(("createdDateTime", "onPremisesLastSyncDateTime"), MOMENTS),
        **dict.fromkeys(("proxyAddresses", "otherMails"), TEXTS),
    },
}
_UNITS = dict.fromkeys(("enabled", "warning", "suspended", "lockedOut"), WHOLE)
_PLAN = dict.fromkeys(("servicePlanId", "servicePlanName", "appliesTo", "provisioningStatus"), TEXT)
_STATE = {**dict.fromkeys(("skuId", "assignedByGroup", "state"), TEXT), "disabledPlans": TEXTS}
_ACTIVITY = dict.fromkeys(
    ("lastSignInDateTime", "lastNonInteractiveSignInDateTime", "lastSuccessfulSignInDateTime"), MOMENTS
)
_LISTS = (
    (ours.SERVICE_PLAN, "servicePlans", _PLAN),
    (ours.ASSIGNMENT, "licenseAssignmentStates", _STATE),
)
_OBJECTS = (
    (ours.SUBSCRIPTION, "prepaidUnits", _UNITS),
    (ours.SIGN_IN, "signInActivity", _ACTIVITY),
)
_NO_LISTS: list[object] = [True, "x", {}, [5], [[{}]], [None]]
_NO_OBJECTS: list[object] = [True, "x", [], [{}]]


@dataclass(frozen=True)
class Odd:
    """An item of a step, and what the error about it says."""

    step: str
    item: Item
    said: str


def good(step: str) -> Item:
    """Return an item in which everything is null that can be."""
    inner: dict[str, Item] = {
        ours.SUBSCRIPTION: {"prepaidUnits": dict.fromkeys(_UNITS)},
        ours.SERVICE_PLAN: {"servicePlans": [dict.fromkeys(_PLAN)]},
        ours.ASSIGNMENT: {"licenseAssignmentStates": [dict.fromkeys(_STATE)]},
    }
    return {"id": "1", **dict.fromkeys(_SHAPES.get(step, {})), "skuId": "1", **inner.get(step, {})}


def items() -> Iterator[Odd]:
    """Yield each property with each value that it cannot have, then lists and objects that are none."""
    for step, shape in _SHAPES.items():
        for part, said in _parts(shape):
            yield Odd(step, {**good(step), **part}, said)
    for step, name, shape in _LISTS:
        for part, said in _parts(shape):
            yield Odd(step, {**good(step), name: [part]}, said)
    for step, name, shape in _OBJECTS:
        for part, said in _parts(shape):
            yield Odd(step, {**good(step), name: part}, said)
    for step, name, _ in (*_LISTS, (ours.ORGANIZATION, "verifiedDomains", {})):
        for value in _NO_LISTS:
            yield Odd(step, {**good(step), name: value}, f"{name} is no list of objects")
    for step, name, _ in _OBJECTS:
        said = "there is no prepaidUnits" if step == ours.SUBSCRIPTION else f"{name} is no object"
        for value in _NO_OBJECTS:
            yield Odd(step, {**good(step), name: value}, said)
    domains = [{"name": True, "isDefault": True}]
    item = {**good(ours.ORGANIZATION), "verifiedDomains": domains}
    yield Odd(ours.ORGANIZATION, item, f" is 'True', expected {TEXT}")


def _parts(shape: dict[str, str]) -> Iterator[tuple[Item, str]]:
    for name, what in shape.items():
        for value in WRONG[what]:
            said = f"{name} is {_shown(value)}, expected {what}"
            yield {**dict.fromkeys(shape), name: value}, said


def _shown(value: object) -> str:
    kinds: dict[type, str] = {list: "a list", dict: "an object"}
    return kinds.get(type(value)) or f"'{value}'"
