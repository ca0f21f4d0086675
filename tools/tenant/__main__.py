"""Serve a simulated tenant until standard input closes, or until killed.

The first line on standard output says where it is and which token it takes::

    $ python -m tools.tenant --users 1000 --seed 1
    {"root": "http://127.0.0.1:40213", "token": "..."}

With --cloud it signs in, too: the line names a proxy, the certificate to trust, and what apps sign in with::

    $ python -m tools.tenant --cloud --fault signin:429x2,token-life:30
    {"environment": {"HTTPS_PROXY": "http://127.0.0.1:40215", ...}, "tenant": "...", ...}
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import sys
from pathlib import Path

from tools.tenant import App, Cloud, Faults, Tenant, new_certificate, serve, serve_cloud
from tools.tenant.switches import explain, parse


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
    parser.add_argument("--fault", default="", metavar="SWITCH,...", help="what else goes wrong in the cloud")
    parser.add_argument("--list-faults", action="store_true", help="explain the switches of --fault")
    given = parser.parse_args()
    if given.list_faults:
        print(explain())
        return
    if given.fault and not given.cloud:
        parser.error("--fault needs --cloud")
    run(parser, given)


def run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Serve what was asked for."""
    try:
        parse(given.fault)
    except ValueError as problem:
        parser.error(str(problem))
    faults = Faults(
        throttle_every=given.throttle_every, empty_every=given.empty_every, page_wait=given.page_wait / 1000
    )
    tenant = Tenant(given.users, given.seed)
    with contextlib.suppress(KeyboardInterrupt):
        if given.cloud:
            serve_apps(tenant, faults, given)
        else:
            with serve(tenant, faults, port=given.port) as service:
                wait({"root": service.root, "token": service.token})


def serve_apps(tenant: Tenant, faults: Faults, given: argparse.Namespace) -> None:
    """Serve a cloud with one app for each way to sign in."""
    certificate = new_certificate()
    daemon = App(secret=secrets.token_urlsafe(30), certificate=certificate.public)
    desktop = App(public=True)
    with serve_cloud(
        tenant, apps=[daemon, desktop], faults=given.fault, graph=faults, port=given.port
    ) as cloud:
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
