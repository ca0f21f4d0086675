"""The tenant on loopback: real HTTP/1.1 with Graph's rules, and with faults that can be asked for."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tools.tenant.answers import Answer, Asked
from tools.tenant.data import Tenant
from tools.tenant.exchange import Exchange, Server
from tools.tenant.faults import NO_FAULTS, Faults
from tools.tenant.graph import Graph, Place
from tools.tenant.pages import Refused

_FILES = "/files/"


class Service:
    """A running tenant: where it is, which token it takes, and what it was asked.

    ``token`` may be changed while it runs, as a token that expires; ``requests`` counts from the start.
    """

    def __init__(self, tenant: Tenant, faults: Faults, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.server = Server(("127.0.0.1", port), type("Bound", (_Exchange,), {"service": self}))
        self.root = f"http://127.0.0.1:{self.server.server_port}"
        place = Place(self.root, f"{self.root}{_FILES}", self._check_token, self._renew)
        self._graph = Graph(lambda: tenant, faults, place)
        self.requests = self._graph.requests

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to one GET."""
        if asked.target.startswith(_FILES):
            return self._graph.downloads.answer(asked.target.removeprefix(_FILES), asked.authorization)
        return self._graph.answer(asked)

    def _check_token(self, path: str, authorization: str) -> None:
        if not authorization:
            raise Refused(401, "InvalidAuthenticationToken", "Access token is empty.")
        if not secrets.compare_digest(authorization.encode(), f"Bearer {self.token}".encode()):
            raise Refused(401, "InvalidAuthenticationToken", "Access token validation failure.")

    def _renew(self) -> None:
        self.token = secrets.token_urlsafe(32)


class _Exchange(Exchange):
    service: Service

    def do_GET(self) -> None:  # noqa: N802  # http.server's name
        self.give(self.service.answer(self.asked()))


@contextmanager
def serve(tenant: Tenant, faults: Faults = NO_FAULTS, *, port: int = 0) -> Iterator[Service]:
    """Serve a tenant on loopback until the block ends; port 0 takes a free one."""
    with running(Service(tenant, faults, port)) as service:
        yield service


S = TypeVar("S", bound=Service)


@contextmanager
def running(service: S) -> Iterator[S]:
    """Let a service answer until the block ends."""
    thread = threading.Thread(target=service.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.server.server_close()
        thread.join()
