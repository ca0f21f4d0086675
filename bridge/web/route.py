"""How the network is reached, as ``[http]`` says; a PowerShell child is told in its environment."""

from __future__ import annotations

import ipaddress
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import SettingsError
from bridge.model import Secret, SecretReference, Web

_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


@dataclass(frozen=True)
class ProxyLogin:
    """A proxy that asks for a password, as .NET takes it; ``passed_by`` are regular expressions."""

    address: str
    user: str
    password: Secret
    passed_by: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """The settings of ``[http]`` with the proxy's password fetched, if there is one."""

    web: Web
    password: Secret | None = field(default=None, repr=False)

    @classmethod
    def of(cls, web: Web, fetch: Callable[[SecretReference], Secret]) -> Route:
        """Return the route; SettingsError if the password cannot be had or the CA bundle is none."""
        if web.ca_bundle is not None:
            _refuse_no_bundle(web.ca_bundle)
        return cls(web, None if web.proxy_password is None else fetch(web.proxy_password))

    def child(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment with this way in it, for a PowerShell child.

        PowerShell 7 goes by HTTPS_PROXY, NO_PROXY and (not on Windows) SSL_CERT_FILE. Windows PowerShell 5.1
        goes by none of them: our own reader folder follows the first two itself, any other uses the proxy of
        the account, and both trust what Windows trusts. A proxy with a password is not in the environment,
        which others can see: `login` is handed to the child in its job.
        """
        ours = dict(environment)
        if self.web.proxy != "system":
            ours = {name: value for name, value in ours.items() if name.upper() not in _VARIABLES}
            ours |= self._proxy_variables()
        elif self.web.no_proxy:
            there = [value for name, value in ours.items() if name.upper() == "NO_PROXY" and value]
            ours = {name: value for name, value in ours.items() if name.upper() != "NO_PROXY"}
            ours["NO_PROXY"] = ",".join((*there[:1], *self.web.no_proxy))
        if self.web.ca_bundle is not None:
            ours["SSL_CERT_FILE"] = str(self.web.ca_bundle)
        return ours

    def _proxy_variables(self) -> dict[str, str]:
        if self.web.proxy == "none":
            return {"NO_PROXY": "*"}
        if self.web.proxy_user is not None:
            return {}
        address = self.web.proxy
        return {"HTTPS_PROXY": address, "HTTP_PROXY": address, "NO_PROXY": ",".join(self.web.no_proxy)}

    def login(self) -> ProxyLogin | None:
        """Return the proxy that asks for a password, for the child's job; None if it asks for none."""
        if self.web.proxy_user is None or self.web.proxy in {"system", "none"}:
            return None
        names = (name.strip().removeprefix("*").removeprefix(".") for name in self.web.no_proxy)
        passed_by = tuple(rf"://([^/]*\.)?{re.escape(name)}(:[0-9]+)?$" for name in names if name)
        return ProxyLogin(self.web.proxy, self.web.proxy_user, self.password or Secret(""), passed_by)

    def authorization(self) -> str | None:
        """Return the header that names us to the proxy (Basic, RFC 7617), None without a proxy_user."""
        if self.web.proxy_user is None:
            return None
        password = self.password.reveal() if self.password else ""
        return "Basic " + b64encode(f"{self.web.proxy_user}:{password}".encode()).decode()

    def passes_by(self, host: str) -> bool:
        """Return whether a host is reached without the proxy: this machine, and what no_proxy names."""
        if is_loopback(host):
            return True
        names = [name.strip().lower().removeprefix("*").removeprefix(".") for name in self.web.no_proxy]
        return any(host == name or host.endswith(f".{name}") for name in names if name)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine for sure: localhost, or an address that leads back."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_no_bundle(path: Path) -> None:
    """Refuse a CA bundle that holds no certificate, before a call fails of it with other words."""
    hint = "Write the path of a file of certificates in PEM, each between its BEGIN and END lines."
    try:
        trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusted.load_verify_locations(path)
    except ssl.SSLError as error:
        raise SettingsError(f"[http] ca_bundle: {path} holds no certificate in PEM.", hint=hint) from error
    except OSError as error:
        raise SettingsError(
            f"[http] ca_bundle: {path} cannot be read: {error.strerror or error}.", hint=hint
        ) from error
