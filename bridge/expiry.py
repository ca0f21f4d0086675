"""When a connection's credentials expire: as was said of a stored one, and as a certificate says itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from bridge.model import Connection, Secret, SecretReference

SOON = 30  # days before the last one, from which on it is warned of
_READ_AGAIN = frozenset({"store", "file", "env", "keyring"})  # can be read without disturbing a run


class Dates(Protocol):
    """Knows the last day that was given with a stored secret."""

    def expiry(self, name: str) -> date | None:
        """Return it, None if none was given; SettingsError if there is no such secret."""
        ...


class Fetches(Protocol):
    """Fetches a secret by its reference."""

    def fetch(self, reference: SecretReference) -> Secret:
        """Return a text."""
        ...

    def fetch_bytes(self, reference: SecretReference) -> bytes:
        """Return the content of a certificate's file."""
        ...


@dataclass(frozen=True, slots=True)
class Expiry:
    """A credential's last day."""

    reference: SecretReference
    last_day: date

    def told(self, today: date) -> str:
        """Return the last day in a sentence's words."""
        days = (self.last_day - today).days
        if days < 0:
            return f"{self.reference} expired on {self.last_day}"
        return f"{self.reference} expires on {self.last_day}, in {days} days"

    def is_near(self, today: date) -> bool:
        """Return whether it is time to warn: from 30 days before, and ever after."""
        return (self.last_day - today).days <= SOON


def each(connection: Connection, secrets: Fetches, dates: Dates) -> Iterator[Expiry]:
    """Yield the last day of each credential that has one.

    Raises SettingsError for a stored one that is not there, or a certificate that cannot be read.
    """
    for reference in dict.fromkeys(references(connection)):
        if reference.where == "store" and (last_day := dates.expiry(reference.name)):
            yield Expiry(reference, last_day)
    yield from _certificate(connection, secrets)


def first(connection: Connection, secrets: Fetches, dates: Dates) -> date | None:
    """Return the last day on which every credential of the connection is good, None if unknown.

    Raises SettingsError as each does.
    """
    return min((one.last_day for one in each(connection, secrets, dates)), default=None)


def expiring(found: Iterator[Expiry], today: date) -> list[str]:
    """Return what a run begins with: a sentence for each credential that is near its end, or past it."""
    return [f"{one.told(today)}: renew it" for one in found if one.is_near(today)]


def references(connection: Connection) -> Iterator[SecretReference]:
    """Yield every secret that the connection names: its parameters', then its sign-in's."""
    sign_in = connection.sign_in
    values: list[object] = list(connection.parameters.values())
    if sign_in:
        values += [sign_in.secret, sign_in.certificate, sign_in.passphrase, sign_in.refresh_token]
    yield from (one for one in values if isinstance(one, SecretReference))


def _certificate(connection: Connection, secrets: Fetches) -> Iterator[Expiry]:
    """Yield a certificate's own last day; nothing where it, or its passphrase, comes from standard input."""
    sign_in = connection.sign_in
    if sign_in is None or sign_in.certificate is None:
        return
    word = sign_in.passphrase
    if not {one.where for one in (sign_in.certificate, word) if one} <= _READ_AGAIN:
        return
    from bridge.signin.certificate import identity  # noqa: PLC0415  # cryptography, only where there is one

    content = secrets.fetch_bytes(sign_in.certificate)
    found = identity(content, secrets.fetch(word) if word else None, str(sign_in.certificate))
    yield Expiry(sign_in.certificate, found.ends.date())
