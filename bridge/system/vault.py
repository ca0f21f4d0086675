"""What protects the bytes of a stored secret on this operating system."""

from __future__ import annotations

import sys
from typing import Protocol

if sys.platform == "win32":
    import pywintypes
    import win32crypt

# CRYPTPROTECT_UI_FORBIDDEN | CRYPTPROTECT_LOCAL_MACHINE, learn.microsoft.com/windows/win32/api/dpapi
_MACHINE, _NO_QUESTIONS = 0x4, 0x1


class Vault(Protocol):
    """Protects bytes for one purpose, so that they are of no use elsewhere.

    ``name`` is kept with what it protected; ``description`` is for people.
    """

    @property
    def name(self) -> str:
        """The vault's short name."""
        ...

    @property
    def description(self) -> str:
        """What it protects from, in a few words."""
        ...

    def protect(self, clear: bytes, purpose: str) -> bytes:
        """Return the bytes protected."""
        ...

    def unprotect(self, sealed: bytes, purpose: str) -> bytes:
        """Return the bytes as they were; ValueError if this machine did not protect them for this purpose."""
        ...


class FileVault:
    """Leaves the bytes as they are: only the rights of their file protect them. For development."""

    name = "development"
    description = "development: not encrypted, protected by the rights of its file only"

    def protect(self, clear: bytes, purpose: str) -> bytes:
        """Return the bytes as they are."""
        return clear

    def unprotect(self, sealed: bytes, purpose: str) -> bytes:
        """Return the bytes as they are."""
        return sealed


if sys.platform == "win32":

    class WindowsVault:
        """DPAPI with machine scope: of no use on another machine, and to nobody who cannot read the file."""

        name = "dpapi-machine"
        description = "DPAPI with machine scope, and the rights of its file"

        def protect(self, clear: bytes, purpose: str) -> bytes:
            """Return the bytes protected."""
            flags = _MACHINE | _NO_QUESTIONS
            return bytes(
                win32crypt.CryptProtectData(clear, "beacon-bridge", _entropy(purpose), None, None, flags)
            )

        def unprotect(self, sealed: bytes, purpose: str) -> bytes:
            """Return the bytes as they were; ValueError if this machine did not protect them so."""
            try:
                _, clear = win32crypt.CryptUnprotectData(sealed, _entropy(purpose), None, None, _NO_QUESTIONS)
            except pywintypes.error as error:
                raise ValueError(error.strerror) from error
            return bytes(clear)

    def _entropy(purpose: str) -> bytes:
        return f"beacon-bridge secret {purpose}".encode()


def vault() -> Vault:
    """Return this machine's vault."""
    if sys.platform == "win32":
        return WindowsVault()
    return FileVault()
