"""The simulated tenant, over real HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tools.tenant import Answer, Faults, Service, Tenant, serve

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture
def service() -> Iterator[Service]:
    """Serve a tenant of 250 users."""
    with serve(Tenant(250, seed=4)) as running:
        yield running


def get(service: Service, target: str, token: str | None = None) -> requests.Response:
    """Ask for a path below /v1.0, or for a whole address."""
    url = target if target.startswith("http") else f"{service.root}/v1.0{target}"
    headers = {"Authorization": f"Bearer {service.token if token is None else token}"}
    return requests.get(url, headers=headers, timeout=10)


def listed(service: Service, target: str) -> list[Any]:
    """Follow a call to its end."""
    items: list[Any] = []
    link: str | None = target
    while link:
        body = get(service, link).json()
        items += body["value"]
        link = body.get("@odata.nextLink")
    return items


# --- data ---


def test_the_same_seed_gives_the_same_tenant() -> None:
    """Two tenants of one seed agree in every user and SKU, another seed differs."""
    one, same, other = Tenant(50, seed=1), Tenant(50, seed=1), Tenant(50, seed=2)
    assert list(one.everybody()) == list(same.everybody())
    assert list(one.skus()) == list(same.skus())
    assert list(one.everybody()) != list(other.everybody())


def test_a_user_does_not_depend_on_the_size() -> None:
    """User 7 of a million is user 7 of ten, and is made without the others."""
    assert Tenant(1_000_000, seed=1).user(7) == Tenant(10, seed=1).user(7)


@pytest.mark.parametrize("users", [0, 1, 99, 100, 1234])
def test_consumed_units_count_the_users_who_hold_the_sku(users: int) -> None:
    """consumedUnits is the number of users with that SKU among their assignedLicenses."""
    tenant = Tenant(users, seed=5)
    for sku in tenant.skus():
        holders = sum(
            sku["skuId"] in {licence["skuId"] for licence in user["assignedLicenses"]}
            for user in tenant.everybody()
        )
        assert sku["consumedUnits"] == holders


def test_even_a_small_tenant_has_the_oddities() -> None:
    """Among forty users is everything that has broken a reader before."""
    users = list(Tenant(40, seed=9).everybody())
    names = "".join(user["displayName"] for user in users)
    states = [state for user in users for state in user["licenseAssignmentStates"]]
    assert all(odd in names for odd in ('"', ",", "&", "<", "\x01", "\0", "\t", "\ufffe", "_x0041_", "ü"))
    assert any(ord(letter) > 0xFFFF for letter in names)
    assert any(user["displayName"] != user["displayName"].strip() for user in users)
    assert {user["accountEnabled"] for user in users} == {True, False}
    assert {user["userType"] for user in users} == {"Member", "Guest", None}
    assert any(user["mail"] is None for user in users)
    assert {len(user["licenseAssignmentStates"]) for user in users} >= {0, 1, 2, 3}
    assert any(state["assignedByGroup"] for state in states)
    assert any(state["assignedByGroup"] is None for state in states)
    assert any(state["state"] == "Error" for state in states)
    assert any(len(state["disabledPlans"]) > 10 for state in states)


def test_skus_in_every_condition() -> None:
    """One SKU is for the company, one is in Warning, one Suspended."""
    skus = list(Tenant(10).skus())
    assert {sku["appliesTo"] for sku in skus} == {"User", "Company"}
    assert {sku["capabilityStatus"] for sku in skus} == {"Enabled", "Warning", "Suspended"}


# --- Graph's rules ---


def test_pages_bring_everybody_once(service: Service) -> None:
    """Following the next links brings each user once, in order, a hundred a page by default."""
    first = get(service, "/users").json()
    assert len(first["value"]) == 100
    assert first["@odata.nextLink"].startswith(f"{service.root}/v1.0/users?")
    found = [user["id"] for user in listed(service, "/users?$select=id&$top=70")]
    assert found == [user["id"] for user in Tenant(250, seed=4).everybody()]
    assert service.requests.paths["/v1.0/users"] == 5


def test_select_is_honoured(service: Service) -> None:
    """Only the selected properties come, id among them only if selected; without $select the default ones."""
    assert set(get(service, "/users?$select=mail,userType").json()["value"][0]) == {"mail", "userType"}
    default = get(service, "/users").json()["value"][0]
    assert "id" in default
    assert "accountEnabled" not in default
    refused = get(service, "/users?$select=id,shoeSize")
    assert refused.status_code == 400
    assert "shoeSize" in refused.json()["error"]["message"]


@pytest.mark.parametrize(("top", "status"), [("1", 200), ("999", 200), ("1000", 400), ("0", 400), ("x", 400)])
def test_top_has_bounds(service: Service, top: str, status: int) -> None:
    """$top goes from 1 to 999."""
    assert get(service, f"/users?$top={top}").status_code == status


@pytest.mark.parametrize("option", ["$top=5", "$filter=x eq 1", "$skiptoken=abc"])
def test_subscribed_skus_take_select_only(service: Service, option: str) -> None:
    """subscribedSkus knows no paging and no filter."""
    assert len(get(service, "/subscribedSkus?$select=skuId").json()["value"]) == 9
    assert get(service, f"/subscribedSkus?{option}").status_code == 400


def test_a_changed_next_link_is_refused(service: Service) -> None:
    """A skip token belongs to its query: with another query, cut, or invented, it gives 400."""
    link = get(service, "/users?$select=id&$top=10").json()["@odata.nextLink"]
    assert get(service, link).status_code == 200
    for changed in (link.replace("$top=10", "$top=20"), link[:-6], link[: link.index("token=") + 6] + "abcd"):
        refused = get(service, changed)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "Directory_ExpiredPageToken"


@pytest.mark.parametrize("token", ["", "wrong"])
def test_the_token_is_checked(service: Service, token: str) -> None:
    """Without the right token the answer is 401 with Graph's error body."""
    refused = get(service, "/subscribedSkus", token)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    error = refused.json()["error"]
    assert error["code"] == "InvalidAuthenticationToken"
    assert {"date", "request-id", "client-request-id"} == set(error["innerError"])


def test_the_unknown_is_not_found(service: Service) -> None:
    """Another path gives 404."""
    assert get(service, "/shoes").status_code == 404


# --- faults ---


def test_an_early_retry_is_punished() -> None:
    """A retry before Retry-After has passed gets another 429 with a longer wait; a patient one is served."""
    with serve(Tenant(5), Faults(throttle_every=2)) as service:
        assert get(service, "/users").status_code == 200
        waits = [get(service, "/users").headers["Retry-After"] for _ in range(2)]
        assert waits == ["1", "2"]
        assert (service.requests.throttled, service.requests.early) == (2, 1)
        time.sleep(2)
        assert get(service, "/users").status_code == 200
        assert service.requests.early == 1


def test_another_call_meanwhile_is_no_early_retry() -> None:
    """Who was not told to wait gets 429 for the rest of the wait, and makes it no longer."""
    with serve(Tenant(5), Faults(throttle_every=1, retry_after=3)) as service:
        answers = [get(service, path) for path in ("/users", "/organization", "/users?$top=2")]
    assert [answer.headers["Retry-After"] for answer in answers] == ["3", "3", "3"]
    assert (service.requests.throttled, service.requests.early) == (3, 0)


def test_empty_pages_lose_nobody() -> None:
    """An empty page has a next link, and all users still come."""
    with serve(Tenant(45), Faults(empty_every=2)) as service:
        second = get(service, get(service, "/users?$top=10").json()["@odata.nextLink"]).json()
        assert second["value"] == []
        assert "@odata.nextLink" in second
        assert len(listed(service, "/users?$select=id&$top=10")) == 45


def test_an_answer_can_be_scripted() -> None:
    """The second request gets the answer that the faults name."""
    faults = Faults(answers={2: Answer(503, "busy", {"Retry-After": "7"})})
    with serve(Tenant(5), faults) as service:
        answers = [get(service, "/users") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 503, 200]
        assert (answers[1].text, answers[1].headers["Retry-After"]) == ("busy", "7")


def test_it_runs_by_itself_until_its_input_ends() -> None:
    """`python -m tools.tenant` says where it is, serves, and ends when standard input closes."""
    argv = [sys.executable, "-m", "tools.tenant", "--users", "3", "--seed", "1"]
    with subprocess.Popen(argv, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdin
        said = json.loads(child.stdout.readline())
        answer = requests.get(
            f"{said['root']}/v1.0/users", headers={"Authorization": f"Bearer {said['token']}"}, timeout=10
        )
        assert len(answer.json()["value"]) == 3
        child.stdin.close()
        assert child.wait(10) == 0
