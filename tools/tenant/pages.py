"""What Graph makes of a query: which properties, how many on a page, and where the next page begins."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from tools.tenant.data import Item

DEFAULT_TOP, MOST_TOP = 100, 999
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
    """Something that can be listed: ``item`` returns the item of an index below ``count``.

    ``top`` is whether $top and paging are known there; ``defaults`` is what comes without $select.
    """

    name: str
    kind: str
    count: int
    item: Callable[[int], Item]
    known: frozenset[str]
    defaults: Sequence[str]
    top: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a collection: its items, the selected properties, and the link's rest if more follows."""

    items: Iterable[Item]
    selected: str
    next_query: str | None


def page(collection: Collection, query: str, key: bytes, empty_every: int = 0) -> Page:
    """Return the page that a raw query string asks for, or raise Refused.

    Every ``empty_every``-th page is empty and has a next link, which Graph may do at any time.
    """
    first, _, rest = unquote(query).partition(_TOKEN)
    start, number = _open(rest, first, key) if rest else (0, 1)
    options = _options(collection, first)
    names = _selected(collection, options)
    top = _top(options) if collection.top else collection.count
    empty = bool(empty_every) and number % empty_every == 0
    end = start if empty else min(start + top, collection.count)
    items = ({name: item[name] for name in names} for item in map(collection.item, range(start, end)))
    more = end < collection.count
    link = f"{query.partition(_TOKEN)[0]}{_TOKEN}{_seal(end, number + 1, first, key)}" if more else None
    return Page(items, f"({','.join(names)})" if "$select" in options else "", link)


def _options(collection: Collection, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    allowed = {"$select", "$top"} if collection.top else {"$select"}
    for name in options:
        if name not in allowed:
            raise Refused(400, "Request_BadRequest", f"The query option '{name}' is not supported here.")
    return options


def _selected(collection: Collection, options: dict[str, str]) -> tuple[str, ...]:
    if "$select" not in options:
        return tuple(collection.defaults)
    names = tuple(dict.fromkeys(name.strip() for name in options["$select"].split(",")))
    for name in names:
        if name not in collection.known:
            message = f"Could not find a property named '{name}' on type 'microsoft.graph.{collection.kind}'."
            raise Refused(400, "Request_BadRequest", message)
    return names


def _top(options: dict[str, str]) -> int:
    text = options.get("$top", str(DEFAULT_TOP))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_TOP:
        message = f"Invalid page size specified: '{text}'. Must be between 1 and {MOST_TOP} inclusive."
        raise Refused(400, "Request_UnsupportedQuery", message)
    return int(text)


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
        raise Refused(400, "Directory_ExpiredPageToken", "The specified page token value is not valid.")
    start, number = json.loads(raw[16:])
    return start, number


def _sign(content: bytes, query: str, key: bytes) -> bytes:
    return hmac.digest(key, content + b"\n" + query.encode(), "sha256")[:16]
