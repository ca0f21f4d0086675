"""What the tests of the sign-in share: a store, secrets, and sources that lead to the simulated cloud."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge import system
from bridge.errors import BridgeError
from bridge.model import CLOUDS, Cloud, Connection, Secret, SecretReference, SignIn, Web
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.signin.source import Source, Stores, sign_in
from bridge.web.route import Route
from tests.clouds import DAEMON, DESKTOP, HOME, SECRET
from tools.tenant import App
from tools.tenant import Cloud as Running

NAME = "contoso-refresh"
BY_SECRET = SignIn("secret", DAEMON.client_id, secret=SecretReference("env", "SECRET"))
BY_REFRESH = SignIn("refresh", DESKTOP.client_id, refresh_token=SecretReference("store", NAME))


def certificate_flow(path: Path, *, passphrase: bool = False) -> SignIn:
    """Return the flow with a certificate's file and, from the environment, its passphrase."""
    word = SecretReference("env", "PASSPHRASE") if passphrase else None
    return SignIn(
        "certificate",
        DAEMON.client_id,
        certificate=SecretReference("file", str(path)),
        passphrase=word,
    )


@dataclass
class Desk:
    """A state folder with a store, and the way to the cloud; ``told`` is what sources told."""

    cloud: Running
    home: Path
    environment: Mapping[str, str] = field(default_factory=lambda: {"SECRET": SECRET})
    told: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """The store of the state folder."""
        return Store(self.home / "secrets", system.vault())

    @property
    def web(self) -> Web:
        """The way to the cloud."""
        return Web(proxy=self.cloud.proxy, ca_bundle=self.cloud.ca)

    def keep(self, token: str, name: str = NAME) -> None:
        """Store a refresh token."""
        self.store.put(name, Secret(token))

    def source(
        self,
        flow: SignIn,
        tenant: str = HOME.id,
        cloud: Cloud = CLOUDS["global"],
        web: Web | None = None,
        store: Stores | None = None,
    ) -> Source:
        """Return a source as a run would have it."""
        connection = Connection("Contoso EU", "bridge:Microsoft 365", tenant, cloud=cloud, sign_in=flow)
        secrets = Secrets(self.environment, lambda: "", self.store)
        route = Route.of(web or self.web, secrets.fetch)
        return sign_in(connection, secrets, store or self.store, route, self.told.append)


def seen(cloud: Running, path: str = "", host: str = "") -> list[str]:
    """Return the addresses that were asked for, of those whose path ends so."""
    return [
        f"{one.host}{one.path}"
        for one in cloud.requests
        if one.path.endswith(path) and host in (one.host, "")
    ]


def is_one_sentence(error: BridgeError) -> bool:
    """Return whether an error says one thing on one line, and its hint says what to do."""
    plain = re.sub(r"AADSTS\d+: ", "", str(error))
    return "\n" not in plain and plain.rstrip().endswith((".", ")")) and bool(error.hint)


# --- the command line ---


@dataclass
class Said:
    """What one command line gave back."""

    code: int
    out: str
    err: str


@dataclass
class Site:
    """A settings file whose connections sign in at the cloud, and the command line that uses it."""

    cloud: Running
    home: Path
    environment: Mapping[str, str] = field(default_factory=lambda: {"SECRET": SECRET})

    @property
    def store(self) -> Store:
        """The store of the state folder."""
        return Store(self.home / "state" / "secrets", system.vault())

    def write(self, *lines: str, reader: str = "bridge:Microsoft 365", tenant: str = HOME.id) -> None:
        """Write the settings of the connection Contoso; ``lines`` come after its reader and tenant."""
        head = [
            f"[bridge]\nstate = '{self.home / 'state'}'",
            f"[http]\nproxy = '{self.cloud.proxy}'\nca_bundle = '{self.cloud.ca}'",
            f"[connections.Contoso]\nreader = '{reader}'\ntenant = '{tenant}'",
        ]
        (self.home / "bridge.toml").write_text("\n".join([*head, *lines]), "utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        argv = [sys.executable, "-m", "bridge", *words, "--config", str(self.home / "bridge.toml")]
        pipe = subprocess.PIPE
        environment = {**os.environ, **self.environment}
        return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)

    def run(self, *words: str, given: str = "") -> Said:
        """Run a command to its end."""
        child = self.start(*words)
        out, err = child.communicate(given, timeout=60)
        return Said(child.returncode, out, err)


def signin_table(app: App, flow: str, **references: str) -> str:
    """Return the [signin] table of the connection Contoso."""
    keys = "\n".join(f'{name} = "{value}"' for name, value in references.items())
    return f'[connections.Contoso.signin]\nflow = "{flow}"\nclient_id = "{app.client_id}"\n{keys}'
