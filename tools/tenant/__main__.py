"""Serve a simulated tenant until standard input closes, or until killed.

The first line on standard output says where it is and which token it takes::

    $ python -m tools.tenant --users 1000 --seed 1 --fault storm,concealed
    {"root": "http://127.0.0.1:40213", "token": "..."}

With --cloud it signs in, too: the line names a proxy, the certificate to trust, and what apps sign in with::

    $ python -m tools.tenant --cloud --fault churn,signin:429x2,token-life:30
    {"environment": {"HTTPS_PROXY": "http://127.0.0.1:40215", ...}, "tenant": "...", ...}
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import sys
from dataclasses import replace
from pathlib import Path

from tools.tenant import App, Cloud, Faults, Tenant, new_certificate, scenarios, serve, serve_cloud, switches


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tools.tenant", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--users", type=int, default=1000, help="how many users the tenant has (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same tenant (1)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (0)")
    parser.add_argument(
        "--page-wait", type=int, default=0, metavar="MS", help="milliseconds before each page"
    )
    parser.add_argument("--throttle-every", type=int, default=0, metavar="N", help="429 on every Nth request")
    parser.add_argument("--empty-every", type=int, default=0, metavar="N", help="every Nth page is empty")
    parser.add_argument("--cloud", action="store_true", help="sign in, behind a proxy, over TLS")
    parser.add_argument("--fault", default="", metavar="SWITCH,...", help="what is odd, or goes wrong")
    parser.add_argument("--list-faults", action="store_true", help="explain the switches of --fault")
    given = parser.parse_args()
    if given.list_faults:
        print(listed())
        return
    run(parser, given)


def listed() -> str:
    """Return every word that --fault takes, with its meaning."""
    return (
        f"Oddities of the tenant and faults of Graph:\n{scenarios.explain()}\n"
        f"With --cloud also:\n{switches.explain()}"
    )


def run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Serve what was asked for."""
    names, rest = scenarios.apart(given.fault)
    if rest and not given.cloud:
        parser.error(f"{rest!r} needs --cloud, or is no fault; there are:\n{listed()}")
    try:
        switches.parse(rest)
    except ValueError as problem:
        parser.error(str(problem))
    tenant, faults = scenarios.scenario(names, given.users, given.seed)
    faults = replace(
        faults,
        throttle_every=given.throttle_every or faults.throttle_every,
        empty_every=given.empty_every or faults.empty_every,
        page_wait=given.page_wait / 1000,
    )
    with contextlib.suppress(KeyboardInterrupt):
        if given.cloud:
            serve_apps(tenant, faults, rest, given.port)
        else:
            with serve(tenant, faults, port=given.port) as service:
                wait({"root": service.root, "token": service.token})


def serve_apps(tenant: Tenant, faults: Faults, switched: str, port: int) -> None:
    """Serve a cloud with one app for each way to sign in."""
    certificate = new_certificate()
    daemon = App(secret=secrets.token_urlsafe(30), certificate=certificate.public)
    desktop = App(public=True)
    with serve_cloud(tenant, apps=[daemon, desktop], faults=switched, graph=faults, port=port) as cloud:
        pem = Path(cloud.ca).with_name("app.pem")
        pem.write_text(certificate.pem(), "utf-8")
        app = {"client_id": daemon.client_id, "secret": daemon.secret, "certificate": str(pem)}
        refresh_token = cloud.issue_refresh_token(desktop)
        public = {"client_id": desktop.client_id, "refresh_token": refresh_token}
        wait({**place(cloud, tenant), "app": app, "public_app": public})


def place(cloud: Cloud, tenant: Tenant) -> dict[str, object]:
    """Return where the cloud is, and whose."""
    user, password = cloud.proxy_user
    return {
        "environment": cloud.environment,
        "proxy_user": user,
        "proxy_password": password,
        "tenant": tenant.id,
        "domain": tenant.domain,
    }


def wait(facts: dict[str, object]) -> None:
    """Print the facts and wait until standard input closes."""
    print(json.dumps(facts), flush=True)
    while sys.stdin.buffer.read(4096):
        pass


if __name__ == "__main__":
    main()
