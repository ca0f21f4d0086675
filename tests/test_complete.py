"""What is compared before a package is sealed: each check at its border, and what becomes of a refusal."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bridge import beacon, pipeline
from bridge.collect.graph.reports import REPORTS
from bridge.complete.checks import ORDER
from bridge.complete.facts import Facts, Sku, listed
from bridge.complete.units import consumed
from bridge.complete.usage import REPORT, USUAL
from bridge.complete.witness import DATES, TAKES, Witness
from bridge.errors import DeliveryError, PackageError, ReaderError, ReaderOutputError
from bridge.model import CLOUDS, Capture, Check, Gap, Job, Owner, Say, State, Step
from bridge.package.verify import verify
from bridge.readers import folder
from bridge.readers.ours import (
    ASSIGNMENT,
    CLOSING,
    COMMERCE,
    HOLDING,
    OPENING,
    SIGN_IN,
    SUBSCRIPTION,
    USAGE,
    USER,
)
from bridge.runs.record import Run
from bridge.runs.store import DELIVERED, READY
from bridge.show import report
from bridge.show.story import next_command, tell
from bridge.workplace import Workplace
from tests.engines import PARAMETERS, RowsEngine, contoso, silent, workplace

READER = folder.load(beacon.shipped() / "Inventory" / "Reader" / "Microsoft 365", Owner.BRIDGE)
STEPS = {step.id: step for step in READER.to_collect}
ROOT = {"GraphRoot": "https://graph.microsoft.com"}
E3, E5, ROOM = (str(UUID(int=number)) for number in (3, 5, 7))
MOMENT = "2026-11-20T07:05:00Z"
Cells = tuple[str | None, ...]


def row(step: str, **cells: str | None) -> Cells:
    """Return a row of a step of our folder, its other cells null."""
    return tuple(cells.get(column.name) for column in STEPS[step].columns)


def user(number: int) -> str:
    """Return a user's id."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


@dataclass(frozen=True)
class Tenant:
    """A small tenant that adds up; each field is there to be changed by a test."""

    users: Sequence[str] = tuple(map(user, range(40)))
    counts: Sequence[int] = (40, 40)
    licensed: Sequence[int] = (2, 2)
    assignments: Sequence[tuple[str, str, str]] = ((user(0), E3, "Active"), (user(1), E3, "ActiveWithError"))
    skus: Sequence[Cells] = field(
        default_factory=lambda: (
            row(
                SUBSCRIPTION,
                SkuId=E3,
                SkuPartNumber="ENTERPRISEPACK",
                AppliesTo="User",
                ConsumedUnits="2",
                SubscriptionIds="sub-1",
            ),
        )
    )
    commerce: Sequence[Cells] = field(
        default_factory=lambda: (row(COMMERCE, SubscriptionId="SUB-1", SkuId=E5, SkuPartNumber="E5 & more"),)
    )
    report: Sequence[str] = ("user0@contoso.example", "user1@contoso.example")
    others: Sequence[str] = USUAL[1:3]  # reports with a row
    signed_in: Sequence[str] = tuple(map(user, range(40)))
    dated: int = 40  # so many of them have the date of a sign-in, of one kind or another

    @property
    def by_step(self) -> dict[str, Sequence[Cells]]:
        """The rows of every step."""
        controls = [
            [
                row(OPENING, Entity=entity, Count=str(counts[place]))
                for entity, counts in (("User", self.counts), ("LicensedUser", self.licensed))
                if len(counts) > place
            ]
            for place in (0, 1)
        ]
        return {
            **dict.fromkeys(STEPS, ()),
            OPENING: controls[0],
            CLOSING: controls[1],
            SUBSCRIPTION: self.skus,
            COMMERCE: self.commerce,
            USAGE: [
                *(row(USAGE, Report=REPORT, UserPrincipalName=name) for name in self.report),
                *(row(USAGE, Report=name, UserPrincipalName="user0@contoso.example") for name in self.others),
            ],
            USER: [row(USER, UserId=one) for one in self.users],
            ASSIGNMENT: [
                row(ASSIGNMENT, UserId=one, SkuId=sku, State=state) for one, sku, state in self.assignments
            ],
            SIGN_IN: [
                row(SIGN_IN, UserId=one, **{DATES[place % 3]: MOMENT if place < self.dated else None})
                for place, one in enumerate(self.signed_in)
            ],
        }


@dataclass
class TenantEngine(RowsEngine):
    """Writes a tenant's rows; ``by_gap`` names the gap of single steps."""

    by_gap: Mapping[str, str] = field(default_factory=dict)

    def _capture(self, job: Job, step: Step, path: Path, say: Say) -> Capture:
        name = self.by_gap.get(step.id)
        self.gaps = [Gap(name, "said so")] if name else []
        return super()._capture(job, step, path, say)


def at_work(home: Path, tenant: Tenant, gaps: Mapping[str, str] | None = None, **more: object) -> Workplace:
    """Return a workplace whose one connection reads the tenant with our folder; ``gaps`` by their step."""

    engine = TenantEngine(rows=(), by_step=tenant.by_step, by_gap=gaps or {})
    more.setdefault("parameters", ROOT)
    more.setdefault("optional", tuple((gaps or {}).values()))
    place = workplace(home, engine, **more)  # type: ignore[arg-type]  # fields by name
    ours = replace(contoso(place), reader="bridge:Microsoft 365")
    return replace(place, settings=replace(place.settings, connections={"Contoso": ours}))


def checks(
    home: Path, tenant: Tenant, gaps: Mapping[str, str] | None = None, **more: object
) -> dict[str, Check]:
    """Run the tenant and return its checks by name, refused or not."""
    place = at_work(home, tenant, gaps, **more)
    with suppress(ReaderOutputError):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert run.checks, run.error
    return {check.name: check for check in reversed(run.checks)}


TRUE = Tenant()


def test_what_adds_up_is_ok(tmp_path: Path) -> None:
    """Every check is made, recorded and in the manifest, and none finds anything."""
    place = at_work(tmp_path, TRUE)
    done = pipeline.run(place, contoso(place), silent)
    assert [check.name for check in done.checks] == [*(name for name, *_ in ORDER), "drop"]
    assert {check.level for check in done.checks} == {"ok"}, done.checks
    assert {check.name: check.number for check in done.checks if check.number is not None} == {"sign-ins": 40}
    sealed = pipeline.verify_run(place, done).manifest.checks
    assert sealed == tuple(replace(check, number=None) for check in done.checks)
    assert not any("check " in line for line in tell(done, place.runs))


def test_what_was_found_is_shown(tmp_path: Path) -> None:
    """The story, the outcome and the package tell what is not ok; a package's JSON lists every check."""
    place = at_work(tmp_path, replace(TRUE, licensed=(3, 3), report=(*TRUE.report, "user2@contoso.example")))
    done = pipeline.run(place, contoso(place), silent)
    line = "check licensed, noted: 2 licensed users; Microsoft Graph counted 3 and 3"
    assert f"  {line}" in list(tell(done, place.runs))
    assert [one for one in report.outcome_lines(done, place.runs) if "check" in str(one)] == [line]
    package = pipeline.verify_run(place, done)
    assert [one for one in report.package_lines(package) if "check" in str(one)] == [line]
    shown = report.package_json(package)["checks"]
    assert shown == [{"name": one.name, "level": one.level, "text": one.text} for one in done.checks]
    log = (place.runs.path(done.run) / "log.txt").read_text("utf-8")
    assert "check users: ok: 40 users read; Microsoft Graph counted 40 and 40, give or take 10" in log


def test_output_saved_by_hand_is_compared_too(tmp_path: Path) -> None:
    """In whatever dialect and case; the rows of each step are then known."""
    place = at_work(tmp_path, TRUE)
    first = pipeline.run(place, contoso(place), silent)
    captures = place.runs.path(first.run)
    files = {line.step.id: captures / str(line.capture) for line in first.steps}
    files[USER] = tmp_path / "users.xml"
    cells = "".join(f'<Property Name="{one.name}" Type="System.Object" />' for one in STEPS[USER].columns[1:])
    objects = "".join(
        f'<Object><Property Name="UserId" Type="System.String">{{{one.upper()}}}</Property>{cells}</Object>'
        for one in (*TRUE.users, user(0))
    )
    files[USER].write_text(f"<Objects>{objects}</Objects>", "utf-8")
    with pytest.raises(ReaderOutputError, match=f"1 user read twice, such as {user(0)}") as caught:
        pipeline.convert_by_hand(place, contoso(place), "bridge:Microsoft 365", files, silent)
    assert "by hand" not in caught.value.hint and "convert it again" in caught.value.hint
    run = place.runs.load("last:Contoso")
    assert {check.name: check.level for check in run.checks} == {
        **dict.fromkeys((name for name, *_ in ORDER), "ok"),
        "users": "noted",
        "users-twice": "refused",
        "drop": "ok",
    }
    assert [line.rows for line in run.steps if line.step.id == USER] == [41]


def test_counts_that_nobody_saved_by_hand_are_noted(tmp_path: Path) -> None:
    """Only an engine's run must have them."""
    place = at_work(tmp_path, replace(TRUE, counts=()))
    first = pipeline.run(place, contoso(place), silent)
    assert first.checks[0].level == "warned"
    files = {line.step.id: place.runs.path(first.run) / str(line.capture) for line in first.steps}
    by_hand = pipeline.convert_by_hand(place, contoso(place), "bridge:Microsoft 365", files, silent)
    assert by_hand.checks[0].level == "noted"


def test_a_run_of_an_older_folder_says_what_it_lacks(tmp_path: Path) -> None:
    """Its steps are converted as they were; what needs others, or other columns, is not compared."""
    place = at_work(tmp_path, TRUE)
    run = pipeline.collect(place, contoso(place), silent)
    kept = [line for line in run.steps if line.step.id in {USER, ASSIGNMENT}]
    place.runs.save(replace(run, steps=tuple(kept)))
    found = {check.name: check for check in pipeline.convert(place, run, silent).checks}
    text = "40 users read; there is no count to compare with"
    assert found["users"] == Check("users", "warned", text)
    assert found["skus"].text == f"not compared: the run has no such rows of {SUBSCRIPTION}"
    assert found["assignments"].level == "ok"


@settings(max_examples=15, deadline=None)
@given(users=some.integers(0, 60), held=some.data())
def test_truth_passes(tmp_path_factory: pytest.TempPathFactory, users: int, held: some.DataObject) -> None:
    """Whatever a tenant holds: if it is read whole, nothing is refused, and nothing is noted."""
    ids = tuple(map(user, range(users)))
    holders = held.draw(some.lists(some.sampled_from(ids), unique=True)) if ids else []
    tenant = Tenant(
        ids,
        (users, users),
        (len(holders),) * 2,
        [(one, E3, "Active") for one in holders],
        [row(SUBSCRIPTION, SkuId=E3, AppliesTo="User", ConsumedUnits=str(len(holders)))],
        (),
        holders,
        signed_in=ids,
        dated=users,
    )
    found = checks(tmp_path_factory.mktemp("truth"), tenant)
    assert {check.level for check in found.values()} == {"ok"}, found


def test_what_a_killed_convert_left_is_removed(tmp_path: Path) -> None:
    """People are kept in the state folder meanwhile, where the next convert of any run finds leftovers."""
    place = at_work(tmp_path, TRUE)
    left = place.runs.state / "tables-left"
    left.mkdir(parents=True)
    (left / "tables.sqlite").write_bytes(b"ids")
    os.utime(left, (0, 0))
    run = pipeline.run(place, contoso(place), silent)
    assert not left.exists()
    assert not list(place.runs.state.glob("tables-*"))
    assert not list(place.runs.path(run.run).glob("**/tables-*"))


# --- users ---


@pytest.mark.parametrize(
    ("rows", "counts", "slack", "level"),
    [
        (40, (40, 40), 0.005, "ok"),
        (41, (40, 40), 0.005, "noted"),
        (40, (39, 41), 0.005, "noted"),
        (31, (40, 50), 0.005, "noted"),
        (30, (40, 50), 0.005, "noted"),
        (29, (40, 50), 0.005, "refused"),
        (60, (40, 50), 0.005, "noted"),
        (61, (40, 50), 0.005, "refused"),
        (1989, (2000,), 0.005, "refused"),
        (1990, (2000,), 0.005, "noted"),
        (2189, (2200,), 0.005, "noted"),
        (2188, (2200,), 0.005, "refused"),
        (2189, (2201,), 0.005, "noted"),
        (71, (100,), 0.29, "noted"),
        (70, (100,), 0.29, "refused"),
        (0, (1, 3), 0.005, "refused"),
        (0, (0, 3), 0.005, "noted"),
        (7, (), 0.005, "warned"),
    ],
)
def test_users_lie_within_the_counts(
    tmp_path: Path, rows: int, counts: Sequence[int], slack: float, level: str
) -> None:
    """The rows of User lie between the counts, widened by the slack and at least ten; all numbers told.

    None at all where Graph counted some is no matter of slack, and without a count there is one to look at.
    """
    users = tuple(map(user, range(rows)))
    tenant = replace(TRUE, users=users, counts=counts, licensed=(), assignments=())
    check = checks(tmp_path, tenant, count_slack=slack)["users"]
    assert check.level == level
    assert all(f"{number:,}" in check.text for number in (rows, *counts))


@pytest.mark.parametrize(
    ("rows", "level"),
    [
        (40, "ok"),
        (39, "noted"),
        (30, "noted"),
        (29, "refused"),
        (50, "noted"),
        (51, "refused"),
        (1, "refused"),
    ],
)
def test_sign_ins_lie_within_the_counts(tmp_path: Path, rows: int, level: str) -> None:
    """There is a row for each user, so a list of sign-ins that ends early is noticed."""
    check = checks(tmp_path, replace(TRUE, signed_in=tuple(map(user, range(rows)))))["sign-ins"]
    whose = "1 user's" if rows == 1 else f"{rows} users'"
    dated = min(rows, 40)
    text = f"{whose} sign-ins read, {dated} with a date; Microsoft Graph counted 40 and 40, give or take 10"
    assert check == Check("sign-ins", level, text, dated)  # type: ignore[arg-type]  # a level


@pytest.mark.parametrize(("rows", "level"), [(40, "ok"), (30, "noted"), (29, "refused"), (51, "refused")])
def test_sign_ins_without_a_count_are_compared_with_the_users_read(
    tmp_path: Path, rows: int, level: str
) -> None:
    """Graph counts no users in some clouds, and each has a row of both steps."""
    tenant = replace(TRUE, counts=(), signed_in=tuple(map(user, range(rows))))
    check = checks(tmp_path, tenant)["sign-ins"]
    assert check.level == level
    assert check.text.endswith("with a date; users read: 40, give or take 10")


def test_sign_ins_that_were_read_twice_are_refused(tmp_path: Path) -> None:
    """Then those of another user may have been missed; the way out is not to read them."""
    place = at_work(tmp_path, replace(TRUE, signed_in=(*TRUE.signed_in[1:], user(7))))
    with pytest.raises(ReaderOutputError, match=r"sign-ins: 40 users' .*; 1 user came twice\.") as caught:
        pipeline.run(place, contoso(place), silent)
    assert 'SignIns = "no" in parameters of [connections."Contoso"]' in caught.value.hint
    assert "count_slack" not in caught.value.hint
    assert place.runs.load("last:Contoso").refused_checks == ("sign-ins",)


def test_sign_ins_that_are_lost_may_be_left_out(tmp_path: Path) -> None:
    """Rows that are fewer than last time for the same reason change nothing about the way out."""
    outbox = tmp_path / "Outbox"
    outbox.mkdir()
    first = at_work(tmp_path, TRUE, deliver_to=outbox)
    pipeline.run(first, contoso(first), silent)
    place = at_work(tmp_path, FEWER[SIGN_IN], deliver_to=outbox)
    with pytest.raises(ReaderOutputError, match=r"sign-ins: .*; drop: ") as caught:
        pipeline.run(place, contoso(place), silent)
    assert 'SignIns = "no"' in caught.value.hint


def test_who_only_signs_in_is_no_stranger(tmp_path: Path) -> None:
    """A user who came after the users were read has a row of SignIn, and no assignment."""
    found = checks(tmp_path, replace(TRUE, signed_in=(*TRUE.signed_in[:-1], user(50))))
    assert {check.level for check in found.values()} == {"ok"}, found


@pytest.mark.parametrize(
    ("licensed", "dated", "level"), [(11, 0, "warned"), (10, 0, "ok"), (11, 1, "ok"), (0, 0, "ok")]
)
def test_sign_ins_of_nobody_are_warned_of(tmp_path: Path, licensed: int, dated: int, level: str) -> None:
    """Graph may answer with a row for each user and no date in any; where few are licensed that may be."""
    held = [(user(number), E3, "Active") for number in range(licensed)]
    tenant = replace(TRUE, assignments=held, licensed=(licensed,) * 2, dated=dated)
    check = checks(tmp_path, tenant)["sign-ins"]
    assert (check.level, check.number) == (level, dated)
    assert check.text.endswith("; 11 users are licensed") == (level == "warned")


def test_lost_sign_ins_are_refused_though_none_has_a_date(tmp_path: Path) -> None:
    """A warning about the dates is no reason to let a part of the users through."""
    held = [(user(number), E3, "Active") for number in range(11)]
    lost = replace(TRUE, signed_in=TRUE.signed_in[:29], dated=0, assignments=held, licensed=(11, 11))
    assert checks(tmp_path, lost)["sign-ins"].level == "refused"


@pytest.mark.parametrize(
    ("said", "gaps"), [("no", {}), (" NO ", {}), ("yes", {SIGN_IN: "sign-ins"})], ids=str
)
def test_sign_ins_that_were_not_read_are_not_compared(
    tmp_path: Path, said: str, gaps: Mapping[str, str]
) -> None:
    """Whether they were not asked for, or may not be read."""
    tenant = replace(TRUE, signed_in=())
    found = checks(tmp_path, tenant, gaps, parameters={**ROOT, "SignIns": said})
    assert "sign-ins" not in found
    assert found["users"].level == "ok"


def test_sign_ins_that_nobody_asked_for_need_no_step(tmp_path: Path) -> None:
    """A run of an older folder that has none is not said to lack it."""
    place = at_work(tmp_path, TRUE, parameters={**ROOT, "SignIns": "no"})
    run = pipeline.collect(place, contoso(place), silent)
    place.runs.save(replace(run, steps=tuple(line for line in run.steps if line.step.id != SIGN_IN)))
    assert "sign-ins" not in {check.name for check in pipeline.convert(place, run, silent).checks}


@pytest.mark.parametrize(("rows", "level"), [(0, "noted"), (1, "refused")])
def test_sign_ins_that_nobody_saved_by_hand_are_noted(tmp_path: Path, rows: int, level: str) -> None:
    """An engine that brings none home is refused; by hand only some of them are."""
    place = at_work(tmp_path, replace(TRUE, signed_in=TRUE.signed_in[:rows]))
    run = pipeline.collect(place, contoso(place), silent)
    with pytest.raises(ReaderOutputError, match="sign-ins: "):
        pipeline.convert(place, run, silent)
    files = {line.step.id: place.runs.path(run.run) / str(line.capture) for line in run.steps}
    with suppress(ReaderOutputError):
        pipeline.convert_by_hand(place, contoso(place), "bridge:Microsoft 365", files, silent)
    found = {check.name: check.level for check in place.runs.load("last:Contoso").checks}
    assert found["sign-ins"] == level


def test_a_user_who_was_read_twice_is_refused(tmp_path: Path) -> None:
    """The number and one id are told; the same call may succeed later, and the next command is a new run."""
    place = at_work(tmp_path, replace(TRUE, users=(*TRUE.users, user(7), user(8))))
    with pytest.raises(ReaderOutputError, match=f"2 users read twice, such as {user(7)}") as caught:
        pipeline.run(place, contoso(place), silent)
    assert (caught.value.exit_code, caught.value.retryable) == (7, True)
    assert 'beacon-bridge run "Contoso"' in caught.value.hint
    run = place.runs.load("last:Contoso")
    assert (run.state, place.runs.place(run)) == (State.FAILED, "-")
    assert next_command(run, place.runs) == 'beacon-bridge run "Contoso"'
    assert not list(place.runs.path(run.run).glob("building/*"))


def test_every_check_is_made_though_one_refuses(tmp_path: Path) -> None:
    """All are recorded, and each that refuses is told with its numbers."""
    strangers = [(user(100 + number), E3, "Active") for number in range(11)]
    place = at_work(tmp_path, replace(TRUE, counts=(90, 90), assignments=(*TRUE.assignments, *strangers)))
    with pytest.raises(ReaderOutputError, match=r"users: 40 users .*; assignments: 11 assigned users"):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert len(run.checks) == len(ORDER) + 1
    assert run.refused_checks == ("users", "sign-ins", "assignments")
    assert [line.rows for line in run.steps if line.step.id == USER] == [40]


# --- assignments ---


@pytest.mark.parametrize(("strangers", "level"), [(0, "ok"), (1, "noted"), (10, "noted"), (11, "refused")])
def test_assigned_users_are_among_those_read(tmp_path: Path, strangers: int, level: str) -> None:
    """Up to the slack they may come and go, each counted once however many products they have."""
    more = [(user(100 + number), sku, "Error") for number in range(strangers) for sku in (E3, E5)]
    check = checks(tmp_path, replace(TRUE, assignments=(*TRUE.assignments, *more)))["assignments"]
    assert check.level == level
    assert not strangers or f"{strangers} assigned user" in check.text


def test_some_assigned_user_was_read(tmp_path: Path) -> None:
    """If none was, the users or the assignments are not this tenant's, however few they are."""
    check = checks(tmp_path, replace(TRUE, assignments=[(user(100), E3, "Active"), (user(100), E5, "Error")]))
    assert check["assignments"] == Check("assignments", "refused", "none of 1 assigned user was read")


def test_a_sku_that_is_no_longer_subscribed_is_noted(tmp_path: Path) -> None:
    """It is named, with its users: one has it in two ways, one has it without taking a unit."""
    more = [
        (user(2), E5, "Error"),
        (user(2), E5, "Active"),
        (user(3), E5, "Disabled"),
        (user(3), ROOM, "Active"),
    ]
    check = checks(tmp_path, replace(TRUE, assignments=(*TRUE.assignments, *more)))["skus"]
    assert (check.level, check.text) == (
        "noted",
        f"assigned and no longer subscribed: E5 & more ({E5}): 2 users; {ROOM}: 1 user",
    )


def test_assignments_may_lie_across_chunks(tmp_path: Path) -> None:
    """A user whose rows are seen in parts counts once; one whose rows lie apart is told of."""
    lines = [f'<r a="{user(number)}" b="{E3}" d="Active"/>\n'.encode() for number in (1, 1, 2, 1)]
    place = at_work(tmp_path, TRUE)
    run = pipeline.collect(place, contoso(place), silent)
    with Witness(tmp_path) as witness:
        see = witness.see(STEPS[ASSIGNMENT])
        assert see
        for line in lines:
            see(line)
        facts = witness.facts(run, {}, ())
    assert (facts.people.licensed, facts.people.strangers, facts.people.scattered) == (2, 2, 1)
    assert facts.holders == {E3: 3}
    check = consumed(replace(facts, skus=[Sku(E3, "E3", "User", 3, ())]))
    assert (check.level, check.text.partition("; ")[2]) == (
        "noted",
        "1 user came in several places and may count twice",
    )


# --- licences and usage ---


@pytest.mark.parametrize(("counted", "level"), [((2, 2), "ok"), ((2, 3), "noted"), ((), "noted")])
def test_licensed_users_stand_beside_their_count(tmp_path: Path, counted: Sequence[int], level: str) -> None:
    """Only states that take a unit count; a difference, or no count, is noted."""
    more = [(user(2), E3, "Error"), (user(3), E3, "Disabled"), (user(0), E3, "Active")]
    tenant = replace(TRUE, licensed=counted, assignments=(*more[:2], *TRUE.assignments, more[2]))
    check = checks(tmp_path, tenant)["licensed"]
    assert check.level == level
    assert check.text.startswith("2 licensed users")


@pytest.mark.parametrize(
    ("states", "counted", "level"),
    [
        ({"Active": 20}, (30, 30), "noted"),
        ({"Active": 20}, (31, 30), "noted"),
        ({"Active": 20}, (31, 31), "refused"),
        ({"Active": 20, "Error": 1}, (31, 31), "warned"),
        ({"Active": 20, "Error": 20}, (9, 9), "warned"),
        ({"Active": 20, "Error": 20}, (9, 10), "noted"),
        ({"Active": 1, "Error": 29}, (40, 40), "warned"),
        ({"Active": 1, "Error": 28}, (40, 40), "refused"),
        ({"Error": 10}, (10, 40), "noted"),
        ({"Error": 11}, (11, 40), "refused"),
        ({}, (11, 11), "refused"),
        ({}, (1, 1), "refused"),
        ({}, (0, 12), "noted"),
    ],
)
def test_licensed_users_have_assignments(
    tmp_path: Path, states: Mapping[str, int], counted: Sequence[int], level: str
) -> None:
    """No licence at all, or too few users with an assignment, make no package; other gulfs are seen."""
    ids = iter(TRUE.users)
    held = [(next(ids), E3, state) for state, many in states.items() for _ in range(many)]
    check = checks(tmp_path, replace(TRUE, assignments=held, licensed=counted))["licensed"]
    assert check.level == level, check
    assert f"counted {counted[0]} and {counted[1]}" in check.text


def test_a_report_stands_beside_graphs_count_too(tmp_path: Path) -> None:
    """An empty report is warned of although no assignment takes a unit."""
    tenant = replace(TRUE, report=(), assignments=[(user(0), E3, "Error")], licensed=(1, 2))
    assert checks(tmp_path, tenant)["report"] == Check(
        "report", "warned", f"{REPORT} names 0 users, 2 are licensed"
    )


@pytest.mark.parametrize(
    ("names", "parameters", "level"),
    [
        (["a@b.example", "b@b.example"], {}, "ok"),
        (["a@b.example", "a@b.example"], {}, "noted"),
        (["a\\b", 'q"<é>', "c"], {}, "noted"),
        ([], {}, "warned"),
        ([], {"Reports": "getEmailActivityUserDetail, getoffice365activeuserdetail"}, "warned"),
        ([], {"Reports": "getEmailActivityUserDetail"}, "ok"),
        ([], {"Reports": "none"}, "ok"),
        ([], {"GraphRoot": "https://graph.microsoft.us"}, "noted"),
    ],
)
def test_the_report_stands_beside_licensed_users(
    tmp_path: Path, names: Sequence[str], parameters: Mapping[str, str], level: str
) -> None:
    """Distinct names are counted; an empty report is warned of if it was asked for and the cloud has it."""
    found = checks(tmp_path, replace(TRUE, report=names), parameters={**ROOT, **parameters})
    assert found["report"].level == level
    assert found["report"].text.endswith("2 are licensed") == (level != "ok" or bool(names))


@pytest.mark.parametrize(
    ("cloud", "root", "level"),
    [
        ("global", None, "warned"),
        ("gcc", None, "warned"),
        ("gcc-high", None, "noted"),
        ("dod", None, "noted"),
        ("21vianet", None, "noted"),
        ("gcc-high", "https://graph.microsoft.com", "warned"),
        ("global", "https://dod-graph.microsoft.us/v1.0/", "noted"),
    ],
)
def test_a_cloud_without_reports_is_not_warned_of(
    tmp_path: Path, cloud: str, root: str | None, level: str
) -> None:
    """Whether GraphRoot names it or, as a connection that signs in has none, its cloud does."""
    place = at_work(tmp_path, replace(TRUE, report=()), cloud=CLOUDS[cloud])
    run = pipeline.collect(place, contoso(place), silent)
    run = replace(run, settings={**run.settings, "parameters": {"GraphRoot": root} if root else {}})
    place.runs.save(run)
    done = {check.name: check for check in pipeline.convert(place, run, silent).checks}
    assert done["report"].level == level


APPS, TEAMS, SKYPE = (
    "getM365AppUserDetail",
    "getTeamsUserActivityUserDetail",
    "getSkypeForBusinessActivityUserDetail",
)


SOME = f"{SKYPE.lower()},{TEAMS.lower()}, {APPS}"
EMPTY = replace(TRUE, others=())


@pytest.mark.parametrize(
    ("tenant", "parameters", "gap", "named"),
    [
        (TRUE, {}, "", ""),
        (replace(TRUE, others=USUAL[1:2]), {}, "", APPS),
        (EMPTY, {}, "", "; ".join(USUAL[1:3])),
        (EMPTY, {}, "concealed", "; ".join(USUAL[1:3])),
        (EMPTY, {}, "usage", ""),
        (EMPTY, {"GraphRoot": CLOUDS["gcc-high"].graph}, "", ""),
        (EMPTY, {"Reports": "None"}, "", ""),
        (EMPTY, {"Reports": SOME}, "", f"{TEAMS.lower()}; {APPS}"),
        (replace(TRUE, others=(APPS, TEAMS, APPS)), {"Reports": SOME}, "", ""),
        (replace(EMPTY, licensed=(0, 0), assignments=()), {}, "", ""),
        (replace(EMPTY, licensed=(1, 1), assignments=[(user(0), E3, "Error")]), {"Reports": APPS}, "", APPS),
    ],
)
def test_a_report_without_rows_is_named(
    tmp_path: Path, tenant: Tenant, parameters: Mapping[str, str], gap: str, named: str
) -> None:
    """If it was asked for, users are licensed, the cloud has reports, and it is none that few have."""
    gaps = {USAGE: gap} if gap else {}
    check = checks(tmp_path, tenant, gaps, parameters={**ROOT, **parameters})["reports"]
    assert check.level == ("warned" if named else "ok")
    assert not named or check.text.startswith(f"no row of {named}; licensed users: ")


def test_the_usual_reports_are_those_that_are_read() -> None:
    """The checks expect what the engines ask for where nobody chose."""
    assert tuple(report.name for report in REPORTS if report.is_usual) == USUAL
    assert {SKYPE} == {report.name for report in REPORTS if report.is_retired}


def test_reports_may_lie_across_chunks(tmp_path: Path) -> None:
    """A report counts that lies wholly between two others in one chunk; a chunk without rows is none."""
    place = at_work(tmp_path, TRUE, parameters={**ROOT, "Reports": f"{SKYPE},{APPS},{TEAMS},{REPORT}"})
    run = pipeline.collect(place, contoso(place), silent)
    with Witness(tmp_path) as witness:
        see = witness.see(STEPS[USAGE])
        assert see
        for names in ((), (REPORT, APPS, SKYPE), (SKYPE, SKYPE)):
            see("".join(f'<r a="{name}" d="a@b"/>\n' for name in names).encode())
        assert witness.facts(run, {}, ()).empty == [TEAMS]


def test_a_report_that_was_refused_was_not_read(tmp_path: Path) -> None:
    """The gap says it already."""
    assert checks(tmp_path, replace(TRUE, report=()), {USAGE: "usage"})["report"].level == "ok"


def test_concealed_usage_is_said_not_to_be_joined(tmp_path: Path) -> None:
    """A check says so where the gap is, and only there."""
    check = checks(tmp_path, TRUE, {USAGE: "concealed"})["usage"]
    assert (check.level, check.text) == (
        "noted",
        "names are concealed: 4 rows of usage are not joined to users",
    )


def test_a_gap_that_is_not_listed_says_how_to_go_on(tmp_path: Path) -> None:
    """The permission is named, and the whole line to write, with what was listed before."""
    place = at_work(tmp_path, TRUE, {USAGE: "usage"}, optional=("sign-ins",))
    with pytest.raises(ReaderError, match="left out: usage: said so") as caught:
        pipeline.run(place, contoso(place), silent)
    assert caught.value.hint == (
        "Grant the permission or turn the switch that is named. If it may be left out, write in "
        """[connections."Contoso"]: optional = ['sign-ins', 'usage']"""
    )


# --- SKUs ---


def sku(product: str = E3, consumed: str | None = "2", applies_to: str = "User", ids: str = "sub-1") -> Cells:
    """Return a row of Subscription."""
    return row(SUBSCRIPTION, SkuId=product, AppliesTo=applies_to, ConsumedUnits=consumed, SubscriptionIds=ids)


@pytest.mark.parametrize(
    ("rows", "level", "text"),
    [
        ([sku()], "ok", "consumed units of 1 SKU are their assigned users"),
        ([sku(consumed="3")], "noted", f"{E3}: 3 consumed, 2 users"),
        ([sku(), sku(E5, "1")], "noted", f"{E5}: 1 consumed, 0 users"),
        ([sku(), sku(E5, "1", "Company")], "ok", "consumed units of 1 SKU are their assigned users"),
    ],
)
def test_consumed_units_stand_beside_their_users(
    tmp_path: Path, rows: Sequence[Cells], level: str, text: str
) -> None:
    """Both numbers of each SKU that differs are told; SKUs of the company are left out."""
    check = checks(tmp_path, replace(TRUE, skus=rows))["units"]
    assert (check.level, check.text) == (level, text)


def test_of_many_skus_twenty_are_named() -> None:
    """The text is bounded."""
    skus = [Sku(str(number), "", "User", 1, ()) for number in range(22)]
    text = consumed(Facts({}, skus=skus)).text
    assert text.count("consumed") == 20
    assert text.endswith(" and 2 more")
    assert listed(["a"] * 20).endswith("a; a")


@pytest.mark.parametrize(
    ("ids", "gaps", "level"),
    [
        ("sub-1", {}, "ok"),
        ("Com-2;sub-1", {}, "ok"),
        ("sub-1;sub-2", {}, "noted"),
        ("sub-2", {COMMERCE: "commerce-subscriptions"}, "ok"),
    ],
)
def test_every_subscription_of_a_sku_is_known_or_named(
    tmp_path: Path, ids: str, gaps: Mapping[str, str], level: str
) -> None:
    """By either of a commerce subscription's ids, in any case; not where those were not read."""
    commerce = [row(COMMERCE, SubscriptionId="SUB-1", CommerceSubscriptionId="com-2")]
    check = checks(tmp_path, replace(TRUE, skus=[sku(ids=ids)], commerce=commerce), gaps)["subscriptions"]
    assert check.level == level
    assert (f"no commerce subscription: sub-2 of {E3}" == check.text) == (level == "noted")


# --- fewer rows than last time ---


@dataclass
class Badges:
    """A reader folder that is not ours, at work: each run has so many rows."""

    home: Path
    more: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outbox = self.home / "Outbox"
        outbox.mkdir()
        self.engine = RowsEngine()
        more = {"deliver_to": outbox, **self.more}
        self.place = workplace(self.home, self.engine, **more)  # type: ignore[arg-type]  # fields by name

    def run(self, rows: int, **more: object) -> Run:
        """Run once."""
        self.engine.rows = [(str(number), None) for number in range(rows)]
        return pipeline.run(self.place, replace(contoso(self.place), **more), silent)  # type: ignore[arg-type]  # by name

    def refused(self, rows: int) -> Run:
        """Run once, which is refused."""
        with pytest.raises(ReaderOutputError):
            self.run(rows)
        return self.place.runs.load("last:Contoso")


@pytest.mark.parametrize(
    ("before", "now", "most", "level"),
    [
        (100, 100, 0.5, "ok"),
        (100, 300, 0.5, "ok"),
        (100, 80, 0.5, "ok"),
        (100, 79, 0.5, "warned"),
        (100, 50, 0.5, "warned"),
        (100, 49, 0.5, "refused"),
        (100, 71, 0.29, "warned"),
        (100, 70, 0.29, "refused"),
        (100, 89, 0.1, "refused"),
        (100, 90, 0.1, "ok"),
        (100, 0, 1.0, "warned"),
        (0, 0, 0.5, "ok"),
    ],
)
def test_a_step_may_lose_so_many_of_its_rows(
    tmp_path: Path, before: int, now: int, most: float, level: str
) -> None:
    """Against the last delivered run, and for a folder of any owner, drop alone is checked."""
    badges = Badges(tmp_path, {"max_drop": most})
    first = badges.run(before)
    run = badges.refused(now) if level == "refused" else badges.run(now)
    (check,) = run.checks
    assert (check.name, check.level) == ("drop", level)
    assert first.run in check.text
    assert level == "ok" or f"Holder.xml/LoadHolder: {now:,} rows, {before:,} in" in check.text


def test_only_what_was_delivered_is_compared_with(tmp_path: Path) -> None:
    """The last delivered run before this one of the same reader: not one that waits, not a later one."""
    badges = Badges(tmp_path)
    assert badges.run(10, deliver_to=None).checks[0].text.startswith("no earlier package")
    first = badges.run(100)
    badges.run(1000, deliver_to=None)
    second = badges.run(90)
    assert first.run in second.checks[0].text
    again = pipeline.convert(badges.place, first, silent)
    assert again.checks == first.checks
    assert again.package == first.package


def test_what_was_delivered_again_is_compared_with(tmp_path: Path) -> None:
    """The beacon holds what reached it last, though that is an older run."""
    badges = Badges(tmp_path)
    old = badges.run(100)
    badges.run(60)
    pipeline.deliver_run(badges.place, old, silent, again=True, reason="the new one was wrong")
    check = badges.run(95).checks[0]
    assert check == Check("drop", "ok", f"no step lost more than 20 % of its rows since {old.run}")
    assert badges.run(90).checks[0].text.endswith(f"since {badges.place.runs.all()[-2].run}")


def test_a_gap_that_tells_why_is_warned_of(tmp_path: Path) -> None:
    """A step of ours without its permission lost everything, and that is said; another step is refused."""
    outbox = tmp_path / "Outbox"
    outbox.mkdir()
    first = at_work(tmp_path, TRUE, deliver_to=outbox)
    pipeline.run(first, contoso(first), silent)
    gone = at_work(tmp_path, replace(TRUE, report=(), others=()), {USAGE: "usage"}, deliver_to=outbox)
    check = pipeline.run(gone, contoso(gone), silent).checks[-1]
    assert (check.name, check.level) == ("drop", "warned")
    assert check.text.endswith("the gap usage tells why")
    lost = replace(TRUE, assignments=(), licensed=())
    other = at_work(tmp_path, lost, {USAGE: "usage"}, deliver_to=outbox)
    with pytest.raises(ReaderOutputError, match=r"drop: Assignment\.xml/Assignment: 0 rows, 2 in"):
        pipeline.run(other, contoso(other), silent)


@pytest.mark.parametrize(("dated", "level"), [(32, "ok"), (31, "warned"), (20, "warned"), (19, "refused")])
def test_the_dates_of_sign_ins_are_compared_with_the_last_run(tmp_path: Path, dated: int, level: str) -> None:
    """Each user has a row of SignIn whatever Graph answers, so the rows with a date are counted."""
    found = after_delivery(tmp_path)(replace(TRUE, dated=dated))
    assert found["sign-ins"].level == "ok"
    assert found["drop"].level == level
    text = f"{SIGN_IN}: {dated} users with a date, 40 in "
    assert found["drop"].text.startswith(text) == (level != "ok")


def test_dates_of_sign_ins_that_are_gone_are_released_like_rows(tmp_path: Path) -> None:
    """With a reason; a run without a number, such as one before there were any, is not compared with."""
    outbox = tmp_path / "Outbox"
    outbox.mkdir()
    first = at_work(tmp_path, TRUE, deliver_to=outbox)
    pipeline.run(first, contoso(first), silent)
    place = at_work(tmp_path, replace(TRUE, dated=0), deliver_to=outbox)
    with pytest.raises(ReaderOutputError, match=f"drop: {SIGN_IN}: 0 users with a date, 40 in") as caught:
        pipeline.run(place, contoso(place), silent)
    assert "--accept-drop" in caught.value.hint
    run = place.runs.load("last:Contoso")
    done = pipeline.deliver_run(place, run, silent, accept_drop=True, reason="the log was emptied")
    assert done.checks[-1].text.endswith("accepted, because: the log was emptied")
    place.runs.save(replace(done, checks=tuple(replace(check, number=None) for check in done.checks)))
    assert pipeline.run(place, contoso(place), silent).checks[-1].level == "ok"


def after_delivery(home: Path, **parameters: str) -> Callable[..., dict[str, Check]]:
    """Deliver a run with these parameters; return what reads a tenant with others and tells its checks."""
    outbox = home / "Outbox"
    outbox.mkdir()
    first = at_work(home, TRUE, deliver_to=outbox, parameters={**ROOT, **parameters})
    pipeline.run(first, contoso(first), silent)

    def again(tenant: Tenant, **parameters: str) -> dict[str, Check]:
        return checks(home, tenant, deliver_to=outbox, parameters={**ROOT, **parameters})

    return again


def test_graphs_counts_take_no_part_in_drops(tmp_path: Path) -> None:
    """One that a cloud does not answer is no loss of rows."""
    again = after_delivery(tmp_path)
    assert again(replace(TRUE, counts=(), licensed=()))["drop"].level == "ok"


FEWER = {USAGE: replace(TRUE, report=(), others=()), SIGN_IN: replace(TRUE, signed_in=())}


@pytest.mark.parametrize(
    ("step", "before", "now", "changed"),
    [
        (USAGE, {"Reports": f"getTeamsUserActivityUserDetail,{REPORT}"}, {"Reports": REPORT}, "Reports"),
        (USAGE, {}, {"Period": "D7", "Reports": REPORT}, "Reports, Period"),
        (USAGE, {"ReportHosts": "a.example"}, {"SignIns": "no"}, "ReportHosts"),
        (SIGN_IN, {}, {"SignIns": "no", "Period": "D7"}, "SignIns"),
        (USAGE, {"Reports": f"getX,{REPORT}"}, {"Reports": f" {REPORT.lower()}, GETX"}, ""),
        (USAGE, {"Period": "D30"}, {"SignIns": "no"}, ""),
        (SIGN_IN, {"SignIns": "YES"}, {"Reports": REPORT}, ""),
    ],
)
def test_who_asks_for_less_gets_less(
    tmp_path: Path, step: str, before: Mapping[str, str], now: Mapping[str, str], changed: str
) -> None:
    """Fewer rows of Usage and SignIn are warned of if what says how much they read has changed, and named."""
    check = after_delivery(tmp_path, **before)(FEWER[step], **now)["drop"]
    assert check.level == ("warned" if changed else "refused")
    assert check.text.startswith(f"{step}: 0 rows")
    assert check.text.endswith(f"max_drop is 50 %; changed since then: {changed}" if changed else "50 %")


def test_a_refusal_names_what_was_changed(tmp_path: Path) -> None:
    """Other steps, and other folders, are refused all the same."""
    again = after_delivery(tmp_path)
    check = again(replace(TRUE, assignments=(), licensed=()), Period="D7", SignIns="no")["drop"]
    assert check.level == "refused"
    assert check.text.endswith("; changed since then: Period, SignIns")
    (tmp_path / "other").mkdir()
    badges = Badges(tmp_path / "other")
    badges.run(100)
    with pytest.raises(ReaderOutputError, match="max_drop is 50 %; changed since then: ServiceUrl"):
        badges.run(40, parameters={**PARAMETERS, "ServiceUrl": "https://another.example"})


@pytest.mark.parametrize(("applies", "why"), [(True, "is not there"), (False, "does not apply")])
def test_a_step_that_is_gone_is_warned_of(tmp_path: Path, applies: bool, why: str) -> None:
    """It was in the last delivered run, whatever its rows were."""
    outbox = tmp_path / "Outbox"
    outbox.mkdir()
    place = at_work(tmp_path, TRUE, deliver_to=outbox)
    first = pipeline.run(place, contoso(place), silent)
    run = pipeline.collect(place, contoso(place), silent)
    steps = tuple(
        replace(line, capture=None, capture_sha256=None, rows=None) if line.step.id == SIGN_IN else line
        for line in run.steps
    )
    if applies:
        run = replace(run, steps=tuple(line for line in steps if line.capture))
    else:
        run = replace(run, steps=steps, not_applicable=(SIGN_IN,))
    place.runs.save(run)
    done = pipeline.convert(place, run, silent)
    text = f"{SIGN_IN}: it {why} any more; 40 rows in {first.run}"
    assert done.checks[-1] == Check("drop", "warned", text)
    pipeline.deliver_run(place, done, silent)
    assert pipeline.run(place, contoso(place), silent).checks[-1].level == "ok"


def test_a_drop_is_accepted_with_a_reason(tmp_path: Path) -> None:
    """The hint and `show` tell the command; it packages the same captures, delivers, and keeps the reason."""
    badges = Badges(tmp_path)
    badges.run(100)
    run = badges.refused(40)
    assert run.error and not run.error.retryable
    command = f'beacon-bridge deliver {run.run} --accept-drop --reason "WHY"'
    assert run.error.hint.endswith(command)
    assert next_command(run, badges.place.runs) == run.command_for_a_package == command
    with pytest.raises(DeliveryError) as caught:
        pipeline.deliver_run(badges.place, run, silent)
    assert caught.value.hint == command
    done = pipeline.deliver_run(badges.place, run, silent, accept_drop=True, reason="the branch\nwas sold")
    assert (done.state, done.accepted_drop, badges.place.runs.place(done)) == (
        State.COMPLETE,
        "the branch was sold",
        DELIVERED,
    )
    package = verify(tmp_path / "Outbox" / f"{run.run}.zip")
    assert [check.level for check in package.manifest.checks] == ["warned"]
    assert package.manifest.checks[0].text.endswith("accepted, because: the branch was sold")
    assert any("accepted, because: the branch was sold" in line for line in tell(done, badges.place.runs))
    assert badges.run(35).checks[0].level == "ok"


def test_an_accepted_drop_without_a_destination_waits(tmp_path: Path) -> None:
    """The package is made and lies in ready/."""
    badges = Badges(tmp_path)
    badges.run(100)
    run = badges.refused(40)
    nowhere = replace(contoso(badges.place), deliver_to=None)
    place = replace(badges.place, settings=replace(badges.place.settings, connections={"Contoso": nowhere}))
    done = pipeline.deliver_run(place, run, silent, accept_drop=True, reason="sold")
    assert (place.runs.place(done), done.receipts) == (READY, ())


def make_delivered(badges: Badges) -> Run:
    """Return a run that was delivered."""
    return badges.run(90)


def make_failed(badges: Badges) -> Run:
    """Return a run that was refused for something else."""
    badges.engine.rows = [("x", None)]
    with pytest.raises(ReaderOutputError):
        pipeline.run(badges.place, contoso(badges.place), silent)
    return badges.place.runs.load("last:Contoso")


@pytest.mark.parametrize("make", [make_delivered, make_failed])
def test_there_must_be_a_drop_to_accept(tmp_path: Path, make: Callable[[Badges], Run]) -> None:
    """A run that was refused for something else, or for nothing, is not released by it."""
    badges = Badges(tmp_path)
    badges.run(100)
    run = make(badges)
    with pytest.raises(PackageError, match="no drop to accept"):
        pipeline.deliver_run(badges.place, run, silent, accept_drop=True, reason="sold")
    assert badges.place.runs.load(run.run).accepted_drop == ""


def test_a_drop_with_another_refusal_is_not_accepted(tmp_path: Path) -> None:
    """Users who were read twice are no matter of opinion."""
    outbox = tmp_path / "Outbox"
    outbox.mkdir()
    first = at_work(tmp_path, TRUE, deliver_to=outbox)
    pipeline.run(first, contoso(first), silent)
    tenant = replace(TRUE, users=(*TRUE.users, user(1)), assignments=(), licensed=())
    place = at_work(tmp_path, tenant, deliver_to=outbox)
    with pytest.raises(ReaderOutputError, match="read twice"):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert run.refused_checks == ("users-twice", "drop")
    with pytest.raises(PackageError, match="no drop to accept"):
        pipeline.deliver_run(place, run, silent, accept_drop=True, reason="sold")


def test_a_drop_is_not_accepted_after_a_newer_delivery(tmp_path: Path) -> None:
    """It would undo what was delivered later, so nothing is packaged."""
    badges = Badges(tmp_path)
    badges.run(100)
    run = badges.refused(40)
    badges.run(95)
    with pytest.raises(DeliveryError, match="would undo it"):
        pipeline.deliver_run(badges.place, run, silent, accept_drop=True, reason="sold")
    assert badges.place.runs.place(run) == "-"


def test_what_takes_a_unit_is_said_once() -> None:
    """The pattern that counts holders knows the states of readers/ours.py, and no other of Graph's."""
    states = ("Active", "ActiveWithError", "Disabled", "Error", "")
    assert {state for state in states if re.fullmatch(TAKES, state)} == HOLDING
