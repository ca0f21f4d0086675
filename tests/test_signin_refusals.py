"""What a refused sign-in says: the code, what Microsoft said, what to do, and whether to try again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bridge import settings
from bridge.errors import BridgeError, SettingsError, SignInError
from bridge.model import Secret, SecretReference, SignIn, Web
from bridge.signin.certificate import identity
from bridge.signin.refusals import first_sentence, refusal
from tests.clouds import CERTIFICATE, DAEMON, DESKTOP, OTHER, SECRET, _own_network, cloud, running
from tests.signing import BY_REFRESH, BY_SECRET, Desk, certificate_flow, is_one_sentence, seen
from tools.tenant import App, new_certificate
from tools.tenant import Cloud as Running
from tools.tenant.refusals import REASONS

__all__ = ["_own_network", "cloud", "running"]  # fixtures of this module

# By code, a word of what to do: MicrosoftDocs/entra-docs docs/identity-platform/reference-error-codes.md.
ACTIONS: Mapping[str, tuple[int, ...]] = {
    "beacon-bridge signin": (70000, 70008, 700082, 70043, 50173, 50133, 50089),
    "secret's Value": (7000215,),
    "new client secret": (7000222,),
    "certificate": (700027, 700030, 50012, 700021),
    "clock": (700024,),
    "second factor": (50076, 50079, 50074, 50078),
    "consent": (65001, 90094),
    "client_id, tenant and cloud": (700016, 700011, 90002, 900023),
    "national cloud": (90038, 900382, 900432),
    "account": (50057, 50055, 50126, 50053),
    "Conditional Access": (53003, 530032, 50131),
    "too many": (90055, 50196),
    "few minutes": (50033, 90006, 90012, 90024, 90033, 90090),
    "public client flows": (7000218,),
    "which has none": (700025,),
    "nativeclient": (50011,),
    "Start again": (70018, 70019),
}
EVERY = [(code, word) for word, codes in ACTIONS.items() for code in codes]
LATER = {90055, 50196, 50033, 90006, 90012, 90024, 90033, 90090}


@pytest.fixture
def desk(cloud: Running, tmp_path: Path) -> Desk:
    """Return a state folder and the way to the cloud."""
    return Desk(cloud, tmp_path)


def refused(desk: Desk, flow: SignIn = BY_SECRET) -> BridgeError:
    """Return the failure of a sign-in."""
    with pytest.raises(BridgeError) as failed:
        desk.source(flow)()
    assert is_one_sentence(failed.value)
    return failed.value


# --- the table ---


@pytest.mark.parametrize(("code", "word"), EVERY)
def test_a_code_has_an_action(code: int, word: str) -> None:
    """Each code of Microsoft's table says what to do, and whether the same call can succeed later."""
    error = refusal({"error": "invalid_grant", "error_codes": [code]}, "Contoso EU")
    assert error.aadsts == code
    assert word in error.hint
    assert error.retryable is (code in LATER)


@pytest.mark.parametrize("code", sorted({code for code, _ in EVERY} & REASONS.keys() - LATER))
def test_a_code_travels(desk: Desk, code: int) -> None:
    """What the cloud refuses with a code becomes a SignInError with that code and one sentence, at once."""
    desk.cloud.switch(f"signin:{code}")
    error = refused(desk)
    assert isinstance(error, SignInError)
    assert f"AADSTS{code}: {first_sentence(REASONS[code].text.partition('{')[0])}"[:40] in str(error)
    assert "Trace" not in str(error)
    assert len(seen(desk.cloud, "/token")) == 1


@pytest.mark.parametrize("switch", ["signin:90090x1", "signin:503x1", "retry-after:1,signin:429x1"])
def test_what_can_succeed_later_is_tried_again(desk: Desk, switch: str) -> None:
    """After one refusal that passes by itself the same call is made again, and succeeds."""
    desk.cloud.switch(switch)
    assert desk.source(BY_SECRET)()
    assert len(seen(desk.cloud, "/token")) == 2


def test_a_long_wait_is_not_waited(desk: Desk) -> None:
    """Where Microsoft asks for an hour the run ends at once, says so, and a later run may succeed."""
    desk.cloud.switch("retry-after:3600,signin:429")
    error = refused(desk)
    assert isinstance(error, SignInError)
    assert (error.retryable, error.seconds, error.aadsts) == (True, 3600, 90055)


def test_an_unknown_code_keeps_its_text() -> None:
    """A code that is in no table keeps what Microsoft said; the error of OAuth decides what to do."""
    said = "AADSTS999999: A new reason. And more of it.\r\nTrace ID: 1\r\nCorrelation ID: 2"
    error = refusal({"error": "invalid_client", "error_codes": [999999], "error_description": said}, "C")
    assert str(error) == "Microsoft Entra refused the sign-in of C: AADSTS999999: A new reason."
    assert "client_id" in error.hint


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "no reason was given."),
        ({"error": "slow_down"}, "slow_down"),
        ({"error": "x", "error_codes": None, "error_description": None}, "x"),
        ({"error": "x", "error_description": "AADSTS50034: Who?"}, "AADSTS50034: Who?"),
        ({"error": "x", "error_description": "y" * 5000}, "y" * 300),
    ],
)
def test_an_answer_that_is_not_whole(answer: dict[str, object], said: str) -> None:
    """Whatever is missing in Microsoft's answer, there is a sentence, and it is not endless."""
    assert str(refusal(answer, "C")) == f"Microsoft Entra refused the sign-in of C: {said}"


# --- between here and Microsoft ---


def test_a_page_instead_of_an_answer(desk: Desk) -> None:
    """A portal's page at either address is named as somebody else's answer."""
    for switch in ("signin:html", "discovery:html"):
        desk.cloud.switch(switch)
        error = refused(desk)
        assert "nothing that a sign-in could use" in str(error)
        assert not error.retryable


def test_a_host_that_is_no_sign_in_service(desk: Desk) -> None:
    """A configuration without addresses, and one that is not there, are no sign-in service's."""
    desk.cloud.switch("discovery:404")
    assert "HTTP 404" in str(refused(desk))


def test_the_rest_of_the_way(desk: Desk) -> None:
    """A certificate nobody vouches for, and a proxy that wants a password, each with the key to set."""
    desk.cloud.switch("self-signed")
    assert "ca_bundle" in refused(desk).hint
    desk.cloud.switch("proxy-auth")
    assert "proxy_user" in refused(desk).hint


def test_a_proxy_that_takes_our_password(desk: Desk) -> None:
    """With the right name and password the proxy lets the sign-in through; with a wrong one it does not."""
    desk.cloud.switch("proxy-auth")
    user, password = desk.cloud.proxy_user
    web = replace(desk.web, proxy_user=user, proxy_password=SecretReference("env", "PROXY"))
    desk.environment = {"SECRET": SECRET, "PROXY": password}
    assert desk.source(BY_SECRET, web=web)()
    desk.environment = {"SECRET": SECRET, "PROXY": "hunter2"}
    with pytest.raises(SignInError, match="asks for a user name") as failed:
        desk.source(BY_SECRET, web=web)()
    assert "hunter2" not in f"{failed.value}{failed.value.hint}{failed.value.__cause__}"


@pytest.mark.parametrize(
    ("web", "said"),
    [
        (Web(proxy="http://127.0.0.1:9"), "The proxy does not lead to login.microsoftonline.com"),
        (Web(proxy="none"), "login.microsoftonline.com cannot be reached"),
    ],
)
def test_nothing_answers(desk: Desk, web: Web, said: str) -> None:
    """A proxy that is not there, or a network that leads nowhere, is named and may be better later."""
    source = desk.source(BY_SECRET, web=web)
    with pytest.raises(SignInError, match=said) as failed, source.entra.translated():
        source.entra.session.get("https://login.microsoftonline.com/", timeout=2)
    assert failed.value.retryable


def test_an_answer_that_takes_too_long(desk: Desk) -> None:
    """A host that takes the request and does not answer is given up."""
    desk.cloud.switch("slow:1")
    source = desk.source(BY_SECRET)
    with pytest.raises(SignInError, match="did not answer in time"), source.entra.translated():
        source.entra.session.get("https://login.microsoftonline.com/common/x", timeout=0.2)


# --- bad input ---


def test_bad_secrets(desk: Desk) -> None:
    """Expired, wrong, over-long and non-ASCII secrets: each Microsoft's refusal, exit code 5."""
    for secret, code in (("old", 7000222), ("wrong", 7000215), ("x" * 20_000, 7000215), ("ключ", 7000215)):
        desk.environment = {"SECRET": secret}
        error = refused(desk)
        assert isinstance(error, SignInError)
        assert (error.aadsts, error.exit_code) == (code, 5)


def test_an_empty_secret(desk: Desk) -> None:
    """An empty secret is a wrong setting; nobody is asked."""
    desk.environment = {"SECRET": ""}
    assert refused(desk).exit_code == 3
    assert desk.cloud.requests == []


def test_bad_refresh_tokens(desk: Desk) -> None:
    """Revoked, expired, another client's and no tokens at all: exit code 5, and the store is as it was."""
    revoked, expired = (desk.cloud.issue_refresh_token(DESKTOP) for _ in range(2))
    desk.cloud.spoil(revoked)
    desk.cloud.spoil(expired, 700082)
    other = desk.cloud.issue_refresh_token(DAEMON)
    for token, code in ((revoked, 50173), (expired, 700082), (other, 70000), ("é" * 20_000, 70000)):
        desk.keep(token)
        error = refused(desk, BY_REFRESH)
        assert isinstance(error, SignInError)
        assert (error.aadsts, error.exit_code) == (code, 5)
        assert 'beacon-bridge signin "Contoso EU"' in error.hint
        assert desk.store.get("contoso-refresh") == Secret(token)


def test_a_refresh_token_that_is_not_stored(desk: Desk) -> None:
    """A store without the token is a wrong setting."""
    assert refused(desk, BY_REFRESH).exit_code == 3


def test_the_wrong_kind_of_client(desk: Desk) -> None:
    """A secret for a public app, and none for a confidential one, each say what to change."""
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP))
    with_secret = replace(BY_REFRESH, secret=SecretReference("env", "SECRET"))
    assert "AADSTS700025" in str(refused(desk, with_secret))
    desk.keep(desk.cloud.issue_refresh_token(DAEMON))
    error = refused(desk, replace(BY_REFRESH, client_id=DAEMON.client_id))
    assert "AADSTS7000218" in str(error)
    assert "secret = " in error.hint


def test_unknown_tenant_and_app(desk: Desk) -> None:
    """An unknown tenant and an unknown app are named, and so is what to check."""
    with pytest.raises(SignInError, match=r"AADSTS90002.*nowhere\.example") as failed:
        desk.source(BY_SECRET, tenant="nowhere.example")()
    assert is_one_sentence(failed.value)
    desk.environment = {"SECRET": SECRET}
    app = App(secret=SECRET)
    assert "AADSTS700016" in str(refused(desk, replace(BY_SECRET, client_id=app.client_id)))
    assert OTHER.id not in str(failed.value)


def test_a_certificate_that_is_not_registered(desk: Desk) -> None:
    """A good certificate of somebody else is refused by Microsoft."""
    path = desk.home / "other.pem"
    path.touch(mode=0o600)
    path.write_text(new_certificate().pem())
    assert "AADSTS700027" in str(refused(desk, certificate_flow(path)))


@pytest.mark.parametrize(
    ("days", "said"), [((-20, -1), "expired on"), ((1, 20), "is not valid before")], ids=["old", "early"]
)
def test_a_certificate_out_of_its_time(desk: Desk, days: tuple[float, float], said: str) -> None:
    """A certificate that has expired, or is not valid yet, is refused here with its date; nobody is asked."""
    path = desk.home / "app.pfx"
    path.touch(mode=0o600)
    path.write_bytes(new_certificate(*days).pfx())
    error = refused(desk, certificate_flow(path))
    assert said in str(error)
    assert error.exit_code == 5
    assert desk.cloud.requests == []


TWO_KEYS = CERTIFICATE.pem() + new_certificate().pem()
OTHERS = CERTIFICATE.pem().partition("-----BEGIN CERT")[0] + new_certificate().public


@pytest.mark.parametrize(
    ("content", "passphrase", "said"),
    [
        (CERTIFICATE.pfx("right"), "wrong", "its passphrase is wrong"),
        (CERTIFICATE.pfx("right"), None, "its passphrase is missing"),
        (CERTIFICATE.pem("right").encode(), "wrong", "its passphrase is wrong"),
        (CERTIFICATE.pem("right").encode(), None, "its passphrase is missing"),
        (TWO_KEYS.encode(), None, "holds 2 private keys, expected one"),
        (CERTIFICATE.public.encode(), None, "holds no private keys"),
        (OTHERS.encode(), None, "no certificate of that key"),
        (b"neither", None, "no PFX and no PEM"),
        (b"", None, "no PFX and no PEM"),
        (CERTIFICATE.pem().replace("MII", "MIX").encode(), None, "is damaged"),
    ],
    ids=[
        "PFX, wrong passphrase",
        "PFX, no passphrase",
        "PEM, wrong passphrase",
        "PEM, no passphrase",
        "two keys",
        "no key",
        "another key",
        "neither",
        "nothing",
        "damaged",
    ],
)
def test_a_file_that_is_no_certificate(content: bytes, passphrase: str | None, said: str) -> None:
    """What is wrong with a PFX or PEM is a wrong setting, in one sentence that says what to do."""
    word = None if passphrase is None else Secret(passphrase)
    with pytest.raises(SettingsError) as failed:
        identity(content, word, "store:contoso-cert")
    assert said in str(failed.value)
    assert is_one_sentence(failed.value)


def test_the_keys_text_is_not_shown() -> None:
    """A certificate's representation shows no private key."""
    assert "PRIVATE" not in repr(identity(CERTIFICATE.pfx(), None, "x"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('tenant = "contoso .example"', "tenant"),
        ('cloud = { authority = "http://login.example", graph = "https://graph.example" }', "authority"),
    ],
)
def test_settings_that_lead_nowhere(tmp_path: Path, line: str, said: str) -> None:
    """A tenant with blanks and an authority over http are refused where they stand."""
    lines = {"tenant": 'tenant = "contoso.example"', line.partition(" ")[0]: line}
    file = tmp_path / "bridge.toml"
    file.write_text("\n".join(['[connections.Contoso]\nreader = "bridge:Microsoft 365"', *lines.values()]))
    with pytest.raises(SettingsError, match=said):
        settings.load(file, {}, tmp_path)
