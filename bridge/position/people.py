"""Whom the server will not find by mail: users without one, and mail that several users have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from bridge.capture import unescape
from bridge.position.source import Source
from bridge.position.standing import UNIT
from bridge.readers.ours import ASSIGNMENT, ORGANIZATION, USER
from bridge.tables import Cells, Tables

Kind = Literal["without mail", "mail shared", "mail in several tenants"]
KINDS: tuple[Kind, ...] = ("without mail", "mail shared", "mail in several tenants")


@dataclass(frozen=True)
class Stranger:
    """A user whom one mail does not tell from all others.

    ``guests``: only guests make it so. ``holds``: the user takes a unit of a licence.
    """

    kind: Kind
    guests: bool
    mail: str
    connection: str
    user: str
    principal_name: str
    display_name: str
    is_guest: bool
    holds: bool


@dataclass(frozen=True)
class Count:
    """How many users there are of a kind, how many mail addresses they have, and how many hold a licence."""

    kind: Kind
    guests: bool
    users: int
    mails: int
    holders: int


class Matching(AbstractContextManager["Matching"]):
    """The users of all sources side by side, in a file below a folder until the block ends.

    A tenant that two connections read counts once, as the first of them read it: ``again`` names the others.
    """

    def __init__(self, sources: Sequence[Source], folder: Path) -> None:
        self._names = [source.connection for source in sources]
        self.again: tuple[str, ...] = ()
        with ExitStack() as opened:
            self._tables = opened.enter_context(Tables(folder))
            self._load(sources)
            self._opened = opened.pop_all()

    def counts(self) -> Iterator[Count]:
        """Yield a line for each kind, for guests apart; kinds that nobody is of are left out."""
        question = (
            "SELECT Kind, Guests, COUNT(*), COUNT(DISTINCT NULLIF(Mail, '')), SUM(Holds) FROM Stranger"
            " GROUP BY 1, 2 ORDER BY 2, 1"
        )
        for kind, *numbers in self._tables.ask(question):
            guests, users, mails, holders = (int(str(one)) for one in numbers)
            yield Count(KINDS[int(str(kind))], bool(guests), users, mails, holders)

    def strangers(self, kind: Kind, *, guests: bool, most: int = -1) -> Iterator[Stranger]:
        """Yield the users of one kind, by mail, at most so many; all where ``most`` is below zero."""
        question = (
            "SELECT Stranger.Mail, Connection, UserId, Principal, Name, IsGuest, Person.Holds FROM Stranger"
            " JOIN Person USING (Person) WHERE Kind = ? AND Guests = ? ORDER BY 1, 2, 4 LIMIT ?"
        )
        for row in self._tables.ask(question, KINDS.index(kind), int(guests), most):
            mail, connection, user, principal, name, is_guest, holds = row
            yield Stranger(
                kind=kind,
                guests=guests,
                mail=unescape(str(mail)),
                connection=self._names[int(str(connection))],
                user=str(user),
                principal_name=unescape(str(principal)),
                display_name=unescape(str(name or "")),
                is_guest=is_guest == 1,
                holds=holds == 1,
            )

    # --- the tables ---

    def _load(self, sources: Sequence[Source]) -> None:
        do = self._tables.do
        do(
            "CREATE TABLE Person (Person INTEGER PRIMARY KEY, Connection INTEGER, UserId TEXT,"
            " Principal TEXT, Mail TEXT, Name TEXT, IsGuest INTEGER, Holds INTEGER)"
        )
        again: list[str] = []
        known: dict[int, _Tenant] = {}
        for number, source in enumerate(sources):
            tenant = _tenant(source)
            self._read(source)
            if self._is_known(tenant, known):
                again.append(source.connection)
            else:
                known[number] = tenant
                self._take(number, source)
            do("DROP TABLE Read")
        self.again = tuple(again)
        do("CREATE TABLE Stranger (Kind INTEGER, Guests INTEGER, Person INTEGER, Mail TEXT, Holds INTEGER)")
        do("CREATE INDEX PersonByMail ON Person (Mail, IsGuest, Connection)")
        for statement in _STRANGERS:
            do(statement)

    def _read(self, source: Source) -> None:
        with source.steps[USER]() as rows:
            self._tables.do(
                "CREATE TABLE Read (UserId TEXT, Principal TEXT, Mail TEXT, Name TEXT, UserType TEXT)"
            )
            self._tables.fill("Read", len(_COLUMNS), map(_folded, rows.cells(_COLUMNS)))

    def _is_known(self, tenant: _Tenant, known: Mapping[int, _Tenant]) -> bool:
        """Return whether a tenant is one that was taken; where no name tells, its users' ids do."""
        found = {number: tenant.is_the_same(one) for number, one in known.items()}
        if True in found.values():
            return True
        question = "SELECT EXISTS (SELECT 1 FROM Read JOIN Person USING (UserId) WHERE Connection = ?)"
        doubtful = [number for number, same in found.items() if same is None]
        return any(self._tables.number(question, number) for number in doubtful)

    def _take(self, number: int, source: Source) -> None:
        do = self._tables.do
        with source.steps[ASSIGNMENT]() as rows:
            self._tables.load("Assignment", rows, ("UserId", "SkuId", "State"))
        do(*UNIT)
        do("CREATE TABLE Holder AS SELECT DISTINCT UserId FROM Unit")
        do("CREATE INDEX HolderById ON Holder (UserId)")
        do(
            "INSERT INTO Person (Connection, UserId, Principal, Mail, Name, IsGuest, Holds)"
            " SELECT ?, UserId, Principal, Mail, Name, UserType IS 'Guest', Holder.UserId IS NOT NULL"
            " FROM Read LEFT JOIN Holder USING (UserId) GROUP BY UserId",
            number,
        )
        for table in ("Assignment", "Unit", "Holder"):
            do(f"DROP TABLE {table}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()


_COLUMNS = ("UserId", "UserPrincipalName", "Mail", "DisplayName", "UserType")


@dataclass(frozen=True)
class _Tenant:
    """How a tenant is known: by its id, which takes a permission, and by its names, as the settings'."""

    id: str | None
    names: frozenset[str]

    def is_the_same(self, other: _Tenant) -> bool | None:
        """Return whether both are one tenant; None where that cannot be told from this."""
        if self.id and other.id:
            return self.id == other.id
        return True if self.names & other.names else None


def _tenant(source: Source) -> _Tenant:
    with source.steps[ORGANIZATION]() as rows:
        found = list(rows.cells(("TenantId", "DefaultDomain", "InitialDomain")))
    names = (source.tenant, *(name for cells in found for name in cells))
    return _Tenant(found[0][0] if found else None, frozenset(one.casefold() for one in names if one))


def _folded(row: Cells) -> Cells:
    """Return a user with the mail as it is compared: without regard to case, and null where it is empty."""
    user, principal, mail, name, kind = row
    return (user, principal, (mail or "").strip().casefold() or None, name, kind)


# Members first; where a mail is told of among them, guests are not told of it again.
_STRANGERS = (
    "INSERT INTO Stranger SELECT 0, IsGuest, Person, '', Holds FROM Person WHERE Mail IS NULL",
    """
    INSERT INTO Stranger SELECT 1, 0, Person, Mail, Holds FROM Person
    WHERE IsGuest = 0 AND (Mail, Connection) IN (
      SELECT Mail, Connection FROM Person WHERE IsGuest = 0 AND Mail IS NOT NULL
      GROUP BY 1, 2 HAVING COUNT(*) > 1)
    """,
    """
    INSERT INTO Stranger SELECT 1, 1, Person, Mail, Holds FROM Person WHERE (Mail, Connection) IN (
      SELECT Mail, Connection FROM Person WHERE Mail IS NOT NULL
      GROUP BY 1, 2 HAVING COUNT(*) > 1 AND SUM(IsGuest = 0) < 2)
    """,
    """
    INSERT INTO Stranger SELECT 2, 0, Person, Mail, Holds FROM Person WHERE IsGuest = 0 AND Mail IN (
      SELECT Mail FROM Person WHERE IsGuest = 0 AND Mail IS NOT NULL
      GROUP BY 1 HAVING COUNT(DISTINCT Connection) > 1)
    """,
    """
    INSERT INTO Stranger SELECT 2, 1, Person, Mail, Holds FROM Person WHERE Mail IN (
      SELECT Mail FROM Person WHERE Mail IS NOT NULL
      GROUP BY 1 HAVING COUNT(DISTINCT Connection) > 1
        AND COUNT(DISTINCT CASE WHEN IsGuest = 0 THEN Connection END) < 2)
    """,
)
