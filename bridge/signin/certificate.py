"""A certificate with its private key, from a PFX or PEM, looked at before it is used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509 import Certificate, load_pem_x509_certificate

from bridge.errors import SettingsError, SignInError
from bridge.model import Secret

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_RENEW = (
    "Make a new certificate, upload its public part to the app registration (Certificates & secrets), and "
    "store it with `beacon-bridge secret set`."
)


@dataclass(frozen=True)
class Identity:
    """A private key and its certificate, both PEM; the key never touches the disk again."""

    key: Secret = field(repr=False)
    certificate: str
    begins: datetime
    ends: datetime

    def refuse_dates(self, name: str, now: datetime) -> None:
        """Raise SignInError before Microsoft would, if the certificate is not valid now."""
        if now > self.ends:
            raise SignInError(f"The certificate {name} expired on {self.ends:%Y-%m-%d}.", hint=_RENEW)
        if now < self.begins:
            raise SignInError(
                f"The certificate {name} is not valid before {self.begins:%Y-%m-%d %H:%M} UTC.",
                hint="Wait until then, or check this machine's clock.",
            )


class _Pair(NamedTuple):
    key: object
    certificates: Sequence[Certificate]


def identity(content: bytes, passphrase: Secret | None, name: str) -> Identity:
    """Return what a PFX or PEM holds; ``name`` is the reference that errors call it by.

    Raises SettingsError: neither PFX nor PEM, a passphrase that is missing or wrong, no or two private keys,
    no certificate of that key, a key that is not RSA (msal signs with no other).
    """
    word = passphrase.reveal().encode() if passphrase else None
    pair = _from_pem(content, word, name) if b"-----BEGIN" in content else _from_pfx(content, word, name)
    if not isinstance(pair.key, RSAPrivateKey):
        raise SettingsError(f"The certificate {name} has a key that is not RSA.", hint=_RENEW)
    certificate = next((one for one in pair.certificates if _is_of(one, pair.key)), None)
    if certificate is None:
        raise SettingsError(
            f"{name} holds a private key but no certificate of that key.",
            hint="Export both into one file: PFX, or PEM with the key and its certificate.",
        )
    key = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity(
        Secret(key.decode()),
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def _is_of(certificate: Certificate, key: RSAPrivateKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (UnsupportedAlgorithm, ValueError):  # a kind of key that is unknown here, such as SM2, is not RSA
        return False


def _from_pfx(content: bytes, word: bytes | None, name: str) -> _Pair:
    try:
        key, certificate, more = pkcs12.load_key_and_certificates(content, word)
    except ValueError as error:
        raise SettingsError(
            f"{name} cannot be opened: it is no PFX and no PEM, or its passphrase is "
            f"{'missing' if word is None else 'wrong'}.",
            hint="Check the passphrase of [signin]; store the PFX file itself, not a copy of its text.",
        ) from error
    if key is None:
        raise SettingsError(f"{name} holds no private key.", hint="Export it again, with its private key.")
    return _Pair(key, [one for one in (certificate, *more) if one is not None])


def _from_pem(content: bytes, word: bytes | None, name: str) -> _Pair:
    blocks = [(found[1], found[0]) for found in _BLOCK.finditer(content)]
    keys = [block for label, block in blocks if label.endswith(b"PRIVATE KEY")]
    if len(keys) != 1:
        raise SettingsError(
            f"{name} holds {len(keys) or 'no'} private keys, expected one.",
            hint="Store one private key and its certificate, and nothing else.",
        )
    encrypted = b"ENCRYPTED" in keys[0]
    try:
        key = load_pem_private_key(keys[0], word if encrypted else None)
        return _Pair(
            key, [load_pem_x509_certificate(block) for label, block in blocks if label == b"CERTIFICATE"]
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = "is damaged" if not encrypted else f"does not open: its passphrase is {_state(word)}"
        raise SettingsError(
            f"The private key in {name} {why}.", hint="Check the passphrase of [signin], or export it again."
        ) from error


def _state(word: bytes | None) -> str:
    return "missing" if word is None else "wrong"
