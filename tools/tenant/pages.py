"""What Graph makes of a query: which properties, how many on a page, and where the next page begins."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from tools.tenant.faults import NO_FAULTS, Faults
from tools.tenant.skus import Item

DEFAULT_TOP, MOST_TOP, MOST_SIGN_INS = 100, 999, 500
USER_DEFAULTS = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)
_TOKEN = "&$skiptoken="  # noqa: S105  # the name of an option


class Refused(Exception):
    """A request that Graph refuses: status, code and message of its error body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Collection:
    """Something that can be listed.

    ``listed`` returns the indexes that a list with these properties shows, ``item`` the item of an index with
    them. ``top`` is whether $top and paging are known there; ``defaults`` is what comes without $select.
    """

    name: str
    kind: str
    listed: Callable[[Sequence[str]], Sequence[int]]
    item: Callable[[int, Sequence[str]], Item]
    known: frozenset[str]
    defaults: Sequence[str]
    top: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A query as Graph understands it.

    ``text`` is what it says without its skip token, ``link`` the same as it was written; the page is
    ``number`` from 1, and begins at ``start``. ``context`` is what the answer says of the properties.
    """

    text: str
    link: str
    names: Sequence[str]
    context: str
    top: int
    start: int
    number: int


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a collection: its items, and the link's rest if more follows."""

    items: Iterator[Item]
    next_query: str | None


def read(collection: Collection, query: str, key: bytes, cap: int = 0) -> Query:
    """Return what a raw query string asks for, with at most ``cap`` items on a page; or raise Refused."""
    text, _, rest = unquote(query).partition(_TOKEN)
    start, number = _open(rest, text, key) if rest else (0, 1)
    options = _options(collection, text)
    names = _selected(collection, options)
    top = min(_top(options, names), cap or MOST_TOP) if collection.top else 0
    context = f"({','.join(names)})" if "$select" in options else ""
    return Query(text, query.partition(_TOKEN)[0], names, context, top, start, number)


def page(collection: Collection, query: Query, key: bytes, faults: Faults = NO_FAULTS) -> Page:
    """Return the page that a query asks for."""
    indexes = collection.listed(query.names)
    top = query.top or len(indexes)
    empty = bool(faults.empty_every) and query.number % faults.empty_every == 0
    end = query.start if empty else min(query.start + top, len(indexes))
    shown = indexes[query.start : end]
    if collection.kind == "user" and not empty:
        shown = _disturbed(indexes, query, end, faults)
    items = (collection.item(index, query.names) for index in shown)
    return Page(items, _next(query, end, key, faults) if end < len(indexes) else None)


def _disturbed(indexes: Sequence[int], query: Query, end: int, faults: Faults) -> Sequence[int]:
    """Return the users of a page: some of the page before come again, and some are left out."""
    shown = indexes[max(0, query.start - faults.repeat) : end]
    lost = max((many for name, many in faults.lose.items() if name in ("", *query.names)), default=0)
    return [index for index in shown if index % 3 < 3 - lost]


def _next(query: Query, end: int, key: bytes, faults: Faults) -> str:
    if faults.loop:
        end, number = query.start, query.number
    else:
        number = query.number + 1
    return f"{query.link}{_TOKEN}{_seal(end, number, query.text, key)}"


def _options(collection: Collection, query: str) -> Mapping[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    allowed = {"$select", "$top"} if collection.top else {"$select"}
    for name in options:
        if name not in allowed:
            raise Refused(400, "Request_BadRequest", f"The query option '{name}' is not supported here.")
    return options


def _selected(collection: Collection, options: Mapping[str, str]) -> tuple[str, ...]:
    if "$select" not in options:
        return tuple(collection.defaults)
    names = tuple(dict.fromkeys(name.strip() for name in options["$select"].split(",")))
    for name in names:
        if name not in collection.known:
            message = f"Could not find a property named '{name}' on type 'microsoft.graph.{collection.kind}'."
            raise Refused(400, "Request_BadRequest", message)
    return names


def _top(options: Mapping[str, str], names: Sequence[str]) -> int:
    """Return how many a page holds; with sign-ins a higher figure is capped, and not refused."""
    text = options.get("$top", str(DEFAULT_TOP))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_TOP:
        message = f"Invalid page size specified: '{text}'. Must be between 1 and {MOST_TOP} inclusive."
        raise Refused(400, "Request_UnsupportedQuery", message)
    return min(int(text), MOST_SIGN_INS) if "signInActivity" in names else int(text)


# --- skip tokens: opaque, and good for one query only ---


def _seal(start: int, number: int, query: str, key: bytes) -> str:
    content = json.dumps([start, number]).encode()
    return base64.urlsafe_b64encode(_sign(content, query, key) + content).decode()


def _open(token: str, query: str, key: bytes) -> tuple[int, int]:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if not hmac.compare_digest(raw[:16], _sign(raw[16:], query, key)):
        raise expired()
    start, number = json.loads(raw[16:])
    return start, number


def expired(code: str = "Directory_ExpiredPageToken") -> Refused:
    """Return the refusal of a skip token."""
    message = "The specified page token value has expired and cannot be included in your request."
    return Refused(400, code, message)


def _sign(content: bytes, query: str, key: bytes) -> bytes:
    return hmac.digest(key, content + b"\n" + query.encode(), "sha256")[:16]
