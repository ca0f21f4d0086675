"""A keyring for tests: it knows one secret of one service."""

from __future__ import annotations

from keyring.backend import KeyringBackend


class Ring(KeyringBackend):
    """Obeys keyring's backend: every name has a password that says whose it is."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        """Return the password of a name."""
        return f"{service}'s {username}"

    def set_password(self, service: str, username: str, password: str) -> None:
        """Refuse: this keyring is only read."""
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        """Refuse: this keyring is only read."""
        raise NotImplementedError
