"""A token that lasts the run, and a refresh token that is never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from bridge import system
from bridge.errors import SettingsError, SignInError
from bridge.model import Connection, Granted, Secret, SecretReference
from bridge.signin.entra import Entra, Fetches, Grant
from bridge.signin.permissions import no_sign_in
from bridge.signin.tenant import prove
from bridge.web.route import Route

RENEW = 300.0  # seconds: a token that is good for less is renewed before it is used
Tell = Callable[[str], None]


class Stores(Protocol):
    """Keeps refresh tokens."""

    def put(self, name: str, secret: Secret, *, account: str | None = None) -> None:
        """Store a secret, whatever was there before, for an account besides."""
        ...

    def replace_if(self, name: str, old: Secret, new: Secret) -> bool:
        """Put ``new`` in the place of ``old``; False if something else is there by now."""
        ...

    def turn(self, name: str) -> AbstractContextManager[None]:
        """Wait until nobody else renews this one; a retryable SignInError if that takes too long."""
        ...


class Source:
    """The tokens of one connection: asked for as often as anybody likes, renewed only when they must be.

    Before it gives its first token it proves the tenant. ``tell`` is told what could not be done and does not
    fail the run: a token that is not kept, an organisation that may not be read, a clock that is wrong.
    """

    def __init__(self, entra: Entra, secrets: Fetches, store: Stores, tell: Tell) -> None:
        self.entra, self._secrets, self._store, self._tell = entra, secrets, store, tell
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        self._until = 0.0  # on the stopwatch
        self._refresh_token: Secret | None = None
        self._proved = False

    def __call__(self, rejected: Secret | None = None) -> Secret:
        """Return a token that is good for five minutes at least, and is not the one that was rejected.

        Raises SignInError (refused, or of another tenant) and SettingsError (a credential that is not there).
        """
        return self.grant(rejected).token

    def grant(self, rejected: Secret | None = None) -> Grant:
        """Return what the sign-in brought: the token, and what it says of itself."""
        with self._lock:
            left = self._until - system.stopwatch()
            if self._grant is None or rejected == self._grant.token:
                return self._renew()
            if left >= RENEW:
                return self._grant
            try:
                return self._renew()
            except SignInError as error:
                if not error.retryable or left <= 0:
                    raise
                self._tell(f"The token is not renewed yet: {error}")
                return self._grant

    def refresh_token(self) -> Secret:
        """Return the connection's refresh token, redeemed in this process and stored as it is now."""
        if self.entra.sign_in.refresh_token is None:
            raise SettingsError(
                f"The connection {self.entra.connection.name} has no refresh token to hand over.",
                hint='Set flow = "refresh" and refresh_token = "store:NAME" in its [signin].',
            )
        self()
        return self._refresh_token or self._secrets.fetch(self.entra.sign_in.refresh_token)

    def keep_first(self, place: SecretReference, grant: Grant, account: str | None = None) -> None:
        """Store the refresh token that a person's sign-in brought, for the account whose runs use it."""
        if grant.refresh_token is not None:
            self._store.put(place.name, grant.refresh_token, account=account)

    def granted(self, kind: Granted) -> Secret:
        """Return what a parameter of the reader is filled with."""
        return self() if kind is Granted.TOKEN else self.refresh_token()

    # --- renewing ---

    def _renew(self) -> Grant:
        begun = system.stopwatch()
        reference = self.entra.sign_in.refresh_token
        grant = self.entra.by_credential() if reference is None else self._redeem(reference)
        if not self._proved:
            self._prove(grant)
        self._grant, self._until = grant, begun + grant.seconds
        return grant

    def _prove(self, grant: Grant) -> None:
        for remark in (prove(self.entra, grant), self.entra.clock):
            if remark is not None:
                self._tell(remark)
        self._proved = True

    def _redeem(self, reference: SecretReference) -> Grant:
        """Redeem the newest refresh token and keep what it brings, while no other run does so.

        One in the store is read anew each time; another is the last that this source got, for the issuer may
        have revoked the one before. What is refused is tried once more if another stands there by then.
        """
        stored = reference.where == "store"
        with self._store.turn(reference.name) if stored else nullcontext():
            used = None if stored else self._refresh_token
            used = used or self._secrets.fetch(reference)
            try:
                grant = self.entra.by_refresh_token(used)
            except SignInError:
                newer = self._secrets.fetch(reference)
                if newer == used:
                    raise
                used = newer
                grant = self.entra.by_refresh_token(used)
            self._refresh_token = self._keep(reference, used, grant.refresh_token or used)
        return grant

    def _keep(self, reference: SecretReference, used: Secret, new: Secret) -> Secret:
        """Store a rotated token before anything uses what came with it; what another run stored, stays.

        A kill before this leaves the old token, which goes on working: Microsoft does not revoke a refresh
        token when it is used (learn.microsoft.com/entra/identity-platform/refresh-tokens).
        """
        if new == used:
            return used
        if reference.where != "store":
            self._tell(f"The renewed refresh token is not kept, because {reference} is not in the store.")
            return new
        return new if self._store.replace_if(reference.name, used, new) else self._secrets.fetch(reference)


def sign_in(
    connection: Connection, secrets: Fetches, store: Stores, route: Route, tell: Tell = lambda _: None
) -> Source:
    """Return the source of a connection's tokens, which asks nobody yet; SettingsError without [signin]."""
    if connection.sign_in is None:
        raise no_sign_in(connection)
    return Source(Entra(connection, connection.sign_in, secrets, route), secrets, store, tell)
