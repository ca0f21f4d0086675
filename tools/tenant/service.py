"""The tenant on loopback: real HTTP/1.1 with Graph's rules, and with faults that can be asked for."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from tools.tenant.answers import Answer
from tools.tenant.data import Item, Tenant
from tools.tenant.pages import USER_DEFAULTS, Collection, Page, Refused, page

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false"
_CLOCK_GRAIN = 0.02  # seconds by which a client's sleep may end early without being punished


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, on purpose.

    ``throttle_every``: every Nth request is answered with 429 and ``Retry-After: retry_after`` (seconds).
    ``empty_every``: every Nth page of a call is empty and has a next link. ``page_wait``: seconds before each
    page. ``answers``: by the request's number, from 1. ``next_link``: makes another link of each next link.
    ``charset``: what Content-Type calls the text, which is UTF-8 whatever it says; empty: nothing.
    """

    throttle_every: int = 0
    retry_after: int = 1
    empty_every: int = 0
    page_wait: float = 0.0
    answers: Mapping[int, Answer] = field(default_factory=dict)
    next_link: Callable[[str], str] | None = None
    charset: str = "utf-8"


@dataclass
class Requests:
    """What was asked for: requests by path, 429s served, and retries that came too early."""

    paths: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    early: int = 0


class Graph:
    """Graph of one tenant behind one root; ``admit`` raises Refused for a path and an Authorization header.

    ``singles`` are the objects that are no lists, by path.
    """

    def __init__(
        self,
        tenant: Tenant,
        faults: Faults,
        root: str,
        admit: Callable[[str, str], None],
        singles: Mapping[str, Callable[[], Item]] | None = None,
    ) -> None:
        self.root = root
        self.requests = Requests()
        self._admit_token = admit
        self._singles = singles or {}
        self._faults = faults
        self._key = secrets.token_bytes(32)
        self._collections = _collections(tenant)
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._free_at = 0.0
        self._penalty = faults.retry_after

    def answer(self, target: str, authorization: str) -> Answer:
        """Return the answer to one GET."""
        path, _, query = target.partition("?")
        path = unquote(path)
        try:
            scripted = self._admit(path)
            if scripted is not None:
                return scripted
            self._admit_token(path, authorization)
            return self._single(path) or self._listing(path, query)
        except Refused as refused:
            return graph_error(refused)

    def _admit(self, path: str) -> Answer | None:
        """Count a request; throttle it, answer it from the script, or let it in."""
        with self._lock:
            self.requests.paths[path] += 1
            now = time.monotonic()
            if now < self._free_at - _CLOCK_GRAIN:
                self.requests.early += 1
                self._penalty *= 2
                return self._throttle(now)
            self._penalty = self._faults.retry_after
            number = next(self._numbers)
            if self._faults.throttle_every and number % self._faults.throttle_every == 0:
                return self._throttle(now)
            return self._faults.answers.get(number)

    def _throttle(self, now: float) -> Answer:
        self.requests.throttled += 1
        self._free_at = now + self._penalty
        refused = Refused(429, "TooManyRequests", "Too many requests from the same application.")
        return graph_error(refused, **{"Retry-After": str(self._penalty)})

    def _single(self, path: str) -> Answer | None:
        if path not in self._singles:
            return None
        context = f"{self.root}/v1.0/$metadata#{path.removeprefix('/v1.0/')}/$entity"
        return Answer(200, json.dumps({"@odata.context": context, **self._singles[path]()}))

    def _listing(self, path: str, query: str) -> Answer:
        collection = self._collections.get(path)
        if collection is None:
            raise Refused(404, "ResourceNotFound", f"Resource not found for the segment '{path}'.")
        time.sleep(self._faults.page_wait)
        found = page(collection, query, self._key, self._faults.empty_every)
        return Answer(200, json.dumps(self._body(path, collection, found), ensure_ascii=False))

    def _body(self, path: str, collection: Collection, found: Page) -> dict[str, Any]:
        body: dict[str, Any] = {
            "@odata.context": f"{self.root}/v1.0/$metadata#{collection.name}{found.selected}",
            "value": list(found.items),
        }
        if found.next_query is not None:
            link = f"{self.root}{path}?{found.next_query}"
            body["@odata.nextLink"] = self._faults.next_link(link) if self._faults.next_link else link
        return body

    @property
    def content_type(self) -> str:
        """What the answers' bodies are said to be."""
        return JSON_TYPE + (f";charset={self._faults.charset}" if self._faults.charset else "")


class Service:
    """A running tenant: where it is, which token it takes, and what it was asked.

    ``token`` may be changed while it runs, as a token that expires; ``requests`` counts from the start.
    """

    def __init__(self, tenant: Tenant, faults: Faults, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (_Exchange,), {"service": self}))
        self.server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self.server.server_port}"
        self._graph = Graph(tenant, faults, self.root, self._check_token)
        self.requests = self._graph.requests

    def answer(self, target: str, authorization: str) -> Answer:
        """Return the answer to one GET."""
        return self._graph.answer(target, authorization)

    @property
    def content_type(self) -> str:
        """What the answers' bodies are said to be."""
        return self._graph.content_type

    def _check_token(self, path: str, authorization: str) -> None:
        if not authorization:
            raise Refused(401, "InvalidAuthenticationToken", "Access token is empty.")
        if not secrets.compare_digest(authorization.encode(), f"Bearer {self.token}".encode()):
            raise Refused(401, "InvalidAuthenticationToken", "Access token validation failure.")


def _collections(tenant: Tenant) -> dict[str, Collection]:
    skus = tuple(tenant.skus())
    known, organization = tuple(skus[0]), tenant.organization()
    everything = frozenset(Tenant(1).user(0))
    return {
        "/v1.0/subscribedSkus": Collection(
            "subscribedSkus", "subscribedSku", len(skus), skus.__getitem__, frozenset(known), known, top=False
        ),
        "/v1.0/users": Collection(
            "users", "user", tenant.users, tenant.user, everything, USER_DEFAULTS, top=True
        ),
        "/v1.0/organization": Collection(
            "organization",
            "organization",
            1,
            [organization].__getitem__,
            frozenset(organization),
            tuple(organization),
            top=False,
        ),
    }


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


class _Exchange(BaseHTTPRequestHandler):
    """One connection; each answer leaves in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    service: Service

    def do_GET(self) -> None:
        answer = self.service.answer(self.path, self.headers.get("Authorization", ""))
        body = answer.body.encode()
        self.send_response(answer.status)
        for name, text in {"Content-Type": self.service.content_type, **answer.headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests are counted instead."""


@contextmanager
def serve(tenant: Tenant, faults: Faults = Faults(), *, port: int = 0) -> Iterator[Service]:
    """Serve a tenant on loopback until the block ends; port 0 takes a free one."""
    service = Service(tenant, faults, port)
    thread = threading.Thread(target=service.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.server.server_close()
        thread.join()
