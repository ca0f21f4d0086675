"""Captures of a made-up tenant, in the shape and size that real ones have: the input of the benchmarks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.capture import CaptureWriter, Header
from bridge.model import SOURCE_TO_TARGET, Column, Step

ASSIGNMENTS_PER_USER = 2.3
USAGE_PER_USER = 0.8
SUBSCRIPTIONS = 293

Cells = list[str | None]

_GIVEN = (
    "Anna",
    "Björn",
    "Chloé",
    "David",
    "Emma",
    "Jürgen",
    "Łukasz",
    "Maria",
    "Noah",
    "Olga",
    "Péter",
    "Søren",
)
_FAMILY = (
    "Abbott",
    "Brandt",
    "Clarke",
    "Díaz",
    "Fischer",
    "Müller",
    "Novák",
    "O'Neill",
    "Smith",
    "Weiß",
    "Young",
)
_DEPARTMENTS = ("Finance", "Human Resources", "Legal", "Manufacturing", "Research & Development", "Sales")
_TITLES = ("Accountant", "Engineer", "Manager", "Technician", "Analyst", "Consultant")
_COUNTRIES = ("Germany", "United Kingdom", "United States", "Österreich", "France", "Poland")
_SERVICES = ("Exchange", "OneDrive", "SharePoint", "Teams", "Yammer")
_PLANS = ("ENTERPRISEPACK", "ENTERPRISEPREMIUM", "POWER_BI_PRO", "VISIOCLIENT", "PROJECTPROFESSIONAL")


def _step(order: int, name: str, table: str, *columns: tuple[str, str, int | None]) -> Step:
    return Step(
        file=f"{name}.xml",
        name=f"Load{name}",
        procedure=name,
        order=order,
        kind=SOURCE_TO_TARGET,
        table=table,
        method=f"Get-{name}",
        columns=tuple(Column(column, kind, column, length) for column, kind, length in columns),
    )


SUBSCRIPTION = _step(
    1,
    "Subscription",
    "ImportedSubscription",
    ("SkuId", "nvarchar", 64),
    ("SkuPartNumber", "nvarchar", 128),
    ("Enabled", "int", None),
    ("Consumed", "int", None),
    ("CapabilityStatus", "nvarchar", 32),
)
USER = _step(
    2,
    "User",
    "ImportedUser",
    ("UserId", "nvarchar", 64),
    ("UserPrincipalName", "nvarchar", 256),
    ("DisplayName", "nvarchar", 256),
    ("Mail", "nvarchar", 256),
    ("Department", "nvarchar", 128),
    ("JobTitle", "nvarchar", 128),
    ("Country", "nvarchar", 64),
    ("AccountEnabled", "bit", None),
    ("UserType", "nvarchar", 32),
    ("Created", "datetime", None),
    ("LastSignIn", "datetime", None),
    ("LicenceCount", "int", None),
)
ASSIGNMENT = _step(
    3,
    "Assignment",
    "ImportedAssignment",
    ("UserId", "nvarchar", 64),
    ("SkuId", "nvarchar", 64),
    ("SkuPartNumber", "nvarchar", 128),
    ("State", "nvarchar", 32),
    ("Assigned", "datetime", None),
)
USAGE = _step(
    4,
    "Usage",
    "ImportedUsage",
    ("UserPrincipalName", "nvarchar", 256),
    ("Service", "nvarchar", 64),
    ("LastActivity", "datetime", None),
    ("StorageBytes", "bigint", None),
    ("FileCount", "int", None),
)


def write_captures(folder: Path, users: int, *, nulls: float) -> list[tuple[Step, Path]]:
    """Write one capture a step for so many users; the same arguments give the same rows.

    ``nulls`` is the share of the cells (but for each row's first) that are null, 0 to 1. 100,000 users are
    410,293 rows in four tables. Names have umlauts, one in a thousand an emoji, departments an ampersand.
    """
    chance = random.Random(1)  # noqa: S311  # the same rows each time, no secret
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, (step, rows) in enumerate(_tables(users, chance), start=1):
        path = folder / f"{number:03}.xml"
        with CaptureWriter(path, _header(step)) as capture:
            for cells in rows:
                capture.write(_thinned(cells, nulls, chance))
            capture.finish()
        written.append((step, path))
    return written


def _header(step: Step) -> Header:
    return Header(
        reader="Benchmark",
        owner="path",
        reader_sha256="0" * 64,
        file=step.file,
        procedure=step.procedure,
        step=step.name,
        table=step.table,
        columns=step.columns,
        engine="native",
        bits="none",
        version="3.11.0",
        start="2026-11-22T08:15:30Z",
    )


def _thinned(cells: Cells, nulls: float, chance: random.Random) -> Sequence[str | None]:
    if not nulls:
        return cells
    return [cells[0], *(None if chance.random() < nulls else text for text in cells[1:])]


def _tables(users: int, chance: random.Random) -> Iterator[tuple[Step, Iterator[Cells]]]:
    yield SUBSCRIPTION, (_subscription(number, chance) for number in range(SUBSCRIPTIONS))
    yield USER, (_user(number, chance) for number in range(users))
    assignments = round(users * ASSIGNMENTS_PER_USER)
    yield ASSIGNMENT, (_assignment(number, users, chance) for number in range(assignments))
    yield USAGE, (_usage(number, users, chance) for number in range(round(users * USAGE_PER_USER)))


def _guid(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-4000-8000-{number * 2_654_435_761 % 2**48:012x}"


def _principal(number: int) -> str:
    return f"user{number:06}@contoso.example"


def _moment(chance: random.Random) -> str:
    return (
        f"20{chance.randint(15, 26)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        f"T{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}Z"
    )


def _subscription(number: int, chance: random.Random) -> Cells:
    enabled = chance.randint(1, 5000)
    return [
        _guid(2, number),
        f"{chance.choice(_PLANS)}_{number}",
        str(enabled),
        str(chance.randint(0, enabled)),
        "Enabled",
    ]


def _user(number: int, chance: random.Random) -> Cells:
    name = f"{chance.choice(_GIVEN)} {chance.choice(_FAMILY)}"
    return [
        _guid(1, number),
        _principal(number),
        f"{name} \N{ROCKET}" if chance.random() < 0.001 else name,
        _principal(number),
        chance.choice(_DEPARTMENTS),
        chance.choice(_TITLES),
        chance.choice(_COUNTRIES),
        chance.choice(("true", "true", "true", "false")),
        chance.choice(("Member", "Member", "Guest")),
        _moment(chance),
        _moment(chance),
        str(chance.randint(0, 6)),
    ]


def _assignment(number: int, users: int, chance: random.Random) -> Cells:
    return [
        _guid(1, number % users),
        _guid(2, chance.randrange(SUBSCRIPTIONS)),
        chance.choice(_PLANS),
        "Active",
        _moment(chance),
    ]


def _usage(number: int, users: int, chance: random.Random) -> Cells:
    return [
        _principal(number % users),
        chance.choice(_SERVICES),
        _moment(chance),
        str(chance.randrange(50 * 2**30)),
        str(chance.randrange(20_000)),
    ]
