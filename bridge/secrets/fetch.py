"""Where a reference leads: the environment, standard input, the store, a file, or a keyring."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bridge import system
from bridge.errors import SettingsError
from bridge.model import Secret, SecretReference
from bridge.secrets import ring

_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{16,}={0,2}\s*")


class Stored(Protocol):
    """What is asked of the store."""

    def get_bytes(self, name: str) -> bytes:
        """Return what was stored under the name, or raise SettingsError."""
        ...


@dataclass
class Secrets:
    """The places a secret can come from.

    ``read_stdin`` is called once, when the first ``stdin:NAME`` is asked for: ``NAME=value`` lines.
    """

    environment: Mapping[str, str] = field(repr=False)
    read_stdin: Callable[[], str] = field(repr=False)
    store: Stored
    _lines: dict[str, str] | None = field(default=None, repr=False)

    def fetch(self, reference: SecretReference) -> Secret:
        """Return the secret's text.

        Raises SettingsError that names the reference: it is not there, is empty, is no text, or others can
        read it.
        """
        if reference.where in {"store", "file"}:
            return Secret(_text(reference, self._bytes(reference)))
        return Secret(self._given(reference))

    def fetch_bytes(self, reference: SecretReference) -> bytes:
        """Return a certificate's bytes: a file's as they are; elsewhere PEM text, or DER and PFX as base64.

        Raises SettingsError as fetch does, and for a text that is neither.
        """
        if reference.where == "file":
            return self._bytes(reference)
        if reference.where == "store":
            return _certificate(self._bytes(reference))
        content = _certificate(self._given(reference).encode(errors="surrogateescape"))
        if not content.startswith((b"-----BEGIN ", b"\x30")):
            raise SettingsError(
                f"The secret {reference} is neither a PEM text nor the base64 of a PFX file.",
                hint="Store the file itself: `beacon-bridge secret set NAME --file PATH`.",
            )
        return content

    def _bytes(self, reference: SecretReference) -> bytes:
        if reference.where == "store":
            return self.store.get_bytes(reference.name)
        return _private_file(reference)

    def _given(self, reference: SecretReference) -> str:
        if reference.where == "keyring":
            return ring.get(reference.name)
        source = self.environment if reference.where == "env" else self._from_stdin()
        text = source.get(reference.name, "")
        if not text:
            raise SettingsError(f"The secret {reference} is not there.", hint=_how_to_give(reference))
        return text

    def _from_stdin(self) -> Mapping[str, str]:
        if self._lines is None:
            pairs = (line.partition("=") for line in self.read_stdin().splitlines() if "=" in line)
            self._lines = {name.strip(): value for name, _, value in pairs}
        return self._lines


def _how_to_give(reference: SecretReference) -> str:
    if reference.where == "env":
        return f"Set the environment variable {reference.name} for the account that runs beacon-bridge."
    return f"Write the line {reference.name}=... to standard input."


def _private_file(reference: SecretReference) -> bytes:
    """Return a file's bytes; SettingsError if it is not there, is empty, or others can read it."""
    path = Path(reference.name)
    try:
        strangers = system.strangers(path)
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The secret {reference} cannot be read: {error.strerror or error}.",
            hint="Correct the path, or store it with `beacon-bridge secret set NAME --file PATH`.",
        ) from error
    if strangers:
        raise SettingsError(
            f"The secret {reference} can be read by {', '.join(strangers)}.",
            hint="Leave rights to Administrators, SYSTEM and the account that runs beacon-bridge only.",
        )
    if not content.strip():
        raise SettingsError(f"The secret {reference} is empty.", hint="Write the secret into the file.")
    return content


def decoded(content: bytes) -> str:
    """Return a text that somebody saved or piped: UTF-8 or, with its mark, UTF-16; one newline less.

    UnicodeDecodeError if it is none.
    """
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    text = content.decode(encoding)
    return text.removesuffix("\n").removesuffix("\r")


def _text(reference: SecretReference, content: bytes) -> str:
    try:
        text = decoded(content) if reference.where == "file" else content.decode()
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"The secret {reference} is no text (byte {error.start}): it looks like a certificate's file.",
            hint="Name it as the certificate of the connection's [signin], or store the text again.",
        ) from None
    return text


def _certificate(content: bytes) -> bytes:
    """Return what a base64 text stands for; anything else as it is."""
    if not _BASE64.fullmatch(content):
        return content
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        return content
