"""Graph of one tenant: which call gets which answer, and what goes wrong with it."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from math import ceil
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from tools.tenant.answers import Answer, Asked
from tools.tenant.data import Tenant
from tools.tenant.downloads import Downloads
from tools.tenant.faults import LEAST, REPORTS_ROLE, SIGN_INS_ROLE, Faults
from tools.tenant.pages import USER_DEFAULTS, Collection, Query, Refused, expired, page, read
from tools.tenant.people import PROPERTIES
from tools.tenant.reports import PERIODS, REPORTS, Report
from tools.tenant.skus import NAMELESS, Item
from tools.tenant.subscriptions import commerce, sku_item

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false"
SETTINGS, COUNT = "/v1.0/admin/reportSettings", "/v1.0/users/$count"
SIGN_INS = "signInActivity"
LICENSED_ONLY = "assignedLicenses/$count ne 0"
_REPORT = re.compile(r"/(?P<version>v1\.0|beta)/reports/(?P<name>\w+)(?:\((?P<options>[^)]*)\))?")
_CLOCK_GRAIN = 0.02  # seconds by which a client's sleep may end early without being punished
_EXPIRING = ("Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException")
_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass
class Requests:
    """What was asked for: requests by path, 429s served, and retries that came too early."""

    paths: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    early: int = 0


@dataclass(frozen=True)
class Place:
    """Where a Graph is: its root, and what it asks of whoever comes.

    ``admit`` raises Refused for a path and an Authorization header; ``renew`` is called when a token is to
    end. ``files``: the address in front of report files; empty: this cloud has no usage reports.
    """

    root: str
    files: str
    admit: Callable[[str, str], None]
    renew: Callable[[], None] = lambda: None
    now: Callable[[], float] = time.time


class Graph:
    """Graph of one tenant behind one root; the tenant is asked for at each report, as its settings change."""

    def __init__(self, tenant: Callable[[], Tenant], faults: Faults, place: Place) -> None:
        self.requests = Requests()
        self._tenant, self._faults, self._place = tenant, faults, place
        self._door = Door(faults, self.requests)
        self.downloads = Downloads(tenant, place.files, place.now, faults.cut)
        self._key = secrets.token_bytes(32)
        self._collections = _collections(tenant())
        self._lock = threading.Lock()
        self._counted: Counter[str] = Counter()  # how often something happened that happens by number
        self._ended = ""  # the Authorization header that is good no longer

    @property
    def content_type(self) -> str:
        """What the answers' bodies are said to be."""
        return JSON_TYPE + (f";charset={self._faults.charset}" if self._faults.charset else "")

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to one GET."""
        began = time.monotonic()
        path, _, query = asked.target.partition("?")
        path = unquote(path)
        try:
            answer = self._door.let_in(path, query)
            if answer is None:
                self._admit(path, asked.authorization)
                answer = self._found(path, query, asked, began)
        except Refused as refused:
            answer = graph_error(refused)
        return Answer(
            answer.status, answer.body, {"Content-Type": self.content_type, **answer.headers}, answer.parts
        )

    def _admit(self, path: str, authorization: str) -> None:
        if authorization and authorization == self._ended:
            message = "Lifetime validation failed, the token is expired."
            raise Refused(401, "InvalidAuthenticationToken", message)
        self._place.admit(path, authorization)
        role = LEAST.get(path, REPORTS_ROLE if _REPORT.fullmatch(path) else "")
        if role in self._faults.forbidden:
            raise forbidden()

    def _found(self, path: str, query: str, asked: Asked, began: float) -> Answer:
        if path == SETTINGS:
            return self._settings()
        if path == COUNT:
            return self._count(query, asked.consistency)
        if (found := _REPORT.fullmatch(path)) and found["name"] in REPORTS:
            return self._report(REPORTS[found["name"]], found["version"], found["options"] or "", query)
        if path not in self._collections:
            raise _unknown(path)
        return self._listing(path, query, asked.authorization, began)

    # --- what is no list ---

    def _settings(self) -> Answer:
        if not self._place.files or self._faults.no_reports:
            raise _unknown("reportSettings")
        body = {
            "@odata.context": f"{self._place.root}{SETTINGS.replace('/admin', '/$metadata#admin')}/$entity",
            "id": "",
            "displayConcealedNames": "concealed" in self._tenant().oddities,
        }
        return Answer(200, json.dumps(body))

    def _count(self, query: str, consistency: str) -> Answer:
        options = dict(parse_qsl(query, keep_blank_values=True))
        wanted = options.pop("$filter", "")
        if consistency.lower() != "eventual":
            raise Refused(400, "Request_BadRequest", "$count is not currently supported.")
        if options not in ({}, {"$count": "true"}) or wanted not in {"", LICENSED_ONLY}:
            raise Refused(400, "Request_UnsupportedQuery", "Unsupported Query.")
        tenant = self._tenant()
        number = tenant.licensed if wanted else tenant.users
        if "churn" in tenant.oddities:
            number += drift(self._next(wanted))
        mark = "" if wanted else "\ufeff"  # it comes with one from some of Graph's servers
        return Answer(200, f"{mark}{max(0, number)}", {"Content-Type": "text/plain"})

    def _next(self, what: str) -> int:
        with self._lock:
            self._counted[what] += 1
            return self._counted[what]

    def _report(self, report: Report, version: str, options: str, query: str) -> Answer:
        status = self._faults.retired.get(report.name)
        if version != report.version or not self._place.files or self._faults.no_reports or status == 404:
            raise _unknown(report.name)
        if status is not None:
            raise Refused(status, "UnknownError", "")
        period = _period(report, options)
        if version == "beta" and unquote(query) != "$format=text/csv":
            raise Refused(400, "BadRequest", "The simulation knows $format=text/csv only.")
        if self._faults.inline:
            return self.downloads.file(report, period)
        return Answer(302, "", {"Location": self.downloads.address(report, period)})

    # --- lists ---

    def _listing(self, path: str, query: str, authorization: str, began: float) -> Answer:
        collection = self._collections[path]
        asked = read(collection, query, self._key, self._faults.top_cap)
        self._check_sign_ins(asked, authorization)
        self._end_what_ends(asked, path, authorization)
        text = json.dumps(self._body(path, collection, asked), ensure_ascii=False)
        time.sleep(max(0.0, began + self._faults.page_wait - time.monotonic()))
        return Answer(200, text)

    def _check_sign_ins(self, asked: Query, authorization: str) -> None:
        if SIGN_INS not in asked.names:
            return
        self._place.admit(SIGN_INS, authorization)
        if SIGN_INS_ROLE in self._faults.forbidden:
            raise forbidden()
        if self._faults.no_premium:
            code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
            raise Refused(403, code, "Neither tenant is B2C or tenant doesn't have premium license")

    def _end_what_ends(self, asked: Query, path: str, authorization: str) -> None:
        """Refuse a page whose link or whose token ends just now."""
        if not asked.start:
            return
        last = asked.start + asked.top >= len(self._collections[path].listed(asked.names))
        if self._faults.expire_pages and (asked.number == 3 or (last and asked.number < 3)):
            times = self._next(f"expired {asked.text}")
            if self._faults.expire_pages < 0 or times <= self._faults.expire_pages:
                raise expired(_EXPIRING[(times - 1) % 2])
        if self._faults.expire_token and path.endswith("/users"):
            with self._lock:  # once, whoever asks side by side; there is a new token before the old one ends
                if not self._ended:
                    self._place.renew()
                    self._ended = authorization
            self._admit(path, authorization)

    def _body(self, path: str, collection: Collection, asked: Query) -> dict[str, Any]:
        found = page(collection, asked, self._key, self._faults)
        body: dict[str, Any] = {
            "@odata.context": f"{self._place.root}/v1.0/$metadata#{collection.name}{asked.context}",
            "value": list(found.items),
        }
        if found.next_query is not None:
            link = f"{self._place.root}{path}?{found.next_query}"
            body["@odata.nextLink"] = self._faults.next_link(link) if self._faults.next_link else link
        return body


class Door:
    """Counts requests; throttles them, or answers them from a script, or lets them in."""

    def __init__(self, faults: Faults, requests: Requests) -> None:
        self._faults, self._requests = faults, requests
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._free_at = 0.0
        self._penalty = faults.retry_after
        self._storm = 0
        self._told: dict[tuple[str, str], float] = {}  # calls that were refused, and when they may come again

    def let_in(self, path: str, query: str) -> Answer | None:
        """Return what a request is answered with instead, or None."""
        with self._lock:
            self._requests.paths[path] += 1
            return self._busy((path, query), time.monotonic()) or self._numbered((path, query))

    def _busy(self, call: tuple[str, str], now: float) -> Answer | None:
        """Return 429 as long as the door is shut: for longer to whoever was told, and came all the same."""
        told = self._told.pop(call, 0.0)
        if now < told - _CLOCK_GRAIN:
            self._requests.early += 1
            self._penalty *= 2
            return self._throttle(call, now + self._penalty)
        if now < self._free_at - _CLOCK_GRAIN:
            return self._refuse(call, now + ceil(self._free_at - now))
        self._penalty = self._faults.retry_after
        if not self._storm:
            return None
        self._storm -= 1
        return self._throttle(call, now + self._penalty)

    def _numbered(self, call: tuple[str, str]) -> Answer | None:
        number = next(self._numbers)
        if _due(number, self._faults.throttle_every):
            self._storm = self._faults.storm
            return self._throttle(call, time.monotonic() + self._penalty)
        if _due(number, self._faults.error_every):
            return self._error(number)
        return self._faults.answers.get(number)

    def _throttle(self, call: tuple[str, str], until: float) -> Answer:
        """Refuse a call, and shut the door until it may come again."""
        self._free_at = max(self._free_at, until)
        return self._refuse(call, until)

    def _refuse(self, call: tuple[str, str], until: float) -> Answer:
        """Refuse a call; the door stays as it is, or calls side by side would keep it shut for each other."""
        self._requests.throttled += 1
        self._told[call] = until
        refused = Refused(429, "TooManyRequests", "Too many requests from the same application.")
        wait = round(until - time.monotonic())
        return graph_error(refused, **{"Retry-After": str(wait)})

    def _error(self, number: int) -> Answer:
        status = 503 if number // self._faults.error_every % 2 else 502
        wait = {"Retry-After": str(self._faults.retry_after)}
        if self._faults.html:
            text = _HTML.format(f"HTTP Error {status}")
            return Answer(status, text, {"Content-Type": "text/html; charset=utf-8", **wait})
        return graph_error(Refused(status, "UnknownError", "An error has occurred."), **wait)


def _due(number: int, every: int) -> bool:
    return bool(every) and number % every == 0


def drift(number: int) -> int:
    """Return by how much the Nth count differs from the users that are read between the counts."""
    return -3 if number % 2 else 2


# --- the collections ---


def _collections(tenant: Tenant) -> dict[str, Collection]:
    organization = tenant.organization()
    skus, bought = tuple(tenant.skus()), tuple(tenant.subscriptions())
    sample, other = sku_item(NAMELESS, "", "", 0), next(commerce(NAMELESS, "", 0))
    return {
        "/v1.0/subscribedSkus": _fixed("subscribedSkus", "subscribedSku", skus, sample),
        "/v1.0/directory/subscriptions": _fixed(
            "directory/subscriptions", "companySubscription", bought, other, top=True
        ),
        "/v1.0/organization": _fixed("organization", "organization", (organization,), organization),
        "/v1.0/users": Collection(
            "users", "user", tenant.listed, tenant.user, frozenset(PROPERTIES), USER_DEFAULTS, top=True
        ),
    }


def _fixed(
    name: str, kind: str, items: tuple[Item, ...], sample: Mapping[str, Any], *, top: bool = False
) -> Collection:
    def item(index: int, names: Sequence[str]) -> Item:
        return {one: items[index][one] for one in names}

    return Collection(
        name, kind, lambda names: range(len(items)), item, frozenset(sample), tuple(sample), top=top
    )


# --- refusals ---


def _period(report: Report, options: str) -> str:
    if not report.period:
        if options:
            raise Refused(400, "BadRequest", "This report takes no parameter.")
        return "ALL"
    found = re.fullmatch(r"period='(\w+)'", options)
    allowed = (*PERIODS, "ALL") if report.version == "beta" else PERIODS
    if found is None or found[1] not in allowed:
        raise Refused(400, "BadRequest", f"The period must be one of {', '.join(allowed)}.")
    return found[1]


def forbidden() -> Refused:
    """Return the refusal for want of a permission."""
    return Refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _unknown(what: str) -> Refused:
    return Refused(404, "ResourceNotFound", f"Resource not found for the segment '{what}'.")


def graph_error(refused: Refused, **headers: str) -> Answer:
    """Return the answer with Graph's error body."""
    inner = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
        "request-id": str(uuid4()),
        "client-request-id": str(uuid4()),
    }
    body = {"error": {"code": refused.code, "message": refused.message, "innerError": inner}}
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="", authorization_uri="", client_id=""'
    return Answer(refused.status, json.dumps(body), headers)
