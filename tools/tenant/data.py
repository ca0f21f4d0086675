"""The tenant's data: users and SKUs in Graph's JSON shape, made from an index and a seed when asked for.

Nothing is kept, so a tenant of a million users needs no memory. The shapes are those of Graph v1.0
(learn.microsoft.com/graph/api/resources/user, .../subscribedsku, .../licenseassignmentstate).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from tools.tenant.guids import guid
from tools.tenant.people import PROPERTIES, Person
from tools.tenant.skus import NAMELESS, NOTHING, SKUS, Item, Kind, Sku, cycle
from tools.tenant.subscriptions import commerce, sku_item

__all__ = ["DOMAIN", "ODDITIES", "Item", "Tenant", "guid"]

DOMAIN = "contoso.example"
ODDITIES = frozenset(
    {
        "churn",
        "concealed",
        "deleted-in-reports",
        "empty-report",
        "empty-sign-ins",
        "lost-subscription",
        "missing-user",
        "mixed-names",
        "no-licences",
        "no-mail",
        "unknown-names",
        "unknown-sku",
    }
)
FORMER = 5  # users that were deleted and stay in reports
_MAIL: Item = {"mail": None, "proxyAddresses": [], "otherMails": []}


@dataclass(frozen=True)
class Tenant:
    """A tenant of so many users; the same seed gives the same tenant everywhere.

    ``oddities`` are names of ODDITIES; ``tools.tenant.scenarios`` explains them.
    """

    users: int = 1000
    seed: int = 1
    domain: str = DOMAIN
    oddities: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse an oddity that does not exist."""
        if unknown := self.oddities - ODDITIES:
            raise ValueError(f"no oddity is called {', '.join(sorted(unknown))}")

    # --- the tenant itself ---

    @cached_property
    def id(self) -> str:
        """The tenant's id, a GUID of its seed."""
        return guid(f"{self.seed}/tenant")

    @property
    def stem(self) -> str:
        """What its domains begin with."""
        return self.domain.partition(".")[0]

    @property
    def display_name(self) -> str:
        """What the tenant calls itself."""
        return self.stem.capitalize()

    def organization(self) -> Item:
        """Return what Graph tells of the tenant itself."""
        domain = {"capabilities": "Email", "isDefault": False, "isInitial": False, "type": "Managed"}
        return {
            "id": self.id,
            "displayName": self.display_name,
            "countryLetterCode": "DE",
            "tenantType": "AAD",
            "createdDateTime": "2014-02-11T09:30:00Z",
            "verifiedDomains": [
                {**domain, "name": self.domain, "isDefault": True},
                {**domain, "name": f"{self.stem}.onmicrosoft.com", "isInitial": True},
                {**domain, "name": f"mail.{self.domain}"},
            ],
        }

    # --- what it bought ---

    @property
    def products(self) -> tuple[Sku, ...]:
        """The products it is subscribed to."""
        if "no-licences" in self.oddities:
            return ()
        return (*SKUS, NAMELESS) if "unknown-sku" in self.oddities else SKUS

    def skus(self) -> Iterator[Item]:
        """Yield the tenant's subscribedSkus."""
        for number, sku in enumerate(self.products):
            lost = number == 0 and "lost-subscription" in self.oddities
            yield sku_item(sku, self.id, self.stem, self.consumed[sku], lost=lost)

    def subscriptions(self) -> Iterator[Item]:
        """Yield the tenant's directory subscriptions."""
        for sku in self.products:
            yield from commerce(sku, self.id, self.consumed[sku])

    # --- who holds it ---

    @cached_property
    def _kinds(self) -> tuple[Kind, ...]:
        if "no-licences" in self.oddities:
            return (NOTHING,)
        return cycle(self.seed, unknown="unknown-sku" in self.oddities)

    def kind(self, index: int) -> Kind:
        """Return what one user holds."""
        return self._kinds[index % len(self._kinds)]

    @cached_property
    def consumed(self) -> Counter[Sku]:
        """How many users take a unit of each SKU."""
        counts: Counter[Sku] = Counter()
        for kind, holders in self._holders():
            counts.update(dict.fromkeys(kind.skus, holders))
        return counts

    @property
    def licensed(self) -> int:
        """How many users hold a licence."""
        return sum(holders for kind, holders in self._holders() if kind.skus)

    def _holders(self) -> Iterator[tuple[Kind, int]]:
        rounds, rest = divmod(self.users, len(self._kinds))
        for place, kind in enumerate(self._kinds):
            yield kind, rounds + (place < rest)

    # --- its users ---

    def listed(self, names: Collection[str] = ()) -> range:
        """Return the indexes of the users that a list with these properties shows.

        They differ only under two oddities. ``churn``: when assignments and sign-ins are read, two users are
        gone and one is new. ``missing-user``: many have assignments and are no users.
        """
        later = {"licenseAssignmentStates", "signInActivity"} & set(names)
        if later and "churn" in self.oddities:
            return range(min(2, self.users), self.users + 1)
        if "licenseAssignmentStates" in later and "missing-user" in self.oddities:
            return range(self.users + self.users // 2 + 30)
        return range(self.users)

    def everybody(self) -> Iterator[Item]:
        """Yield all users, in the tenant's order."""
        return map(self.user, range(self.users))

    def person(self, index: int) -> Person:
        """Return one user; IndexError beyond the last that any list shows."""
        if not 0 <= index < self._most:
            raise IndexError(f"user {index} of {self.users}")
        return Person(self.seed, self.domain, index, self.kind(index))

    @cached_property
    def _most(self) -> int:
        return self.listed({"licenseAssignmentStates"}).stop

    def user(self, index: int, names: Collection[str] = PROPERTIES.keys()) -> Item:
        """Return one user with these properties (all); IndexError beyond the last.

        A user who never signed in may have no signInActivity at all.
        """
        person = self.person(index)
        item = {name: PROPERTIES[name](person) for name in names}
        if "no-mail" in self.oddities:
            item.update({name: text for name, text in _MAIL.items() if name in item})
        if "signInActivity" in item and index % 7 == 1:
            del item["signInActivity"]
        if "signInActivity" in item and "empty-sign-ins" in self.oddities:
            item["signInActivity"] = None
        return item

    def former(self) -> Iterator[Person]:
        """Yield the users who were deleted and stay in reports for a while."""
        if "deleted-in-reports" in self.oddities:
            for number in range(FORMER):
                yield Person(self.seed, self.domain, number, NOTHING, former=True)
