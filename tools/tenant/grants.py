"""The token address: who may have a token, for what, and which refresh token comes with it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from tools.tenant.data import Tenant
from tools.tenant.directory import ANY_TENANT, App, Directory, Grant
from tools.tenant.hosts import SIGN_IN_HOSTS
from tools.tenant.refusals import SLOW_DOWN, Denied
from tools.tenant.switches import Switches
from tools.tenant.tokens import (
    Mint,
    Times,
    app_claims,
    check_assertion,
    client_info,
    identity_claims,
    user_claims,
)

Form = Mapping[str, str]
Body = dict[str, object]
CODE_LIFE = 600  # seconds
_PROTOCOL_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})


class Grants:
    """Turns a form into tokens, or raises Denied."""

    def __init__(
        self, directory: Directory, mint: Mint, switches: Callable[[], Switches], now: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._mint = mint
        self._switches = switches
        self._now = now

    def token(self, host: str, place: str, tenant: Tenant, form: Form) -> Body:
        """Return the body of a token response; ``place`` is the tenant as the address names it."""
        app = self._directory.app(form.get("client_id", ""), tenant)
        self._authenticate(host, tenant, app, form)
        if app.refused_with:
            raise Denied(app.refused_with, app=app.client_id, tenant=tenant.display_name)
        match form.get("grant_type"):
            case "client_credentials":
                return self._for_app(host, tenant, app, form)
            case "refresh_token":
                return self._redeem(host, place, tenant, app, form)
            case "authorization_code":
                grant = self._code(app, tenant, form)
            case "device_code" | "urn:ietf:params:oauth:grant-type:device_code":
                grant = self._device(app, tenant, form)
            case other:
                raise Denied(70003, grant=other or "")
        wanted = {**form, "scope": form.get("scope") or grant.scope}
        token = self._directory.keep_refresh_token(grant) if "offline_access" in _scopes(wanted) else None
        return self._for_user(host, grant.tenant, grant, wanted, token)

    # --- who asks ---

    def _authenticate(self, host: str, tenant: Tenant, app: App, form: Form) -> None:
        secret, assertion = form.get("client_secret"), form.get("client_assertion")
        if app.public:
            if secret or assertion:
                raise Denied(700025)
        elif assertion:
            base = {f"https://{host}/{place}" for place in (tenant.id, tenant.domain, *ANY_TENANT)}
            audiences = [f"{one}/{rest}" for one in base for rest in ("oauth2/v2.0/token", "v2.0")]
            check_assertion(assertion, app, tuple(audiences), self._now())
        elif not secret:
            raise Denied(7000218)
        elif secret in app.expired_secrets:
            raise Denied(7000222, app=app.client_id)
        elif app.secret is None or not secrets.compare_digest(secret.encode(), app.secret.encode()):
            raise Denied(7000215, app=app.client_id)

    # --- for what ---

    def _for_app(self, host: str, tenant: Tenant, app: App, form: Form) -> Body:
        scope = form.get("scope", "")
        if app.public:
            raise Denied(7000218)
        if not scope.endswith("/.default") or " " in scope:
            raise Denied(1002012, scope=scope)
        audience = _resource(host, tenant, scope)
        roles = app.roles if app.consented else frozenset()
        claims = app_claims(tenant, app, audience, self._granted(roles), self._times())
        return self._body(claims)

    def _redeem(self, host: str, place: str, tenant: Tenant, app: App, form: Form) -> Body:
        switches = self._switches()
        with self._directory.lock:
            token = form.get("refresh_token", "")
            grant = self._directory.refresh_tokens.get(token)
            if grant is None or grant.app.client_id != app.client_id:
                raise Denied(70000)
            grant.app = app  # as it is registered by now
            self._check_age(grant, switches)
            if place in ANY_TENANT or switches.any_tenant:
                tenant = grant.tenant
            elif grant.tenant.id != tenant.id:
                raise Denied(50020, tenant=tenant.display_name)
            self._check_user(grant, form, host, tenant)
            following = Grant(app, grant.user, grant.tenant, self._now())
            rotated = self._directory.keep_refresh_token(following) if switches.rotate else None
            if switches.revoke_old and rotated:
                grant.spoiled = 50173
        return self._for_user(host, tenant, grant, form, rotated)

    def _check_age(self, grant: Grant, switches: Switches) -> None:
        issued = f"{datetime.fromtimestamp(grant.issued, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        if grant.spoiled:
            raise Denied(grant.spoiled, issued=issued)
        if self._now() > grant.issued + switches.refresh_life:
            raise Denied(700082, issued=issued)

    def _check_user(self, grant: Grant, form: Form, host: str, tenant: Tenant) -> None:
        if grant.user.refused_with:
            raise Denied(grant.user.refused_with, resource=_resource(host, tenant, form.get("scope", "")))
        if not grant.app.consented:
            raise Denied(65001, app=grant.app.client_id)

    def _code(self, app: App, tenant: Tenant, form: Form) -> Grant:
        with self._directory.lock:
            grant = self._directory.codes.get(form.get("code", ""))
            if grant is None or grant.app.client_id != app.client_id:
                raise Denied(70000)
            if grant.used:
                raise Denied(54005)
            grant.used = True
        if self._now() > grant.issued + CODE_LIFE:
            raise Denied(70008)
        if grant.tenant.id != tenant.id:
            raise Denied(700005)
        if form.get("redirect_uri") != grant.redirect_uri:
            raise Denied(50011)
        if grant.challenge and _challenge(form.get("code_verifier", "")) != grant.challenge:
            raise Denied(501481)
        return grant

    def _device(self, app: App, tenant: Tenant, form: Form) -> Grant:
        with self._directory.lock:
            grant = self._directory.devices.get(form.get("device_code", ""))
            if grant is None or grant.app.client_id != app.client_id or grant.used:
                raise Denied(70018)
            now = self._now()
            sooner = now < grant.polled + grant.interval * 0.9
            grant.polled = now
            if now > grant.expires:
                raise Denied(70019)
            if grant.declined:
                raise Denied(65004)
            if sooner:
                grant.interval += 5
                raise Denied(SLOW_DOWN)
            if grant.user is None:
                raise Denied(70016)
            grant.used = True
        if grant.user.refused_with:
            raise Denied(grant.user.refused_with)
        return Grant(app, grant.user, tenant, now, scope=grant.scope)

    # --- what comes back ---

    def _for_user(self, host: str, tenant: Tenant, grant: Grant, form: Form, refresh: str | None) -> Body:
        asked = _scopes(form)
        resource = _resource(host, tenant, " ".join(asked))
        held = grant.app.roles if grant.app.scopes is None else grant.app.scopes
        scopes = self._granted(held)
        body = self._body(user_claims(grant, tenant, resource, scopes, self._times()))
        body["scope"] = " ".join(f"{resource}/{scope}" for scope in sorted(scopes))
        if refresh is not None:
            body["refresh_token"] = refresh
        if "openid" in asked:
            body["id_token"] = self._mint.sign(identity_claims(grant, tenant, host, self._times()))
        if form.get("client_info"):
            body["client_info"] = client_info(grant.user, grant.tenant)
        return body

    def _body(self, claims: Mapping[str, object]) -> Body:
        switches = self._switches()
        life = int(switches.token_life)
        token = self._mint.sign(claims, opaque=switches.opaque)
        return {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}

    def _granted(self, roles: frozenset[str]) -> frozenset[str]:
        switches = self._switches()
        return (roles | switches.given) - switches.taken

    def _times(self) -> Times:
        return Times(self._now(), self._switches().token_life)


def _scopes(form: Form) -> list[str]:
    return form.get("scope", "").split()


def _resource(host: str, tenant: Tenant, scope: str) -> str:
    """Return the Graph root that the scopes are for, or raise Denied."""
    roots = SIGN_IN_HOSTS[host]
    wanted = {
        f"https://{urlsplit(one).netloc}" if "://" in one else roots[0]
        for one in scope.split()
        if one not in _PROTOCOL_SCOPES
    } or {roots[0]}
    if len(wanted) > 1:
        raise Denied(70011)
    (root,) = wanted
    if root not in roots:
        raise Denied(500011, resource=root, tenant=tenant.display_name)
    return root


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
