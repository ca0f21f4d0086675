"""Signing in: every flow in every cloud, a token that lasts, a refresh token that is never lost."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bridge.errors import SettingsError, SignInError
from bridge.model import CLOUDS, Cloud, Granted, Secret, SecretReference, SignIn
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.signin.source import Source, Stores
from bridge.signin.tenant import prove
from tests.clouds import CERTIFICATE, DAEMON, DESKTOP, GRAPH, HOME, OTHER, _own_network, cloud, graph, running
from tests.killing import every_instant
from tests.signing import BY_REFRESH, BY_SECRET, NAME, Desk, certificate_flow, seen
from tools.tenant import Cloud as Running
from tools.tenant.hosts import SIGN_IN_HOSTS

__all__ = ["_own_network", "cloud", "running"]  # fixtures of this module

TOKEN = "/oauth2/v2.0/token"  # noqa: S105  # the end of an address


@pytest.fixture
def desk(cloud: Running, tmp_path: Path) -> Desk:
    """Return a state folder and the way to the cloud."""
    return Desk(cloud, tmp_path)


def private(path: Path, content: bytes) -> Path:
    """Write a file that nobody else can read."""
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


# --- the flows ---


def test_the_secret_flow(desk: Desk) -> None:
    """An app signs in with its secret; Graph takes the token."""
    token = desk.source(BY_SECRET)()
    assert graph(desk.cloud, "/subscribedSkus", token.reveal()).status_code == 200


@pytest.mark.parametrize("passphrase", [None, "kennwört 1"])
@pytest.mark.parametrize("kind", ["pfx", "pem"])
def test_the_certificate_flow(desk: Desk, kind: str, passphrase: str | None) -> None:
    """An app signs in with a PFX or PEM; Microsoft gets the certificate and its SHA-256 thumbprint."""
    content = CERTIFICATE.pfx(passphrase) if kind == "pfx" else CERTIFICATE.pem(passphrase).encode()
    path = private(desk.home / f"app.{kind}", content)
    desk.environment = {"PASSPHRASE": passphrase or ""}
    token = desk.source(certificate_flow(path, passphrase=passphrase is not None))()
    assert graph(desk.cloud, "/subscribedSkus", token.reveal()).status_code == 200
    header = assertion_header(desk.cloud)
    assert {"x5t#S256", "x5c"} <= header.keys()
    assert "x5t" not in header


def assertion_header(cloud: Running) -> dict[str, object]:
    """Return the header of the last client assertion."""
    sent = [one.form["client_assertion"] for one in cloud.requests if "client_assertion" in one.form][-1]
    head = sent.split(".")[0]
    found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    assert isinstance(found, dict)
    return found


def test_a_stored_certificate(desk: Desk) -> None:
    """A PFX may rest in the store, as bytes."""
    desk.store.put_bytes("contoso-cert", CERTIFICATE.pfx("x"))
    desk.environment = {"PASSPHRASE": "x"}
    reference = SecretReference("store", "contoso-cert")
    flow = replace(certificate_flow(desk.home, passphrase=True), certificate=reference)
    assert desk.source(flow).grant().tenant == HOME.id


def test_the_refresh_flow_of_a_public_client(desk: Desk) -> None:
    """A stored refresh token is redeemed without a secret; the token acts for its user."""
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP))
    grant = desk.source(BY_REFRESH).grant()
    assert grant.user == f"admin@{HOME.domain}"
    assert graph(desk.cloud, "/users", grant.token.reveal()).status_code == 200


def test_the_refresh_flow_of_a_confidential_client(desk: Desk) -> None:
    """Where [signin] has a secret beside the refresh token, both are sent."""
    desk.keep(desk.cloud.issue_refresh_token(DAEMON))
    flow = SignIn("refresh", DAEMON.client_id, BY_SECRET.secret, refresh_token=SecretReference("store", NAME))
    assert desk.source(flow).grant().user == f"admin@{HOME.domain}"


def test_a_domain_instead_of_an_id(desk: Desk) -> None:
    """The tenant may be named by one of its verified domains."""
    assert desk.source(BY_SECRET, tenant=HOME.domain.upper()).grant().tenant == HOME.id


OWN = Cloud("own", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us")


@pytest.mark.parametrize("where", [*CLOUDS.values(), OWN], ids=lambda one: one.name)
def test_every_cloud(desk: Desk, where: Cloud) -> None:
    """Each cloud is asked at its own hosts and at no other, for a token of its own Graph."""
    desk.cloud.switch(f"cloud:{where.authority.removeprefix('https://')}")
    grant = desk.source(BY_SECRET, cloud=where).grant()
    assert grant.claims["aud"] == where.graph
    hosts = {one.host for one in desk.cloud.requests}
    assert hosts == {where.authority.removeprefix("https://"), where.graph.removeprefix("https://")}
    assert where.graph in SIGN_IN_HOSTS[where.authority.removeprefix("https://")]


def test_a_cloud_that_nobody_knows(desk: Desk) -> None:
    """A cloud of one's own is asked at its own address; the global one never hears of it."""
    own = Cloud("own", "https://login.contoso.example", "https://graph.contoso.example")
    source = desk.source(BY_SECRET, cloud=own)
    with pytest.raises(SignInError, match=r"login\.contoso\.example"), source.entra.translated():
        source.entra.application()
    assert desk.cloud.requests == []
    assert set(desk.cloud.refused) == {"login.contoso.example"}


def test_the_wrong_cloud_is_named(desk: Desk) -> None:
    """A tenant of a national cloud is not found in the global one, and the cloud is what to check."""
    desk.cloud.switch("cloud:login.microsoftonline.us")
    with pytest.raises(SignInError, match="AADSTS90002") as failed:
        desk.source(BY_SECRET)()
    assert "cloud" in failed.value.hint


# --- a token lasts the run ---


def test_a_cached_token_costs_no_request(desk: Desk) -> None:
    """A thousand questions are answered with the first token, without a request."""
    source = desk.source(BY_SECRET)
    first = source()
    before = len(desk.cloud.requests)
    assert {source(None) for _ in range(1000)} == {first}
    assert len(desk.cloud.requests) == before


def test_a_token_is_renewed_five_minutes_before_its_end(desk: Desk) -> None:
    """A token is given while five minutes remain; then another is got, and the tenant is not proved again."""
    desk.cloud.switch("token-life:301")
    source = desk.source(BY_SECRET)
    first = source()
    assert source() == first
    time.sleep(1.2)
    assert source() != first
    assert (len(seen(desk.cloud, TOKEN)), len(seen(desk.cloud, "/organization"))) == (2, 1)


def test_a_rejected_token_is_renewed(desk: Desk) -> None:
    """The token that was rejected is replaced; one that was rejected earlier already has been."""
    source = desk.source(BY_SECRET)
    first = source()
    second = source(first)
    assert second != first
    before = len(desk.cloud.requests)
    assert source(first) == second
    assert len(desk.cloud.requests) == before


def test_a_credential_that_ends_in_the_middle(desk: Desk) -> None:
    """A secret that expires during a run fails it with its name, not with an empty token."""
    source = desk.source(BY_SECRET)
    first = source()
    desk.cloud.replace_app(replace(DAEMON, refused_with=7000222))
    with pytest.raises(SignInError, match="AADSTS7000222"):
        source(first)


def test_an_overload_does_not_end_a_good_token(desk: Desk) -> None:
    """When Microsoft is too busy to renew, the old token is given while it lasts, and that is told."""
    desk.cloud.switch("token-life:200")
    source = desk.source(BY_SECRET)
    first = source()
    desk.cloud.switch("token-life:200,retry-after:3600,signin:429")
    assert source() == first
    assert any("not renewed yet" in text for text in desk.told)
    with pytest.raises(SignInError, match="AADSTS90055"):
        source(first)


# --- rotation ---


def test_a_rotated_token_is_stored(desk: Desk) -> None:
    """After each redemption the store holds the newest refresh token; its last day stays."""
    desk.keep(old := desk.cloud.issue_refresh_token(DESKTOP))
    desk.cloud.switch("revoke-old")
    desk.source(BY_REFRESH)()
    rotated = desk.store.get(NAME)
    assert rotated != Secret(old)
    desk.source(BY_REFRESH)()
    assert desk.store.get(NAME) != rotated


def test_a_token_that_does_not_rotate_stays(desk: Desk) -> None:
    """Where Microsoft gives no new refresh token the old one is kept, and nothing is written."""
    desk.keep(old := desk.cloud.issue_refresh_token(DESKTOP))
    desk.cloud.switch("keep-refresh")
    source = desk.source(BY_REFRESH)
    assert source.refresh_token() == Secret(old) == desk.store.get(NAME)


@dataclass
class Meanwhile(Stores):
    """A store into which another run has put a newer token at the moment ours would be stored."""

    desk: Desk
    newer: str

    def put(self, name: str, secret: Secret, *, account: str | None = None) -> None:
        """Store it."""
        self.desk.store.put(name, secret, account=account)

    def replace_if(self, name: str, old: Secret, new: Secret) -> bool:
        """Let the other run be first."""
        self.desk.keep(self.newer)
        return self.desk.store.replace_if(name, old, new)

    def turn(self, name: str) -> AbstractContextManager[None]:
        """Wait for nobody, as an earlier release did."""
        return nullcontext()


def test_what_another_run_stored_stays(desk: Desk) -> None:
    """A run that is too late with its rotated token keeps the other's, and hands that one over."""
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP))
    newer = desk.cloud.issue_refresh_token(DESKTOP)
    source = desk.source(BY_REFRESH, store=Meanwhile(desk, newer))
    assert graph(desk.cloud, "/users", source().reveal()).status_code == 200
    assert desk.store.get(NAME) == Secret(newer) == source.refresh_token()


@pytest.mark.parametrize("switches", ["", "revoke-old"])
def test_runs_at_once(desk: Desk, switches: str) -> None:
    """Runs that redeem the same token at once all end with a token, and the store with one that works."""
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP))
    desk.cloud.switch(switches)
    sources = [desk.source(BY_REFRESH) for _ in range(5)]
    failed: list[BaseException] = []

    def work(source: Source) -> None:
        try:
            source()
        except SignInError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert desk.source(BY_REFRESH)()


def test_a_run_that_waits_too_long_for_its_turn(desk: Desk) -> None:
    """Where another run never ends its renewal, ours says so, and that it can be tried again."""
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP))
    impatient = Store(desk.store.folder, desk.store.vault, queue=0.1)
    with desk.store.turn(NAME), pytest.raises(SignInError, match=f"renewing store:{NAME}") as failed:
        desk.source(BY_REFRESH, store=impatient)()
    assert failed.value.retryable
    assert not seen(desk.cloud, TOKEN)
    assert desk.source(BY_REFRESH, store=impatient)()


def test_a_token_that_another_run_revoked_is_fetched_again(desk: Desk) -> None:
    """A refused token is tried once more if the store holds a newer one by then."""
    desk.keep(old := desk.cloud.issue_refresh_token(DESKTOP))
    newer = desk.cloud.issue_refresh_token(DESKTOP)
    desk.cloud.spoil(old)
    stored = Secrets({}, str, desk.store)

    class Later:
        """Finds the old token first and the newer one later, as a run beside another does."""

        def fetch(self, reference: SecretReference) -> Secret:
            found = stored.fetch(reference)
            desk.keep(newer)
            return found

        def fetch_bytes(self, reference: SecretReference) -> bytes:
            raise NotImplementedError

    source = Source(desk.source(BY_REFRESH).entra, Later(), desk.store, desk.told.append)
    assert source().reveal()
    assert desk.store.get(NAME) not in {Secret(old), Secret(newer)}


def redeem(cloud: Running, folder: Path) -> None:
    """Sign in with the folder's refresh token."""
    Desk(cloud, folder).source(BY_REFRESH)()


def test_killed_at_each_step(desk: Desk) -> None:
    """A run that is killed at any step leaves a token in the store that goes on working."""
    stored = []

    def prepare(folder: Path) -> None:
        stored.append(desk.cloud.issue_refresh_token(DESKTOP))
        Desk(desk.cloud, folder).keep(stored[-1])

    kept = 0
    for folder in every_instant(desk.home, prepare, lambda folder: redeem(desk.cloud, folder)):
        found = Desk(desk.cloud, folder).store.get(NAME)
        kept += found == Secret(stored[-1])
        redeem(desk.cloud, folder)
    assert 2 < kept < len(stored)


def test_killed_where_old_tokens_are_revoked(desk: Desk) -> None:
    """Where a tenant revokes a used token, a kill before ours is stored is told as Microsoft says it."""
    desk.cloud.switch("revoke-old")
    lost = []

    def prepare(folder: Path) -> None:
        Desk(desk.cloud, folder).keep(desk.cloud.issue_refresh_token(DESKTOP))

    for folder in every_instant(desk.home, prepare, lambda folder: redeem(desk.cloud, folder)):
        try:
            redeem(desk.cloud, folder)
        except SignInError as error:
            lost.append(error)
    assert lost
    assert {error.aadsts for error in lost} == {50173}
    assert all("revoked" in str(error) and "beacon-bridge signin" in error.hint for error in lost)


@dataclass
class Full(Stores):
    """A store on a disk that is full."""

    def put(self, name: str, secret: Secret, *, account: str | None = None) -> None:
        """Fail."""
        raise SettingsError("The disk is full.")

    def replace_if(self, name: str, old: Secret, new: Secret) -> bool:
        """Fail."""
        raise SettingsError("The disk is full.")

    def turn(self, name: str) -> AbstractContextManager[None]:
        """Wait for nobody."""
        return nullcontext()


def test_nothing_is_used_before_it_is_stored(desk: Desk) -> None:
    """Where the rotated token cannot be stored the run fails, and the token that came with it is not used."""
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP))
    with pytest.raises(SettingsError, match="full"):
        desk.source(BY_REFRESH, store=Full())()
    assert seen(desk.cloud, TOKEN)
    assert not seen(desk.cloud, host=GRAPH.removeprefix("https://"))


def test_a_token_outside_the_store_is_not_kept(desk: Desk) -> None:
    """A refresh token from the environment works, and what cannot be stored is told."""
    desk.environment = {"REFRESH": desk.cloud.issue_refresh_token(DESKTOP)}
    flow = replace(BY_REFRESH, refresh_token=SecretReference("env", "REFRESH"))
    desk.source(flow)()
    assert any("env:REFRESH is not in the store" in text for text in desk.told)


def test_a_token_outside_the_store_is_renewed_from_its_successor(desk: Desk) -> None:
    """Where used tokens are revoked, the next renewal redeems what the last one brought."""
    desk.environment = {"REFRESH": desk.cloud.issue_refresh_token(DESKTOP)}
    desk.cloud.switch("revoke-old")
    source = desk.source(replace(BY_REFRESH, refresh_token=SecretReference("env", "REFRESH")))
    for _ in range(2):
        first = source()
        assert source(first) != first


# --- what a reader's parameters get ---


def test_a_reader_gets_a_fresh_refresh_token(desk: Desk) -> None:
    """{ refresh_token = true } redeems the stored token once, stores the rotated one and hands that over."""
    desk.keep(old := desk.cloud.issue_refresh_token(DESKTOP))
    source = desk.source(BY_REFRESH)
    given = source.granted(Granted.REFRESH_TOKEN)
    assert given == desk.store.get(NAME) != Secret(old)
    assert source.granted(Granted.REFRESH_TOKEN) == given
    assert source.granted(Granted.TOKEN) == source()
    assert len(seen(desk.cloud, TOKEN)) == 1


def test_an_app_has_no_refresh_token(desk: Desk) -> None:
    """{ refresh_token = true } beside an app's own credential is a wrong setting."""
    with pytest.raises(SettingsError, match="no refresh token to hand over"):
        desk.source(BY_SECRET).granted(Granted.REFRESH_TOKEN)


# --- the right tenant, or nothing ---


@pytest.mark.parametrize("switches", ["", "any-tenant"])
def test_two_swapped_refresh_tokens(desk: Desk, switches: str) -> None:
    """Each connection refuses the other's token: Microsoft does, and where it would not, we do."""
    desk.cloud.switch(switches)
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP, tenant=OTHER), "ours")
    desk.keep(desk.cloud.issue_refresh_token(DESKTOP, tenant=HOME), "theirs")
    for name, tenant, other in (("ours", HOME, OTHER), ("theirs", OTHER, HOME)):
        flow = replace(BY_REFRESH, refresh_token=SecretReference("store", name))
        for called in (tenant.id, tenant.domain):
            with pytest.raises(SignInError) as failed:
                desk.source(flow, tenant=called)()
            expected = f"the token is of the tenant {other.id}" if switches else "AADSTS50020"
            assert expected in str(failed.value)
    assert not seen(desk.cloud, "/users")


def test_the_organisation_must_be_the_connections(desk: Desk) -> None:
    """Where a token says nothing of its tenant, the organisation that Graph shows with it decides."""
    grant = desk.source(BY_SECRET, tenant=OTHER.id).entra.by_credential()
    assert prove(desk.source(BY_SECRET, tenant=OTHER.domain).entra, replace(grant, tenant=None)) is None
    for called in (HOME.id, HOME.domain):
        with pytest.raises(SignInError, match=f"Graph shows the organisation .*{OTHER.id}"):
            prove(desk.source(BY_SECRET, tenant=called).entra, replace(grant, tenant=None))


def test_an_organisation_that_may_not_be_read(desk: Desk) -> None:
    """A token that may not read the organisation is proved by its tid alone, and that is told."""
    desk.cloud.replace_app(replace(DAEMON, roles=frozenset({"Reports.Read.All"})))
    assert desk.source(BY_SECRET)()
    assert len(desk.told) == 1
    assert "proved by the token's tid alone" in desk.told[0]


def test_a_tenant_that_cannot_be_proved(desk: Desk) -> None:
    """No tid and no organisation: whose data it would be is unknown, so nothing is read."""
    desk.cloud.switch("opaque")
    desk.cloud.replace_app(replace(DAEMON, roles=frozenset({"Reports.Read.All"})))
    with pytest.raises(SignInError, match="cannot be proved"):
        desk.source(BY_SECRET)()


@pytest.mark.filterwarnings("ignore:Using /common")  # msal's own advice
@pytest.mark.parametrize("called", ["organizations", "common"])
def test_a_word_for_any_tenant_proves_nothing(desk: Desk, called: str) -> None:
    """A tid that was compared with no id is no proof, where the organisation may not be read either."""
    desk.cloud.replace_app(replace(DAEMON, roles=frozenset({"Reports.Read.All"})))
    with pytest.raises(SignInError, match="names no id to compare it with"):
        desk.source(BY_SECRET, tenant=called)()
    assert not seen(desk.cloud, "/users")


# --- the clock ---


@pytest.mark.parametrize(("seconds", "said"), [(900, "15 minutes behind"), (-900, "15 minutes ahead of")])
def test_a_wrong_clock_is_named(desk: Desk, seconds: int, said: str) -> None:
    """A clock that is more than five minutes off is told, with its direction, beside a token or a refusal."""
    desk.cloud.switch(f"clock:{seconds:+}")
    desk.source(BY_SECRET)()
    assert desk.told == [f"This machine's clock is {said} Microsoft's."]
    desk.environment = {"SECRET": "wrong"}
    with pytest.raises(SignInError, match=f"AADSTS7000215.*{said} Microsoft's"):
        desk.source(BY_SECRET)()


def test_a_small_difference_is_none(desk: Desk) -> None:
    """Within five minutes nothing is said of the clock."""
    desk.cloud.switch("clock:+200")
    desk.source(BY_SECRET)()
    assert desk.told == []


def test_an_assertion_with_a_wrong_clock(desk: Desk) -> None:
    """A certificate's assertion that Microsoft finds out of its time names the clock as the cause."""
    desk.cloud.switch("clock:+1800")
    path = private(desk.home / "app.pem", CERTIFICATE.pem().encode())
    with pytest.raises(SignInError, match=r"AADSTS700024.*30 minutes behind") as failed:
        desk.source(certificate_flow(path))()
    assert failed.value.hint.startswith("Set this machine's clock")
