"""The cloud's tokens: signed by its own key, and checked by Graph with the public half."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tools.tenant.data import Tenant
from tools.tenant.directory import App, Grant, User
from tools.tenant.refusals import Denied

Claims = Mapping[str, Any]
SKEW = 300  # seconds by which a client's clock may differ
GRAPH_ID = "00000003-0000-0000-c000-000000000000"


class BadToken(Exception):
    """An access token that Graph does not take; the text is what Graph says."""


class Mint:
    """Makes tokens and knows its own again; ``key_id`` names the key in tokens and at the keys' address."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key_id = secrets.token_urlsafe(20)
        self._opaque: dict[str, Claims] = {}
        self.issued: list[str] = []  # every token, as it was given away

    def keys(self) -> dict[str, object]:
        """Return the public key as a JSON Web Key set."""
        key = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "kid": self.key_id, "use": "sig"}]}

    def sign(self, claims: Claims, *, opaque: bool = False) -> str:
        """Return a token with these claims: a JWT, or a text that says nothing."""
        if opaque:
            token = f"EwB{secrets.token_urlsafe(900)}"
            self._opaque[token] = claims
        else:
            token = jwt.encode(dict(claims), self._key, algorithm="RS256", headers={"kid": self.key_id})
        self.issued.append(token)
        return token

    def read(self, token: str) -> Claims:
        """Return the claims of a token of ours, whatever its age; or raise BadToken."""
        if token in self._opaque:
            return self._opaque[token]
        unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        try:
            return jwt.decode(token, self._key.public_key(), algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type]  # PyJWT's own TypedDict, built outside the call
        except jwt.DecodeError as problem:
            raise BadToken("CompactToken validation failed.") from problem
        except jwt.InvalidTokenError as problem:
            raise BadToken("Access token validation failure.") from problem


@dataclass(frozen=True, slots=True)
class Times:
    """From when and until when a token holds, in seconds since 1970."""

    now: float
    life: float

    def claims(self) -> dict[str, int]:
        """Return the times as a token states them."""
        return {"iat": int(self.now), "nbf": int(self.now), "exp": int(self.now + self.life)}


def app_claims(
    tenant: Tenant, app: App, audience: str, roles: frozenset[str], times: Times
) -> dict[str, Any]:
    """Return what an access token says that an app gets for itself."""
    return {
        **_common(tenant, app, audience, times),
        "oid": f"{app.client_id[:-12]}{app.client_id[-12:][::-1]}",
        "idtyp": "app",
        "roles": sorted(roles),
    }


def user_claims(
    grant: Grant, tenant: Tenant, audience: str, scopes: frozenset[str], times: Times
) -> dict[str, Any]:
    """Return what an access token says that an app gets for a user."""
    return {
        **_common(tenant, grant.app, audience, times),
        "oid": grant.user.oid,
        "upn": f"{grant.user.name}@{grant.tenant.domain}",
        "idtyp": "user",
        "scp": " ".join(sorted(scopes)),
    }


def identity_claims(grant: Grant, tenant: Tenant, host: str, times: Times) -> dict[str, Any]:
    """Return what an id token says."""
    return {
        "aud": grant.app.client_id,
        "iss": f"https://{host}/{tenant.id}/v2.0",
        "tid": tenant.id,
        "oid": grant.user.oid,
        "sub": grant.user.oid,
        "preferred_username": f"{grant.user.name}@{grant.tenant.domain}",
        "name": grant.user.name,
        "ver": "2.0",
        **({"nonce": grant.nonce} if grant.nonce else {}),
        **times.claims(),
    }


def client_info(user: User, tenant: Tenant) -> str:
    """Return what msal keeps accounts apart by."""
    text = json.dumps({"uid": user.oid, "utid": tenant.id}).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _common(tenant: Tenant, app: App, audience: str, times: Times) -> dict[str, Any]:
    return {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant.id}/",
        "tid": tenant.id,
        "appid": app.client_id,
        "azp": app.client_id,
        "uti": str(uuid4()),
        "ver": "1.0",
        **times.claims(),
    }


# --- client assertions ---


def check_assertion(assertion: str, app: App, audiences: tuple[str, ...], now: float) -> None:
    """Take an assertion that was signed with the app's registered certificate, or raise Denied.

    Source: learn.microsoft.com/entra/identity-platform/certificate-credentials.
    """
    registered = _signer(assertion, app, now)
    try:
        claims = jwt.decode(
            assertion,
            registered.public_key(),  # type: ignore[arg-type]  # RSA, or the signature does not verify
            algorithms=["RS256", "PS256"],
            audience=audiences,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.InvalidTokenError, TypeError) as problem:
        raise Denied(50012) from problem
    if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
        raise Denied(700021)
    if not claims.get("nbf", now) - SKEW <= now <= claims.get("exp", 0) + SKEW:
        raise Denied(700024)


def _signer(assertion: str, app: App, now: float) -> x509.Certificate:
    try:
        named = _named(jwt.get_unverified_header(assertion))
    except (jwt.InvalidTokenError, ValueError) as problem:
        raise Denied(50012) from problem
    registered = app.registered
    if registered is None or not named & app.thumbprints():
        raise Denied(700027)
    if not registered.not_valid_before_utc.timestamp() <= now <= registered.not_valid_after_utc.timestamp():
        raise Denied(700027)
    return registered


def _named(header: Claims) -> set[bytes]:
    """Return the thumbprints by which a header names its certificate, those of x5c computed."""
    named = {_decoded(header[name]) for name in ("x5t#S256", "x5t") if name in header}
    for text in header.get("x5c", [])[:1]:
        certificate = x509.load_der_x509_certificate(base64.b64decode(text))
        if (
            not named
            or certificate.fingerprint(hashes.SHA256()) in named
            or (
                certificate.fingerprint(hashes.SHA1()) in named  # noqa: S303  # x5t is SHA-1 by RFC 7515
            )
        ):
            named.add(certificate.fingerprint(hashes.SHA256()))
    return named


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
