"""`beacon-bridge signin`: a person signs in once, in a browser on any machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.model import Secret, SecretReference
from bridge.secrets.store import Store
from bridge.signin.entra import Grant
from bridge.system import FileVault
from bridge.system.rights import Accounts
from tests.clouds import DAEMON, DESKTOP, HOME, OTHER, _own_network, cloud, look, running
from tests.signing import BY_REFRESH, Desk, Said, Site, signin_table
from tests.test_rights import GMSA, Machine
from tools.tenant import Cloud, User

__all__ = ["_own_network", "cloud", "running"]  # fixtures of this module

POSIX = pytest.mark.skipif(os.name == "nt", reason="a signal of POSIX stands for Ctrl-C")
REFRESH = signin_table(DESKTOP, "refresh", refresh_token="store:contoso")  # noqa: S106  # a reference


@pytest.fixture
def site(cloud: Cloud, tmp_path: Path) -> Site:
    """Return a site whose connection wants a refresh token."""
    site = Site(cloud, tmp_path)
    site.write(REFRESH)
    return site


def told(child: subprocess.Popen[str], pattern: str) -> str:
    """Read what a command tells until a line matches; return the match."""
    assert child.stderr is not None
    patience = threading.Timer(20, child.kill)
    patience.start()
    try:
        for line in child.stderr:
            if found := re.search(pattern, line):
                return found[0]
        raise AssertionError(f"{pattern} was never told")
    finally:
        patience.cancel()


def ended(child: subprocess.Popen[str], given: str = "") -> Said:
    """Return how a command ended."""
    out, err = child.communicate(given, timeout=60)
    return Said(child.returncode, out, err)


def browse(site: Site, child: subprocess.Popen[str]) -> str:
    """Open the address that a command tells, as a browser does; return where it ends."""
    return look(site.cloud, told(child, r"https://\S+/authorize\?\S+")).headers["Location"]


def stored(site: Site) -> Secret | None:
    """Return the stored refresh token, None if there is none."""
    try:
        return site.store.get("contoso")
    except SettingsError:
        return None


# --- the two ways ---


@pytest.mark.parametrize("words", [(), ("--code",)])
def test_by_address(site: Site, words: tuple[str, ...]) -> None:
    """An address is told, the resulting one is pasted back, and the refresh token is stored and works."""
    child = site.start("signin", "Contoso", *words, "--json")
    said = ended(child, browse(site, child) + "\n")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert facts == {
        "connection": "Contoso",
        "user": f"admin@{HOME.domain}",
        "tenant": HOME.id,
        "stored": "store:contoso",
    }
    token = stored(site)
    assert token is not None
    assert token.reveal() not in said.out + said.err
    assert site.run("permissions", "Contoso").code == 0


def test_the_address_is_pkce(site: Site) -> None:
    """The address asks with a challenge, a state and the redirect of a native app; the code stays useless."""
    child = site.start("signin", "Contoso")
    address = told(child, r"https://\S+/authorize\?\S+")
    ended(child)
    assert "code_challenge_method=S256" in address
    assert "state=" in address
    assert "redirect_uri=https%3A%2F%2Flogin.microsoftonline.com%2Fcommon%2Foauth2%2Fnativeclient" in address


def test_by_device(site: Site) -> None:
    """A short code is told; when somebody has typed it in a browser, the refresh token is stored."""
    site.cloud.switch("device-interval:1")
    child = site.start("signin", "Contoso", "--device")
    site.cloud.approve(told(child, r"code (\w+)$").removeprefix("code "))
    said = ended(child)
    assert said.code == 0, said.err
    assert said.out == (f"Signed in as admin@{HOME.domain}; the refresh token is stored as store:contoso.\n")
    assert stored(site)


def test_in_a_national_cloud(site: Site) -> None:
    """Address and redirect are those of the connection's cloud."""
    native = "https://login.microsoftonline.us/common/oauth2/nativeclient"
    site.cloud.replace_app(replace(DESKTOP, redirect_uris=(native,)))
    site.write('cloud = "gcc-high"', REFRESH)
    child = site.start("signin", "Contoso")
    address = browse(site, child)
    assert address.startswith(native)
    assert ended(child, address + "\n").code == 0
    assert {one.host for one in site.cloud.requests} == {"login.microsoftonline.us", "graph.microsoft.us"}


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda address: address.replace("state=", "state=x"), "belongs to another sign-in"),
        (lambda address: address.partition("?")[0], "has no code"),
        (lambda address: "yes", "has no code"),
        (lambda address: re.sub("code=[^&]+", "code=forged", address), "AADSTS70000"),
    ],
)
def test_an_address_that_is_not_the_one(site: Site, change: object, said: str) -> None:
    """Another sign-in's state, no code and a forged one are refused; what was stored before stays."""
    assert callable(change)
    site.store.put("contoso", Secret("before"))
    child = site.start("signin", "Contoso")
    ending = ended(child, change(browse(site, child)) + "\n")
    assert ending.code == 5
    assert said in ending.err
    assert stored(site) == Secret("before")


def test_a_wrapped_address(site: Site) -> None:
    """Blanks that a terminal put into the pasted address do no harm."""
    child = site.start("signin", "Contoso")
    address = browse(site, child)
    assert ended(child, f"  {address[:200]} {address[200:]}\n").code == 0


def test_a_policy_refuses_one_way(site: Site) -> None:
    """Conditional Access in the way of one sign-in names the other."""
    site.cloud.sign_in_as(User(refused_with=53003))
    try:
        child = site.start("signin", "Contoso", "--code")
        ending = ended(child, browse(site, child) + "\n")
    finally:
        site.cloud.sign_in_as(User())
    assert ending.code == 5
    assert "AADSTS53003" in ending.err
    assert 'beacon-bridge signin "Contoso" --device' in ending.err
    assert stored(site) is None


def test_an_app_that_is_not_public(site: Site) -> None:
    """An app that allows no public flow refuses the device code, and the other way is named."""
    site.write(REFRESH.replace(DESKTOP.client_id, DAEMON.client_id))
    ending = site.run("signin", "Contoso", "--device")
    assert ending.code == 5
    assert "AADSTS7000218" in ending.err
    assert 'beacon-bridge signin "Contoso" --code' in ending.err


def test_declined(site: Site) -> None:
    """Somebody who says no in the browser ends the command; nothing is stored."""
    site.cloud.switch("device-interval:1")
    child = site.start("signin", "Contoso", "--device")
    site.cloud.decline(told(child, r"code (\w+)$").removeprefix("code "))
    ending = ended(child)
    assert ending.code == 5
    assert "declined" in ending.err
    assert stored(site) is None


def test_nobody_types_the_code(site: Site) -> None:
    """A code that nobody typed in time ends the command with how to start again."""
    site.cloud.switch("device-interval:1,device-life:2")
    ending = site.run("signin", "Contoso", "--device")
    assert ending.code == 5
    assert "beacon-bridge signin" in ending.err


def test_the_wrong_tenant(site: Site) -> None:
    """What a person brings from another tenant is refused, and nothing is stored."""
    child = site.start("signin", "Contoso")
    address = told(child, r"https://\S+/authorize\?\S+").replace(HOME.id, OTHER.id)
    ending = ended(child, look(site.cloud, address).headers["Location"] + "\n")
    assert ending.code == 5
    assert "belongs to another app or tenant" in ending.err
    assert stored(site) is None


@POSIX
@pytest.mark.parametrize("words", [("--device",), ()])
def test_ctrl_c(site: Site, words: tuple[str, ...]) -> None:
    """Ctrl-C at the prompt, or while a code waits, stops the command with nothing stored."""
    child = site.start("signin", "Contoso", *words)
    told(child, "Waiting for up to" if words else "Copy that page's whole address")
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=20) == 130
    ended(child)
    assert stored(site) is None


# --- what makes no sense ---


def test_an_app_needs_no_person(site: Site) -> None:
    """A connection that signs in as an app is told so; one without sign-in, and a place that is no store."""
    for lines, said in (
        ((signin_table(DAEMON, "secret", secret="env:SECRET"),), "nobody has to sign in"),  # noqa: S106
        ((), "has no sign-in"),
        ((REFRESH.replace("store:", "env:"),), "where nothing can be stored"),
    ):
        site.write(*lines)
        ending = site.run("signin", "Contoso")
        assert ending.code == 3
        assert said in ending.err
    assert site.cloud.requests == []


@pytest.mark.skipif(os.name == "nt", reason="Windows gives rights to accounts")
def test_an_account_that_cannot_use_it(site: Site) -> None:
    """--for is refused before anybody is asked to sign in, and nothing is stored."""
    said = site.run("signin", "Contoso", "--for", "svc")
    assert (said.code, stored(site)) == (3, None)
    assert "Rights for the account 'svc' can be given on Windows only" in said.err
    assert "Open this address" not in said.err


def test_for_the_account_whose_runs_use_it(cloud: Cloud, tmp_path: Path) -> None:
    """The token is stored for that account, which then renews it."""
    machine = Machine()
    kept = Store(tmp_path / "secrets", FileVault(), rights=Accounts(machine))
    grant = Grant(Secret("token"), 60, Secret("first"), HOME.id, HOME.id)
    place = SecretReference("store", "contoso")
    Desk(cloud, tmp_path).source(BY_REFRESH, store=kept).keep_first(place, grant, r"CONTOSO\beacon$")
    assert kept.entry("contoso").account == r"CONTOSO\beacon$"
    machine.who = GMSA
    assert kept.replace_if("contoso", Secret("first"), Secret("second"))
    assert kept.entry("contoso").account == r"CONTOSO\beacon$"


def test_one_way_at_a_time(site: Site) -> None:
    """--code and --device exclude each other."""
    assert site.run("signin", "Contoso", "--code", "--device").code == 2
