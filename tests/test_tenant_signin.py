"""The simulated cloud's sign-in, by unmodified clients: requests and msal, over real TLS."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import jwt
import msal  # type: ignore[import-untyped]  # it has no annotations
import pytest

from tests.clouds import (
    CERTIFICATE,
    CHALLENGE,
    DAEMON,
    DESKTOP,
    DEVICE,
    GRAPH,
    HOME,
    LOGIN,
    OTHER,
    SCOPE,
    SECRET,
    TOKEN,
    VERIFIER,
    _own_network,
    app_token,
    cloud,
    code_of,
    daemon,
    desktop,
    graph,
    landed,
    look,
    post,
    running,
    through,
)
from tools.tenant import App, Cloud, User, new_certificate
from tools.tenant.refusals import REASONS

__all__ = ["_own_network", "cloud", "running"]  # fixtures, used by name

NATIVE_CLIENT = f"{LOGIN}/common/oauth2/nativeclient"
AUTHORIZE = f"{LOGIN}/{HOME.id}/oauth2/v2.0/authorize"
AS_USER = "User.Read.All offline_access openid"


def claims(token: str) -> dict[str, Any]:
    """Return what a JWT says, unchecked."""
    return jwt.decode(token, options={"verify_signature": False})


# --- discovery ---


@pytest.mark.parametrize("name", [HOME.id, HOME.id.upper(), HOME.domain])
def test_a_tenant_is_found_by_id_and_domain(cloud: Cloud, name: str) -> None:
    """The openid configuration names the tenant by its id, whatever the address called it."""
    found = look(cloud, f"{LOGIN}/{name}/v2.0/.well-known/openid-configuration").json()
    assert found["token_endpoint"] == TOKEN
    assert found["device_authorization_endpoint"] == DEVICE
    assert found["issuer"] == f"{LOGIN}/{HOME.id}/v2.0"


def test_an_unknown_tenant_is_refused(cloud: Cloud) -> None:
    """The openid configuration of a tenant that does not exist is 400 with 90002; msal raises ValueError."""
    answer = look(cloud, f"{LOGIN}/nobody.example/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, code_of(answer)) == (400, 90002)
    with pytest.raises(ValueError, match=r"nobody\.example"):
        daemon(cloud, authority=f"{LOGIN}/nobody.example")


def test_tenants_can_live_in_one_cloud_only(cloud: Cloud) -> None:
    """A tenant of another cloud does not exist here."""
    cloud.switch("cloud:login.microsoftonline.us")
    assert code_of(look(cloud, f"{LOGIN}/{HOME.id}/v2.0/.well-known/openid-configuration")) == 90002
    there = "https://login.microsoftonline.us"
    assert look(cloud, f"{there}/{HOME.id}/v2.0/.well-known/openid-configuration").status_code == 200


def test_the_keys_verify_the_tokens(cloud: Cloud) -> None:
    """Access tokens are signed by the key that the keys' address shows."""
    (key,) = look(cloud, f"{LOGIN}/{HOME.id}/discovery/v2.0/keys").json()["keys"]
    token = app_token(cloud)
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    assert jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], audience=GRAPH)["tid"] == HOME.id


def test_instance_discovery_knows_microsofts_hosts(cloud: Cloud) -> None:
    """Msal believes in a cloud of its own only when it is told not to ask."""
    with pytest.raises(ValueError, match="invalid_instance"):
        daemon(cloud, authority=f"https://login.sovereign.example/{HOME.id}")
    client = daemon(cloud, authority=f"https://login.sovereign.example/{HOME.id}", instance_discovery=False)
    root = "https://graph.sovereign.example"
    token = client.acquire_token_for_client([f"{root}/.default"])["access_token"]
    assert graph(cloud, "/organization", token, root).status_code == 200


# --- client credentials ---

ROOTS = [
    (LOGIN, GRAPH),
    ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
]


@pytest.mark.parametrize(("login", "root"), ROOTS)
def test_every_cloud_signs_in(cloud: Cloud, login: str, root: str) -> None:
    """Msal gets a token under each cloud's names, and that cloud's Graph tells whose it is."""
    answer = daemon(cloud, authority=f"{login}/{HOME.id}").acquire_token_for_client([f"{root}/.default"])
    found = graph(cloud, "/organization", answer["access_token"], root).json()["value"][0]
    assert found["id"] == HOME.id
    assert found["verifiedDomains"][0]["name"] == HOME.domain


def test_tokens_are_not_interchangeable(cloud: Cloud) -> None:
    """A token of one cloud's Graph is 401 at another's; a sign-in host knows no other cloud's Graph."""
    there = ROOTS[1][1]
    refused = graph(cloud, "/organization", app_token(cloud), there)
    assert refused.status_code == 401
    assert "audience" in refused.json()["error"]["message"]
    answer = daemon(cloud).acquire_token_for_client([f"{there}/.default"])
    assert (answer["error"], answer["error_codes"]) == ("invalid_resource", [500011])


def test_an_app_token_says_whose_it_is(cloud: Cloud) -> None:
    """An app's token names tenant, app, audience and roles."""
    found = claims(app_token(cloud))
    assert (found["tid"], found["appid"], found["aud"]) == (HOME.id, DAEMON.client_id, GRAPH)
    assert set(found["roles"]) == DAEMON.roles
    assert found["exp"] - found["iat"] == 3600


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"client_secret": "wrong"}, 7000215, 401),
        ({"client_secret": "x" * 20_000}, 7000215, 401),
        ({"client_secret": "old"}, 7000222, 401),
        ({"client_secret": ""}, 7000218, 401),
        ({"client_id": str(uuid4())}, 700016, 400),
        ({"client_id": DESKTOP.client_id}, 700025, 401),
        ({"client_id": DESKTOP.client_id, "client_secret": ""}, 7000218, 401),
        ({"scope": "User.Read.All"}, 1002012, 400),
        ({"scope": "https://elsewhere.example/.default"}, 500011, 400),
        ({"grant_type": "password"}, 70003, 400),
    ],
)
def test_what_a_secret_does_not_buy(cloud: Cloud, change: dict[str, str], code: int, status: int) -> None:
    """Each mistake has the code that Entra has for it."""
    form = {"grant_type": "client_credentials", "client_id": DAEMON.client_id, "client_secret": SECRET}
    answer = post(cloud, **{**form, "scope": SCOPE, **change})
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_an_app_exists_where_it_was_registered(cloud: Cloud) -> None:
    """An app of one tenant is unknown in another."""
    cloud.replace_app(replace(DAEMON, tenants=frozenset({OTHER.id})))
    answer = daemon(cloud).acquire_token_for_client([SCOPE])
    assert (answer["error"], answer["error_codes"]) == ("unauthorized_client", [700016])


def test_a_corrected_secret_works(cloud: Cloud) -> None:
    """An administrator may change an app's secret while the cloud runs."""
    cloud.replace_app(replace(DAEMON, secret="new", expired_secrets=frozenset({SECRET})))  # noqa: S106  # of a test
    assert daemon(cloud).acquire_token_for_client([SCOPE])["error_codes"] == [7000222]
    assert "access_token" in daemon(cloud, "new").acquire_token_for_client([SCOPE])


# --- certificates ---


def with_certificate(cloud: Cloud, certificate: Any = CERTIFICATE) -> Any:
    """Sign in with msal and a certificate."""
    credential = {"private_key": certificate.pem(), "public_certificate": certificate.public}
    thumbprint = certificate.certificate.fingerprint(certificate.certificate.signature_hash_algorithm).hex()
    return daemon(cloud, {**credential, "thumbprint": thumbprint}).acquire_token_for_client([SCOPE])


def test_a_pfx_buys_a_token(cloud: Cloud, tmp_path: Any) -> None:
    """Msal signs in with a PFX file and its passphrase, by SHA-256 thumbprint and x5c."""
    file = tmp_path / "app.pfx"
    file.write_bytes(CERTIFICATE.pfx("pass ü"))
    pfx = {"private_key_pfx_path": str(file), "passphrase": "pass ü", "public_certificate": True}
    assert "access_token" in daemon(cloud, pfx).acquire_token_for_client([SCOPE])
    header = jwt.get_unverified_header(cloud.requests[-1].form["client_assertion"])
    assert {"x5t#S256", "x5c"} <= set(header)


def test_another_certificate_is_refused(cloud: Cloud, tmp_path: Any) -> None:
    """A certificate that is not registered is refused with 700027, whatever it is used for."""
    file = tmp_path / "app.pfx"
    file.write_bytes(new_certificate().pfx())
    answer = daemon(cloud, {"private_key_pfx_path": str(file)}).acquire_token_for_client([SCOPE])
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


@pytest.mark.parametrize("days", [(-20, -1), (1, 20)])
def test_a_certificate_counts_within_its_dates(cloud: Cloud, tmp_path: Any, days: tuple[int, int]) -> None:
    """A registered certificate that is expired, or not valid yet, is refused."""
    dated = new_certificate(*days)
    cloud.replace_app(replace(DAEMON, certificate=dated.public))
    file = tmp_path / "app.pfx"
    file.write_bytes(dated.pfx())
    answer = daemon(cloud, {"private_key_pfx_path": str(file)}).acquire_token_for_client([SCOPE])
    assert answer["error_codes"] == [700027]


def assertion(**change: Any) -> str:
    """Return a client assertion, with something changed in it."""
    now = int(time.time())
    key = change.pop("key", CERTIFICATE.key)
    said = {"aud": TOKEN, "iss": DAEMON.client_id, "sub": DAEMON.client_id, "nbf": now, "exp": now + 300}
    thumbprint = CERTIFICATE.certificate.fingerprint(CERTIFICATE.certificate.signature_hash_algorithm)  # type: ignore[arg-type]  # it has one
    named = jwt.utils.base64url_encode(thumbprint).decode()
    return jwt.encode({**said, **change}, key, algorithm="PS256", headers={"x5t#S256": named})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": new_certificate().key}, 50012),
        ({"aud": f"{LOGIN}/elsewhere/oauth2/v2.0/token"}, 50012),
        ({"exp": int(time.time()) - 4000}, 700024),
        ({"nbf": int(time.time()) + 4000}, 700024),
        ({"iss": "somebody"}, 700021),
        ({"sub": "somebody"}, 700021),
    ],
)
def test_an_assertion_is_really_verified(cloud: Cloud, change: dict[str, Any], code: int) -> None:
    """Signature, audience, times, issuer and subject count: an assertion that errs in one is refused."""
    form = {
        "grant_type": "client_credentials",
        "client_id": DAEMON.client_id,
        "scope": SCOPE,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert "access_token" in post(cloud, **form, client_assertion=assertion()).json()
    assert code_of(post(cloud, **form, client_assertion=assertion(**change))) == code
    assert code_of(post(cloud, **form, client_assertion="no.jwt")) == 50012
    nonsense = jwt.encode({}, CERTIFICATE.key, algorithm="RS256", headers={"x5c": ["bm8gY2VydGlmaWNhdGU="]})
    assert code_of(post(cloud, **form, client_assertion=nonsense)) == 50012


# --- refresh tokens ---


def redeem(cloud: Cloud, token: str, authority: str = f"{LOGIN}/{HOME.id}") -> Any:
    """Redeem a refresh token with msal."""
    return desktop(cloud, authority).acquire_token_by_refresh_token(token, [SCOPE])


def test_each_redemption_gives_another_refresh_token(cloud: Cloud) -> None:
    """A refresh token is redeemed for a token and its successor, and goes on working itself."""
    first = cloud.issue_refresh_token(DESKTOP)
    answers = [redeem(cloud, first), redeem(cloud, first)]
    answers.append(redeem(cloud, answers[0]["refresh_token"]))
    assert len({first, *(answer["refresh_token"] for answer in answers)}) == 4
    assert answers[0]["id_token_claims"]["tid"] == HOME.id
    assert graph(cloud, "/users?$top=1", answers[2]["access_token"]).status_code == 200


def test_the_old_one_can_be_revoked(cloud: Cloud) -> None:
    """Under revoke-old a redeemed token is refused, and its successor works."""
    cloud.switch("revoke-old")
    first = cloud.issue_refresh_token(DESKTOP)
    second = redeem(cloud, first)["refresh_token"]
    answer = redeem(cloud, first)
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [50173])
    assert "access_token" in redeem(cloud, second)


def test_rotation_can_be_switched_off(cloud: Cloud) -> None:
    """Under keep-refresh no other refresh token comes."""
    cloud.switch("keep-refresh")
    assert "refresh_token" not in redeem(cloud, cloud.issue_refresh_token(DESKTOP))


def test_a_refresh_token_dies_unused(cloud: Cloud) -> None:
    """After ninety days a refresh token is refused, with the date of its issue."""
    token = cloud.issue_refresh_token(DESKTOP)
    cloud.switch(f"clock:+{91 * 86400}")
    answer = redeem(cloud, token)
    assert answer["error_codes"] == [700082]
    assert f"issued on {time.strftime('%Y-%m-%d', time.gmtime())}" in answer["error_description"]


@pytest.mark.parametrize("code", [70000, 70008, 700082, 70043, 50173, 50133])
def test_a_refresh_token_can_be_spoiled(cloud: Cloud, code: int) -> None:
    """A spoiled token is refused with the code it was spoiled with."""
    token = cloud.issue_refresh_token(DESKTOP)
    cloud.spoil(token, code)
    answer = redeem(cloud, token)
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [code])


def test_a_refresh_token_belongs_to_its_app(cloud: Cloud) -> None:
    """Another client's token, an invented one and an empty one are refused."""
    answer = daemon(cloud).acquire_token_by_refresh_token(cloud.issue_refresh_token(DESKTOP), [SCOPE])
    assert answer["error_codes"] == [70000]
    form = {"grant_type": "refresh_token", "client_id": DESKTOP.client_id, "scope": SCOPE}
    assert code_of(post(cloud, **form, refresh_token="x" * 20_000)) == 70000
    assert code_of(post(cloud, **form, refresh_token="")) == 70000


def test_a_confidential_apps_refresh_token_needs_its_secret(cloud: Cloud) -> None:
    """The vendor's kind of app redeems with its secret; without it the answer is 7000218."""
    token = cloud.issue_refresh_token(DAEMON)
    assert "access_token" in daemon(cloud).acquire_token_by_refresh_token(token, [SCOPE])
    form = {"grant_type": "refresh_token", "client_id": DAEMON.client_id, "scope": SCOPE}
    assert code_of(post(cloud, **form, refresh_token=token)) == 7000218


def test_a_refresh_token_belongs_to_its_tenant(cloud: Cloud) -> None:
    """At another tenant's address it is refused; at ``organizations`` its own tenant's token comes."""
    token = cloud.issue_refresh_token(DESKTOP, tenant=OTHER)
    assert redeem(cloud, token)["error_codes"] == [50020]
    found = redeem(cloud, token, f"{LOGIN}/organizations")
    assert claims(found["access_token"])["tid"] == OTHER.id
    assert graph(cloud, "/organization", found["access_token"]).json()["value"][0]["id"] == OTHER.id


def test_a_wrong_tenants_token_can_be_had(cloud: Cloud) -> None:
    """Under any-tenant two swapped refresh tokens give tokens of the wrong tenants: a client must look."""
    cloud.switch("any-tenant")
    found = redeem(cloud, cloud.issue_refresh_token(DESKTOP, tenant=OTHER))
    assert claims(found["access_token"])["tid"] == OTHER.id
    assert found["id_token_claims"]["tid"] == OTHER.id


@pytest.mark.parametrize("code", [50057, 50076, 53003])
def test_a_user_can_be_refused(cloud: Cloud, code: int) -> None:
    """A disabled user, one who must use another factor, one whom a policy blocks: at redemption."""
    answer = redeem(cloud, cloud.issue_refresh_token(DESKTOP, User("eve", refused_with=code)))
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [code])


def test_consent_can_be_missing(cloud: Cloud) -> None:
    """Without consent a refresh token is refused, and an app's own token has no role."""
    token = cloud.issue_refresh_token(DESKTOP)
    cloud.replace_app(replace(DESKTOP, consented=False))
    cloud.replace_app(replace(DAEMON, consented=False))
    answer = post(
        cloud, grant_type="refresh_token", client_id=DESKTOP.client_id, scope=SCOPE, refresh_token=token
    )
    assert (code_of(answer), answer.json()["suberror"]) == (65001, "consent_required")
    assert claims(app_token(cloud))["roles"] == []


# --- authorization code with PKCE ---


def test_msal_signs_in_by_code(cloud: Cloud) -> None:
    """Msal's own flow: a browser is sent back with a code, which buys tokens of the user who signed in."""
    cloud.sign_in_as(User("ada"))
    client = desktop(cloud)
    flow = client.initiate_auth_code_flow(
        ["User.Read.All"], redirect_uri=NATIVE_CLIENT, response_mode="query"
    )
    back = landed(look(cloud, flow["auth_uri"]))
    answer = client.acquire_token_by_auth_code_flow(flow, back)
    assert answer["id_token_claims"]["preferred_username"] == f"ada@{HOME.domain}"
    assert claims(answer["access_token"])["upn"] == f"ada@{HOME.domain}"
    assert "refresh_token" in answer


def new_code(cloud: Cloud, **change: str) -> str:
    """Return a code as a browser gets it."""
    query = {"client_id": DESKTOP.client_id, "response_type": "code", "redirect_uri": NATIVE_CLIENT}
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "scope": AS_USER, "state": "s"}
    back = landed(look(cloud, AUTHORIZE, **{**query, **pkce, **change}))
    assert back["state"] == "s"
    return back["code"]


def spend(cloud: Cloud, made: str, **change: str) -> Any:
    """Redeem a code."""
    form = {"grant_type": "authorization_code", "client_id": DESKTOP.client_id, "scope": AS_USER}
    more = {"code": made, "redirect_uri": NATIVE_CLIENT, "code_verifier": VERIFIER}
    return post(cloud, **{**form, **more, **change})


def test_a_code_is_good_once(cloud: Cloud) -> None:
    """A code that was redeemed is refused the second time."""
    code = new_code(cloud)
    assert spend(cloud, code).status_code == 200
    assert code_of(spend(cloud, code)) == 54005


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"code_verifier": "w" * 50}, 501481),
        ({"code_verifier": ""}, 501481),
        ({"redirect_uri": "http://localhost"}, 50011),
        ({"code": "invented"}, 70000),
    ],
)
def test_a_code_needs_what_it_was_made_with(cloud: Cloud, change: dict[str, str], expected: int) -> None:
    """The verifier must fit the challenge, and the redirect address must be the same."""
    assert code_of(spend(cloud, new_code(cloud), **change)) == expected


def test_a_code_grows_old(cloud: Cloud) -> None:
    """After ten minutes a code is refused."""
    code = new_code(cloud)
    cloud.switch("clock:+601")
    assert code_of(spend(cloud, code)) == 70008


def test_a_wrong_redirect_is_shown_in_the_browser(cloud: Cloud) -> None:
    """An address that is not registered is told to the person, and nobody is sent there."""
    query = {"client_id": DESKTOP.client_id, "response_type": "code", "redirect_uri": "https://evil.example"}
    answer = look(cloud, AUTHORIZE, **query)
    assert answer.status_code == 200
    assert "AADSTS50011" in answer.text
    assert "AADSTS700016" in look(cloud, AUTHORIZE, **{**query, "client_id": "nobody"}).text


def test_a_refusal_comes_back_in_the_address(cloud: Cloud) -> None:
    """Who declines, or may not sign in, is sent back with error and error_description; msal hands them on."""
    cloud.sign_in_as(User("eve", refused_with=53003))
    client = desktop(cloud)
    flow = client.initiate_auth_code_flow(
        ["User.Read.All"], redirect_uri=NATIVE_CLIENT, response_mode="query"
    )
    answer = client.acquire_token_by_auth_code_flow(flow, landed(look(cloud, flow["auth_uri"])))
    cloud.sign_in_as(User())
    assert answer["error"] == "invalid_grant"
    assert "AADSTS53003" in answer["error_description"]


# --- device code ---


def poll(client: Any, flow: dict[str, Any]) -> Any:
    """Ask once whether the device may have its tokens."""
    return client.acquire_token_by_device_flow(flow, exit_condition=lambda flow: True)


def test_msal_signs_in_by_device_code(cloud: Cloud) -> None:
    """Pending until somebody enters the code; then the tokens come, once."""
    cloud.switch("device-interval:0")
    client = desktop(cloud)
    flow = client.initiate_device_flow([SCOPE])
    assert flow["user_code"] in flow["message"]
    pending = poll(client, flow)
    assert (pending["error"], pending["error_codes"]) == ("authorization_pending", [70016])
    page = look(cloud, flow["verification_uri"], otc=flow["user_code"])
    assert "signed in" in page.text
    assert "refresh_token" in poll(client, flow)
    assert poll(client, flow)["error_codes"] == [70018]


def device(cloud: Cloud) -> dict[str, Any]:
    """Ask for a device code without msal."""
    answer: dict[str, Any] = post(cloud, DEVICE, client_id=DESKTOP.client_id, scope=AS_USER).json()
    return answer


def ask(cloud: Cloud, flow: dict[str, Any]) -> Any:
    """Poll once without msal."""
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    return post(cloud, grant_type=grant, client_id=DESKTOP.client_id, device_code=flow["device_code"])


def test_a_device_must_not_ask_too_often(cloud: Cloud) -> None:
    """A second question within the interval is slow_down."""
    flow = device(cloud)
    assert ask(cloud, flow).json()["error"] == "authorization_pending"
    assert ask(cloud, flow).json()["error"] == "slow_down"


def test_a_device_code_expires(cloud: Cloud) -> None:
    """After its life a device code is refused, approved or not."""
    flow = device(cloud)
    cloud.approve(flow["user_code"])
    cloud.switch("clock:+901")
    answer = ask(cloud, flow).json()
    assert (answer["error"], answer["error_codes"]) == ("expired_token", [70019])


def test_a_device_can_be_declined(cloud: Cloud) -> None:
    """Whoever cancels in the browser refuses the device."""
    flow = device(cloud)
    cloud.decline(flow["user_code"])
    assert ask(cloud, flow).json()["error"] == "access_denied"


def test_an_app_without_public_flows_waits_in_vain(cloud: Cloud) -> None:
    """An app that is not a public client gets a device code, and 7000218 when it asks for tokens."""
    client = msal.PublicClientApplication(DAEMON.client_id, authority=f"{LOGIN}/{HOME.id}", **through(cloud))
    flow = client.initiate_device_flow([SCOPE])
    cloud.approve(flow["user_code"])
    assert poll(client, flow)["error_codes"] == [7000218]


# --- every refusal ---


@pytest.mark.parametrize("code", REASONS)
def test_a_refusal_has_entras_form(cloud: Cloud, code: int) -> None:
    """Each code comes with every field that Entra documents; msal hands it on, or raises for a 5xx."""
    cloud.switch(f"signin:{code}")
    answer = post(cloud, grant_type="client_credentials", client_id=DAEMON.client_id)
    body = answer.json()
    assert (answer.status_code, body["error"]) == (REASONS[code].status, REASONS[code].error)
    assert re.match(
        rf"AADSTS{code}: .+ Trace ID: {body['trace_id']} Correlation ID: {body['correlation_id']} "
        rf"Timestamp: {re.escape(body['timestamp'])}$",
        body["error_description"],
    )
    assert UUID(body["trace_id"]) != UUID(body["correlation_id"])
    assert (body["error_codes"], body["error_uri"]) == ([code], f"{LOGIN}/error?code={code}")
    try:
        seen = daemon(cloud).acquire_token_for_client([SCOPE])
    except msal.exceptions.MsalServiceError:
        assert answer.status_code >= 500
    else:
        assert seen["error_codes"] == [code]


def test_an_app_can_be_refused(cloud: Cloud) -> None:
    """One app may be refused while another gets its token."""
    broken = App(secret=SECRET, refused_with=7000112)
    cloud.replace_app(broken)
    form = {"grant_type": "client_credentials", "client_secret": SECRET, "scope": SCOPE}
    assert code_of(post(cloud, **form, client_id=broken.client_id)) == 7000112
    assert app_token(cloud)


def test_what_came_is_recorded(cloud: Cloud) -> None:
    """The requests are kept with host, path, form and status."""
    app_token(cloud)
    (seen,) = cloud.requests
    assert (seen.host, seen.method, seen.status) == (LOGIN.removeprefix("https://"), "POST", 200)
    assert f"https://{seen.host}{seen.path}" == TOKEN
    assert seen.form["client_secret"] == SECRET
    assert json.dumps(dict(seen.form))
