"""The users of the tenant, each made from an index and the seed, property by property."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from hashlib import blake2b
from typing import Any

from tools.tenant.guids import as_guid
from tools.tenant.skus import PLAIN, Item, Kind

REFRESHED = date(2026, 11, 19)  # what the newest data of reports is about

_GIVEN = (
    "Ada",
    "Bjørn",
    "Chloë",
    "Dmitri",
    "Edda",
    "Fátima",
    "Grzegorz",
    "Héctor",
    "Iñaki",
    "Jürgen",
    "Keiko",
)
_FAMILY = ("Müller", "O'Neil", "Strauß", "Çelik", "Núñez", "Smith", "Żak", "Øster", "Vega", "Wang", "Ivanova")
_ODD: tuple[Callable[[str, str], str], ...] = (
    lambda given, family: f"{given} {family}",
    lambda given, family: f'"{family}, {given}"',
    lambda given, family: f"{given} & {family} <{given}>",
    lambda given, family: f"{given} \U0001f600 {family}",
    lambda given, family: f"{given}\x01{family}",
    lambda given, family: f"\U0001d4d0\U0001d4d1\U00020000 {family}",
    lambda given, family: f"  {given} {family}  ",
    lambda given, family: f"{given} _x0041_ {family}",
    lambda given, family: f"{given}\t{family}\r\n",
    lambda given, family: "2024-01-15T08:30:00.000Z",
    lambda given, family: "2024-01-15T00:00:00",
    lambda given, family: "/Date(1700000000000)/",
    lambda given, family: f"#{given}",
    lambda given, family: f"\\{given}\\ 'n' $({family}) `{given}",
    lambda given, family: f"{given}\ufffe\u202e{family}",
    lambda given, family: f"{family}\u0000{given}",
    lambda given, family: f"{given};{family}=\n1",
)
_COUNTRIES = ("Germany", "France", "Côte d'Ivoire", "日本", None)
_LOCATIONS = ("DE", "FR", "CI", "JP", None)
_DEPARTMENTS = ("Sales", "R&D", "", None, '"Q" <A>', "2024-05-01T00:00:00Z", "Finance")
_DAYS = tuple((date(2014, 3, 1) + timedelta(days=number)).isoformat() for number in range(3500))
_FRACTIONS = ("", "", "", ".5", ".1234567", ".5000000", ".000")
_NEVER = "0001-01-01T00:00:00Z"
_UPDATED = tuple(f"{_DAYS[number * 11]}T06:05:04Z" for number in range(256))
_NO_SIGN_IN: Mapping[str, str | None] = {
    "lastSignInDateTime": _NEVER,
    "lastNonInteractiveSignInDateTime": None,
    "lastSuccessfulSignInDateTime": None,
}
SEEN = (
    *((REFRESHED - timedelta(days=number)).isoformat() for number in range(200)),
    *([""] * 56),
)  # by a byte: so many days ago, or never


class Person:
    """One user; ``former``: one who was deleted and whom only reports remember.

    ``guest`` is whether the user belongs to another tenant, ``stem`` what the addresses begin with;
    ``principal`` is the user principal name, ``mail`` the address, or None.
    """

    def __init__(self, seed: int, domain: str, index: int, kind: Kind, *, former: bool = False) -> None:
        self.index, self.domain, self.former = index, domain, former
        self.kind = PLAIN if former else kind
        self.guest = index % 9 == 5 and not former
        self.stem = f"former{index}" if former else f"user{index}"
        at_home = f"{self.stem}@{domain}"
        self.principal = f"{self.stem}_fabrikam.example#EXT#@{domain}" if self.guest else at_home
        self.mail = None if index % 6 == 4 else f"{self.stem}@fabrikam.example" if self.guest else at_home
        key = f"{seed}/former/{index}" if former else f"{seed}/{index}"
        self.digest = blake2b(key.encode(), digest_size=16).digest()

    @property
    def id(self) -> str:
        """The object id."""
        return as_guid(self.digest)

    @property
    def given(self) -> str:
        """The first name."""
        return _GIVEN[self.digest[0] % len(_GIVEN)]

    @property
    def family(self) -> str:
        """The last name."""
        return _FAMILY[self.digest[1] % len(_FAMILY)]

    @property
    def name(self) -> str:
        """The display name; many are odd."""
        place, digest = self.index % 20, self.digest
        given, family = _GIVEN[digest[0] % len(_GIVEN)], _FAMILY[digest[1] % len(_FAMILY)]
        return _ODD[place](given, family) if place < len(_ODD) else f"{given} {family}"

    @property
    def _age(self) -> int:
        return int.from_bytes(self.digest[4:8], "big") % 300_000_000

    @property
    def born(self) -> str:
        """The day on which the account was made."""
        return _DAYS[self._age // 86400]

    @property
    def created(self) -> str:
        """When the account was made, to the second."""
        seconds = self._age % 86400
        return f"{self.born}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    @property
    def synced(self) -> bool:
        """Whether the account comes from a directory on premises."""
        return self.index % 4 == 1

    def seen(self, slot: int) -> str:
        """Return the day of the last activity of one of eight kinds; empty if there was none."""
        return SEEN[self.digest[8 + slot % 8]]

    @property
    def proxies(self) -> list[str]:
        """The proxy addresses, in no useful order."""
        mail = self.mail
        if mail is None or self.index % 5 == 3:
            return []
        found = [f"SMTP:{mail}", f"smtp:{self.stem}@Contoso-old.example"]
        if self.index % 3:
            found.insert(0, f"smtp:{self.family.lower()}.{self.index}@{self.domain}")
        if self.index % 3 == 2:
            found.insert(1, f"SIP:{mail}")
        return found

    @property
    def others(self) -> list[str]:
        """Further mail addresses, in no useful order."""
        if self.guest:
            return [f"{self.stem}@fabrikam.example"]
        return [f"z{self.index}@home.example", f"A{self.index}@home.example"] if self.index % 8 == 2 else []

    @property
    def states(self) -> list[Item]:
        """The property licenseAssignmentStates."""
        moment = _UPDATED[self.digest[4]]
        return [{**state, "lastUpdatedDateTime": moment} for state in self.kind.states]

    @property
    def sign_ins(self) -> Item | None:
        """The property signInActivity: None for some who never signed in, and dates of year 1 for others."""
        if self.index % 7 == 2:
            return None
        if self.index % 20 == 6:
            return dict(_NO_SIGN_IN)
        time, digest = f"T07:05:{self.index % 60:02}Z", self.digest
        interactive, background, success = SEEN[digest[8]], SEEN[digest[13]], SEEN[digest[14]]
        return {
            "lastSignInDateTime": (
                _NEVER if self.index % 10 == 3 else interactive + time if interactive else None
            ),
            "lastSignInRequestId": self.stem,
            "lastNonInteractiveSignInDateTime": background + time if background else None,
            "lastNonInteractiveSignInRequestId": "",
            "lastSuccessfulSignInDateTime": success + time if success else None,
            "lastSuccessfulSignInRequestId": None,
        }


def _synced(person: Person) -> str | None:
    if not person.synced:
        return None
    return f"2026-11-{1 + person.digest[5] % 18:02}T04:{person.digest[6] % 60:02}:00Z"


def _created(person: Person) -> str | None:
    if person.index % 17 == 3:
        return None
    return f"{person.created}{_FRACTIONS[person.index % len(_FRACTIONS)]}Z"


PROPERTIES: Mapping[str, Callable[[Person], Any]] = {
    "businessPhones": lambda person: [],
    "displayName": lambda person: person.name,
    "givenName": lambda person: None if person.index % 12 == 8 else person.given,
    "jobTitle": lambda person: None,
    "mail": lambda person: person.mail,
    "mobilePhone": lambda person: None,
    "officeLocation": lambda person: None,
    "preferredLanguage": lambda person: None,
    "surname": lambda person: None if person.index % 12 == 8 else person.family,
    "userPrincipalName": lambda person: person.principal,
    "id": lambda person: person.id,
    "accountEnabled": lambda person: person.index % 11 != 7,
    "userType": lambda person: "Guest" if person.guest else None if person.index % 13 == 12 else "Member",
    "createdDateTime": _created,
    "country": lambda person: _COUNTRIES[person.digest[2] % len(_COUNTRIES)],
    "department": lambda person: _DEPARTMENTS[person.digest[3] % len(_DEPARTMENTS)],
    "usageLocation": lambda person: _LOCATIONS[person.digest[2] % len(_LOCATIONS)],
    "proxyAddresses": lambda person: person.proxies,
    "otherMails": lambda person: person.others,
    "onPremisesImmutableId": lambda person: (
        base64.b64encode(person.digest).decode() if person.synced else None
    ),
    "onPremisesLastSyncDateTime": _synced,
    "assignedLicenses": lambda person: person.kind.assigned,
    "licenseAssignmentStates": lambda person: person.states,
    "signInActivity": lambda person: person.sign_ins,
}
