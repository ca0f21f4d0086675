"""A connection as bridge.toml describes it: one tenant, read by one reader folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Minutes:
    """Deadlines in minutes; 0 means none."""

    step: float = 120
    run: float = 600
    silence: float = 30


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A secret named in the settings, not yet fetched.

    ``where`` is env, stdin, store, file (then ``name`` is an absolute path) or keyring.
    """

    where: str
    name: str

    def __str__(self) -> str:
        return f"{self.where}:{self.name}"


class Granted(StrEnum):
    """What a parameter gets from the connection's sign-in instead of a value of its own."""

    TOKEN = "token"  # noqa: S105  # the name of a key; an access token, for our own folders
    REFRESH_TOKEN = "refresh_token"  # noqa: S105  # likewise; redeemed and rotated before each run


@dataclass(frozen=True, slots=True)
class Cloud:
    """A Microsoft cloud: the host that signs in, and the root of its Graph, both without a slash at the end.

    Source: learn.microsoft.com/graph/deployments.
    """

    name: str
    authority: str
    graph: str


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        Cloud("gcc", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        Cloud("gcc-high", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
        Cloud("dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        Cloud(
            "21vianet", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"
        ),
    )
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a connection signs in: with an app's own credential, or with a user's stored refresh token.

    ``flow`` says which of the references counts: ``secret`` (also beside a refresh token, where its app is a
    confidential client), ``certificate`` (PFX or PEM) with its ``passphrase``, ``refresh_token``.
    """

    flow: Literal["secret", "certificate", "refresh"]
    client_id: str
    secret: SecretReference | None = None
    certificate: SecretReference | None = None
    passphrase: SecretReference | None = None
    refresh_token: SecretReference | None = None


@dataclass(frozen=True, slots=True)
class Web:
    """How the network is reached: for the sign-in, the native engine, and PowerShell alike.

    ``proxy`` is ``system`` (what the environment or Windows says), ``none``, or an address.
    """

    proxy: str = "system"
    proxy_user: str | None = None
    proxy_password: SecretReference | None = None
    no_proxy: tuple[str, ...] = ()
    ca_bundle: Path | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One tenant, read by one reader folder, as bridge.toml describes it.

    ``count_slack`` is the share by which the users read may differ from what Graph counts, ``max_drop`` the
    share of a step's rows that may be fewer than last time; both from 0 to 1.
    """

    name: str
    reader: str
    tenant: str
    engine: str = "powershell"
    deliver_to: Path | None = None
    parameters: Mapping[str, str | SecretReference | Granted] = field(default_factory=dict)
    cloud: Cloud = CLOUDS["global"]
    sign_in: SignIn | None = None
    optional: tuple[str, ...] = ()
    tolerate_errors: tuple[str, ...] = ()
    skip_patterns: tuple[str, ...] = ()
    too_long: Literal["refuse", "cut"] = "refuse"
    count_slack: float = 0.005
    max_drop: float = 0.5
    minutes: Minutes = Minutes()
