"""What a position is of, and the words that its tables, files and page share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import BridgeError
from bridge.position import Count, Licence, Matching, Position, Stranger
from bridge.show import screen

HALF = "This is the online half: local Office installations are counted by the server."
MOST_LISTED = 20  # users of a kind on a screen and on a page; JSON and CSV have all
MOST_BARS = 25

UNITS = {"Bought": "bought", "Warning": "warning", "Suspended": "suspended", "Locked out": "locked_out"}
USERS = {
    "Assigned": "assigned",
    "To disabled": "assigned_disabled",
    "Active": "active",
    "Before": "active_before",
    "Never": "never_active",
    "Not reported": "not_reported",
    "Devices": "devices",
}
_SAYS = {
    ("without mail", False): "users without mail",
    ("without mail", True): "guests without mail",
    ("mail shared", False): "users who share a mail address in one tenant",
    ("mail shared", True): "users who share one with a guest",
    ("mail in several tenants", False): "users whose mail address is in several tenants",
    ("mail in several tenants", True): "users and guests whose mail address is in several tenants",
}
PEOPLE = ("Mail", "Connection", "Principal name", "Name", "Guest", "Licence")


@dataclass(frozen=True)
class Everyone:
    """The positions of all connections, the errors of those without one, and who does not match by mail."""

    positions: Sequence[Position]
    failed: Mapping[str, BridgeError]
    matching: Matching


def facts(found: Position) -> list[tuple[str, str]]:
    """Return what the numbers are of, and when they were true."""
    whose = f"{found.organization} ({found.tenant})" if found.organization else found.tenant
    people = found.people
    return [
        ("Connection", found.connection),
        ("Tenant", whose),
        ("Run", f"{found.run}, begun {screen.local(found.started)}, {found.state}{_development(found)}"),
        ("Read", f"from {found.opened or '-'} to {found.closed or '-'}, by the service's clock"),
        *(
            (f"Report {one.name}", f"until {one.refreshed or '-'}, period {one.period}, {one.rows:,} rows")
            for one in found.reports
        ),
        (
            "Users",
            f"{people.users:,}, of them {people.guests:,} guests and {people.disabled:,} disabled; "
            f"{people.holders:,} hold a licence",
        ),
        *((f"Gap {gap.name}", gap.text) for gap in found.gaps),
        *((f"Check {check.name}", f"{check.level}: {check.text}") for check in found.warned),
        *((f"Unknown {kind}", why) for kind, why in found.unknown.items()),
    ]


def _development(found: Position) -> str:
    return ", development" if found.development else ""


def renewal(one: Licence) -> str:
    """Return the day of a renewal, and whether a trial or nothing but an end comes then."""
    if one.renewal is None:
        return "-"
    return f"{one.renewal}{' (trial)' * one.renewal_is_trial}{' (ends)' * one.renewal_ends}"


def again(matching: Matching) -> Iterator[str]:
    """Yield a sentence for each connection whose tenant another one reads."""
    for name in matching.again:
        yield f"{name} reads a tenant that another connection reads, too: its users count once."


def counted(one: Count) -> str:
    """Return how many users there are of a kind that mail does not tell apart."""
    mails = "" if one.kind == "without mail" else f" with {one.mails:,} addresses"
    return f"{one.users:,} {_SAYS[one.kind, one.guests]}{mails}, {one.holders:,} of them with a licence"


def person(user: Stranger) -> tuple[str, ...]:
    """Return the cells of one such user."""
    return (
        user.mail or "-",
        user.connection,
        user.principal_name,
        user.display_name,
        "guest" if user.is_guest else "",
        "yes" if user.holds else "",
    )
