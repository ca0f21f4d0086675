"""What the native engine asks Microsoft Graph for: each step of our reader folder Microsoft 365 as a call.

The fields are those of learn.microsoft.com/graph/api/resources/user, .../subscribedsku and
.../licenseassignmentstate; docs/readers.md says what the columns mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]
Cell = Callable[[Item], str | None]

_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,7})?Z")


class Unfit(ValueError):
    """An item that is not shaped as Graph documents it; the message says where."""


@dataclass(frozen=True, slots=True)
class Call:
    """One step: the path below /v1.0, the least permission, and each column's cell by its property.

    ``rows`` makes rows of an item of the answer: itself, or one for each of its parts.
    """

    path: str
    permission: str
    cells: Mapping[str, Cell]
    rows: Callable[[Item], Iterator[Item]]


# --- cells ---


def _value(item: Item, path: tuple[str, ...]) -> Any:  # noqa: ANN401  # JSON can be anything
    """Return the value at a path; a property that was asked for and did not come is an error."""
    value: Any = item
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise Unfit(f"there is no {'.'.join(path)}")
        value = value[name]
    return value


def _cell(path: tuple[str, ...], kind: type, shown: Callable[[Any], str]) -> Cell:
    def cell(item: Item) -> str | None:
        value = _value(item, path)
        if value is None:
            return None
        if type(value) is not kind:
            raise Unfit(f"{'.'.join(path)} is {str(value)[:80]!r}, expected {kind.__name__}")
        return shown(value)

    return cell


def _text(*path: str) -> Cell:
    return _cell(path, str, str)


def _whole(*path: str) -> Cell:
    return _cell(path, int, str)


def _flag(*path: str) -> Cell:
    return _cell(path, bool, lambda value: "true" if value else "false")


def _moment(*path: str) -> Cell:
    """Return a cell of a moment in UTC: ``yyyy-MM-ddTHH:mm:ss[.f]Z`` without trailing zeros."""

    def shown(text: str) -> str:
        form = _MOMENT.fullmatch(text)
        if form is None:
            raise Unfit(f"{'.'.join(path)} is {text[:80]!r}, expected a moment such as 2026-11-24T08:15:30Z")
        return form[1] + (form[2] or "").rstrip("0").rstrip(".") + "Z"

    return _cell(path, str, shown)


def _sorted_texts(*path: str) -> Cell:
    def shown(texts: list[object]) -> str:
        if not all(isinstance(text, str) for text in texts):
            raise Unfit(f"{'.'.join(path)} is no list of texts")
        return ";".join(sorted(map(str, texts)))

    return _cell(path, list, shown)


# --- rows ---


def _itself(item: Item) -> Iterator[Item]:
    yield item


def _states(user: Item) -> Iterator[Item]:
    """Yield each licenseAssignmentState of a user, with the user beside it."""
    states = _value(user, ("licenseAssignmentStates",))
    if not isinstance(states, list):
        raise Unfit("licenseAssignmentStates is no list")
    for state in states:
        yield {"user": user, "state": state}


# --- the steps ---

CALLS: Mapping[str, Call] = {
    "Subscription.xml/Subscription": Call(
        path="/subscribedSkus?$select=skuId,skuPartNumber,appliesTo,capabilityStatus,consumedUnits,prepaidUnits",
        permission="LicenseAssignment.Read.All",
        cells={
            "SkuId": _text("skuId"),
            "SkuPartNumber": _text("skuPartNumber"),
            "AppliesTo": _text("appliesTo"),
            "CapabilityStatus": _text("capabilityStatus"),
            "Enabled": _whole("prepaidUnits", "enabled"),
            "Warning": _whole("prepaidUnits", "warning"),
            "Suspended": _whole("prepaidUnits", "suspended"),
            "LockedOut": _whole("prepaidUnits", "lockedOut"),
            "ConsumedUnits": _whole("consumedUnits"),
        },
        rows=_itself,
    ),
    "User.xml/User": Call(
        path="/users?$select=id,userPrincipalName,mail,displayName,accountEnabled,userType,createdDateTime,"
        "country,department,usageLocation&$top=999",
        permission="User.Read.All",
        cells={
            "UserId": _text("id"),
            "UserPrincipalName": _text("userPrincipalName"),
            "Mail": _text("mail"),
            "DisplayName": _text("displayName"),
            "AccountEnabled": _flag("accountEnabled"),
            "UserType": _text("userType"),
            "CreatedDateTime": _moment("createdDateTime"),
            "Country": _text("country"),
            "Department": _text("department"),
            "UsageLocation": _text("usageLocation"),
        },
        rows=_itself,
    ),
    "Assignment.xml/Assignment": Call(
        path="/users?$select=id,licenseAssignmentStates&$top=100",
        permission="User.Read.All",
        cells={
            "UserId": _text("user", "id"),
            "SkuId": _text("state", "skuId"),
            "AssignedByGroup": _text("state", "assignedByGroup"),
            "State": _text("state", "state"),
            "DisabledPlans": _sorted_texts("state", "disabledPlans"),
        },
        rows=_states,
    ),
}
