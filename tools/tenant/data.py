"""The tenant's data: users and SKUs in Graph's JSON shape, made from an index and a seed when asked for.

Nothing is kept, so a tenant of a million users needs no memory. The shapes are those of Graph v1.0
(learn.microsoft.com/graph/api/resources/user, .../subscribedsku, .../licenseassignmentstate).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Any
from uuid import UUID

Item = dict[str, Any]

DOMAIN = "contoso.example"


def guid(text: str) -> str:
    """Return the GUID that belongs to a text."""
    return str(UUID(bytes=blake2b(text.encode(), digest_size=16).digest(), version=4))


# --- SKUs ---


@dataclass(frozen=True, slots=True)
class Sku:
    """One product: its public id and name, how many service plans it has, and the state it is in."""

    id: str
    part: str
    plans: int
    applies_to: str = "User"
    status: str = "Enabled"

    def plan(self, number: int) -> str:
        """Return the id of a service plan."""
        return guid(f"{self.part}/{number}")


E3 = Sku("6fd2c87f-b296-42f0-b197-1e91e994b900", "ENTERPRISEPACK", 24)
E5 = Sku("06ebc4ee-1bb5-47dd-8120-11324bc54e06", "SPE_E5", 60)
FLOW = Sku("f30db892-07e9-47e9-837c-80727f46fd3d", "FLOW_FREE", 3)
POWER_BI = Sku("a403ebcc-fae0-4ca2-8c8c-7a907fd6c235", "POWER_BI_STANDARD", 2)
VISIO = Sku("c5928f49-12ba-48f7-ada3-0d743a3601d5", "VISIOCLIENT", 4)
PROJECT = Sku("53818b1b-4a27-454b-8896-0dba576410e6", "PROJECTPROFESSIONAL", 7, status="Warning")
STORE = Sku("6470687e-a428-4b7a-bef2-8a291ad947c9", "WINDOWS_STORE", 1, applies_to="Company")
EXCHANGE = Sku("4b9405b0-7788-4568-add1-99614e613b69", "EXCHANGESTANDARD", 5, status="Suspended")
SKUS = (E3, E5, FLOW, POWER_BI, VISIO, PROJECT, STORE, EXCHANGE)


# --- who has which licence ---


@dataclass(frozen=True, slots=True)
class Licence:
    """One assignment: of which SKU, by which group (None: direct), and how many plans are switched off."""

    sku: Sku
    group: str | None = None
    disabled: int = 0
    state: str = "Active"

    @property
    def disabled_plans(self) -> list[str]:
        """The plans that are switched off, in no useful order."""
        return [self.sku.plan(number) for number in range(self.disabled)]


_SALES, _OFFICE = guid("group/sales"), guid("group/office")
# What a user can have, and how many in a hundred have it.
_KINDS: tuple[tuple[int, tuple[Licence, ...]], ...] = (
    (25, ()),
    (25, (Licence(E3),)),
    (20, (Licence(E5, _SALES, disabled=1),)),
    (10, (Licence(E3, disabled=3), Licence(FLOW))),
    (10, (Licence(E5, _SALES), Licence(POWER_BI), Licence(VISIO, _OFFICE, disabled=2))),
    (5, (Licence(E3, disabled=2), Licence(E3, _OFFICE))),
    (3, (Licence(E5, _SALES, state="Error"), Licence(FLOW))),
    (2, (Licence(PROJECT, disabled=5, state="ActiveWithError"), Licence(E5, disabled=40))),
)


def _cycle(seed: int) -> tuple[tuple[Licence, ...], ...]:
    """Return a hundred kinds in an order of the seed; every kind is among the first eight."""
    source = random.Random(seed)  # noqa: S311  # data, not cryptography
    first = [kind for _, kind in _KINDS]
    rest = [kind for count, kind in _KINDS for _ in range(count - 1)]
    source.shuffle(first)
    source.shuffle(rest)
    return (*first, *rest)


def consuming(kind: tuple[Licence, ...]) -> set[Sku]:
    """Return the SKUs of which a user of this kind takes a unit: one each, none where it failed."""
    return {licence.sku for licence in kind if licence.state != "Error"}


# --- names ---

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
)
_COUNTRIES = ("Germany", "France", "Côte d'Ivoire", "日本", None)
_LOCATIONS = ("DE", "FR", "CI", "JP", None)
_DEPARTMENTS = ("Sales", "R&D", "", None, '"Q" <A>', "2024-05-01T00:00:00Z", "Finance")
_EPOCH = datetime(2014, 3, 1, 6, 5, 4, tzinfo=UTC)
_FRACTIONS = ("", "", "", ".5", ".1234567", ".5000000", ".000")


# --- the tenant ---


@dataclass(frozen=True)
class Tenant:
    """A tenant of so many users; the same seed gives the same tenant everywhere."""

    users: int = 1000
    seed: int = 1
    domain: str = DOMAIN

    @property
    def id(self) -> str:
        """The tenant's id, a GUID of its seed."""
        return guid(f"{self.seed}/tenant")

    @property
    def display_name(self) -> str:
        """What the tenant calls itself."""
        return self.domain.partition(".")[0].capitalize()

    def organization(self) -> Item:
        """Return what Graph tells of the tenant itself."""
        domain = {"capabilities": "Email", "isDefault": True, "isInitial": False, "type": "Managed"}
        return {
            "id": self.id,
            "displayName": self.display_name,
            "tenantType": "AAD",
            "verifiedDomains": [{**domain, "name": self.domain}],
        }

    @cached_property
    def _kinds(self) -> tuple[tuple[Licence, ...], ...]:
        return _cycle(self.seed)

    def kind(self, index: int) -> tuple[Licence, ...]:
        """Return the licences of one user."""
        return self._kinds[index % len(self._kinds)]

    @cached_property
    def consumed(self) -> Counter[Sku]:
        """How many users take a unit of each SKU."""
        counts: Counter[Sku] = Counter()
        rounds, rest = divmod(self.users, len(self._kinds))
        for place, kind in enumerate(self._kinds):
            counts.update(dict.fromkeys(consuming(kind), rounds + (place < rest)))
        return counts

    def skus(self) -> Iterator[Item]:
        """Yield the tenant's subscribedSkus."""
        for sku in SKUS:
            yield _sku_item(sku, self, self.consumed[sku])

    def everybody(self) -> Iterator[Item]:
        """Yield all users, in the tenant's order."""
        return map(self.user, range(self.users))

    def user(self, index: int) -> Item:
        """Return one user with every property that the tenant knows; IndexError beyond the last."""
        if not 0 <= index < self.users:
            raise IndexError(f"user {index} of {self.users}")
        digest = blake2b(f"{self.seed}/{index}".encode(), digest_size=16).digest()
        given, family = _GIVEN[digest[0] % len(_GIVEN)], _FAMILY[digest[1] % len(_FAMILY)]
        guest = index % 9 == 5
        name = f"user{index}"
        mail = f"{name}@fabrikam.example" if guest else f"{name}@{self.domain}"
        principal = f"{name}_fabrikam.example#EXT#@{self.domain}" if guest else mail
        place = digest[2] % len(_COUNTRIES)
        return {
            "businessPhones": [],
            "displayName": _ODD[index % 20](given, family) if index % 20 < len(_ODD) else f"{given} {family}",
            "givenName": given,
            "jobTitle": None,
            "mail": None if index % 6 == 4 else mail,
            "mobilePhone": None,
            "officeLocation": None,
            "preferredLanguage": None,
            "surname": family,
            "userPrincipalName": principal,
            "id": str(UUID(bytes=digest, version=4)),
            "accountEnabled": index % 11 != 7,
            "userType": "Guest" if guest else None if index % 13 == 12 else "Member",
            "createdDateTime": None if index % 17 == 3 else _created(digest, index),
            "country": _COUNTRIES[place],
            "department": _DEPARTMENTS[digest[3] % len(_DEPARTMENTS)],
            "usageLocation": _LOCATIONS[place],
            "assignedLicenses": _assigned(self.kind(index)),
            "licenseAssignmentStates": [_state(licence, digest) for licence in self.kind(index)],
        }


def _created(digest: bytes, index: int) -> str:
    moment = _EPOCH + timedelta(seconds=int.from_bytes(digest[4:8], "big") % 300_000_000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}{_FRACTIONS[index % len(_FRACTIONS)]}Z"


def _assigned(kind: tuple[Licence, ...]) -> list[Item]:
    return [
        {"skuId": sku.id, "disabledPlans": next(one for one in kind if one.sku == sku).disabled_plans}
        for sku in dict.fromkeys(one.sku for one in kind if one.state != "Error")
    ]


def _state(licence: Licence, digest: bytes) -> Item:
    return {
        "skuId": licence.sku.id,
        "disabledPlans": licence.disabled_plans,
        "assignedByGroup": licence.group,
        "state": licence.state,
        "error": "CountViolation" if licence.state == "Error" else "None",
        "lastUpdatedDateTime": _created(digest, 0),
    }


def _sku_item(sku: Sku, tenant: Tenant, consumed: int) -> Item:
    account = tenant.id
    bought = consumed + 25 if sku.applies_to == "User" else 1_000_000
    units = {"enabled": 0, "suspended": 0, "warning": 0, "lockedOut": 0}
    units[sku.status.lower()] = bought
    plans = [
        {
            "servicePlanId": sku.plan(number),
            "servicePlanName": f"{sku.part}_{number}",
            "provisioningStatus": "Success",
            "appliesTo": sku.applies_to,
        }
        for number in range(sku.plans)
    ]
    return {
        "accountName": tenant.domain.partition(".")[0],
        "accountId": account,
        "appliesTo": sku.applies_to,
        "capabilityStatus": sku.status,
        "consumedUnits": consumed,
        "id": f"{account}_{sku.id}",
        "skuId": sku.id,
        "skuPartNumber": sku.part,
        "subscriptionIds": [guid(f"{account}/{sku.part}")],
        "prepaidUnits": units,
        "servicePlans": plans,
    }
