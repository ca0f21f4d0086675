"""Microsoft Entra's addresses: discovery, authorize, token and device code, for every tenant of the cloud.

Source: learn.microsoft.com/entra/identity-platform, pages v2-protocols-oidc,
v2-oauth2-client-creds-grant-flow, v2-oauth2-auth-code-flow and v2-oauth2-device-code.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode, urlsplit

from tools.tenant.answers import Answer
from tools.tenant.data import Tenant
from tools.tenant.directory import ANY_TENANT, App, DeviceGrant, Directory, Grant, User
from tools.tenant.grants import Grants
from tools.tenant.hosts import KNOWN_HOSTS, SIGN_IN_HOSTS
from tools.tenant.refusals import Denied, denial, reply
from tools.tenant.switches import Switches
from tools.tenant.tokens import Mint

DEVICE_HOST, DEVICE_PATH = "microsoft.com", "/devicelogin"


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a sign-in host; ``fields`` are those of the query or of the form."""

    host: str
    method: str
    path: str
    fields: Mapping[str, str]


class Entra:
    """Answers at the sign-in hosts; ``user`` is who signs in at the authorize address."""

    def __init__(
        self, directory: Directory, mint: Mint, switches: Callable[[], Switches], now: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._mint = mint
        self._switches = switches
        self._now = now
        self._grants = Grants(directory, mint, switches, now)
        self.user = User()

    def target(self, path: str) -> str:
        """Return which switches concern a path: ``signin`` or ``discovery``."""
        return "signin" if path.endswith(("/token", "/devicecode")) else "discovery"

    def answer(self, question: Question) -> Answer:
        """Return the answer to one request."""
        try:
            return self._answer(question)
        except Denied as denied:
            return denial(denied, question.host, self._now())

    def refuse(self, host: str, code: int) -> Answer:
        """Return the answer of a switch that refuses with a code."""
        return denial(Denied(code), host, self._now())

    def _answer(self, question: Question) -> Answer:
        if question.host == DEVICE_HOST:
            return self._device_page(question)
        if question.path == "/common/discovery/instance":
            return _instance(question)
        name, _, rest = question.path.lstrip("/").partition("/")
        tenant = self._tenant(question.host, name)
        match question.method, rest:
            case "GET", "v2.0/.well-known/openid-configuration":
                return reply(200, _configuration(question.host, name, tenant))
            case "GET", "discovery/v2.0/keys":
                return reply(200, self._mint.keys())
            case "GET", "oauth2/v2.0/authorize":
                return self._authorize(question, tenant)
            case "POST", "oauth2/v2.0/devicecode":
                return self._device_code(question, tenant)
            case "POST", "oauth2/v2.0/token":
                return reply(200, self._grants.token(question.host, name, tenant, question.fields))
        return Answer(404, "")

    def _tenant(self, host: str, name: str) -> Tenant:
        home = self._switches().cloud
        if home and host != home:
            raise Denied(90002, tenant=name)
        return self._directory.tenant(name)

    # --- a person in a browser ---

    def _authorize(self, question: Question, tenant: Tenant) -> Answer:
        """Send the browser back with a code, as if the user had signed in at once."""
        fields = question.fields
        try:
            app = self._directory.app(fields.get("client_id", ""), tenant)
            if fields.get("redirect_uri") not in app.redirect_uris and not _loopback(fields, app):
                raise Denied(50011)
        except Denied as denied:
            return _page(200, f"Sorry, but we're having trouble signing you in. {denied.sentence()}")
        back: dict[str, str] = {"state": fields["state"]} if "state" in fields else {}
        try:
            self._admit(app, fields)
        except Denied as denied:
            back |= {"error": denied.reason.error, "error_description": denied.sentence()}
        else:
            grant = Grant(app, self.user, tenant, self._now(), redirect_uri=fields["redirect_uri"])
            grant.challenge, grant.nonce = fields.get("code_challenge", ""), fields.get("nonce", "")
            grant.scope = fields.get("scope", "")
            back |= {"code": self._directory.keep_code(grant), "session_state": secrets.token_hex(8)}
        mark = "#" if fields.get("response_mode") == "fragment" else "?"
        return Answer(302, "", {"Location": f"{fields['redirect_uri']}{mark}{urlencode(back)}"})

    def _admit(self, app: App, fields: Mapping[str, str]) -> None:
        """Raise Denied if the request or the user cannot get a code."""
        if fields.get("response_type") != "code":
            raise Denied(90100, field="response_type")
        if fields.get("code_challenge") and fields.get("code_challenge_method") != "S256":
            raise Denied(90100, field="code_challenge_method")
        if app.public and not fields.get("code_challenge"):
            raise Denied(90014, field="code_challenge")
        if not app.consented:
            raise Denied(65004)
        if self.user.refused_with:
            raise Denied(self.user.refused_with)

    # --- device code ---

    def _device_code(self, question: Question, tenant: Tenant) -> Answer:
        app = self._directory.app(question.fields.get("client_id", ""), tenant)
        switches = self._switches()
        user_code = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(9))
        expires = self._now() + switches.device_life
        scope = question.fields.get("scope", "")
        grant = DeviceGrant(app, tenant, user_code, expires, switches.device_interval, scope)
        address = f"https://{DEVICE_HOST}{DEVICE_PATH}"
        message = (
            f"To sign in, use a web browser to open the page {address} and enter the code {user_code} "
            "to authenticate."
        )
        body: dict[str, object] = {
            "user_code": user_code,
            "device_code": self._directory.keep_device(grant),
            "verification_uri": address,
            "expires_in": int(switches.device_life),
            "interval": max(1, int(switches.device_interval)),
            "message": message,
        }
        return reply(200, body)

    def _device_page(self, question: Question) -> Answer:
        """Approve the device whose code is entered; without one, ask for it."""
        if question.path != DEVICE_PATH:
            return Answer(404, "")
        code = question.fields.get("otc", "")
        if not code:
            return _page(200, 'Enter the code: <form><input name="otc"/></form>', as_html=True)
        try:
            self.approve(code, self.user)
        except KeyError:
            return _page(200, "That code didn't work. Check the code and try again.")
        return _page(200, "You have signed in. You may now close this window.")

    def approve(self, user_code: str, user: User | None) -> None:
        """Let a device have its tokens for a user, or (None) let the user decline; KeyError if none waits."""
        grant = self._directory.waiting(user_code)
        with self._directory.lock:
            grant.user, grant.declined = user, user is None


def _loopback(fields: Mapping[str, str], app: App) -> bool:
    """Return whether a redirect goes to an allowed ``http://localhost``, whose port does not count."""
    given = urlsplit(fields.get("redirect_uri", ""))
    return (
        given.scheme == "http"
        and given.hostname in ("localhost", "127.0.0.1")
        and any(urlsplit(known).hostname == given.hostname for known in app.redirect_uris)
    )


def _configuration(host: str, name: str, tenant: Tenant) -> dict[str, object]:
    place = name if name in ANY_TENANT else tenant.id
    base = f"https://{host}/{place}"
    issuer = "{tenantid}" if name in ANY_TENANT else tenant.id
    return {
        "issuer": f"https://{host}/{issuer}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "subject_types_supported": ["pairwise"],
        "msgraph_host": urlsplit(SIGN_IN_HOSTS[host][0]).netloc,
    }


def _instance(question: Question) -> Answer:
    """Return the clouds and their aliases, or that the asked-for host belongs to none."""
    asked = urlsplit(question.fields.get("authorization_endpoint", ""))
    if asked.netloc not in KNOWN_HOSTS:
        raise Denied(50049)
    tenant = asked.path.strip("/").partition("/")[0]
    body: dict[str, object] = {
        "tenant_discovery_endpoint": f"https://{asked.netloc}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [
            {"preferred_network": host, "preferred_cache": host, "aliases": [host]} for host in KNOWN_HOSTS
        ],
    }
    return reply(200, body)


def _page(status: int, text: str, *, as_html: bool = False) -> Answer:
    content = text if as_html else escape(text, quote=False)
    return Answer(
        status,
        f"<!DOCTYPE html><html><body>{content}</body></html>",
        {"Content-Type": "text/html; charset=utf-8"},
    )
