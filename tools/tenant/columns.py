"""What is in the columns of a usage report: it follows from their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import NamedTuple

from tools.tenant.data import Tenant
from tools.tenant.people import REFRESHED, SEEN, Person


class Line(NamedTuple):
    """What a row is made of: whose it is, who is named in it, which period and product it is about."""

    tenant: Tenant
    person: Person
    principal: str
    name: str
    period: str
    product: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a report, the kind of activity that it is about, and what fills the other columns."""

    columns: tuple[str, ...]
    slot: int
    rest: Maker


Fill = Callable[[Line], Sequence[str]]  # the cells of some neighbouring columns
Maker = Callable[[tuple[str, ...], Layout], Fill]


def fills(layout: Layout) -> tuple[Fill, ...]:
    """Return what fills the columns, from left to right; neighbours of one rule are filled together."""
    groups = groupby(layout.columns, key=lambda column: _rule(column, layout))
    return tuple(maker(tuple(columns), layout) for maker, columns in groups)


def _rule(column: str, layout: Layout) -> Maker:
    return next((maker for pattern, maker in _RULES if re.fullmatch(pattern, column)), layout.rest)


def _by(value: Callable[[Line], str]) -> Maker:
    def make(columns: tuple[str, ...], layout: Layout) -> Fill:
        return lambda line: [value(line)] * len(columns)

    return make


# --- licences and activity ---


def _licensed(services: Sequence[str]) -> Mapping[tuple[bool, bool], Sequence[bool]]:
    """Return which services a user may use: by whether there is a suite, and by turns."""
    return {
        (suite, turn): [suite and (turn or service != "Skype For Business") for service in services]
        for suite in (False, True)
        for turn in (False, True)
    }


def _kind(line: Line) -> tuple[bool, bool]:
    return line.person.kind.suite, line.person.index % 2 == 0


def _license(columns: tuple[str, ...], layout: Layout) -> Fill:
    services = [column.removeprefix("Has ").removesuffix(" License") for column in columns]
    texts = {kind: list(map(str, may)) for kind, may in _licensed(services).items()}
    return lambda line: texts[_kind(line)]


def _assigned(columns: tuple[str, ...], layout: Layout) -> Fill:
    licensed = _licensed([column.removesuffix(" License Assign Date") for column in columns])

    def fill(line: Line) -> Sequence[str]:
        day = line.person.born
        return [day if may else "" for may in licensed[_kind(line)]]

    return fill


_SLOTS = {"Exchange": 0, "OneDrive": 1, "SharePoint": 2, "Skype For Business": 3, "Yammer": 4, "Teams": 5}
_SLOTS |= {"Word Copilot": 1, "Excel Copilot": 2, "Outlook Copilot": 3, "Copilot Chat": 4}


def _last(columns: tuple[str, ...], layout: Layout) -> Fill:
    services = [re.sub(" ?Last Activ.+ Date", "", column) for column in columns]
    slots = [8 + _SLOTS.get(service, layout.slot) for service in services]
    if f"Has {services[0]} License" not in layout.columns:
        return lambda line: [SEEN[line.person.digest[slot]] for slot in slots]
    used = {
        kind: [slot if may else 0 for slot, may in zip(slots, licensed, strict=True)]
        for kind, licensed in _licensed(services).items()
    }

    def fill(line: Line) -> Sequence[str]:
        digest = line.person.digest
        return [SEEN[digest[slot]] if slot else "" for slot in used[_kind(line)]]

    return fill


def _deleted(line: Line) -> str:
    return REFRESHED.replace(day=3).isoformat() if line.person.former else ""


_RULES: tuple[tuple[str, Maker], ...] = (
    ("Report Refresh Date", _by(lambda line: REFRESHED.isoformat())),
    ("Report Period", _by(lambda line: line.period.removeprefix("D"))),
    ("(User|Owner) Principal Name", _by(lambda line: line.principal)),
    ("(Owner )?Display Name", _by(lambda line: line.name)),
    ("User Id", _by(lambda line: line.person.id)),
    ("Tenant Display Name", _by(lambda line: line.tenant.display_name)),
    ("Shared Channel Tenant Display Names|Site URL", _by(lambda line: "")),
    ("Is Deleted", _by(lambda line: str(line.person.former))),
    ("Deleted Date|State Change Date", _by(_deleted)),
    ("User State", _by(lambda line: "deleted" if line.person.former else "active")),
    ("Created Date", _by(lambda line: line.person.born)),
    ("Has .+ License", _license),
    (".+ License Assign Date", _assigned),
    ("Assigned Products", _by(lambda line: line.person.kind.products)),
    ("Product Type", _by(lambda line: line.product)),
    ("(.* )?Last Activity Date|Last Activat(ed|ion) Date", _last),
    (".+ Duration", _by(lambda line: f"PT{line.person.digest[9] % 60}M{line.person.digest[10] % 60}S")),
    ("Has (Other Action|Archive)", _by(lambda line: "Yes" if line.person.index % 3 else "No")),
    ("Is Licensed", _by(lambda line: "Yes")),
)


# --- what fills the other columns of a report ---


def numbers(columns: tuple[str, ...], layout: Layout) -> Fill:
    """Return what counts something: nothing for whoever was never active."""
    places = [(_place(column), 4096 if "Byte" in column else 1) for column in columns]

    def fill(line: Line) -> Sequence[str]:
        digest = line.person.digest
        return [
            str(digest[place % 8] * place % 97 * factor) if SEEN[digest[8 + place % 8]] else "0"
            for place, factor in places
        ]

    return fill


_USED = tuple("Yes" if day else "No" for day in SEEN)


def used(columns: tuple[str, ...], layout: Layout) -> Fill:
    """Return whether something was used: Yes or No."""
    slots = [8 + _place(column) % 8 for column in columns]

    def fill(line: Line) -> Sequence[str]:
        digest = line.person.digest
        return [_USED[digest[slot]] for slot in slots]

    return fill


_COUNTS = ("0", "1", "2", "", "0", "3")


def devices(columns: tuple[str, ...], layout: Layout) -> Fill:
    """Return on how many devices a product is activated; the file leaves some zeros out."""

    def fill(line: Line) -> Sequence[str]:
        digest, shared = line.person.digest, str(line.person.index % 50 == 0).upper()
        if not line.person.seen(6):
            return ("0", "0", "0", "0", "0", shared)
        windows, mac, ios, android = (_COUNTS[digest[place] % 6] for place in (0, 1, 3, 4))
        return (windows, mac, "0", ios, android, shared)

    return fill


def _place(column: str) -> int:
    return blake2b(column.encode(), digest_size=1).digest()[0]
