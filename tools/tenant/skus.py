"""The products of the tenant, and which of them a user can hold."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from tools.tenant.guids import guid

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sku:
    """One product: its public id and names, how many service plans it has, and the state it is in.

    ``extra`` are the units of a second subscription that was cancelled.
    """

    id: str
    part: str
    product: str
    plans: int
    applies_to: str = "User"
    status: str = "Enabled"
    extra: int = 0

    def plan(self, number: int) -> str:
        """Return the id of a service plan."""
        return _plans(self.part, self.plans)[number]


@lru_cache(maxsize=64)
def _plans(part: str, count: int) -> tuple[str, ...]:
    return tuple(guid(f"{part}/{number}") for number in range(count))


E3 = Sku("6fd2c87f-b296-42f0-b197-1e91e994b900", "ENTERPRISEPACK", "Office 365 E3", 24)
E5 = Sku("06ebc4ee-1bb5-47dd-8120-11324bc54e06", "SPE_E5", "Microsoft 365 E5", 60, extra=5)
FLOW = Sku("f30db892-07e9-47e9-837c-80727f46fd3d", "FLOW_FREE", "Microsoft Power Automate Free", 3)
POWER_BI = Sku("a403ebcc-fae0-4ca2-8c8c-7a907fd6c235", "POWER_BI_STANDARD", "Microsoft Fabric (Free)", 2)
VISIO = Sku("c5928f49-12ba-48f7-ada3-0d743a3601d5", "VISIOCLIENT", "Visio Plan 2", 4)
PROJECT = Sku(
    "53818b1b-4a27-454b-8896-0dba576410e6", "PROJECTPROFESSIONAL", "Planner and Project Plan 3", 7,
    status="Warning",
)  # fmt: skip
STORE = Sku(
    "6470687e-a428-4b7a-bef2-8a291ad947c9", "WINDOWS_STORE", "Windows Store for Business", 1,
    applies_to="Company",
)  # fmt: skip
EXCHANGE = Sku(
    "4b9405b0-7788-4568-add1-99614e613b69", "EXCHANGESTANDARD", "Exchange Online (Plan 1)", 5,
    status="Suspended",
)  # fmt: skip
COPILOT = Sku("639dec6b-bb19-468b-871c-c5c441c4b0cb", "Microsoft_365_Copilot", "Microsoft 365 Copilot", 9)
SKUS = (E3, E5, FLOW, POWER_BI, VISIO, PROJECT, STORE, EXCHANGE, COPILOT)

# Two that no list of names knows; the tenant's subscription of the second has ended.
NAMELESS = Sku(guid("sku/nameless"), "CONTOSO_SPECIAL_7", "", 2)
GONE = Sku(guid("sku/gone"), "GONE", "", 3)


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


@dataclass(frozen=True)
class Kind:
    """What users of one kind hold; the texts are made once and shared."""

    licences: tuple[Licence, ...]

    @cached_property
    def skus(self) -> frozenset[Sku]:
        """The SKUs of which such a user takes a unit: one each, none where it failed."""
        return frozenset(licence.sku for licence in self.licences if licence.state != "Error")

    @cached_property
    def assigned(self) -> list[Item]:
        """The property assignedLicenses."""
        held = {one.sku: one for one in reversed(self.licences) if one.sku in self.skus}
        return [
            {"skuId": sku.id, "disabledPlans": held[sku].disabled_plans}
            for sku in dict.fromkeys(one.sku for one in self.licences if one.state != "Error")
        ]

    @cached_property
    def states(self) -> tuple[Item, ...]:
        """The property licenseAssignmentStates, without its moments."""
        return tuple(
            {
                "skuId": licence.sku.id,
                "disabledPlans": licence.disabled_plans,
                "assignedByGroup": licence.group,
                "state": licence.state,
                "error": "CountViolation" if licence.state == "Error" else "None",
            }
            for licence in self.licences
        )

    @cached_property
    def products(self) -> str:
        """What usage reports call the products, as they join them."""
        return "+".join((sku.product or sku.part).upper() for sku in (*SKUS, NAMELESS) if sku in self.skus)

    @cached_property
    def suite(self) -> bool:
        """Whether one of the suites is among them, with mail, files and the Office apps."""
        return bool(self.skus & {E3, E5})


_SALES, _OFFICE = guid("group/sales"), guid("group/office")
# What a user can have, and how many in a hundred have it.
_KINDS: tuple[tuple[int, Kind], ...] = (
    (25, Kind(())),
    (25, Kind((Licence(E3),))),
    (20, Kind((Licence(E5, _SALES, disabled=1), Licence(COPILOT)))),
    (10, Kind((Licence(E3, disabled=3), Licence(FLOW)))),
    (
        10,
        Kind(
            (
                Licence(E5, _SALES),
                Licence(POWER_BI),
                Licence(VISIO, _OFFICE, disabled=2),
            )
        ),
    ),
    (5, Kind((Licence(E3, disabled=2), Licence(E3, _OFFICE), Licence(COPILOT)))),
    (3, Kind((Licence(E5, _SALES, state="Error"), Licence(FLOW)))),
    (2, Kind((Licence(PROJECT, disabled=5, state="ActiveWithError"), Licence(E5, disabled=40)))),
)
NOTHING, PLAIN = Kind(()), Kind((Licence(E3),))


def cycle(seed: int, *, unknown: bool = False) -> tuple[Kind, ...]:
    """Return a hundred kinds in an order of the seed; every kind is among the first eight.

    ``unknown``: some hold a SKU whose subscription has ended, or one that no list of names knows.
    """
    source = random.Random(seed)  # noqa: S311  # data, not cryptography
    first = [kind for _, kind in _KINDS]
    rest = [kind for count, kind in _KINDS for _ in range(count - 1)]
    source.shuffle(first)
    source.shuffle(rest)
    kinds = (*first, *rest)
    return tuple(map(_with_unknown, kinds)) if unknown else kinds


def _with_unknown(kind: Kind) -> Kind:
    more: Iterable[Licence] = ()
    if kind == PLAIN:
        more = (Licence(GONE, disabled=1),)
    elif kind.skus == {FLOW}:
        more = (Licence(NAMELESS),)
    return replace(kind, licences=(*kind.licences, *more)) if more else kind
