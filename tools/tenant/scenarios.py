"""Everything that can be odd about the tenant or go wrong with its service, by name.

Each follows Microsoft's documentation or a public report of what happened to somebody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tools.tenant.data import Tenant
from tools.tenant.faults import REPORTS_ROLE, SIGN_INS_ROLE, Faults

_LACKS = {
    REPORTS_ROLE: "no usage reports: 403",
    SIGN_INS_ROLE: "no signInActivity: 403",
    "LicenseAssignment.Read.All": "no subscribedSkus: 403",
    "Organization.Read.All": "no organization, no directory subscriptions: 403",
    "ReportSettings.Read.All": "no reportSettings: 403",
    "User.Read.All": "no users and no count of them: 403",
}


@dataclass(frozen=True)
class Scenario:
    """One name: what it means, the oddity of the tenant, the faults, and whether it needs several pages.

    ``fatal``: nobody can read the tenant whole; a run that ends well is wrong.
    """

    meaning: str
    odd: str = ""
    faults: Mapping[str, Any] = field(default_factory=dict)
    paged: bool = False
    fatal: bool = False


def _odd(name: str, meaning: str, *, fatal: bool = False) -> Scenario:
    return Scenario(meaning, odd=name, fatal=fatal)


def _wrong(meaning: str, *, paged: bool = False, fatal: bool = False, **faults: object) -> Scenario:
    return Scenario(meaning, faults=faults, paged=paged, fatal=fatal)


_ALL: Mapping[str, Scenario] = {
    # the service
    "storm": _wrong(
        "429 three times in a row, again and again; a retry before Retry-After doubles the wait",
        throttle_every=8,
        storm=2,
    ),
    "server-errors": _wrong("every fifth request gets 502 or 503 with Graph's error body", error_every=5),
    "html-errors": _wrong(
        "every fifth request gets 502 or 503 with a page in HTML", error_every=5, html=True
    ),
    "empty-pages": _wrong("every second page is empty and has a next link", paged=True, empty_every=2),
    "top-cap": _wrong("pages hold fewer than $top asks for", paged=True),
    "loop": _wrong("a next link points to its own page", paged=True, fatal=True, loop=True),
    "expired-page": _wrong(
        "the next link of each list expires once: 400 Directory_ExpiredPageToken", paged=True, expire_pages=1
    ),
    "expired-pages": _wrong("the next links expire again and again", paged=True, fatal=True, expire_pages=-1),
    "expired-token": _wrong(
        "the access token ends between two pages: 401; a new one is needed", paged=True, expire_token=True
    ),
    "duplicate-rows": _wrong("a page begins with users of the page before", paged=True, repeat=3),
    "lost-users": _wrong(
        "each third user is on no page of any list, but is counted", paged=True, fatal=True, lose={"": 1}
    ),
    "lost-sign-ins": _wrong(
        "each third user is on no page of the list of sign-ins",
        paged=True,
        fatal=True,
        lose={"signInActivity": 1},
    ),
    "lost-assignments": _wrong(
        "each third user is on no page of the list of assignments",
        paged=True,
        fatal=True,
        lose={"licenseAssignmentStates": 1},
    ),
    "no-premium": _wrong(
        "signInActivity without Entra ID P1: 403 Authentication_RequestFromNonPremiumTenantOrB2CTenant",
        no_premium=True,
    ),
    "retired-report": _wrong(
        "the Skype for Business report answers 400, the one of the Microsoft 365 apps 404",
        retired={"getSkypeForBusinessActivityUserDetail": 400, "getM365AppUserDetail": 404},
    ),
    "no-reports-cloud": _wrong("a national cloud: no usage reports, no reportSettings: 404", no_reports=True),
    "inline-reports": _wrong("reports come at once, with 200 and no redirect", inline=True),
    "cut-download": _wrong("report files end before their Content-Length", fatal=True, cut="length"),
    "cut-row": _wrong(
        "report files end in the middle of a row, without a Content-Length", fatal=True, cut="row"
    ),
    **{
        f"forbidden-{role}": _wrong(
            meaning,
            forbidden=frozenset({role}),
            fatal=role in {"LicenseAssignment.Read.All", "User.Read.All"},
        )
        for role, meaning in _LACKS.items()
    },
    # the tenant
    "concealed": _odd("concealed", "usage reports show hashes instead of names, as the setting says"),
    "mixed-names": _odd("mixed-names", "some rows of usage reports still show hashes; the setting is off"),
    "unknown-names": _odd("unknown-names", "some rows of usage reports say (Unknown)"),
    "deleted-in-reports": _odd("deleted-in-reports", "usage reports name users who were deleted"),
    "empty-report": _odd("empty-report", "the report of the Microsoft 365 apps has no rows"),
    "empty-sign-ins": _odd("empty-sign-ins", "signInActivity is null for every user, whoever signed in"),
    "no-mail": _odd("no-mail", "no user has a mail address"),
    "no-licences": _odd("no-licences", "no SKU is subscribed, and nobody holds a licence"),
    "unknown-sku": _odd(
        "unknown-sku", "users hold a SKU that is no longer subscribed, and one that no list of names knows"
    ),
    "lost-subscription": _odd(
        "lost-subscription", "a SKU names a subscription that /directory/subscriptions does not list"
    ),
    "churn": _odd(
        "churn", "users come and go while the tenant is read: counts and lists differ by two or three"
    ),
    "missing-user": _odd(
        "missing-user", "many assignments belong to users that the list of users does not name", fatal=True
    ),
}
SCENARIOS: Mapping[str, str] = {name: one.meaning for name, one in _ALL.items()}
FATAL = frozenset(name for name, one in _ALL.items() if one.fatal)
_PAGES = 5


def scenario(text: str, users: int = 1000, seed: int = 1) -> tuple[Tenant, Faults]:
    """Return a tenant and the faults of its service, as names separated by commas say; or raise ValueError.

    Where paging matters, a page holds at most a fifth of the users.
    """
    names = [name for name in (part.strip() for part in text.split(",")) if name]
    for name in names:
        if name not in _ALL:
            raise ValueError(f"no scenario is called {name!r}; there are:\n{explain()}")
    faults = Faults()
    for one in (_ALL[name] for name in names):
        faults = replace(faults, **_added(faults, one))
        if one.paged:
            faults = replace(faults, top_cap=max(2, min(999, -(-users // _PAGES))))
    odd = frozenset(filter(None, (_ALL[name].odd for name in names)))
    return Tenant(users, seed, oddities=odd), faults


def apart(text: str) -> tuple[str, str]:
    """Return the names of scenarios in a list, and the rest of it."""
    words = [word for word in (part.strip() for part in text.split(",")) if word]
    return ",".join(filter(_ALL.__contains__, words)), ",".join(word for word in words if word not in _ALL)


def _added(faults: Faults, one: Scenario) -> Mapping[str, Any]:
    """Return the changes; several permissions can be missing, and several lists lose users, at a time."""
    missing = one.faults.get("forbidden", frozenset())
    lose = {**faults.lose, **one.faults.get("lose", {})}
    return {**one.faults, "forbidden": faults.forbidden | missing, "lose": lose}


def explain() -> str:
    """Return every scenario with its meaning, a line each."""
    width = max(map(len, SCENARIOS))
    return "\n".join(f"  {name:<{width}} {meaning}" for name, meaning in SCENARIOS.items())
