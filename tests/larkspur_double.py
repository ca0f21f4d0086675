"""A double of the Larkspur Device Desk, an invented REST service: real HTTP on loopback, with its quirks."""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any
from urllib.parse import parse_qs, urlsplit

Item = dict[str, Any]

KEY = "larkspur-k3y-canary"
ACCOUNT = "bridge@Größe & Söhne"
PAGED = ("devices", "spares", "notes", "programs", "loans")

NAMES = (
    "Plain",
    'O\'Brien "the" Great',
    "Zoë Größe-Łódź",
    "🧰 tool 👩‍🔧",
    "bell\x07, escape\x1b[31m, null\x00, delete\x7f",
    "tab\t, line\n, both\r\n",
    "<b>&amp;</b> ]]> <!-- x -->",
    "\ufffe and \uffff",
    "_x0041_ as typed",
    " blanks around ",
    "`$($ExecutionContext) %s {0}",
    "\u202eright to left",
    "東京 デスク",
)


def _names(count: int) -> Iterator[tuple[int, str]]:
    """Return ids from 1 with a name each, in turn."""
    return zip(range(1, count + 1), cycle(NAMES), strict=False)


@dataclass
class Desk:
    """What the service holds; a test may change it before it starts to serve."""

    desks: list[Item] = field(
        default_factory=lambda: [{"id": n, "name": f"Desk {name}", "town": name} for n, name in _names(4)]
    )
    devices: list[Item] = field(default_factory=lambda: [_device(n, name) for n, name in _names(53)])
    spares: list[Item] = field(
        default_factory=lambda: [_spare(n + 900, name) for n, name in _names(40)]  # two full pages
    )
    notes: list[Item] = field(default_factory=lambda: [_note(n, name) for n, name in _names(20)])
    programs: list[Item] = field(default_factory=lambda: [_program(n, name) for n, name in _names(26)])
    loans: list[Item] = field(default_factory=lambda: [_loan(n) for n in range(1, 46)])
    people: dict[str, Item] = field(
        default_factory=lambda: {f"p{n}": {"name": f"{name} {n}"} for n, name in _names(14)}
    )
    handovers: list[Item] = field(
        default_factory=lambda: [{"id": 7, "clerk": 'Zoë "Z" O\'Hara', "devices": ["SN-1"]}]
    )
    release: str = "8.10.3-build7"


def _device(number: int, name: str) -> Item:
    device = {"id": number, "name": f"{name} {number}", "desk": number % 5, "spare": number % 7 == 0}
    serial = None if number % 3 == 0 else number * 10_000_000_019  # beyond an int, for a text column
    return device if number % 10 == 0 else device | {"serial": serial}


def _spare(number: int, name: str) -> Item:
    return {"id": number, "name": name, "serial": f"SN-{number:05}"}


def _note(number: int, name: str) -> Item:
    text = "" if number == 2 else name * 10
    return {"device": number, "text": text, "written": f"2026-03-{number:02}T09:05:00Z"}


def _program(number: int, name: str) -> Item:
    kind = "web link" if number % 9 == 0 else "package"
    return {"id": number, "title": name, "maker": None, "release": f"{number}.0", "kind": kind}


def _loan(number: int) -> Item:
    state = "returned" if number % 4 == 0 else "open"
    person = f"p{number % 16 + 1}"  # p15 and p16 are nobody
    return {
        "id": number,
        "device": number,
        "person": person,
        "due": f"2026-04-{number % 28 + 1:02}",
        "state": state,
    }


@dataclass
class Refused(Exception):
    """An answer that is no success."""

    status: int
    text: str


class Larkspur:
    """The running service: its address, what it was asked, and what it does wrong.

    ``breaks`` names a list whose second page is answered with 500. ``each`` is called with the path of each
    request before it is answered.
    """

    def __init__(self, desk: Desk, breaks: str, each: Callable[[str], None]) -> None:
        self.desk, self.breaks, self.each = desk, breaks, each
        self.asked: Counter[str] = Counter()
        self.session = ""
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Exchange,), {"larkspur": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, target: str, session: str, body: bytes) -> tuple[int, Any]:
        """Return status and JSON value of one answer."""
        parts = urlsplit(target)
        with self._lock:
            self.asked[parts.path] += 1
        self.each(target)
        try:
            return 200, self._value(
                method, parts.path.removeprefix("/api/"), parse_qs(parts.query), session, body
            )
        except Refused as refused:
            return refused.status, {"error": refused.text}

    def _value(self, method: str, name: str, query: dict[str, list[str]], session: str, body: bytes) -> Any:
        if name == "about":
            return {"product": "Larkspur Device Desk", "release": self.desk.release}
        if (method, name) == ("POST", "login"):
            return self._login(json.loads(body))
        if not secrets.compare_digest(session.encode(), self.session.encode()) or not session:
            raise Refused(401, "no session")
        if name == "desks":
            return {"desks": _unlisted(self.desk.desks)}
        if name == "handovers":
            return _unlisted([one | {"devices": _unlisted(one["devices"])} for one in self.desk.handovers])
        if name in PAGED:
            return self._page(name, int(query["skip"][0]), int(query["take"][0]))
        person = self.desk.people.get(name.removeprefix("people/"))
        if person is None:
            raise Refused(404, "nobody")
        return person

    def _login(self, said: Item) -> Item:
        if (said["account"], said["key"]) != (ACCOUNT, KEY):
            raise Refused(401, "account or key is wrong")
        self.session = secrets.token_urlsafe(24)  # the one before ends
        return {"session": self.session}

    def _page(self, name: str, skip: int, take: int) -> Item:
        if name == self.breaks and skip:
            raise Refused(500, "the desk is on fire")
        items: Sequence[Item] = getattr(self.desk, name)
        return {"items": items[skip : skip + take], "more": skip + take < len(items)}


def _unlisted(items: list[Any]) -> Any:
    """Return a list as the service delivers it: one element comes without its list."""
    return items[0] if len(items) == 1 else items


class _Exchange(BaseHTTPRequestHandler):
    """One connection to the service."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    larkspur: Larkspur

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        session = self.headers.get("X-Larkspur-Session", "")
        status, value = self.larkspur.answer(self.command, self.path, session, body)
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests are counted instead."""


def _nothing(_: str) -> None:
    """Do nothing."""


@contextmanager
def larkspur(
    desk: Desk | None = None, *, breaks: str = "", each: Callable[[str], None] = _nothing
) -> Iterator[Larkspur]:
    """Serve a device desk on loopback until the block ends."""
    service = Larkspur(desk or Desk(), breaks, each)
    thread = threading.Thread(target=service.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.server.server_close()
        thread.join()
