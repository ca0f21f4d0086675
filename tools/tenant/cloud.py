"""The simulated cloud: sign-in and Graph of its tenants, reached through a proxy by unmodified clients."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tools.tenant.answers import HANG_UP, Answer
from tools.tenant.data import Tenant
from tools.tenant.directory import App, Directory, Grant, User
from tools.tenant.entra import DEVICE_HOST, Entra, Question
from tools.tenant.faults import Faults
from tools.tenant.gate import Gate, check_permission
from tools.tenant.graph import Graph, Place, graph_error
from tools.tenant.hosts import SIGN_IN_HOSTS
from tools.tenant.pages import Refused
from tools.tenant.proxy import Proxy, Request
from tools.tenant.switches import Trouble, parse
from tools.tenant.tokens import Mint

GRAPH_HOSTS = {urlsplit(root).netloc: root for roots in SIGN_IN_HOSTS.values() for root in roots}
REPORTS_HOST, REPORTS_ROOT = "reports.office.com", "https://graph.microsoft.com"  # no other cloud has them
_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that reached the cloud, the fields of its form, and the status of the answer (0: none)."""

    host: str
    method: str
    path: str
    form: Mapping[str, str]
    status: int


class Cloud:
    """A running cloud.

    ``proxy`` is the address for HTTPS_PROXY and ``ca`` the PEM file to trust; ``requests`` is what
    came so far.
    """

    def __init__(
        self, tenants: Sequence[Tenant], apps: Sequence[App], faults: str, graph: Faults, port: int
    ) -> None:
        self.tenants, self.apps = tuple(tenants), tuple(apps)
        self.requests: list[Seen] = []
        self.ca = Path()
        self._lock = threading.Lock()
        self._used: Counter[Trouble] = Counter()
        self._switches = parse(faults)
        self._mint = Mint()
        self._directory = Directory(tenants, apps)
        self._entra = Entra(self._directory, self._mint, lambda: self._switches, self.now)
        self._faults = graph
        self._graphs: dict[tuple[str, str], Graph] = {}
        self._proxy = Proxy(
            {*SIGN_IN_HOSTS, *GRAPH_HOSTS, DEVICE_HOST, REPORTS_HOST},
            self,
            wants_password=lambda: self._switches.proxy_auth,
            self_signed=lambda: self._switches.self_signed,
            port=port,
        )

    # --- how to reach it ---

    @property
    def proxy(self) -> str:
        """The proxy's address, without a password."""
        return self._proxy.url

    @property
    def proxy_user(self) -> tuple[str, str]:
        """The name and the password that the proxy takes under the switch ``proxy-auth``."""
        return self._proxy.user, self._proxy.password

    @property
    def proxy_with_password(self) -> str:
        """The proxy's address with name and password in it."""
        name, password = (quote(text, safe="") for text in self.proxy_user)
        return self.proxy.replace("://", f"://{name}:{password}@")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that lead requests, msal and PowerShell 7 here."""
        pem = str(self.ca)
        return {"HTTPS_PROXY": self.proxy, "REQUESTS_CA_BUNDLE": pem, "SSL_CERT_FILE": pem, "NO_PROXY": ""}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every access and identity token that was given away so far."""
        return tuple(self._mint.issued)

    @property
    def refused(self) -> Counter[str]:
        """Hosts that were refused, and how often."""
        return self._proxy.refused

    @property
    def unauthorised(self) -> int:
        """How many requests came without the proxy's password."""
        return self._proxy.unauthorised

    # --- what a test does to it ---

    def switch(self, faults: str) -> None:
        """Set all switches anew; ValueError lists them if one is not known."""
        switches = parse(faults)
        with self._lock:
            self._used.clear()
            self._switches = switches

    def replace_app(self, app: App) -> None:
        """Change the registration of an app, as an administrator would: by its client id."""
        with self._directory.lock:
            self._directory.apps[app.client_id] = app

    def issue_refresh_token(self, app: App, user: User | None = None, tenant: Tenant | None = None) -> str:
        """Return a refresh token as if a user of the tenant (the first) had signed in with the app."""
        grant = Grant(app, user or self._entra.user, tenant or self.tenants[0], self.now())
        return self._directory.keep_refresh_token(grant)

    def spoil(self, refresh_token: str, code: int = 50173) -> None:
        """Let a refresh token be refused from now on: 50173 revoked, 70008, 700082 expired, 70000 invalid."""
        with self._directory.lock:
            self._directory.refresh_tokens[refresh_token].spoiled = code

    def sign_in_as(self, user: User) -> None:
        """Say who signs in from now on where a browser asks."""
        self._entra.user = user

    def approve(self, user_code: str, user: User | None = None) -> None:
        """Enter a user code, as somebody in a browser would; KeyError if no device waits for it."""
        self._entra.approve(user_code, user or self._entra.user)

    def decline(self, user_code: str) -> None:
        """Enter a user code and then cancel."""
        self._entra.approve(user_code, None)

    # --- what a client sees ---

    def now(self) -> float:
        """Return the cloud's time in seconds since 1970."""
        return time.time() + self._switches.clock

    def answer(self, request: Request) -> tuple[Answer, float]:
        """Return the answer to one request, and how long to wait before it."""
        path, _, query = request.asked.target.partition("?")
        path = unquote(path)
        fields = dict(parse_qsl(request.body if request.method == "POST" else query, keep_blank_values=True))
        target = "graph" if request.host in GRAPH_HOSTS else self._entra.target(path)
        if request.host == REPORTS_HOST:
            target = "files"
        answer, pause = self._troubled(request.host, target)
        if answer is None and request.host == REPORTS_HOST:
            answer = self._file(request)
        elif answer is None and target == "graph":
            answer = self._graph_answer(request)
        elif answer is None:
            answer = self._entra.answer(Question(request.host, request.method, path, fields))
        form = fields if request.method == "POST" else {}
        with self._lock:
            self.requests.append(Seen(request.host, request.method, path, form, answer.status))
        return answer, pause

    def _troubled(self, host: str, target: str) -> tuple[Answer | None, float]:
        """Return what the switches answer instead, if anything, and the pause they ask for."""
        pause = self._switches.slow
        for trouble in self._switches.troubles:
            if trouble.target != target or not self._take(trouble):
                continue
            if trouble.what.startswith("slow:"):
                pause += float(trouble.what.removeprefix("slow:"))
            else:
                return self._instead(host, trouble), pause
        return None, pause

    def _take(self, trouble: Trouble) -> bool:
        with self._lock:
            if trouble.times and self._used[trouble] >= trouble.times:
                return False
            self._used[trouble] += 1
            return True

    def _instead(self, host: str, trouble: Trouble) -> Answer:
        html = {"Content-Type": "text/html; charset=utf-8"}
        if trouble.what == "drop":
            return Answer(HANG_UP)
        if trouble.what == "html":
            return Answer(200, _HTML.format("Sign in to the guest network"), html)
        number = int(trouble.what)
        if number == 429:
            return self._throttled(host, trouble.target)
        if number > 599:
            return self._entra.refuse(host, number)
        if trouble.target == "graph":
            return graph_error(Refused(number, "UnknownError", "An error has occurred."))
        return Answer(number, _HTML.format(f"HTTP Error {number}"), html)

    def _throttled(self, host: str, target: str) -> Answer:
        wait = {"Retry-After": str(self._switches.retry_after)}
        if target == "graph":
            refused = Refused(429, "TooManyRequests", "Too many requests from the same application.")
            return graph_error(refused, **wait)
        answer = self._entra.refuse(host, 90055)
        return Answer(answer.status, answer.body, {**answer.headers, **wait})

    # --- Graph ---

    def _graph_answer(self, request: Request) -> Answer:
        if request.method != "GET":
            return graph_error(Refused(405, "Request_BadRequest", "Only GET is known here."))
        gate = Gate(self._mint, GRAPH_HOSTS[request.host], self.now)
        try:
            tenant = gate.claims(request.asked.authorization)["tid"]
        except Refused as refused:
            return graph_error(refused)
        return self._graph(tenant, GRAPH_HOSTS[request.host]).answer(request.asked)

    def _file(self, request: Request) -> Answer:
        """Return a report file; its address names the tenant and ends in what is secret."""
        tenant, _, secret = request.asked.target.removeprefix("/data/").partition("/")
        graph = self._graphs.get((tenant, REPORTS_ROOT))
        if graph is None:
            return Answer(404)
        return graph.downloads.answer(secret, request.asked.authorization)

    def _graph(self, tenant: str, root: str) -> Graph:
        with self._lock:
            if (tenant, root) not in self._graphs:
                self._graphs[tenant, root] = self._new_graph(tenant, root)
            return self._graphs[tenant, root]

    def _new_graph(self, tenant: str, root: str) -> Graph:
        gate = Gate(self._mint, root, self.now)

        def admit(path: str, authorization: str) -> None:
            check_permission(gate.claims(authorization), path)

        def current() -> Tenant:
            found = self._directory.tenants[tenant]
            concealed = found.oddities | {"concealed"}
            return replace(found, oddities=concealed) if self._switches.concealed else found

        files = f"https://{REPORTS_HOST}/data/{tenant}/" if root == REPORTS_ROOT else ""
        return Graph(current, self._faults, Place(root, files, admit, now=self.now))


@contextmanager
def serve_cloud(
    tenant: Tenant,
    *others: Tenant,
    apps: Sequence[App] = (),
    faults: str = "",
    graph: Faults | None = None,
    port: int = 0,
) -> Iterator[Cloud]:
    """Serve a cloud of one or more tenants on loopback until the block ends.

    ``faults`` are switches (``python -m tools.tenant --list-faults``); ``graph`` is what else
    Graph does wrong.
    """
    cloud = Cloud((tenant, *others), apps, faults, graph or Faults(), port)
    server = cloud._proxy.server
    thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
    with tempfile.TemporaryDirectory(prefix="tenant-") as folder:
        cloud.ca = Path(folder, "ca.pem")
        cloud._proxy.authorities.trusted.cert_pem.write_to_path(str(cloud.ca))
        thread.start()
        try:
            yield cloud
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
