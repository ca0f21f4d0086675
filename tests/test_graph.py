"""The native engine, against the simulated tenant over real HTTP."""

from __future__ import annotations

import _thread
import json
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.capture import PART
from bridge.collect.graph import Graph
from bridge.collect.graph.abreast import Stop, abreast
from bridge.collect.graph.calls import CALLS
from bridge.collect.graph.cells import Lines, Unfit
from bridge.collect.graph.names import Names
from bridge.collect.graph.options import graph_root
from bridge.errors import BeaconError, BridgeError, ReaderError, SettingsError, SignInError
from bridge.model import Bits, Collected, Gap, Minutes, Owner, Secret, Talk
from bridge.readers import folder
from tests.odd import good, items
from tests.tenancy import FOLDER, USUAL, Told, a_job, expected, our_reader, rows_of
from tests.watched import Watched, watched
from tools.tenant import Answer, Faults, Tenant, scenario, serve
from tools.tenant.faults import NO_FAULTS
from tools.tenant.truth import Row

OLD = "a-token-of-yesterday"
ORGANIZATION, USERS = "/organization", "/users?$select=id,userPrincipalName"
SKUS, PLANS = "/subscribedSkus?$select=skuId,skuPartNumber,accountId", "skuPartNumber,servicePlans"
FORBIDDEN = "Microsoft Graph answered with HTTP 403: Authorization_RequestDenied: Insufficient privileges to "
FORBIDDEN += "complete the operation."
Instead = Mapping[str, list[Answer]]


def refused(code: str, message: str = "no") -> str:
    """Return a body with Graph's error."""
    return json.dumps({"error": {"code": code, "message": message}})


def collects(
    service: Watched, place: Path, told: Told | None = None, minutes: Minutes = USUAL, **parameters: Any
) -> Collected:
    """Collect the tenant's data."""
    return Graph().collect(a_job(service, place, minutes=minutes, **parameters), told or Told())


def fails(
    place: Path,
    instead: Instead | None = None,
    faults: Faults = NO_FAULTS,
    *,
    minutes: Minutes = USUAL,
    told: Told | None = None,
    **parameters: Any,
) -> BridgeError:
    """Collect against a tenant with these answers and faults, and return the error."""
    with watched(Tenant(1200), faults, instead) as service, pytest.raises(BridgeError) as caught:
        collects(service, place, told, minutes, **parameters)
    assert service.token not in str(caught.value)
    return caught.value


def dripping(content: bytes, seconds: float) -> Iterator[bytes]:
    """Yield a byte at a time, and wait before each."""
    for byte in content:
        time.sleep(seconds)
        yield bytes([byte])


def rows(collected: Collected) -> dict[str, list[Row]]:
    """Return what was collected, by step."""
    return {one.step: rows_of(one) for one in collected.captures}


def gaps(collected: Collected) -> list[Gap]:
    """Return the gaps of every step."""
    return [gap for one in collected.captures for gap in one.gaps]


# --- what it brings home ---


@pytest.mark.parametrize(
    ("names", "users", "seed"),
    [
        ("", 0, 1),
        ("", 40, 1),
        ("", 1500, 2),
        ("empty-pages", 1500, 3),
        ("storm", 400, 4),
        ("duplicate-rows", 1200, 5),
        ("expired-page,expired-token", 700, 6),
        ("inline-reports,deleted-in-reports,unknown-sku", 300, 7),
    ],
    ids=lambda value: str(value) or "usual",
)
def test_the_rows_are_the_tenants(names: str, users: int, seed: int, tmp_path: Path) -> None:
    """Every step's rows equal what the tenant holds, in its order, whatever the pages look like."""
    tenant, faults = scenario(names, users, seed)
    with serve(tenant, faults) as service:
        job = a_job(service, tmp_path, source=lambda rejected: Secret(service.token))
        collected = Graph().collect(job, Told())
    want = expected(tenant, faults)
    assert rows(collected) == want
    assert [one.rows for one in collected.captures] == [len(lines) for lines in want.values()]
    assert service.requests.early == 0
    assert bool(service.requests.throttled) == ("storm" in names)


def test_the_engine_says_what_it_is(tmp_path: Path) -> None:
    """It is no PowerShell and claims no bits; captures are numbered in run order."""
    with serve(Tenant(3)) as service:
        collected = Graph().collect(a_job(service, tmp_path), Told())
    assert (collected.engine.name, collected.engine.bits) == ("native", Bits(None, None))
    assert [one.path.name for one in collected.captures] == [f"{number:03}.xml" for number in range(1, 11)]
    assert [one.step for one in collected.captures] == [step.id for step in our_reader().to_collect]
    assert 'engine="native" bits="none"' in collected.captures[0].path.read_text()


def test_it_tells_what_happens(tmp_path: Path) -> None:
    """Each step is told at its beginning and its end; the counts come before and after all others."""
    told = Told()
    with serve(Tenant(300)) as service:
        Graph().collect(a_job(service, tmp_path), told)
    steps = [(talk.text, talk.done, talk.rows) for talk in told.talk if talk.kind == "step"]
    assert steps[:2] == [("Control.xml/Opening", False, 0), ("Control.xml/Opening", True, 2)]
    assert steps[-2:] == [("Control.xml/Closing", False, 0), ("Control.xml/Closing", True, 2)]
    assert ("User.xml/User", True, 300) in steps
    assert len(steps) == 20


@pytest.mark.parametrize("tail", ["", "/", "/v1.0", "/v1.0/"])
def test_the_root_can_be_written_in_several_ways(tail: str, tmp_path: Path) -> None:
    """A trailing slash or /v1.0 at the end of GraphRoot makes no difference."""
    with serve(Tenant(3)) as service:
        collected = Graph().collect(a_job(service, tmp_path, root=service.root + tail), Told())
    assert [one.rows for one in collected.captures][:2] == [2, 1]


@pytest.mark.parametrize(
    "root",
    [
        "",
        "graph.microsoft.com",
        "http://graph.microsoft.com",
        "http://127.evil.example",
        "ftp://x",
        "https://[",
        "https://me@graph.microsoft.com",
        "https://graph..microsoft.com",
    ],
)
def test_a_root_that_is_none_is_refused(root: str) -> None:
    """Only https addresses are taken, and http on loopback: a token must not travel in the clear."""
    with pytest.raises(SettingsError, match="GraphRoot"):
        graph_root(root)


# --- whose folder ---


def test_a_foreign_folder_is_refused_by_name(tmp_path: Path) -> None:
    """The beacon's folder of the same name, and our own under another name, are not what it knows."""
    with serve(Tenant(1)) as service:
        job = a_job(service, tmp_path)
        for reader in (
            replace(job.reader, owner=Owner.BEACON),
            replace(job.reader, owner=Owner.PATH),
            replace(job.reader, name="Badges"),
        ):
            with pytest.raises(BeaconError, match=reader.name):
                Graph().collect(replace(job, reader=reader), Told())
    assert not service.requests.paths


def test_a_column_it_does_not_know_is_refused(tmp_path: Path) -> None:
    """A folder that has gained a column is refused before anything is asked for."""
    changed = tmp_path / "Microsoft 365"
    shutil.copytree(FOLDER, changed)
    file = changed / "User.xml"
    extra = '  <OutputSchema Name="Shoe" Type="int" Property="Shoe"/>\n  </Reader>'
    file.write_text(file.read_text().replace("  </Reader>", extra))
    with serve(Tenant(1)) as service:
        job = a_job(service, tmp_path / "run")
        with pytest.raises(BeaconError, match=r"User\.xml/User"):
            Graph().collect(replace(job, reader=folder.load(changed, Owner.BRIDGE)), Told())
    assert not service.requests.paths


# --- side by side ---


def test_entities_are_read_side_by_side(tmp_path: Path) -> None:
    """At least six requests are under way at a time, and never more than there are entities."""
    with watched(Tenant(2500), Faults(page_wait=0.2)) as service:
        collects(service, tmp_path)
    assert 6 <= service.most <= 8


def test_the_next_page_is_fetched_while_one_is_written(tmp_path: Path) -> None:
    """When a page comes to be written, the one behind it has been asked for already."""
    seen: list[int] = []
    with watched(Tenant(8000)) as service:

        def told(talk: Talk) -> None:
            if talk.kind == "step" and talk.step == "User.xml/User" and talk.done:
                seen.append(len(service.addresses(USERS)))

        Graph().collect(a_job(service, tmp_path), told)
    assert seen == [9]


def test_the_first_failure_stops_the_others(tmp_path: Path) -> None:
    """While other lists would still take a minute, a refused one ends the run; no other capture appears."""
    started = time.monotonic()
    body = refused("Authorization_RequestDenied")
    error = fails(tmp_path, {SKUS: [Answer(403, body)]}, Faults(page_wait=5, top_cap=100))
    assert "LicenseAssignment.Read.All" in error.hint
    assert time.monotonic() - started < 4
    assert [one.name for one in sorted((tmp_path / "capture").glob("*.xml"))] == ["001.xml"]


def test_what_goes_wrong_with_the_token_is_said_first() -> None:
    """Among several failures the one of the sign-in explains the others, whichever came first."""

    def at_once() -> None:
        raise ReaderError("the first")

    def later() -> None:
        time.sleep(0.1)
        raise SignInError("the token")

    with pytest.raises(SignInError):
        abreast([at_once, later], Stop())
    with pytest.raises(ReaderError, match="the first"):
        abreast([at_once], Stop())


def test_an_interruption_ends_all_steps(tmp_path: Path) -> None:
    """Ctrl-C in the main thread is raised there as soon as no step is at work any more."""
    started = time.monotonic()

    def told(talk: Talk) -> None:
        if (talk.kind, talk.step) == ("step", "User.xml/User") and not talk.done:
            _thread.interrupt_main()

    with watched(Tenant(1200), Faults(page_wait=5)) as service, pytest.raises(KeyboardInterrupt):
        Graph().collect(a_job(service, tmp_path), told)
    assert time.monotonic() - started < 4


def test_one_step_talks_at_a_time(tmp_path: Path) -> None:
    """What is told comes from one thread at a time; an error of whoever listens ends the run."""
    busy = False

    def told(talk: Talk) -> None:
        nonlocal busy
        assert not busy
        busy = True
        time.sleep(0.02)
        busy = False
        if talk.step == "Control.xml/Closing":
            raise OSError("the disk is full")

    with serve(Tenant(50)) as service, pytest.raises(OSError, match="the disk is full"):
        Graph().collect(a_job(service, tmp_path), told)


# --- the token ---


def test_a_wrong_token_is_a_sign_in_error(tmp_path: Path) -> None:
    """A 401 with nobody to ask for another token is a SignInError with Graph's code, without the token."""
    with (
        serve(Tenant(3)) as service,
        pytest.raises(SignInError, match="InvalidAuthenticationToken") as caught,
    ):
        Graph().collect(a_job(service, tmp_path, token=OLD), Told())
    assert OLD not in str(caught.value)
    assert sum(service.requests.paths.values()) == 1


def test_without_any_token_nothing_is_asked(tmp_path: Path) -> None:
    """An empty AccessToken and no other source end before the first request."""
    with serve(Tenant(3)) as service, pytest.raises(SignInError, match="AccessToken is empty"):
        Graph().collect(a_job(service, tmp_path, token=""), Told())
    assert not service.requests.paths


def test_a_rejected_token_is_renewed_once(tmp_path: Path) -> None:
    """On a 401 the source is asked with the rejected token; its answer is used, and refused for good."""
    asked: list[str | None] = []
    with serve(Tenant(3)) as service:

        def source(rejected: Secret | None) -> Secret:
            asked.append(rejected.reveal() if rejected else None)
            return Secret(service.token if len(asked) == 1 else "bad too")

        Graph().collect(a_job(service, tmp_path / "1", token=OLD, source=source), Told())
        assert asked == [OLD]
        with pytest.raises(SignInError):
            Graph().collect(a_job(service, tmp_path / "2", token=OLD, source=source), Told())
        assert asked == [OLD, OLD]


def test_a_token_that_ends_between_pages_is_renewed_once_for_all(tmp_path: Path) -> None:
    """Lists that are refused side by side ask for one new token, not for one each."""
    asked: list[Secret | None] = []
    tenant, faults = scenario("expired-token", 1200, 3)
    with serve(tenant, faults) as service:

        def source(rejected: Secret | None) -> Secret:
            asked.append(rejected)
            return Secret(service.token)

        collected = Graph().collect(a_job(service, tmp_path, source=source), Told())
    assert rows(collected) == expected(tenant, faults)
    assert len(asked) == 1


def test_an_empty_token_comes_from_the_source(tmp_path: Path) -> None:
    """Where AccessToken is empty the source is asked at first and before each request, with none rejected."""
    with watched(Tenant(3)) as service:
        asked: list[Secret | None] = []

        def source(rejected: Secret | None) -> Secret:
            asked.append(rejected)
            return Secret(service.token)

        Graph().collect(a_job(service, tmp_path, token="", source=source), Told())
    assert asked == [None] * (1 + len(service.signed))


# --- when Graph misbehaves ---


def test_a_list_without_end_is_refused(tmp_path: Path) -> None:
    """A next link that leads to its own page ends the step with that explanation."""
    error = fails(tmp_path, faults=Faults(loop=True, top_cap=100))
    assert isinstance(error, ReaderError)
    assert "same next page twice" in str(error)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://localhost:1",
        "https://127.0.0.1",
        "//graph.example",
        "http://[",
        "http://127.0.0.1:1\\@{host}",
        "http://127.0.0.1:1@{host}",
        "http://{host} ",
    ],
)
def test_the_token_stays_with_its_host(elsewhere: str, tmp_path: Path) -> None:
    """A next link to another scheme, host or port, or to who knows which, is refused."""

    def link(original: str) -> str:
        return (
            elsewhere.replace("{host}", original.split("/")[2]) + "/v1.0/users?" + original.partition("?")[2]
        )

    error = fails(tmp_path, faults=Faults(next_link=link, top_cap=100))
    assert isinstance(error, ReaderError)
    assert "the token is not sent there" in str(error)


def test_nothing_is_sent_to_another_host_before_a_page_is_parsed(tmp_path: Path) -> None:
    """The next link that is sighted in a page's bytes is held to the same rule as the parsed one."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.5)
        away = f"http://127.0.0.1:{other.getsockname()[1]}/v1.0/users?"
        faults = Faults(next_link=lambda link: away + link.partition("?")[2], top_cap=100)
        error = fails(tmp_path, faults=faults)
        with pytest.raises(TimeoutError):
            other.accept()
    assert "the token is not sent there" in str(error)


def test_a_throttled_call_is_patient(tmp_path: Path) -> None:
    """Twelve refusals of one call, each waited out, are not the end: of calls side by side one is unlucky."""
    busy = Answer(429, "{}", {"Retry-After": "0"})
    with watched(Tenant(3), instead={"/v1.0/organization": [busy] * 12}) as service:
        collected = Graph().collect(a_job(service, tmp_path), Told())
    assert len(service.addresses("/v1.0/organization")) == 13
    assert {one.step: one.rows for one in collected.captures}["Organization.xml/Organization"] == 1


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """Nothing listens to a redirect: the token would go with it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        away = f"http://127.0.0.1:{other.getsockname()[1]}/"
        error = fails(tmp_path, {ORGANIZATION: [Answer(302, "", {"Location": away})]})
        with pytest.raises(TimeoutError):
            other.accept()
    assert "HTTP 302" in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>", "no JSON"),
        ('{"@odata.context": "x"}', "without a list of values"),
        ('{"value": {}}', "without a list of values"),
        ('{"value": [null]}', "row 1: there is no skuId"),
        ('{"value": [{"skuId": "x"}]}', "row 1: there is no prepaidUnits"),
        ('{"value": [{"skuId": "x", "prepaidUnits": {}}]}', "there is no skuPartNumber"),
        ('{"value": [{"skuId": 7}]}', "there is no skuId"),
        ("[]", "without a list of values"),
        ("", "no JSON"),
    ],
)
def test_an_answer_that_is_no_list_is_an_error(body: str, said: str, tmp_path: Path) -> None:
    """An answer without `value`, or items without what was asked for, never become an empty table."""
    assert said in str(fails(tmp_path, {SKUS: [Answer(200, body)]}))
    assert not (tmp_path / "capture" / "003.xml").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accountEnabled": "yes"}, "accountEnabled is 'yes', expected true or false"),
        ({"accountEnabled": 1}, "accountEnabled is '1', expected true or false"),
        ({"mail": ["a@b"]}, "mail is a list, expected a text"),
        ({"proxyAddresses": "a@b"}, "proxyAddresses is 'a@b', expected a list of texts"),
        ({"otherMails": ["a@b", None]}, "expected a list of texts"),
        ({"otherMails": [{}]}, "expected a list of texts"),
        ({"createdDateTime": "2026-11-24"}, "expected a moment such as 2026-11-24T08:15:30Z"),
        ({"createdDateTime": "2026-11-24T08:15:30+01:00"}, "expected a moment"),
        ({"createdDateTime": 5}, "expected a moment"),
    ],
)
def test_a_value_of_another_type_is_an_error(change: dict[str, object], said: str, tmp_path: Path) -> None:
    """A value is what Graph documents, or the step ends naming row, property and value."""
    names = (
        "id,userPrincipalName,mail,proxyAddresses,otherMails,displayName,givenName,surname,accountEnabled,"
    )
    names += "userType,createdDateTime,country,department,usageLocation,onPremisesImmutableId,"
    names += "onPremisesLastSyncDateTime"
    user = {**dict.fromkeys(names.split(",")), "id": "1"}
    body = json.dumps({"value": [user, {**user, **change, "id": "2"}]})
    error = str(fails(tmp_path, {USERS: [Answer(200, body)]}))
    assert error.startswith("User.xml/User, row 2: ")
    assert said in error


def test_what_graph_does_not_document_is_refused() -> None:
    """A value is null, or as documented, or an error that names the property."""
    for odd in items():
        call = CALLS[odd.step]
        lines = Lines(list(call.cells.values()))
        with pytest.raises(Unfit, match=re.escape(odd.said)):
            list(map(lines.line, call.rows(odd.item, Names())))


@pytest.mark.parametrize("step", CALLS)
def test_what_may_be_null_is_no_error(step: str) -> None:
    """Null in every column but the id."""
    call = CALLS[step]
    lines = Lines(list(call.cells.values()))
    assert len(list(map(lines.line, call.rows(good(step), Names())))) == 1


@pytest.mark.parametrize(
    ("activity", "said"),
    [
        ([], "signInActivity is no object"),
        ("2026-11-24T08:15:30Z", "signInActivity is no object"),
        ({"lastSignInDateTime": ""}, "lastSignInDateTime is '', expected a moment"),
        (
            {"lastSuccessfulSignInDateTime": False},
            "lastSuccessfulSignInDateTime is 'False', expected a moment",
        ),
    ],
)
def test_a_sign_in_that_is_none_is_an_error(activity: object, said: str, tmp_path: Path) -> None:
    """Only what is missing, null or of the year 1 is null."""
    never = {"id": "1", "signInActivity": {"lastSignInDateTime": "0001-01-01T00:00:00Z"}}
    body = json.dumps({"value": [never, {"id": "2", "signInActivity": activity}]})
    error = str(fails(tmp_path, {"signInActivity": [Answer(200, body)]}))
    assert error.startswith(f"SignIn.xml/SignIn, row 2: {said}")


def test_a_forbidden_call_names_the_permission(tmp_path: Path) -> None:
    """A 403 where nothing works without the call names the least permission for it."""
    error = fails(tmp_path, faults=Faults(forbidden=frozenset({"LicenseAssignment.Read.All"})))
    assert isinstance(error, ReaderError)
    assert FORBIDDEN in str(error)
    assert "LicenseAssignment.Read.All" in error.hint


def test_a_forgotten_page_begins_the_step_again(tmp_path: Path) -> None:
    """An expired page token throws the step's rows away; the second time brings them all, and it is told."""
    told = Told()
    tenant, faults = scenario("expired-page", 1500, 2)
    with watched(tenant, faults) as service:
        collected = collects(service, tmp_path, told)
    assert rows(collected) == expected(tenant, faults)
    again = "User.xml/User begins again, 1 of 5: Microsoft Graph answered with HTTP 400: Directory_Expired"
    assert any(text.startswith(again) for text in told.texts("log"))


def test_a_forgotten_page_is_known_by_its_code(tmp_path: Path) -> None:
    """Whatever status comes with it, the step begins again and brings every row."""
    gone = {"userPrincipalName": [Answer(410, refused("DirectoryPageTokenNotFoundException"))]}
    told = Told()
    with watched(Tenant(30), instead=gone) as service:
        collected = collects(service, tmp_path, told)
    assert rows(collected) == expected(Tenant(30))
    assert any(text.startswith("User.xml/User begins again, 1 of 5") for text in told.texts("log"))


def test_a_page_that_is_always_forgotten_ends_the_step(tmp_path: Path) -> None:
    """After five restarts the step fails in a way that another run can mend, and leaves no capture."""
    told = Told()
    error = fails(tmp_path, faults=Faults(expire_pages=-1, top_cap=100), told=told)
    assert isinstance(error, ReaderError)
    assert error.retryable
    assert "was begun 6 times" in str(error)
    assert any("begins again, 5 of 5" in text for text in told.texts("log"))
    assert (tmp_path / "capture" / f"007.xml{PART}").exists()
    assert not (tmp_path / "capture" / "007.xml").exists()


def test_users_who_come_twice_are_written_once(tmp_path: Path) -> None:
    """A list that shifts while it is read repeats users; they are dropped, counted and told."""
    told = Told()
    tenant, faults = Tenant(1200), Faults(repeat=2, top_cap=250)
    with watched(tenant, faults) as service:
        collected = collects(service, tmp_path, told)
    assert rows(collected) == expected(tenant)
    assert told.texts("log").count("8 users came twice and are written once") == 3


def test_a_product_that_comes_twice_is_written_once(tmp_path: Path) -> None:
    """A repeated SKU is dropped, too."""
    told = Told()
    sku = {"skuId": "s", "skuPartNumber": "P", "servicePlans": []}
    with watched(Tenant(3), instead={PLANS: [Answer(200, json.dumps({"value": [sku, sku]}))]}) as service:
        collects(service, tmp_path, told)
    assert "1 products came twice and are written once" in told.texts("log")


def test_a_subscription_that_comes_three_times_is_written_once(tmp_path: Path) -> None:
    """Commerce subscriptions are known by their id; the others are told."""
    told = Told()
    names = "id,commerceSubscriptionId,skuId,skuPartNumber,status,isTrial,totalLicenses,createdDateTime,"
    names += "nextLifecycleDateTime,ownerType,ownerTenantId"
    body = json.dumps({"value": [{**dict.fromkeys(names.split(",")), "id": "s"}] * 3})
    with watched(Tenant(3), instead={"/directory/": [Answer(200, body)]}) as service:
        collected = collects(service, tmp_path, told)
    assert len(rows(collected)["CommerceSubscription.xml/CommerceSubscription"]) == 1
    assert "2 subscriptions came twice and are written once" in told.texts("log")


def test_nothing_is_told_after_the_end(tmp_path: Path) -> None:
    """A page that was being fetched when the run failed leads to no wait, no request and no word."""
    told = Told()
    busy = Answer(429, "", {"Retry-After": "1", "Content-Length": "4"}, dripping(b"{  }", 0.4))
    with watched(Tenant(3), instead={USERS: [busy], ORGANIZATION: [Answer(501, "no")]}) as service:
        with pytest.raises(ReaderError, match="HTTP 501"):
            collects(service, tmp_path, told)
        number, asked = len(told.talk), len(service.asked)
        time.sleep(2.5)
        assert (len(told.talk), len(service.asked)) == (number, asked)


# --- waiting ---


def test_a_server_error_is_tried_again(tmp_path: Path) -> None:
    """A 503 without Retry-After is asked again after a second, then two; the rows are whole."""
    told = Told()
    with watched(
        Tenant(3), instead={ORGANIZATION: [Answer(503), Answer(502, "<html>bad gateway</html>")]}
    ) as service:
        collected = collects(service, tmp_path, told)
    assert collected.captures[1].rows == 1
    assert told.texts("wait") == ["waiting 1 seconds: HTTP 503", "waiting 2 seconds: HTTP 502"]


def test_501_is_not_tried_again(tmp_path: Path) -> None:
    """Graph says 501 to a property that a list does not have: waiting would not help."""
    told = Told()
    assert "HTTP 501" in str(fails(tmp_path, {ORGANIZATION: [Answer(501, "no")]}, told=told))
    assert told.texts("wait") == []


def test_a_throttled_call_holds_those_of_its_budget(tmp_path: Path) -> None:
    """Until Retry-After is over nothing more is asked of the directory; reports have their own budget."""
    told = Told()
    busy = Answer(429, refused("TooManyRequests"), {"Retry-After": "1"})
    faults = Faults(page_wait=0.3, top_cap=200)
    with watched(Tenant(1200), faults, {ORGANIZATION: [busy]}) as service:
        collected = collects(service, tmp_path, told)
    assert rows(collected) == expected(Tenant(1200))
    began = next(moment for moment, target in service.asked if ORGANIZATION in target)
    held = [target for moment, target in service.asked if began + 0.15 < moment < began + 0.98]
    assert not [target for target in held if "/reports/" not in target and "/files/" not in target]
    assert "waiting 1 seconds: HTTP 429" in told.texts("wait")
    assert any(text.endswith("seconds: HTTP 429 of another call") for text in told.texts("wait"))


def test_endless_throttling_ends_at_the_deadline(tmp_path: Path) -> None:
    """Graph that only ever says 429 costs no more than the step's minutes; another run may succeed."""
    started = time.monotonic()
    error = fails(tmp_path, faults=Faults(throttle_every=1), minutes=Minutes(step=0.05))
    assert isinstance(error, ReaderError)
    assert error.retryable
    assert "step is not done after 0.05 minutes" in str(error)
    assert time.monotonic() - started < 5


def test_the_run_has_a_deadline_too(tmp_path: Path) -> None:
    """A wait that would pass the run's minutes is not begun."""
    answer = Answer(429, "", {"Retry-After": "120"})
    started = time.monotonic()
    error = fails(tmp_path, faults=Faults(answers={1: answer}), minutes=Minutes(step=0, run=1))
    assert "run is not done after 1 minutes" in str(error)
    assert time.monotonic() - started < 5


def test_an_answer_that_drips_ends_at_the_deadline(tmp_path: Path) -> None:
    """However steadily bytes come, the step takes no longer than its minutes."""
    body = dripping(b'{"value": []}' + b" " * 100, 0.3)
    answer = Answer(200, "", {"Content-Length": "113"}, body)
    started = time.monotonic()
    error = fails(tmp_path, {SKUS: [answer]}, minutes=Minutes(step=0.05))
    assert "step is not done after 0.05 minutes" in str(error)
    assert time.monotonic() - started < 5


def test_a_wait_without_measure_is_not_waited(tmp_path: Path) -> None:
    """Without deadlines too, a Retry-After of an hour ends the step instead of holding it."""
    answer = Answer(429, "", {"Retry-After": "3600"})
    error = fails(tmp_path, faults=Faults(answers={1: answer}), minutes=Minutes(step=0, run=0))
    assert error.retryable
    assert "Gave up after 1 attempts" in str(error)


def test_nobody_answers(tmp_path: Path) -> None:
    """A root where nothing listens is asked four times and then named as unanswered."""
    told = Told()
    with serve(Tenant(1)) as service:
        job = a_job(service, tmp_path)
    with pytest.raises(ReaderError, match="did not answer") as caught:
        Graph().collect(job, told)
    assert caught.value.retryable
    assert len(told.texts("wait")) == 3


# --- gaps and facts ---


@pytest.mark.parametrize(
    ("permission", "want"),
    [
        (
            "Organization.Read.All",
            [
                Gap("organization", f"Organization.Read.All is missing: {FORBIDDEN}"),
                Gap("commerce-subscriptions", f"Organization.Read.All is missing: {FORBIDDEN}"),
            ],
        ),
        (
            "AuditLog.Read.All",
            [Gap("sign-ins", f"AuditLog.Read.All or an Entra ID P1 licence is missing: {FORBIDDEN}")],
        ),
        ("Reports.Read.All", [Gap("usage", f"Reports.Read.All is missing: {FORBIDDEN}")]),
        ("ReportSettings.Read.All", []),
    ],
)
def test_a_missing_permission_is_a_gap(permission: str, want: list[Gap], tmp_path: Path) -> None:
    """What can be left out without a permission is left out, and said once in just these words."""
    tenant, faults = Tenant(60), Faults(forbidden=frozenset({permission}))
    told = Told()
    with watched(tenant, faults) as service:
        collected = collects(service, tmp_path, told)
    assert gaps(collected) == want
    assert rows(collected) == expected(tenant, faults)
    assert sorted(told.texts("gap")) == sorted(f"{gap.name} (1): {gap.text}" for gap in want)


def test_a_permission_that_vanishes_while_a_list_is_read_is_no_gap(tmp_path: Path) -> None:
    """Rows that came before a 403 are not all there are: the step fails."""
    body = refused("Authorization_RequestDenied")
    error = fails(
        tmp_path,
        {"signInActivity&$top=500&$skiptoken": [Answer(403, body)]},
        Faults(top_cap=100),
    )
    assert "HTTP 403" in str(error)


def test_a_permission_that_vanishes_after_an_empty_page_is_no_gap(tmp_path: Path) -> None:
    """What counts is the page, not whether it brought anything."""
    body = refused("Authorization_RequestDenied")
    later = {"signInActivity&$top=500&$skiptoken": [Answer(403, body)]}
    error = fails(tmp_path, later, Faults(empty_every=1), minutes=Minutes(step=0.2))
    assert "HTTP 403" in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"code": "X", "message": null}}', "X: "),
        (b'{"error": {"code": null}}', ": "),
        (b'{"error": {"code": "X", "message": "\xff"}}', "X: \ufffd"),
        (b"\xef\xbb\xbf<p>\xff", "no Graph error: <p>\ufffd"),
        (("x" + "\U0001f600" * 150).encode(), "no Graph error: x" + "\U0001f600" * 99 + "\ufffd"),
        (b'{"error": "no"}', 'no Graph error: {"error": "no"}'),
    ],
)
def test_what_a_refusal_says_is_a_text(body: bytes, said: str, tmp_path: Path) -> None:
    """Code and message may be missing; a body from elsewhere is decoded, and cut as .NET counts."""
    answer = Answer(403, "", {"Content-Length": str(len(body))}, [body])
    with watched(Tenant(3), instead={ORGANIZATION: [answer]}) as service:
        collected = collects(service, tmp_path)
    text = f"Organization.Read.All is missing: Microsoft Graph answered with HTTP 403: {said}"
    assert gaps(collected) == [Gap("organization", text)]


def test_a_long_gap_is_cut(tmp_path: Path) -> None:
    """A gap has 600 UTF-16 units; half of a pair becomes U+FFFD, as in PowerShell."""
    start = "Organization.Read.All is missing: Microsoft Graph answered with HTTP 403: X: "
    for head in ("", "a"):
        body = refused("X", head + "\U0001f600" * 400)
        with watched(Tenant(3), instead={ORGANIZATION: [Answer(403, body)]}) as service:
            (gap,) = gaps(collects(service, tmp_path / (head or "b")))
        pairs, half = divmod(600 - len(start + head), 2)
        assert gap.text == start + head + "\U0001f600" * pairs + "\ufffd" * half + "..."


def test_a_cloud_that_counts_no_licences_leaves_a_row_out(tmp_path: Path) -> None:
    """400 and 404 for the second count are a fact that is told; the first count must be there."""
    told = Told()
    no = [Answer(400, refused("Request_BadRequest")), Answer(404, refused("ResourceNotFound"))]
    with watched(Tenant(3), instead={"$filter": no}) as service:
        collected = collects(service, tmp_path, told)
    assert [collected.captures[0].rows, collected.captures[-1].rows] == [1, 1]
    assert told.texts("log").count("fact: LicensedUser is not counted by this cloud") == 2
    assert "HTTP 404" in str(fails(tmp_path / "2", {"/users/$count": [no[1]]}))


@pytest.mark.parametrize("body", ["", "many", "-1", "1.5", '{"value": 3}'])
def test_a_count_that_is_no_number_is_an_error(body: str, tmp_path: Path) -> None:
    """A count is digits and nothing else."""
    assert "counted User as" in str(fails(tmp_path, {"/users/$count": [Answer(200, body)]}))


def test_what_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    """Reports and SignIns can be switched off: no request, no rows, a line in the log."""
    told = Told()
    with watched(Tenant(30)) as service:
        collected = collects(service, tmp_path, told, Reports="None", SignIns="NO")
    assert rows(collected) == expected(Tenant(30), reports="none", sign_ins=False)
    assert not service.addresses("eport")
    assert not service.addresses("signInActivity")
    assert len(told.texts("log")) == 2


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("Reports", "getShoeSizes", "getEmailActivityUserDetail"),
        ("Reports", "none,getEmailActivityUserDetail", "getEmailActivityUserDetail"),
        ("Period", "D31", "D7, D30, D90, D180"),
        ("SignIns", "perhaps", "yes, no"),
        ("ProductNames", "/nowhere/names.csv", "No such file"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused(
    parameter: str, value: str, said: str, tmp_path: Path
) -> None:
    """Before the first request an error names the parameter and what it may be."""
    with watched(Tenant(1)) as service, pytest.raises(SettingsError, match=parameter) as caught:
        collects(service, tmp_path, None, USUAL, **{parameter: value})
    assert said in str(caught.value)
    assert not service.asked


def test_threads_take_short_turns_only_meanwhile(tmp_path: Path) -> None:
    """While lists are read side by side a thread waits a millisecond for its turn; afterwards as before."""
    usual, seen = sys.getswitchinterval(), set()
    with serve(Tenant(3)) as service:
        Graph().collect(a_job(service, tmp_path), lambda talk: seen.add(sys.getswitchinterval()))
    assert 0.001 in {round(one, 6) for one in seen}
    assert sys.getswitchinterval() == usual
