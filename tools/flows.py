"""How the demo's connection signs in: each flow is set up with the commands that an administrator types."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import requests

from tools.tenant import App, Cloud, Faults, Tenant, new_certificate, serve_cloud
from tools.tenant.faults import NO_FAULTS

NAMES = ("secret", "certificate", "refresh", "device", "code")


class Commands(Protocol):
    """The bridge's commands, as the demo calls them."""

    def give(self, value: str, *words: str) -> bool:
        """Run a command with a value on its standard input, and return whether it succeeded."""

    def follow(self, answer: Callable[[str], str | None], *words: str) -> bool:
        """Run a command whose lines are read; what ``answer`` returns for one is typed in."""


@dataclass(frozen=True)
class Way:
    """How a connection signs in: the lines of its settings, and what is to be done once before it runs."""

    cloud: Cloud
    lines: tuple[str, ...]
    prepare: Callable[[Commands], bool]


@dataclass(frozen=True)
class _Set:
    """A cloud with the two kinds of app."""

    cloud: Cloud
    folder: Path
    daemon: App
    desktop: App
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)


@contextmanager
def signed_in(name: str, tenant: Tenant, folder: Path, graph: Faults = NO_FAULTS) -> Iterator[Way]:
    """Serve the tenant with its sign-in, and say how a connection signs in by a flow."""
    certificate = new_certificate()
    secret, passphrase = secrets.token_urlsafe(30), secrets.token_urlsafe(12)
    (folder / "app.pfx").write_bytes(certificate.pfx(passphrase))
    daemon, desktop = App(secret=secret, certificate=certificate.public), App(public=True)
    with serve_cloud(tenant, apps=[daemon, desktop], faults="device-interval:1", graph=graph) as cloud:
        setting = _Set(cloud, folder, daemon, desktop, secret, passphrase)
        lines, prepare = _FLOWS[name](setting)
        yield Way(cloud, lines, prepare)


def seen(cloud: Cloud) -> list[str]:
    """Return what reached the cloud: how often each host and path was asked, with which status."""
    counts: dict[str, int] = {}
    for one in cloud.requests:
        line = f"{one.status}  {one.method:<4}  https://{one.host}{one.path}"
        counts[line] = counts.get(line, 0) + 1
    return [f"{count:>4} x {line}" for line, count in counts.items()]


# --- the flows ---

Prepared = tuple[tuple[str, ...], Callable[[Commands], bool]]


def _by_secret(given: _Set) -> Prepared:
    lines = ('flow = "secret"', f'client_id = "{given.daemon.client_id}"', 'secret = "store:demo-secret"')
    return lines, lambda bridge: bridge.give(given.secret, "secret", "set", "demo-secret")


def _by_certificate(given: _Set) -> Prepared:
    lines = (
        'flow = "certificate"',
        f'client_id = "{given.daemon.client_id}"',
        'certificate = "store:demo-certificate"',
        'passphrase = "store:demo-passphrase"',
    )

    def prepare(bridge: Commands) -> bool:
        file = str(given.folder / "app.pfx")
        return bridge.give("", "secret", "set", "demo-certificate", "--file", file) and bridge.give(
            given.passphrase, "secret", "set", "demo-passphrase"
        )

    return lines, prepare


def _refresh_lines(given: _Set) -> tuple[str, ...]:
    client = f'client_id = "{given.desktop.client_id}"'
    return ('flow = "refresh"', client, 'refresh_token = "store:demo-token"')


def _by_refresh_token(given: _Set) -> Prepared:
    token = given.cloud.issue_refresh_token(given.desktop)
    return _refresh_lines(given), lambda bridge: bridge.give(token, "secret", "set", "demo-token")


def _by_device_code(given: _Set) -> Prepared:
    def enter(line: str) -> None:
        if found := re.search(r"(https://\S+) .*code ([A-Z0-9]{9})\b", line):
            _browse(given.cloud, f"{found[1]}?otc={found[2]}")

    return _refresh_lines(given), lambda bridge: bridge.follow(enter, "signin", "Demo", "--device")


def _by_code(given: _Set) -> Prepared:
    def sign_in(line: str) -> str | None:
        return _browse(given.cloud, line) if line.startswith("https://") else None

    return _refresh_lines(given), lambda bridge: bridge.follow(sign_in, "signin", "Demo")


_FLOWS: dict[str, Callable[[_Set], Prepared]] = {
    "secret": _by_secret,
    "certificate": _by_certificate,
    "refresh": _by_refresh_token,
    "device": _by_device_code,
    "code": _by_code,
}


def _browse(cloud: Cloud, address: str) -> str | None:
    """Open an address as a person's browser would; the address it is sent to, if it is."""
    there = {"https": cloud.proxy}
    answer = requests.get(address, proxies=there, verify=str(cloud.ca), allow_redirects=False, timeout=30)
    answer.raise_for_status()
    return answer.headers.get("Location")
