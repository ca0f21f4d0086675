"""What the tests of the simulated cloud share: its apps, and unmodified clients that lead to it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msal  # type: ignore[import-untyped]  # it has no annotations
import pytest
import requests

from tools.tenant import App, Cloud, Tenant, new_certificate, serve_cloud

SECRET = "s3cret~ü"  # noqa: S105  # of a test's own app
CERTIFICATE = new_certificate()
DAEMON = App(secret=SECRET, expired_secrets=frozenset({"old"}), certificate=CERTIFICATE.public)
DESKTOP = App(public=True)
HOME, OTHER = Tenant(30, seed=4), Tenant(20, seed=5, domain="fabrikam.example")
GRAPH, LOGIN = "https://graph.microsoft.com", "https://login.microsoftonline.com"
SCOPE = f"{GRAPH}/.default"
TOKEN = f"{LOGIN}/{HOME.id}/oauth2/v2.0/token"
DEVICE = f"{LOGIN}/{HOME.id}/oauth2/v2.0/devicecode"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(autouse=True)
def _own_network(monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    """Serve a cloud of two tenants with two apps."""
    with serve_cloud(HOME, OTHER, apps=[DAEMON, DESKTOP]) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Iterator[Cloud]:
    """Return the running cloud, with nothing switched and nothing seen."""
    running.switch("")
    running.requests.clear()
    yield running
    for app in (DAEMON, DESKTOP):
        running.replace_app(app)


def through(cloud: Cloud) -> dict[str, Any]:
    """Return what requests and msal need to reach the cloud."""
    return {"proxies": {"https": cloud.proxy, "http": cloud.proxy}, "verify": str(cloud.ca)}


def graph(cloud: Cloud, path: str, token: str, root: str = GRAPH) -> requests.Response:
    """Ask Graph."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{root}/v1.0{path}", headers=headers, timeout=10, **through(cloud))


def post(cloud: Cloud, url: str = TOKEN, **form: str) -> requests.Response:
    """Send a form."""
    return requests.post(url, data=form, timeout=10, **through(cloud))


def look(cloud: Cloud, url: str, **query: str) -> requests.Response:
    """Open an address as a browser would, but stop where it is sent elsewhere."""
    return requests.get(url, params=query, allow_redirects=False, timeout=10, **through(cloud))


def code_of(answer: requests.Response) -> int:
    """Return the AADSTS code of a refusal."""
    codes: list[int] = answer.json()["error_codes"]
    return codes[0]


def daemon(cloud: Cloud, credential: Any = SECRET, authority: str = f"{LOGIN}/{HOME.id}", **more: Any) -> Any:
    """Return msal's confidential client of the app DAEMON."""
    return msal.ConfidentialClientApplication(
        DAEMON.client_id, client_credential=credential, authority=authority, **more, **through(cloud)
    )


def desktop(cloud: Cloud, authority: str = f"{LOGIN}/{HOME.id}") -> Any:
    """Return msal's public client of the app DESKTOP."""
    return msal.PublicClientApplication(DESKTOP.client_id, authority=authority, **through(cloud))


def app_token(cloud: Cloud, **form: str) -> str:
    """Return a token that DAEMON gets for itself, without msal."""
    fields = {"grant_type": "client_credentials", "client_id": DAEMON.client_id, "scope": SCOPE}
    answer = post(cloud, **{**fields, "client_secret": SECRET, **form})
    token: str = answer.json()["access_token"]
    return token


def landed(answer: requests.Response) -> dict[str, str]:
    """Return the fields of the address to which a browser was sent."""
    assert answer.status_code == 302
    query = urlsplit(answer.headers["Location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}
