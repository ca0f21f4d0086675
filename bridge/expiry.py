"""When a connection's credentials expire: as was said of a stored one, and as a certificate says itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Protocol

from bridge.model import Connection, Secret, SecretReference

_READ_AGAIN = frozenset({"store", "file", "env"})  # places that can be read without disturbing a run


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


def first(connection: Connection, secrets: Fetches, dates: Dates) -> date | None:
    """Return the last day on which every credential of the connection is good, None if unknown.

    Raises SettingsError for a stored one that is not there, or a certificate that cannot be read.
    """
    found = [dates.expiry(one.name) for one in references(connection) if one.where == "store"]
    found.append(_certificate(connection, secrets))
    return min((one for one in found if one is not None), default=None)


def references(connection: Connection) -> Iterator[SecretReference]:
    """Yield every secret that the connection names: its parameters', then its sign-in's."""
    sign_in = connection.sign_in
    values: list[object] = list(connection.parameters.values())
    if sign_in:
        values += [sign_in.secret, sign_in.certificate, sign_in.passphrase, sign_in.refresh_token]
    yield from (one for one in values if isinstance(one, SecretReference))


def _certificate(connection: Connection, secrets: Fetches) -> date | None:
    """Return a certificate's last day; None where it, or its passphrase, comes from standard input."""
    sign_in = connection.sign_in
    if sign_in is None or sign_in.certificate is None:
        return None
    word = sign_in.passphrase
    if not {one.where for one in (sign_in.certificate, word) if one} <= _READ_AGAIN:
        return None
    from bridge.signin.certificate import identity  # noqa: PLC0415  # cryptography, only where there is one

    content = secrets.fetch_bytes(sign_in.certificate)
    return identity(content, secrets.fetch(word) if word else None, str(sign_in.certificate)).ends.date()
