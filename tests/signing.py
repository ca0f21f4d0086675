"""What the tests of the sign-in share: a store, secrets, and sources that lead to the simulated cloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge import system
from bridge.errors import BridgeError
from bridge.model import CLOUDS, Cloud, Connection, Secret, SecretReference, SignIn, Web
from bridge.route import Route
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.signin.source import Source, Stores, sign_in
from tests.clouds import DAEMON, DESKTOP, HOME, SECRET
from tools.tenant import Cloud as Running
from tools.tenant import Tenant

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


__all__ = ["BY_REFRESH", "BY_SECRET", "NAME", "Desk", "Tenant", "certificate_flow", "is_one_sentence", "seen"]
