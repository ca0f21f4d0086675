"""`beacon-bridge permissions`, and what a check says of a sign-in."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.collect.graph.calls import CALLS
from bridge.model import Secret
from bridge.signin import permissions
from bridge.signin.proof import prove
from tests.clouds import DAEMON, DESKTOP, HOME, _own_network, cloud, running
from tests.signing import BY_REFRESH, BY_SECRET, Desk, Site, signin_table
from tools.tenant import Cloud
from tools.tenant.gate import NEEDS

__all__ = ["_own_network", "cloud", "running"]  # fixtures of this module

SMALL = replace(  # the app has what every run needs, and no more
    DAEMON, roles=frozenset({"LicenseAssignment.Read.All", "Organization.Read.All", "User.Read.All"})
)
SECRET_FLOW = signin_table(DAEMON, "secret", secret="env:SECRET")  # noqa: S106  # a reference


@pytest.fixture
def site(cloud: Cloud, tmp_path: Path) -> Site:
    """Return a site whose connection signs in with a secret."""
    cloud.replace_app(SMALL)
    site = Site(cloud, tmp_path)
    site.write(SECRET_FLOW)
    return site


# --- the table ---


def test_what_a_token_has(site: Site) -> None:
    """Each feature with its permission, whether the token has it, and what is left out without it."""
    said = site.run("permissions", "Contoso", "--json")
    assert said.code == 0, said.err
    lines = {one["feature"]: one for one in json.loads(said.out)}
    assert set(lines) == {
        "licences",
        "users",
        "sign-in activity",
        "usage",
        "concealment flag",
        "tenant",
    }
    assert {name for name, one in lines.items() if one["granted"]} == {"licences", "users", "tenant"}
    assert "sign-in" in lines["sign-in activity"]["without"]


def test_the_table(site: Site) -> None:
    """People see a line a permission; what a granted one would leave out is not said."""
    out = site.run("permissions", "Contoso").out
    assert re.search(r"(?m)^usage +Reports\.Read\.All +no +no usage reports *$", out)
    assert re.search(r"(?m)^users +User\.Read\.All +yes *$", out)


def test_a_permission_that_every_run_needs(site: Site) -> None:
    """Without a permission that every run needs, the exit code is that of a sign-in."""
    site.cloud.switch("role:-User.Read.All")
    said = site.run("permissions", "Contoso")
    assert said.code == 5
    assert "a run fails" in said.out


def test_a_higher_permission_does_as_well(site: Site) -> None:
    """Directory.Read.All covers licences and users, as Graph takes it."""
    site.cloud.replace_app(replace(DAEMON, roles=frozenset({"Directory.Read.All"})))
    said = site.run("permissions", "Contoso", "--json")
    granted = {one["feature"] for one in json.loads(said.out) if one["granted"]}
    assert granted == {"licences", "users", "tenant"}


def test_a_token_that_acts_for_a_user(site: Site) -> None:
    """A delegated token shows its scopes, and that a user's own role counts besides."""
    site.store.put("contoso", _secret(site.cloud))
    site.write(signin_table(DESKTOP, "refresh", refresh_token="store:contoso"))  # noqa: S106  # a reference
    said = site.run("permissions", "Contoso", "--json")
    assert said.code == 0
    assert "Reports Reader" in said.err


def _secret(cloud: Cloud) -> Secret:
    return Secret(cloud.issue_refresh_token(DESKTOP))


def test_a_token_that_says_nothing(site: Site) -> None:
    """Where a token is opaque it is not known what it has, and nothing is claimed."""
    site.cloud.switch("opaque")
    said = site.run("permissions", "Contoso", "--json")
    assert said.code == 0
    assert {one["granted"] for one in json.loads(said.out)} == {None}


def test_a_refused_sign_in(site: Site) -> None:
    """A sign-in that is refused is the result."""
    site.environment = {"SECRET": "wrong"}
    said = site.run("permissions", "Contoso", "--json")
    assert said.code == 5
    assert "AADSTS7000215" in json.loads(said.out)["error"]["sentence"]


# --- the manifest ---

# learn.microsoft.com/graph/permissions-reference, the column Application
IDS = {
    "LicenseAssignment.Read.All": "e2f98668-2877-4f38-a2f4-8202e0717aa1",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "AuditLog.Read.All": "b0afded3-3588-46d8-8b3d-9842eff778da",
    "Reports.Read.All": "230c1aed-a721-4c5d-9cb4-a90514e508ef",
    "ReportSettings.Read.All": "ee353f83-55ef-4b78-82da-555bfa2b4b95",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
}


def test_the_manifest(site: Site) -> None:
    """--manifest prints what the app registration asks for, and signs nobody in."""
    said = site.run("permissions", "Contoso", "--manifest", "--json")
    assert said.code == 0
    (graph,) = json.loads(said.out)["requiredResourceAccess"]
    assert graph["resourceAppId"] == "00000003-0000-0000-c000-000000000000"
    assert {one["id"] for one in graph["resourceAccess"]} == set(IDS.values())
    assert {one["type"] for one in graph["resourceAccess"]} == {"Role"}
    assert {one.name: one.role for one in permissions.PERMISSIONS} == IDS
    assert site.cloud.requests == []


@pytest.mark.parametrize(
    ("name", "host", "graph"),
    [
        ("global", "login.microsoftonline.com", "graph.microsoft.com"),
        ("gcc-high", "login.microsoftonline.us", "graph.microsoft.us"),
        ("21vianet", "login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_the_consent_address(site: Site, name: str, host: str, graph: str) -> None:
    """Admin consent is given at the connection's cloud and tenant, for the app's own permissions."""
    site.write(f'cloud = "{name}"', SECRET_FLOW)
    out = site.run("permissions", "Contoso", "--manifest").out
    parts = urlsplit(out.strip().splitlines()[-1])
    assert (parts.netloc, parts.path) == (host, f"/{HOME.id}/v2.0/adminconsent")
    fields = parse_qs(parts.query)
    assert fields["client_id"] == [DAEMON.client_id]
    assert fields["scope"] == [f"https://{graph}/.default"]
    assert json.loads(out.partition("\nAn administrator")[0])["requiredResourceAccess"]


def test_without_a_sign_in(site: Site) -> None:
    """A connection without [signin] has no permissions to show."""
    site.write()
    for words in ((), ("--manifest",)):
        said = site.run("permissions", "Contoso", *words)
        assert said.code == 3
        assert "docs/register-app.md" in said.err


def test_the_permissions_are_what_the_calls_need() -> None:
    """The required permissions are those of the native engine's calls, and Graph takes each."""
    required = {one.name for one in permissions.PERMISSIONS if one.required}
    assert required == {call.permission for call in CALLS.values() if not call.gap}
    named = {one.name for one in permissions.PERMISSIONS}
    assert all(call.permission.partition(" or ")[0] in named for call in CALLS.values())
    for path, feature in (("/v1.0/subscribedSkus", "licences"), ("/v1.0/users", "users")):
        (one,) = [one for one in permissions.PERMISSIONS if one.feature == feature]
        assert {one.name, *one.or_any} == NEEDS[path]


# --- what a check says ---


def test_a_proof(cloud: Cloud, tmp_path: Path) -> None:
    """A check proves the sign-in and the clock, and has a line for each permission."""
    cloud.replace_app(SMALL)
    desk = Desk(cloud, tmp_path)
    found = list(prove(desk.source(BY_SECRET), desk.told))
    assert [(one.topic, one.level) for one in found] == [
        ("sign-in", "ok"),
        ("clock", "ok"),
        *[
            ("permissions", "ok" if one.required or one.feature == "tenant" else "info")
            for one in permissions.PERMISSIONS
        ],
    ]
    assert HOME.id in found[0].text


def test_a_proof_that_fails(cloud: Cloud, tmp_path: Path) -> None:
    """A refused sign-in is the only line, with its exit code and what to do."""
    desk = Desk(cloud, tmp_path, {"SECRET": "wrong"})
    (line,) = prove(desk.source(BY_SECRET), desk.told)
    assert (line.topic, line.level, line.exit_code) == ("sign-in", "fail", 5)
    assert "AADSTS7000215" in line.text
    assert line.fix


def test_a_proof_with_remarks(cloud: Cloud, tmp_path: Path) -> None:
    """A wrong clock is a warning, a missing permission a failure, an unproved organisation a remark."""
    cloud.switch("clock:+900")
    cloud.replace_app(replace(DAEMON, roles=frozenset({"Reports.Read.All"})))
    desk = Desk(cloud, tmp_path)
    levels = {(one.topic, one.level) for one in prove(desk.source(BY_SECRET), desk.told)}
    assert {("clock", "warn"), ("sign-in", "info"), ("permissions", "fail"), ("permissions", "ok")} <= levels


def test_a_proof_of_an_opaque_token(cloud: Cloud, tmp_path: Path) -> None:
    """Where a token says nothing of its permissions, neither does the check."""
    cloud.switch("opaque")
    desk = Desk(cloud, tmp_path)
    desk.keep(cloud.issue_refresh_token(DESKTOP))
    found = [one for one in prove(desk.source(BY_REFRESH), desk.told) if one.topic == "permissions"]
    assert [one.level for one in found] == ["info"]
