"""What the simulated service does wrong, on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tools.tenant.answers import Answer

# A call and the least permission for it (application permissions of Graph v1.0's pages).
LEAST: Mapping[str, str] = {
    "/v1.0/subscribedSkus": "LicenseAssignment.Read.All",
    "/v1.0/directory/subscriptions": "Organization.Read.All",
    "/v1.0/organization": "Organization.Read.All",
    "/v1.0/users": "User.Read.All",
    "/v1.0/users/$count": "User.Read.All",
    "/v1.0/admin/reportSettings": "ReportSettings.Read.All",
}
REPORTS_ROLE, SIGN_INS_ROLE = "Reports.Read.All", "AuditLog.Read.All"
ROLES = frozenset({*LEAST.values(), REPORTS_ROLE, SIGN_INS_ROLE})


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong.

    ``throttle_every``: every Nth request is answered with 429 and ``Retry-After: retry_after`` (seconds), and
    so are the next ``storm`` ones. ``error_every``: every Nth is answered with 503 or 502, as ``html`` in a
    page. ``page_wait``: seconds that a page takes at least. ``answers``: by the request's number, from 1.
    ``next_link``: makes another link of each next link. ``charset``: what Content-Type calls the text, which
    is UTF-8 whatever it says; empty: nothing.

    Pages: ``top_cap`` is the most that one holds, whatever was asked for. ``empty_every``: every Nth page of
    a call is empty and has a next link. ``loop``: each next link points to its own page. ``expire_pages``:
    how often the link to a list's third page (or last, if it is sooner) is refused as expired; -1: always.
    ``expire_token``: the token of whoever asks for a second page of users is refused from then on.
    ``repeat``: how many users of the page before come again. ``lose``: how many of three users are on no
    page of a list that selects a property, by its name; of any list by no name.

    Rights: ``forbidden`` permissions are missing; ``no_premium``: no sign-ins without Entra ID P1.

    Reports: ``retired`` are answered with a status, by name; ``no_reports``: none is known here. ``inline``:
    the file comes at once, without 302. ``cut``: files end too early, by ``length`` or in a ``row``.
    """

    throttle_every: int = 0
    retry_after: int = 1
    empty_every: int = 0
    page_wait: float = 0.0
    answers: Mapping[int, Answer] = field(default_factory=dict)
    next_link: Callable[[str], str] | None = None
    charset: str = "utf-8"
    storm: int = 0
    error_every: int = 0
    html: bool = False
    top_cap: int = 0
    loop: bool = False
    expire_pages: int = 0
    expire_token: bool = False
    repeat: int = 0
    lose: Mapping[str, int] = field(default_factory=dict)
    forbidden: frozenset[str] = frozenset()
    no_premium: bool = False
    retired: Mapping[str, int] = field(default_factory=dict)
    no_reports: bool = False
    inline: bool = False
    cut: str = ""


NO_FAULTS = Faults()
