"""The simulated cloud, reached by unmodified clients: requests and msal through its proxy, over real TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msal  # type: ignore[import-untyped]  # it has no annotations
import pytest
import requests

from tools.tenant import App, Cloud, Tenant, serve_cloud

SECRET = "s3cret~ü"  # noqa: S105  # of a test's own app
DAEMON = App(secret=SECRET, expired_secrets=frozenset({"old"}))
DESKTOP = App(public=True)
GRAPH = "https://graph.microsoft.com"
LOGIN = "https://login.microsoftonline.com"
HOME = Tenant(30, seed=4)


@pytest.fixture(autouse=True)
def _no_other_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the machine's own proxy and CA bundle: requests would prefer them to what it is given."""
    for name in (
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """Serve a cloud of one tenant with two apps."""
    with serve_cloud(HOME, apps=[DAEMON, DESKTOP]) as running:
        yield running


def through(cloud: Cloud) -> dict[str, Any]:
    """Return what requests and msal need to reach the cloud."""
    return {"proxies": {"https": cloud.proxy}, "verify": str(cloud.ca)}


def get(cloud: Cloud, path: str, token: str, root: str = GRAPH) -> requests.Response:
    """Ask Graph."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{root}/v1.0{path}", headers=headers, timeout=10, **through(cloud))


def daemon(cloud: Cloud, secret: str = SECRET, authority: str = f"{LOGIN}/{HOME.id}") -> Any:
    """Return msal's confidential client."""
    return msal.ConfidentialClientApplication(
        DAEMON.client_id, client_credential=secret, authority=authority, **through(cloud)
    )


def test_a_secret_buys_a_token_that_graph_takes(cloud: Cloud) -> None:
    """Msal signs in with a secret under Microsoft's names, and Graph tells which tenant it is."""
    token = daemon(cloud).acquire_token_for_client([f"{GRAPH}/.default"])["access_token"]
    answer = get(cloud, "/organization", token)
    assert answer.status_code == 200
    assert answer.json()["value"][0]["id"] == HOME.id


def test_each_redemption_gives_another_refresh_token(cloud: Cloud) -> None:
    """A refresh token is redeemed for a token and its successor, and goes on working itself."""
    client = msal.PublicClientApplication(DESKTOP.client_id, authority=f"{LOGIN}/{HOME.id}", **through(cloud))
    first = cloud.issue_refresh_token(DESKTOP)
    answers = [client.acquire_token_by_refresh_token(first, [f"{GRAPH}/.default"]) for _ in range(2)]
    assert all("access_token" in answer for answer in answers)
    assert len({first, *(answer["refresh_token"] for answer in answers)}) == 3
