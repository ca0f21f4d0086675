"""An HTTP proxy on loopback that leads nowhere: it ends each tunnel itself, with a certificate for tests.

A client that goes through it and trusts the authority talks real TLS to the host name it means. Every host
that the cloud does not answer for is refused with 403, and counted; nothing leaves the machine.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

import trustme

from tools.tenant.answers import HANG_UP, Answer, Asked
from tools.tenant.exchange import Exchange, Server


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came out of the tunnel."""

    host: str
    method: str
    asked: Asked
    body: str


class Answering(Protocol):
    """What stands behind the proxy."""

    def answer(self, request: Request) -> tuple[Answer, float]:
        """Return the answer, and how many seconds to wait before it."""

    def now(self) -> float:
        """Return the time that the Date header says, in seconds since 1970."""


class Authorities:
    """A certificate authority for tests, one that nobody trusts, and the hosts' certificates of both."""

    def __init__(self) -> None:
        self.trusted, self._stranger = trustme.CA(), trustme.CA()
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def context(self, host: str, *, stranger: bool) -> ssl.SSLContext:
        """Return the server's side of TLS for a host."""
        with self._lock:
            if (host, stranger) not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                (self._stranger if stranger else self.trusted).issue_cert(host).configure_cert(context)
                self._contexts[host, stranger] = context
            return self._contexts[host, stranger]


class Proxy:
    """The running proxy.

    ``user`` and ``password`` count while ``wants_password()``; ``refused`` counts hosts that were refused,
    ``unauthorised`` the requests without the right password. Clients disagree about a password's charset:
    both are taken.
    """

    def __init__(
        self,
        hosts: Collection[str],
        behind: Answering,
        *,
        wants_password: Callable[[], bool],
        self_signed: Callable[[], bool],
        port: int = 0,
    ) -> None:
        self.hosts, self.behind = hosts, behind
        self.wants_password, self.self_signed = wants_password, self_signed
        self.authorities = Authorities()
        self.user, self.password = "beacon", f"p:@/ %ü{secrets.token_hex(6)}"
        self.refused: Counter[str] = Counter()
        self.unauthorised = 0
        self.server = Server(("127.0.0.1", port), type("Bound", (_Tunnel,), {"proxy": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def lets_in(self, authorization: str) -> bool:
        """Return whether a Proxy-Authorization header is good enough."""
        pair = f"{self.user}:{self.password}"
        expected = {base64.b64encode(pair.encode(charset)).decode() for charset in ("utf-8", "latin-1")}
        return not self.wants_password() or authorization.removeprefix("Basic ") in expected


class _Tunnel(Exchange):
    """What a client says to the proxy itself."""

    proxy: Proxy

    def do_CONNECT(self) -> None:  # noqa: N802  # http.server's name
        host, _, port = self.path.rpartition(":")
        self.close_connection = True
        if not self._admit(host if port == "443" else self.path):
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self._end_here(host)

    def _admit(self, host: str) -> bool:
        if not self.proxy.lets_in(self.headers.get("Proxy-Authorization", "")):
            self.proxy.unauthorised += 1
            self.give(Answer(407, "", {"Proxy-Authenticate": 'Basic realm="proxy"', "Connection": "close"}))
            return False
        if host not in self.proxy.hosts:
            self.proxy.refused[host] += 1
            self.give(Answer(403, "This proxy leads nowhere.", {"Connection": "close"}))
            return False
        return True

    def _end_here(self, host: str) -> None:
        context = self.proxy.authorities.context(host, stranger=self.proxy.self_signed())
        try:
            inside = context.wrap_socket(self.connection, server_side=True)
        except OSError:
            return  # a client that does not trust the certificate
        with inside, contextlib.suppress(OSError):
            _bound(self.proxy, host)(inside, self.client_address, self.server)

    def do_GET(self) -> None:  # noqa: N802  # http.server's name
        """Refuse a request without a tunnel: Microsoft's hosts are reached by TLS only."""
        self.close_connection = True
        self._admit(self.path)

    def do_POST(self) -> None:  # noqa: N802  # http.server's name
        self.do_GET()


class _Inside(Exchange):
    """What a client says to the host, inside the tunnel."""

    proxy: Proxy
    host: str

    def do_POST(self) -> None:  # noqa: N802  # http.server's name
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        request = Request(self.host, self.command, self.asked(), body)
        answer, pause = self.proxy.behind.answer(request)
        time.sleep(pause)
        if answer.status == HANG_UP:
            self.close_connection = True
        else:
            self.give(answer)

    def do_GET(self) -> None:  # noqa: N802  # http.server's name
        self.do_POST()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time for the Date header, by the cloud's clock."""
        return formatdate(self.proxy.behind.now() if timestamp is None else timestamp, usegmt=True)


def _bound(proxy: Proxy, host: str) -> type[_Inside]:
    """Return the class for one tunnel's inside."""

    class Bound(_Inside):
        pass

    Bound.proxy, Bound.host = proxy, host
    return Bound
