"""Steps that are lists: page by page, the next one fetched while this one is written."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from urllib.parse import urlsplit

from bridge import system
from bridge.collect.graph.calls import Call
from bridge.collect.graph.cells import Item, Lines, Unfit
from bridge.collect.graph.conversation import (
    Client,
    Forbidden,
    Restart,
    authority,
    is_expired_page,
    refusal,
    said,
)
from bridge.collect.graph.names import Names
from bridge.collect.graph.work import Work
from bridge.errors import ReaderError

_NEXT_LINK = re.compile(rb'(?<!\\)"@odata\.nextLink"\s*:\s*("(?>(?:[^"\\]|\\.)*)")')
_WINDOW = 5000  # items among which one that comes again is known


def read(call: Call, work: Work) -> None:
    """Write the rows of every item of a call."""
    lines = Lines([call.cells[column.prop] for column in work.step.columns])
    recent = Recent(call.once[0])
    begun = False
    try:
        for items in pages(work.client, work.options.root + call.path, call.permission):
            begun = True
            work.write(_lines(call, lines, recent, items, work))
    except Forbidden as refused:
        if not call.gap or begun:
            raise refused.error from None
        work.gap(call.gap, f"{call.permission} is missing: {refused}")
    if recent.again:
        work.log(f"{recent.again:,} {call.once[1]} came twice and are written once")


def _lines(call: Call, lines: Lines, recent: Recent, items: Sequence[Item], work: Work) -> list[bytes]:
    made: list[bytes] = []
    names: Names = work.options.names
    try:
        for item in recent.new(items):
            for row in call.rows(item, names):
                made.append(lines.line(row))
    except Unfit as error:
        raise ReaderError(f"{work.step.id}, row {work.writer.rows + len(made) + 1}: {error}.") from error
    return made


class Recent:
    """Drops items that came a short while ago, as those of a list that shifts while it is read."""

    def __init__(self, name: str) -> None:
        self.again = 0
        self._name = name
        self._order: deque[str] = deque()
        self._known: set[str] = set()

    def new(self, items: Sequence[Item]) -> Iterable[Item]:
        """Return the items that did not come a short while ago; raise Unfit for one that is none."""
        ids = list(map(self._id, items))
        fresh = set(ids)
        if len(fresh) == len(ids) and self._known.isdisjoint(fresh):
            self._keep(ids)
            return items
        return [item for item, id in zip(items, ids, strict=True) if self._is_new(id)]

    def _is_new(self, id: str) -> bool:
        if id in self._known:
            self.again += 1
            return False
        self._keep([id])
        return True

    def _keep(self, ids: list[str]) -> None:
        """Know these, and forget as many of the oldest as there are too many."""
        self._order.extend(ids)
        self._known.update(ids)
        self._known.difference_update(
            [self._order.popleft() for _ in range(max(0, len(self._order) - _WINDOW))]
        )

    def _id(self, item: Item) -> str:
        id = item.get(self._name) if isinstance(item, dict) else None
        if type(id) is not str:
            raise Unfit(f"there is no {self._name}")
        return id


# --- pages ---


def pages(client: Client, address: str, permission: str) -> Iterator[list[Item]]:
    """Yield the items of every page of a call; a page may be empty and still have a next link.

    While a page is parsed and at work the next one is fetched, and no more than that: its bytes wait unread.
    A page's items are gone when the next page is asked for.
    """
    seen: set[int] = set()  # hashes: the links of a million users are long
    link: str | None = address
    coming = system.begin(partial(_fetch, client, address, permission))
    while link is not None:
        seen.add(hash(link))
        content = client.outcome(coming)
        sighted = _sighted(content, address)
        if sighted is not None and hash(sighted) not in seen:
            coming = system.begin(partial(_fetch, client, sighted, permission))
        page = _parsed(content)
        del content
        link = _next(page, address)
        if link is not None:
            if hash(link) in seen:
                raise ReaderError("Microsoft Graph named the same next page twice, so its list has no end.")
            if link != sighted:
                coming = system.begin(partial(_fetch, client, link, permission))
        items = page.pop("value")
        yield items
        items.clear()


def _fetch(client: Client, link: str, permission: str) -> bytes:
    answer = client.get(link)
    if is_expired_page(answer):
        raise Restart(said(answer))
    if answer.status_code == 403:
        raise Forbidden(refusal(answer, permission))
    if answer.status_code != 200:
        raise refusal(answer, permission)
    return answer.content


def _parsed(content: bytes) -> Item:
    try:
        page = json.loads(content)
    except ValueError as error:
        raise ReaderError("Microsoft Graph answered with something that is no JSON.") from error
    if not isinstance(page, dict) or not isinstance(page.get("value"), list):
        raise ReaderError("Microsoft Graph answered without a list of values.")
    return page


def _sighted(content: bytes, address: str) -> str | None:
    """Return what looks like the next link of a page that is not parsed yet, if the token may go there.

    Within a text its quotes would be escaped. The parsed page decides; this only saves its time.
    """
    found = _NEXT_LINK.search(content, max(0, content.find(b'"@odata.nextLink"') - 1))
    try:
        link = json.loads(found[1]) if found else None
    except ValueError:
        return None
    return link if link is not None and authority(link) == authority(address) else None


def _next(page: Item, address: str) -> str | None:
    """Return the next link unchanged, if it leads to where the token may go."""
    link = page.get("@odata.nextLink")
    if link is None:
        return None
    if not isinstance(link, str) or authority(link) != authority(address):
        raise ReaderError(
            f"Microsoft Graph named a next page elsewhere than on {urlsplit(address).netloc}: "
            "the token is not sent there."
        )
    return link
