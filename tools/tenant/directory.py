"""Who is known to the cloud: tenants, apps, users, and what was granted to them so far."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tools.tenant.data import Tenant
from tools.tenant.faults import ROLES
from tools.tenant.hosts import SIGN_IN_HOSTS
from tools.tenant.refusals import Denied

NATIVE_CLIENTS = tuple(f"https://{host}/common/oauth2/nativeclient" for host in SIGN_IN_HOSTS)
ANY_TENANT = ("common", "organizations")


@dataclass(frozen=True, slots=True)
class App:
    """An app registration.

    ``certificate`` is the registered public certificate as PEM; ``expired_secrets`` were right once.
    ``public``: a client without credentials (device code, PKCE). ``roles`` are its application permissions;
    ``scopes`` what it may do for a user (unset: the same). ``tenants``: the ids of those in which it exists
    (unset: in all, as a multi-tenant app). ``refused_with``: an AADSTS code for every token request.
    """

    client_id: str = field(default_factory=lambda: str(uuid4()))
    secret: str | None = field(default=None, repr=False)
    expired_secrets: frozenset[str] = field(default=frozenset(), repr=False)
    certificate: str | bytes | None = None
    public: bool = False
    roles: frozenset[str] = ROLES
    scopes: frozenset[str] | None = None
    redirect_uris: tuple[str, ...] = (*NATIVE_CLIENTS, "http://localhost")
    tenants: frozenset[str] | None = None
    consented: bool = True
    refused_with: int | None = None

    @property
    def registered(self) -> x509.Certificate | None:
        """The registered certificate."""
        if self.certificate is None:
            return None
        pem = self.certificate.encode() if isinstance(self.certificate, str) else self.certificate
        return x509.load_pem_x509_certificate(pem)

    def thumbprints(self) -> frozenset[bytes]:
        """Return the SHA-256 and the SHA-1 thumbprint of the registered certificate."""
        known = self.registered
        if known is None:
            return frozenset()
        digests = (hashes.SHA256(), hashes.SHA1())  # noqa: S303  # x5t is SHA-1 by RFC 7515
        return frozenset(known.fingerprint(digest) for digest in digests)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in; ``refused_with`` is an AADSTS code, such as 50057 for a disabled account."""

    name: str = "admin"
    oid: str = field(default_factory=lambda: str(uuid4()))
    refused_with: int | None = None


@dataclass(slots=True)
class Grant:
    """What somebody granted an app in a tenant; ``spoiled`` is the AADSTS code it is refused with by now."""

    app: App
    user: User
    tenant: Tenant
    issued: float
    spoiled: int | None = None
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str = ""
    scope: str = ""
    used: bool = False


@dataclass(slots=True)
class DeviceGrant:
    """A device code that waits for somebody to enter its user code."""

    app: App
    tenant: Tenant
    user_code: str
    expires: float
    interval: float
    scope: str = ""
    polled: float = 0.0
    user: User | None = None
    declined: bool = False
    used: bool = False


class Directory:
    """Everything the cloud knows; safe to use from several threads."""

    def __init__(self, tenants: Iterable[Tenant], apps: Iterable[App]) -> None:
        self.tenants = {tenant.id: tenant for tenant in tenants}
        self.apps = {app.client_id: app for app in apps}
        self.lock = threading.RLock()
        self.refresh_tokens: dict[str, Grant] = {}
        self.codes: dict[str, Grant] = {}
        self.devices: dict[str, DeviceGrant] = {}

    def tenant(self, name: str) -> Tenant:
        """Return a tenant by its id or domain; for ``common`` and ``organizations`` the first. Or Denied."""
        if name in ANY_TENANT:
            return next(iter(self.tenants.values()))
        for tenant in self.tenants.values():
            if name.lower() in {tenant.id, tenant.domain}:
                return tenant
        raise Denied(90002, tenant=name)

    def app(self, client_id: str, tenant: Tenant) -> App:
        """Return an app that exists in a tenant, or raise Denied."""
        app = self.apps.get(client_id)
        if app is None or (app.tenants is not None and tenant.id not in app.tenants):
            raise Denied(700016, app=client_id, tenant=tenant.display_name)
        return app

    def keep_refresh_token(self, grant: Grant) -> str:
        """Return a new refresh token for a grant; it is long, as Microsoft's are."""
        token = f"1.{secrets.token_urlsafe(900)}"
        with self.lock:
            self.refresh_tokens[token] = grant
        return token

    def keep_code(self, grant: Grant) -> str:
        """Return a new authorization code for a grant."""
        code = f"1.{secrets.token_urlsafe(600)}"
        with self.lock:
            self.codes[code] = grant
        return code

    def keep_device(self, grant: DeviceGrant) -> str:
        """Return a new device code."""
        code = secrets.token_urlsafe(120)
        with self.lock:
            self.devices[code] = grant
        return code

    def waiting(self, user_code: str) -> DeviceGrant:
        """Return the device grant of a user code, or raise KeyError."""
        with self.lock:
            for grant in self.devices.values():
                if secrets.compare_digest(grant.user_code, user_code.strip().upper()):
                    return grant
        raise KeyError(f"no device waits for {user_code}")
