"""Certificates for app registrations: self-signed, as administrators make them, and valid when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class AppCertificate:
    """A private key and its certificate; ``public`` is the PEM to register with an App."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def public(self) -> str:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def pem(self, passphrase: str | None = None) -> str:
        """Return key and certificate in one PEM file's text."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _locked(passphrase))
        return key.decode() + self.public

    def pfx(self, passphrase: str | None = None) -> bytes:
        """Return key and certificate as a PFX file's content."""
        return pkcs12.serialize_key_and_certificates(
            b"app", self.key, self.certificate, None, _locked(passphrase)
        )


def new_certificate(starts: float = -1, ends: float = 365) -> AppCertificate:
    """Return a new certificate, valid from and until so many days from now."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "inventory reader")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=starts))
        .not_valid_after(now + timedelta(days=ends))
    )
    return AppCertificate(key, builder.sign(key, hashes.SHA256()))


def _locked(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
