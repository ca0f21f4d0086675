"""Whole runs that sign in: each engine, our folder and a beacon's, against the simulated cloud."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from bridge.capture import NAMESPACE
from bridge.model import Secret
from tests.clouds import DAEMON, DESKTOP, HOME, OTHER, _own_network, cloud, running
from tests.folders import SCRIPT, make_reader_folder
from tests.signing import Site, seen, signin_table
from tools.tenant import Answer, Cloud, Faults, serve_cloud
from tools.tenant.truth import truth

__all__ = ["_own_network", "cloud", "running"]  # fixtures of this module

SECRET_FLOW = signin_table(DAEMON, "secret", secret="env:SECRET")  # noqa: S106  # a reference
REFRESH = signin_table(DESKTOP, "refresh", refresh_token="store:contoso")  # noqa: S106  # a reference
NATIVE = 'engine = "native"'
ENGINES = [
    pytest.param(NATIVE, id="native"),
    pytest.param('engine = "powershell"', id="powershell", marks=pytest.mark.powershell),
]


@pytest.fixture
def site(cloud: Cloud, tmp_path: Path) -> Site:
    """Return a site without settings."""
    return Site(cloud, tmp_path)


EXPECTED = {step: len(list(found)) for step, found in truth(HOME).items()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("flow", [SECRET_FLOW, REFRESH], ids=["secret", "refresh"])
def test_a_run_signs_in(site: Site, engine: str, flow: str) -> None:
    """Without any parameter a run gets tokens and reads every row, through the proxy, with the test's CA."""
    site.store.put("contoso", Secret(site.cloud.issue_refresh_token(DESKTOP)))
    site.write(engine, flow)
    said = site.run("run", "Contoso", "--json")
    assert said.code == 0, said.err
    record = json.loads(said.out)
    assert [one["rows"] for one in record["steps"]] == list(EXPECTED.values())
    assert record["permissions"] == sorted(record["permissions"])
    assert {"User.Read.All", "Reports.Read.All"} <= set(record["permissions"])
    assert len(seen(site.cloud, "/token")) == 1


EXPIRED = Answer(401, '{"error": {"code": "InvalidAuthenticationToken", "message": "expired"}}')


@pytest.fixture
def expiring(tmp_path: Path) -> Iterator[Site]:
    """Return a site whose Graph takes the token no longer at the third request: in the middle of a run."""
    with serve_cloud(HOME, apps=[DAEMON], graph=Faults(answers={3: EXPIRED})) as cloud:
        yield Site(cloud, tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_token_that_ends_in_the_middle(expiring: Site, engine: str) -> None:
    """Where Graph takes a token no longer, another is got and the run goes on to its last row."""
    expiring.write(engine, SECRET_FLOW)
    said = expiring.run("run", "Contoso", "--json")
    assert said.code == 0, said.err
    assert [one["rows"] for one in json.loads(said.out)["steps"]] == list(EXPECTED.values())
    assert len(seen(expiring.cloud, "/token")) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_credential_that_ends_in_the_middle(expiring: Site, engine: str) -> None:
    """A secret that expires while a run reads fails it with Microsoft's reason and exit code 5."""

    def expire() -> None:
        while not seen(expiring.cloud, "/token"):
            time.sleep(0.01)
        expiring.cloud.replace_app(replace(DAEMON, refused_with=7000222))

    administrator = threading.Thread(target=expire)
    administrator.start()
    expiring.write(engine, SECRET_FLOW)
    said = expiring.run("run", "Contoso")
    administrator.join()
    assert said.code == 5
    assert "AADSTS7000222" in said.err


@pytest.mark.parametrize("engine", ENGINES)
def test_two_swapped_refresh_tokens(site: Site, engine: str) -> None:
    """A run with another tenant's token ends before the first row, as a failed run with exit code 5."""
    site.cloud.switch("any-tenant")
    site.store.put("contoso", Secret(site.cloud.issue_refresh_token(DESKTOP, tenant=OTHER)))
    site.write(engine, REFRESH)
    said = site.run("run", "Contoso", "--json")
    assert said.code == 5
    assert "another tenant" in json.loads(said.out)["error"]["sentence"]
    (run,) = json.loads(site.run("show", "--json").out)
    assert run["state"] == "failed"
    assert not list((site.home / "state" / "runs").rglob("capture/*.xml*"))
    assert not seen(site.cloud, "/users")


@pytest.mark.powershell
def test_a_beacons_folder_gets_a_fresh_refresh_token(site: Site) -> None:
    """{ refresh_token = true }: the stored token is redeemed, the rotated one stored and handed over."""
    old = site.cloud.issue_refresh_token(DESKTOP)
    site.store.put("contoso", Secret(old))
    script = SCRIPT.replace('"user$n@example.org"', "$ApiKey.Substring($ApiKey.Length - 40)")
    folder = make_reader_folder(site.home, script=script)
    parameters = 'parameters = { ServiceUrl = "https://badges.example", ApiKey = { refresh_token = true } }'
    site.write(parameters, REFRESH, reader=str(folder))
    said = site.run("run", "Contoso")
    assert said.code == 0, said.err
    new = site.store.get("contoso").reveal()
    assert new != old
    capture = next((site.home / "state" / "runs").rglob("capture/*.xml"))
    cells = [row.values()[1] for row in etree.parse(capture).iter(f"{{{NAMESPACE}}}r")]
    assert set(cells) == {new[-40:]}
    assert len(seen(site.cloud, "/token")) == 1
    everything = b"".join(
        one.read_bytes() for one in (site.home / "state" / "runs").rglob("*") if one.is_file()
    )
    assert new.encode() not in everything


def test_a_secret_that_is_refused(site: Site) -> None:
    """A run whose sign-in is refused is kept as a failed run that says so."""
    site.cloud.replace_app(replace(DAEMON, refused_with=7000222))
    site.write(NATIVE, SECRET_FLOW)
    said = site.run("run", "Contoso")
    assert said.code == 5
    assert "AADSTS7000222" in said.err
    assert "AADSTS7000222" in site.run("show", "last:Contoso").out


def test_a_remark_is_told(site: Site) -> None:
    """What does not fail the run is told while it runs: a clock that is wrong."""
    site.cloud.switch("clock:+900")
    site.write(NATIVE, SECRET_FLOW)
    said = site.run("run", "Contoso")
    assert said.code == 0
    assert "sign-in: This machine's clock is 15 minutes behind" in said.err


def test_a_proxy_without_its_password(site: Site) -> None:
    """A proxy that asks for a password ends the run before anything is read; with it the run goes through."""
    site.cloud.switch("proxy-auth")
    site.write(NATIVE, SECRET_FLOW)
    assert "proxy_user" in site.run("run", "Contoso").err
    user, password = site.cloud.proxy_user
    file = site.home / "bridge.toml"
    keys = f"[http]\nproxy_user = '{user}'\nproxy_password = 'env:PROXY'"
    file.write_text(file.read_text("utf-8").replace("[http]", keys), "utf-8")
    site.environment = {**site.environment, "PROXY": password}
    assert site.run("run", "Contoso").code == 0


@pytest.mark.powershell
def test_powershell_through_a_proxy_with_a_password(site: Site) -> None:
    """The PowerShell child goes through the same proxy with the same password."""
    site.cloud.switch("proxy-auth")
    user, password = site.cloud.proxy_user
    site.environment = {**site.environment, "PROXY": password}
    site.write(SECRET_FLOW)
    file = site.home / "bridge.toml"
    keys = f"[http]\nproxy_user = '{user}'\nproxy_password = 'env:PROXY'"
    file.write_text(file.read_text("utf-8").replace("[http]", keys), "utf-8")
    said = site.run("run", "Contoso")
    assert said.code == 0, said.err
    assert password not in said.err


@pytest.mark.powershell
def test_a_check_signs_in(site: Site) -> None:
    """A check proves the sign-in, and the reader's own test reaches Graph on the same way as a run."""
    site.write(SECRET_FLOW)
    said = site.run("check", "Contoso")
    assert re.search(r"(?m)^ok    sign-in: as the app", said.out)
    assert "ok    TestConnection: the reader says OK" in said.out, said.out


def test_commands_that_do_not_sign_in_import_no_msal(site: Site) -> None:
    """Help, lists and settings start without msal and requests."""
    site.write(SECRET_FLOW)
    for words in (("--help",), ("settings",), ("list",), ("permissions", "Contoso", "--manifest")):
        site.environment = {"PYTHONPROFILEIMPORTTIME": "1"}
        loaded = site.run(*words).err
        assert "bridge" in loaded
        assert " msal" not in loaded
        assert " requests" not in loaded
