"""The simulated cloud's proxy, Graph and switches, and its command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msal  # type: ignore[import-untyped]  # it has no annotations
import pytest
import requests

from tests.clouds import (
    DAEMON,
    DESKTOP,
    DEVICE,
    GRAPH,
    HOME,
    LOGIN,
    SCOPE,
    SECRET,
    TOKEN,
    _own_network,
    app_token,
    cloud,
    code_of,
    daemon,
    desktop,
    graph,
    look,
    post,
    running,
    through,
)
from tools.tenant import SCENARIOS, App, Cloud, Faults, Tenant, serve_cloud
from tools.tenant.switches import SWITCHES, explain, parse

__all__ = ["_own_network", "cloud", "running"]  # fixtures, used by name

CHECKOUT = Path(__file__).parents[1]
CONFIGURATION = f"{LOGIN}/{HOME.id}/v2.0/.well-known/openid-configuration"


# --- the proxy ---


def test_no_other_host_is_reached(cloud: Cloud) -> None:
    """Every other host name is refused with 403 and counted, by TLS and without."""
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        requests.get("https://example.com/", timeout=10, **through(cloud))
    assert requests.get("http://graph.microsoft.com/", timeout=10, **through(cloud)).status_code == 403
    assert cloud.refused["example.com"] == 1
    assert cloud.refused["http://graph.microsoft.com/"] == 1
    assert cloud.requests == []


def test_the_proxy_may_want_a_password(cloud: Cloud) -> None:
    """Under proxy-auth it answers 407 to whoever has no password or a wrong one; blanks and umlauts count."""
    cloud.switch("proxy-auth")
    before = cloud.unauthorised
    wrong = {"https": cloud.proxy.replace("://", "://beacon:wrong@")}
    for proxies in (through(cloud)["proxies"], wrong):
        with pytest.raises(requests.exceptions.ProxyError, match="407"):
            requests.get(CONFIGURATION, proxies=proxies, verify=str(cloud.ca), timeout=10)
    assert cloud.unauthorised == before + 2
    proxies = {"https": cloud.proxy_with_password}
    assert requests.get(CONFIGURATION, proxies=proxies, verify=str(cloud.ca), timeout=10).ok


def test_only_those_who_trust_the_authority_come_in(cloud: Cloud) -> None:
    """Without the test authority, and under self-signed with it, a client refuses the certificate."""
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(CONFIGURATION, proxies={"https": cloud.proxy}, timeout=10)
    cloud.switch("self-signed")
    with pytest.raises(requests.exceptions.SSLError):
        look(cloud, CONFIGURATION)


def test_requests_goes_there_by_environment(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variables of the cloud lead requests to it, with nothing said in code."""
    for name, text in cloud.environment.items():
        monkeypatch.setenv(name, text)
    assert requests.get(CONFIGURATION, timeout=10).json()["token_endpoint"] == TOKEN


# --- Graph ---


def failure(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of a refusal by Graph."""
    body = answer.json()["error"]
    assert {"date", "request-id", "client-request-id"} == set(body["innerError"])
    return answer.status_code, body["code"]


CALLS = {
    "/subscribedSkus": "LicenseAssignment.Read.All",
    "/users": "User.Read.All",
    "/organization": "Organization.Read.All",
    "/admin/reportSettings": "ReportSettings.Read.All",
}


@pytest.mark.parametrize(("path", "role"), CALLS.items())
def test_each_call_needs_its_permission(cloud: Cloud, path: str, role: str) -> None:
    """With the least permission alone a call works; with the others of the table it is 403."""
    cloud.replace_app(replace(DAEMON, roles=frozenset({role})))
    assert graph(cloud, path, app_token(cloud)).status_code == 200
    others = {name for name in CALLS.values() if name != role} - {"Organization.Read.All"}
    if path == "/organization":
        others -= {"User.Read.All"}
    cloud.replace_app(replace(DAEMON, roles=frozenset(others)))
    assert failure(graph(cloud, path, app_token(cloud))) == (403, "Authorization_RequestDenied")


def test_a_higher_permission_is_enough(cloud: Cloud) -> None:
    """Directory.Read.All opens what its lesser ones do."""
    cloud.replace_app(replace(DAEMON, roles=frozenset({"Directory.Read.All"})))
    token = app_token(cloud)
    for path in ("/subscribedSkus", "/users", "/organization"):
        assert graph(cloud, path, token).status_code == 200


def test_permissions_are_switches(cloud: Cloud) -> None:
    """A role is taken from every token, or given to it."""
    cloud.switch("role:-User.Read.All,role:+ReportSettings.Read.All,concealed")
    token = app_token(cloud)
    assert failure(graph(cloud, "/users", token)) == (403, "Authorization_RequestDenied")
    assert graph(cloud, "/admin/reportSettings", token).json()["displayConcealedNames"] is True


def test_a_users_token_has_scopes(cloud: Cloud) -> None:
    """What an app may do for a user is not what it may do by itself."""
    cloud.replace_app(replace(DESKTOP, scopes=frozenset({"Organization.Read.All"})))
    token = desktop(cloud).acquire_token_by_refresh_token(cloud.issue_refresh_token(DESKTOP), [SCOPE])
    assert graph(cloud, "/organization", token["access_token"]).status_code == 200
    assert failure(graph(cloud, "/users", token["access_token"]))[0] == 403


def test_a_token_expires_in_the_middle(cloud: Cloud) -> None:
    """Under token-life the same token is good, and a little later 401."""
    cloud.switch("token-life:1.5")
    token = app_token(cloud)
    assert graph(cloud, "/users?$top=1", token).status_code == 200
    time.sleep(1.6)
    answer = graph(cloud, "/users?$top=1", token)
    assert failure(answer) == (401, "InvalidAuthenticationToken")
    assert "expired" in answer.json()["error"]["message"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "invented", "a.b.c"])
def test_graph_knows_its_tokens(cloud: Cloud, token: str) -> None:
    """No token, an invented one, one signed by somebody else: 401."""
    assert failure(graph(cloud, "/users", token)) == (401, "InvalidAuthenticationToken")


def test_another_clouds_signature_is_refused(cloud: Cloud) -> None:
    """A token of the same tenant, signed by another key, is 401."""
    with serve_cloud(HOME, apps=[DAEMON]) as elsewhere:
        foreign = app_token(elsewhere)
    assert failure(graph(cloud, "/users", foreign)) == (401, "InvalidAuthenticationToken")


def test_tokens_may_be_opaque(cloud: Cloud) -> None:
    """Under opaque a token is no JWT, and Graph takes it all the same."""
    cloud.switch("opaque")
    token = app_token(cloud)
    assert "." not in token
    assert graph(cloud, "/organization", token).status_code == 200


def test_pages_lead_on_through_the_proxy(cloud: Cloud) -> None:
    """Next links carry Graph's own name, and bring everybody."""
    token, found, link = app_token(cloud), [], "/users?$select=id&$top=7"
    while link:
        body = graph(cloud, link.removeprefix(f"{GRAPH}/v1.0"), token).json()
        found += [user["id"] for user in body["value"]]
        link = body.get("@odata.nextLink", "")
    assert found == [user["id"] for user in HOME.everybody()]


def test_the_plain_tenants_faults_work_here_too() -> None:
    """What the tenant on plain HTTP can do wrong, Graph of the cloud can."""
    with serve_cloud(HOME, apps=[DAEMON], graph=Faults(throttle_every=1, retry_after=7)) as cloud:
        answer = graph(cloud, "/users", app_token(cloud))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


# --- what goes wrong ---


def test_sign_in_is_throttled(cloud: Cloud) -> None:
    """429 with Retry-After, for so many requests; msal shows the refusal."""
    cloud.switch("signin:429x2,retry-after:9")
    answers = [post(cloud), post(cloud, DEVICE), post(cloud)]
    assert [answer.status_code for answer in answers] == [429, 429, 400]
    assert answers[0].headers["Retry-After"] == "9"
    cloud.switch("signin:429")
    assert daemon(cloud).acquire_token_for_client([SCOPE])["error"] == "temporarily_unavailable"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_sign_in_is_down(cloud: Cloud, status: int) -> None:
    """A 5xx comes as a page in HTML; msal raises."""
    cloud.switch(f"signin:{status}")
    answer = post(cloud)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    with pytest.raises(msal.exceptions.MsalServiceError):
        daemon(cloud).acquire_token_for_client([SCOPE])


def test_a_portal_answers_instead(cloud: Cloud) -> None:
    """A page in HTML with status 200 is not JSON, for msal neither at discovery nor for a token."""
    cloud.switch("signin:html")
    assert post(cloud).status_code == 200
    client = daemon(cloud)
    with pytest.raises((ValueError, msal.exceptions.MsalServiceError)):
        client.acquire_token_for_client([SCOPE])
    cloud.switch("discovery:html")
    with pytest.raises(ValueError, match=HOME.id):
        daemon(cloud)


def test_a_connection_is_dropped(cloud: Cloud) -> None:
    """The server hangs up without an answer, once."""
    cloud.switch("signin:dropx1")
    with pytest.raises(requests.exceptions.ConnectionError):
        post(cloud)
    assert post(cloud).status_code == 400
    assert [seen.status for seen in cloud.requests] == [0, 400]


@pytest.mark.parametrize("switch", ["slow:0.6", "signin:slow:0.6"])
def test_an_answer_is_slow(cloud: Cloud, switch: str) -> None:
    """A client that waits less gives up."""
    cloud.switch(switch)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(TOKEN, timeout=0.3, **through(cloud))
    began = time.monotonic()
    assert post(cloud).status_code == 400
    assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize("seconds", [600, -600])
def test_the_clock_is_wrong(cloud: Cloud, seconds: int) -> None:
    """The Date header and the tokens follow the cloud's clock."""
    cloud.switch(f"clock:{seconds:+d}")
    dated = parsedate_to_datetime(look(cloud, CONFIGURATION).headers["Date"]).timestamp()
    assert abs(dated - time.time() - seconds) < 5
    assert graph(cloud, "/organization", app_token(cloud)).status_code == 200


@pytest.mark.parametrize(("what", "code"), [("429", "TooManyRequests"), ("503", "UnknownError")])
def test_graph_is_down(cloud: Cloud, what: str, code: str) -> None:
    """Graph's own failures come in Graph's form."""
    token = app_token(cloud)
    cloud.switch(f"graph:{what}x1")
    assert failure(graph(cloud, "/users", token)) == (int(what), code)
    assert graph(cloud, "/users", token).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "signin:teapot",
        "graph:53003",
        "signin:4711",
        "slow:fast",
        "role:User.Read.All",
        "opaque:yes",
    ],
)
def test_a_wrong_switch_is_refused(text: str) -> None:
    """A switch that does not exist, or is written wrongly, is a ValueError that quotes it."""
    with pytest.raises(ValueError, match=text.partition(":")[0]):
        parse(text)


def test_switches_add_up() -> None:
    """A list turns several on; every switch is explained."""
    found = parse("signin:429x2, rotate,clock:+600,role:-A,role:-B,token-life:30")
    assert (found.clock, found.token_life) == (600, 30)
    assert found.taken == {"A", "B"}
    assert found.troubles[0].times == 2
    assert all(name in explain() for name in SWITCHES)


# --- the command line ---


@contextmanager
def started(*arguments: str) -> Iterator[dict[str, Any]]:
    """Start the tenant as a process; what its first line says."""
    command = [sys.executable, "-m", "tools.tenant", *arguments]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_it_serves_from_the_command_line() -> None:
    """The first line says all that msal needs, for the app and for the public app; the faults hold."""
    with started("--cloud", "--users", "12", "--fault", "role:-User.Read.All") as said:
        proxies = {"https": said["environment"]["HTTPS_PROXY"]}
        there = {"proxies": proxies, "verify": said["environment"]["SSL_CERT_FILE"]}
        app, public = said["app"], said["public_app"]
        authority = f"{LOGIN}/{said['tenant']}"
        client = msal.ConfidentialClientApplication(
            app["client_id"], client_credential=app["secret"], authority=authority, **there
        )
        token = client.acquire_token_for_client([SCOPE])["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        refused = requests.get(f"{GRAPH}/v1.0/users", headers=headers, timeout=10, **there)
        redeemed = msal.PublicClientApplication(public["client_id"], authority=authority, **there)
        answer = redeemed.acquire_token_by_refresh_token(public["refresh_token"], [SCOPE])
        assert "PRIVATE KEY" in Path(app["certificate"]).read_text("utf-8")
    assert refused.status_code == 403
    assert answer["refresh_token"] != public["refresh_token"]
    assert not Path(app["certificate"]).exists()


@pytest.mark.parametrize("arguments", [["--fault", "slow:1"], ["--cloud", "--fault", "nonsense"]])
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    """Faults without a cloud, and unknown ones, are usage errors."""
    command = [sys.executable, "-m", "tools.tenant", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert arguments[-1] in done.stderr or "--cloud" in done.stderr


def test_faults_are_listed() -> None:
    """--list-faults explains every scenario and every switch."""
    command = [sys.executable, "-m", "tools.tenant", "--list-faults"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True)
    assert explain() in done.stdout
    for name, meaning in SCENARIOS.items():
        assert re.search(rf"(?m)^ *{re.escape(name)} +{re.escape(meaning)}$", done.stdout)


# --- PowerShell ---

SCRIPT = """
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$given = $input | Out-String | ConvertFrom-Json
$proxy = @{}
if ($given.proxy) { $proxy.Proxy = $given.proxy }
$answer = Invoke-RestMethod -Method Post -Uri $given.token -Body @{
    grant_type = 'client_credentials'; scope = $given.scope
    client_id = $given.id; client_secret = $given.secret
} @proxy
$headers = @{ Authorization = "Bearer $($answer.access_token)" }
(Invoke-RestMethod -Uri $given.graph -Headers $headers @proxy).value[0].id
"""


def invoke(cloud: Cloud, environment: dict[str, str], proxy: str = "") -> subprocess.CompletedProcess[str]:
    """Sign in and ask Graph with Invoke-RestMethod."""
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("no pwsh on PATH")
    given = {"token": TOKEN, "id": DAEMON.client_id, "secret": SECRET, "scope": SCOPE, "proxy": proxy}
    kept = {name: text for name, text in os.environ.items() if name.upper() != "SSL_CERT_FILE"}
    return subprocess.run(
        [pwsh, "-NoProfile", "-NonInteractive", "-Command", SCRIPT],
        input=json.dumps({**given, "graph": f"{GRAPH}/v1.0/organization"}),
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.powershell
@pytest.mark.skipif(sys.platform == "win32", reason=".NET on Windows trusts the machine's store only")
def test_powershell_comes_by_environment_or_parameter(cloud: Cloud) -> None:
    """Invoke-RestMethod gets there by HTTPS_PROXY, and by -Proxy; SSL_CERT_FILE makes .NET trust it."""
    assert invoke(cloud, cloud.environment).stdout.strip() == HOME.id
    assert invoke(cloud, {"SSL_CERT_FILE": str(cloud.ca)}, cloud.proxy).stdout.strip() == HOME.id


@pytest.mark.powershell
@pytest.mark.skipif(sys.platform == "win32", reason=".NET on Windows trusts the machine's store only")
def test_powershell_refuses_what_it_does_not_trust(cloud: Cloud) -> None:
    """Without SSL_CERT_FILE Invoke-RestMethod fails, and no request comes."""
    done = invoke(cloud, {"HTTPS_PROXY": cloud.proxy})
    assert done.returncode != 0
    assert cloud.requests == []


def test_a_multi_tenant_app_signs_in_everywhere() -> None:
    """Five tenants of one cloud, one app: each token belongs to the tenant that was asked."""
    tenants = [Tenant(3, seed=seed, domain=f"t{seed}.example") for seed in range(5)]
    app = App(secret=SECRET)
    with serve_cloud(*tenants, apps=[app]) as cloud:
        for tenant in tenants:
            form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": SECRET}
            url = f"{LOGIN}/{tenant.domain}/oauth2/v2.0/token"
            token = post(cloud, url, **form, scope=SCOPE).json()["access_token"]
            (found,) = graph(cloud, "/organization", token).json()["value"]
            assert (found["id"], found["displayName"]) == (
                tenant.id,
                tenant.domain.split(".")[0].capitalize(),
            )
        assert code_of(post(cloud, f"{LOGIN}/t9.example/oauth2/v2.0/token", **form)) == 90002
