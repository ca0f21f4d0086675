"""The native engine, against the simulated tenant over real HTTP."""

from __future__ import annotations

import json
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.capture import PART
from bridge.collect.graph.engine import Graph, graph_root
from bridge.errors import BeaconError, BridgeError, ReaderError, SettingsError, SignInError
from bridge.model import Bits, Minutes, Owner, Secret
from bridge.readers import folder
from tests.tenancy import FOLDER, USUAL, Told, a_job, expected, our_reader, rows_of
from tools.tenant import Answer, Faults, Tenant, serve

OLD = "a-token-of-yesterday"


def fails(faults: Faults, place: Path, *, minutes: Minutes = USUAL, told: Told | None = None) -> BridgeError:
    """Collect against a tenant with these faults and return the error."""
    with serve(Tenant(1200), faults) as service, pytest.raises(BridgeError) as caught:
        Graph().collect(a_job(service, place, minutes=minutes), told or Told())
    assert service.token not in str(caught.value)
    return caught.value


# --- what it brings home ---


@pytest.mark.parametrize(
    ("users", "seed", "faults"),
    [
        (0, 1, Faults()),
        (40, 1, Faults()),
        (1500, 2, Faults()),
        (1500, 3, Faults(empty_every=2, charset="")),
        (700, 4, Faults(throttle_every=4)),
    ],
    ids=["nobody", "few", "pages", "empty pages, no charset", "throttled"],
)
def test_the_rows_are_the_tenants(users: int, seed: int, faults: Faults, tmp_path: Path) -> None:
    """Every step's rows equal what the tenant holds, in its order, whatever the pages look like."""
    tenant = Tenant(users, seed)
    with serve(tenant, faults) as service:
        collected = Graph().collect(a_job(service, tmp_path), Told())
    want = expected(tenant)
    assert {one.step: rows_of(one) for one in collected.captures} == want
    assert [one.rows for one in collected.captures] == [len(rows) for rows in want.values()]
    assert service.requests.early == 0
    assert bool(service.requests.throttled) == bool(faults.throttle_every)


def test_the_engine_says_what_it_is(tmp_path: Path) -> None:
    """It is no PowerShell and claims no bits; captures are numbered in run order."""
    with serve(Tenant(3)) as service:
        collected = Graph().collect(a_job(service, tmp_path), Told())
    assert (collected.engine.name, collected.engine.bits) == ("native", Bits(None, None))
    assert [one.path.name for one in collected.captures] == ["001.xml", "002.xml", "003.xml"]
    assert 'engine="native" bits="none"' in collected.captures[0].path.read_text()


def test_it_tells_what_happens(tmp_path: Path) -> None:
    """Each step is told at its beginning and its end, and each wait with its length and reason."""
    told = Told()
    with serve(Tenant(300), Faults(throttle_every=3)) as service:
        Graph().collect(a_job(service, tmp_path), told)
    steps = [(talk.text, talk.done, talk.rows) for talk in told.talk if talk.kind == "step"]
    assert steps[:3] == [
        ("Subscription.xml/Subscription", False, 0),
        ("Subscription.xml/Subscription", True, 8),
        ("User.xml/User", False, 0),
    ]
    assert told.texts("wait")[0] == "waiting 1 seconds: HTTP 429"


@pytest.mark.parametrize("tail", ["", "/", "/v1.0", "/v1.0/"])
def test_the_root_can_be_written_in_several_ways(tail: str, tmp_path: Path) -> None:
    """A trailing slash or /v1.0 at the end of GraphRoot makes no difference."""
    with serve(Tenant(3)) as service:
        collected = Graph().collect(a_job(service, tmp_path, root=service.root + tail), Told())
    assert [one.rows for one in collected.captures][:2] == [8, 3]


@pytest.mark.parametrize(
    "root", ["", "graph.microsoft.com", "http://graph.microsoft.com", "ftp://x", "https://["]
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


def test_an_empty_token_comes_from_the_source(tmp_path: Path) -> None:
    """Where AccessToken is empty the source is asked at first and before each request, with none rejected."""
    with serve(Tenant(3)) as service:
        asked: list[Secret | None] = []

        def source(rejected: Secret | None) -> Secret:
            asked.append(rejected)
            return Secret(service.token)

        Graph().collect(a_job(service, tmp_path, token="", source=source), Told())
    assert asked == [None] * (1 + sum(service.requests.paths.values()))


# --- when Graph misbehaves ---


def test_a_list_without_end_is_refused(tmp_path: Path) -> None:
    """A next link that leads to its own page ends the step with that explanation."""
    first: dict[str, str] = {}
    error = fails(
        Faults(next_link=lambda link: first.setdefault(link.partition("skiptoken")[0], link)), tmp_path
    )
    assert isinstance(error, ReaderError)
    assert "same next page twice" in str(error)


@pytest.mark.parametrize(
    "elsewhere", ["http://localhost:1", "https://127.0.0.1", "//graph.example", "http://["]
)
def test_the_token_stays_with_its_host(elsewhere: str, tmp_path: Path) -> None:
    """A next link to another scheme, host or port is refused, and nothing is sent there."""
    error = fails(
        Faults(next_link=lambda link: elsewhere + "/v1.0/users?" + link.partition("?")[2]), tmp_path
    )
    assert isinstance(error, ReaderError)
    assert "the token is not sent there" in str(error)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """Nothing listens to a redirect: the token would go with it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        away = f"http://127.0.0.1:{other.getsockname()[1]}/"
        error = fails(Faults(answers={1: Answer(302, "", {"Location": away})}), tmp_path)
        with pytest.raises(TimeoutError):
            other.accept()
    assert "HTTP 302" in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>", "no JSON"),
        ('{"@odata.context": "x"}', "without a list of values"),
        ('{"value": {}}', "without a list of values"),
        ('{"value": [null]}', "row 1"),
        ('{"value": [{"skuId": "x"}]}', "there is no skuPartNumber"),
        ("[]", "without a list of values"),
        ("", "no JSON"),
    ],
)
def test_an_answer_that_is_no_list_is_an_error(body: str, said: str, tmp_path: Path) -> None:
    """An answer without `value`, or items without what was asked for, never become an empty table."""
    assert said in str(fails(Faults(answers={1: Answer(200, body)}), tmp_path))
    assert not list(tmp_path.rglob("*.xml"))


def test_a_forbidden_call_names_the_permission(tmp_path: Path) -> None:
    """A 403 names the least permission for that step."""
    body = json.dumps(
        {"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}}
    )
    error = fails(Faults(answers={2: Answer(403, body)}), tmp_path)
    assert isinstance(error, ReaderError)
    assert "Authorization_RequestDenied: Insufficient privileges" in str(error)
    assert "User.Read.All" in error.hint


def test_a_forgotten_page_says_run_again(tmp_path: Path) -> None:
    """An expired page token fails the step in a way that another run can mend, and leaves no capture."""
    body = json.dumps({"error": {"code": "Directory_ExpiredPageToken", "message": "gone"}})
    error = fails(Faults(answers={3: Answer(400, body)}), tmp_path)
    assert error.retryable
    assert [one.name for one in sorted((tmp_path / "capture").iterdir())] == ["001.xml", "002.xml" + PART]


def test_a_server_error_is_tried_again(tmp_path: Path) -> None:
    """A 503 without Retry-After is asked again after a second, then two; the rows are whole."""
    told = Told()
    faults = Faults(answers={1: Answer(503), 2: Answer(502, "<html>bad gateway</html>")})
    with serve(Tenant(3), faults) as service:
        collected = Graph().collect(a_job(service, tmp_path), told)
    assert collected.captures[0].rows == 8
    assert told.texts("wait") == ["waiting 1 seconds: HTTP 503", "waiting 2 seconds: HTTP 502"]


def test_501_is_not_tried_again(tmp_path: Path) -> None:
    """Graph says 501 to a property that a list does not have: waiting would not help."""
    told = Told()
    assert "HTTP 501" in str(fails(Faults(answers={1: Answer(501, "no")}), tmp_path, told=told))
    assert told.texts("wait") == []


def test_endless_throttling_ends_at_the_deadline(tmp_path: Path) -> None:
    """Graph that only ever says 429 costs no more than the step's minutes; another run may succeed."""
    started = time.monotonic()
    error = fails(Faults(throttle_every=1), tmp_path, minutes=Minutes(step=0.05))
    assert isinstance(error, ReaderError)
    assert error.retryable
    assert "step is not done after 0.05 minutes" in str(error)
    assert time.monotonic() - started < 5


def test_the_run_has_a_deadline_too(tmp_path: Path) -> None:
    """A wait that would pass the run's minutes is not begun."""
    answer = Answer(429, "", {"Retry-After": "120"})
    started = time.monotonic()
    error = fails(Faults(answers={1: answer}), tmp_path, minutes=Minutes(step=0, run=1))
    assert "run is not done after 1 minutes" in str(error)
    assert time.monotonic() - started < 5


def test_a_wait_without_measure_is_not_waited(tmp_path: Path) -> None:
    """Without deadlines too, a Retry-After of an hour ends the step instead of holding it."""
    answer = Answer(429, "", {"Retry-After": "3600"})
    error = fails(Faults(answers={1: answer}), tmp_path, minutes=Minutes(step=0, run=0))
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


def test_its_steps_are_those_of_the_folder() -> None:
    """The folder's steps and what the engine knows are the same, or collecting would refuse."""
    assert [step.id for step in our_reader().to_collect] == list(expected(Tenant(1)))
