"""The way to the network: proxy, exceptions, trust and deadlines, for us and for the PowerShell child."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from bridge.collect.powershell.environment import of_child
from bridge.errors import SettingsError
from bridge.model import Secret, SecretReference, Web
from bridge.web.route import Route
from bridge.web.session import Session
from tests.clouds import _own_network, cloud, running
from tools.tenant import Cloud

__all__ = ["_own_network", "cloud", "running"]  # fixtures of this module

DISCOVERY = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
PROXY = "http://proxy.example:8080"


def no_secret(reference: SecretReference) -> Secret:
    """Have no secrets."""
    raise SettingsError(f"The secret {reference} is not there.")


def route(password: str = "", **web: Any) -> Route:
    """Return a route of these settings."""
    return Route(Web(**web), Secret(password) if password else None)


# --- the session ---


def test_an_explicit_proxy_and_bundle_are_used(cloud: Cloud) -> None:
    """A request goes through the proxy of the settings, and trusts the bundle of the settings."""
    with Session(route(proxy=cloud.proxy, ca_bundle=cloud.ca)) as session:
        assert session.get(DISCOVERY).json()["token_endpoint"].startswith("https://login.microsoftonline.com")
    assert len(cloud.requests) == 1


def test_without_the_bundle_nothing_is_trusted(cloud: Cloud) -> None:
    """The test's authority is unknown to everybody else."""
    with Session(route(proxy=cloud.proxy)) as session, pytest.raises(requests.exceptions.SSLError):
        session.get(DISCOVERY)


def test_the_system_proxy_is_the_environments(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default HTTPS_PROXY counts, and NO_PROXY with it; a foreign CA bundle does not."""
    monkeypatch.setenv("HTTPS_PROXY", cloud.proxy)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with Session(route(ca_bundle=cloud.ca)) as session:
        assert session.get(DISCOVERY).status_code == 200
        monkeypatch.setenv("NO_PROXY", "login.microsoftonline.com")
        with pytest.raises(requests.ConnectionError):
            session.get(DISCOVERY, timeout=3)
    assert len(cloud.requests) == 1


@pytest.mark.parametrize(
    "web", [{"proxy": "none"}, {"proxy": PROXY, "no_proxy": ("microsoftonline.com",)}, {"proxy": PROXY}]
)
def test_the_proxy_is_passed_by(web: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """``none``, ``no_proxy`` and this machine itself need no proxy, whatever the environment says."""
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        session = Session(route(**web), seconds=0.3)
        with session, pytest.raises(requests.exceptions.ReadTimeout):
            session.get(address)
        assert server.accept()


@pytest.mark.parametrize(
    ("host", "names", "passes"),
    [
        ("graph.microsoft.com", ("microsoft.com",), True),
        ("graph.microsoft.com", (".microsoft.com",), True),
        ("graph.microsoft.com", ("*.microsoft.com",), True),
        ("graph.microsoft.com", ("GRAPH.microsoft.com ",), True),
        ("notmicrosoft.com", ("microsoft.com",), False),
        ("graph.microsoft.com", ("", "*"), False),
        ("127.0.0.1", (), True),
        ("localhost", (), True),
        ("::1", (), True),
        ("127.evil.example", (), False),
    ],
)
def test_which_hosts_pass_the_proxy_by(host: str, names: tuple[str, ...], passes: bool) -> None:
    """A name in no_proxy means itself and what is below it."""
    assert route(proxy=PROXY, no_proxy=names).passes_by(host) is passes


def test_a_proxy_with_a_password(cloud: Cloud) -> None:
    """The password travels in a header to the proxy only; without it the proxy refuses."""
    cloud.switch("proxy-auth")
    user, password = cloud.proxy_user
    web: dict[str, Any] = {"proxy": cloud.proxy, "ca_bundle": cloud.ca, "proxy_user": user}
    with Session(route(password, **web)) as session:
        answer = session.get(DISCOVERY)
    assert answer.status_code == 200
    assert "Proxy-Authorization" not in answer.request.headers
    with Session(route("wrong", **web)) as session, pytest.raises(requests.exceptions.ProxyError) as failed:
        session.get(DISCOVERY)
    assert "wrong" not in str(failed.value)


def test_every_call_has_a_deadline() -> None:
    """A server that takes a connection and says nothing is given up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with Session(route(), seconds=0.2) as session, pytest.raises(requests.exceptions.Timeout):
            session.get(address)


@pytest.mark.parametrize(
    "begun", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"]
)
def test_a_drip_is_no_answer(begun: bytes) -> None:
    """A server that sends a byte of its headers or its body now and then is given up, too."""
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(begun)
            while not ended.wait(0.05):
                peer.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=(server,))
        dripping.start()
        giving_up = threading.Timer(10, ended.set)
        giving_up.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with Session(route(), seconds=0.2) as session, pytest.raises(requests.exceptions.Timeout):
            session.get(address)
        assert not ended.is_set()
        giving_up.cancel()
        ended.set()
        dripping.join()


def test_a_password_of_a_netrc_is_not_sent(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc file of the account is none of ours: its password would go to whoever answers."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine login.microsoftonline.com login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Session(route(proxy=cloud.proxy, ca_bundle=cloud.ca)) as session:
        assert "Authorization" not in session.get(DISCOVERY).request.headers


# --- what is wrong in the settings ---


def test_a_bundle_that_is_none(tmp_path: Path) -> None:
    """A CA bundle that is not there, or holds no certificate, is named before anything is asked."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    for path, said in ((tmp_path / "absent.pem", "cannot be read"), (empty, "no certificate")):
        with pytest.raises(SettingsError, match=f"ca_bundle: .*{said}"):
            Route.of(Web(ca_bundle=path), no_secret)


def test_a_password_that_is_not_there() -> None:
    """The proxy's password is fetched when the network is first needed; its absence is named."""
    with pytest.raises(SettingsError, match="store:proxy"):
        Route.of(Web(proxy=PROXY, proxy_password=SecretReference("store", "proxy")), no_secret)


def test_the_password_is_not_shown() -> None:
    """No representation of a route shows the password."""
    assert "hunter2" not in repr(route("hunter2", proxy=PROXY, proxy_user="me"))


# --- the PowerShell child ---

MACHINE = {"Path": "x", "https_proxy": "http://old.example", "NO_PROXY": "old.example"}


def test_the_child_gets_the_proxy(tmp_path: Path) -> None:
    """The settings' proxy replaces what the environment says."""
    web: dict[str, Any] = {"proxy": PROXY, "no_proxy": ("intranet", ".contoso.example")}
    child = of_child(route(**web, ca_bundle=tmp_path / "ca.pem").child(MACHINE))
    assert child["HTTPS_PROXY"] == child["HTTP_PROXY"] == PROXY
    assert child["NO_PROXY"] == "intranet,.contoso.example"
    assert child["SSL_CERT_FILE"] == str(tmp_path / "ca.pem")
    assert "https_proxy" not in child


def test_a_password_is_not_in_the_environment() -> None:
    """A proxy with a password is left out of what others can see; the child gets it in its job."""
    web: dict[str, Any] = {"proxy": PROXY, "proxy_user": "jö", "no_proxy": ("intranet", "*.contoso.example")}
    with_password = route("p@ss:word", **web)
    assert not {"HTTPS_PROXY", "HTTP_PROXY", "https_proxy"} & of_child(with_password.child(MACHINE)).keys()
    login = with_password.login()
    assert login
    assert (login.address, login.user, login.password) == (PROXY, "jö", Secret("p@ss:word"))
    passed = {
        address: [bool(re.search(one, address)) for one in login.passed_by]
        for address in (
            "https://intranet",
            "https://graph.contoso.example:8443",
            "https://notcontoso.example",
        )
    }
    assert list(passed.values()) == [[True, False], [False, True], [False, False]]
    assert route(proxy=PROXY).login() is None


def test_the_child_gets_no_variable_that_only_begins_as_windows_own() -> None:
    """The account's own variables are handed on by name; USER_TOKEN and HOME_SECRET may hold anything."""
    own = {
        "USERNAME": "svc",
        "UserProfile": "C:\\svc",
        "HOMEDRIVE": "C:",
        "HOME": "/h",
        "PROCESSOR_LEVEL": "6",
    }
    strays = {"USER_TOKEN": "t", "HOME_SECRET": "s", "HOMEBREW_GITHUB_API_TOKEN": "g", "USERNAME2": "x"}
    child = of_child(own | strays)
    assert own.items() <= child.items()
    assert not strays.keys() & child.keys()


def test_the_child_keeps_the_system_proxy() -> None:
    """By default the child goes as the environment says; names of no_proxy are added to it."""
    assert of_child(route().child(MACHINE))["https_proxy"] == "http://old.example"
    assert of_child(route(no_proxy=("new.example",)).child(MACHINE))["NO_PROXY"] == "old.example,new.example"


def test_the_child_is_told_to_use_no_proxy() -> None:
    """``none`` leaves no proxy in the child's environment, and says so to Windows PowerShell."""
    child = of_child(route(proxy="none").child(MACHINE))
    assert "https_proxy" not in child
    assert child["NO_PROXY"] == "*"
