"""A certificate's file is looked at before it is used: whatever is in it, the answer has a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from bridge.errors import SettingsError
from bridge.signin.certificate import identity

P_256, SM2 = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d")


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Return a certificate of a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())


def sm2() -> bytes:
    """Return a certificate whose key is on the curve SM2, as PEM."""
    der = certificate(ec.generate_private_key(ec.SECP256R1())).public_bytes(serialization.Encoding.DER)
    assert P_256 in der
    return x509.load_der_x509_certificate(der.replace(P_256, SM2)).public_bytes(serialization.Encoding.PEM)


def test_a_key_that_is_unknown_here() -> None:
    """A certificate of such a key is none of the private key's: it is passed over, or missed by name."""
    key = rsa.generate_private_key(65537, 2048)
    clear = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(SettingsError, match=r"file:app\.pem holds a private key but no certificate of that"):
        identity(clear + sm2(), None, "file:app.pem")
    own = certificate(key).public_bytes(serialization.Encoding.PEM)
    assert identity(clear + sm2() + own, None, "file:app.pem").certificate == own.decode()
