"""The access token, put into each request's header."""

from __future__ import annotations

import threading

import requests
from requests.auth import AuthBase

from bridge.errors import SignInError
from bridge.model import Secret, TokenSource


class Bearer(AuthBase):
    """The access token of a run, shared by everybody who asks side by side.

    A token that was given is used until it is rejected; without one the source is asked before each request,
    and decides when a new one is due. The source is asked by one at a time.
    """

    def __init__(self, given: str | Secret, source: TokenSource | None) -> None:
        token = given if isinstance(given, Secret) else Secret(given)
        self._lock = threading.Lock()
        self._source = source
        self._asked = None if token.reveal() else source
        if self._asked is not None:
            token = self._asked(None)
        if not token.reveal():
            raise SignInError(
                "AccessToken is empty and nothing else gives a token.",
                hint='Write AccessToken = { secret = "env:NAME" } in the connection\'s parameters.',
            )
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        with self._lock:
            if self._asked is not None:
                self._token = self._asked(None)
            request.headers["Authorization"] = self._header
        return request

    def renew(self, rejected: requests.PreparedRequest) -> bool:
        """Ask for another token in place of a request's rejected one; False if there is nobody to ask.

        Nobody is asked if another request has done so in the meantime.
        """
        if self._source is None:
            return False
        with self._lock:
            if rejected.headers.get("Authorization") == self._header:
                self._token = self._source(self._token)
        return True

    @property
    def _header(self) -> str:
        return f"Bearer {self._token.reveal()}"
