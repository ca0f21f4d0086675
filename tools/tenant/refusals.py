"""What Microsoft Entra answers when it refuses: an AADSTS code, and a JSON body in its documented form.

Codes and the body: learn.microsoft.com/entra/identity-platform/reference-error-codes. The sentences are short
forms of what is documented or was seen in public reports; a client must not act on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from tools.tenant.answers import Answer


@dataclass(frozen=True, slots=True)
class Reason:
    """Why Entra refuses: OAuth's error, the sentence, the HTTP status, and Entra's suberror if it has one."""

    error: str
    text: str
    status: int = 400
    suberror: str = ""


_AGAIN = "bad_token"
SLOW_DOWN = 70036  # the number is ours: slow_down is RFC 8628's, and no public page gives Entra's code for it
REASONS: Mapping[int, Reason] = {
    50011: Reason(
        "invalid_request",
        "The redirect URI specified in the request does not match those configured for the application.",
    ),
    50012: Reason("invalid_client", "Client assertion contains an invalid signature.", 401),
    50020: Reason("invalid_grant", "User account does not exist in tenant '{tenant}' and cannot access it."),
    50033: Reason("temporarily_unavailable", "A transient error has occurred. Please try again.", 503),
    50049: Reason("invalid_instance", "Unknown or invalid instance."),
    50053: Reason(
        "invalid_grant", "The account is locked: too many sign-ins with an incorrect user id or password."
    ),
    50055: Reason("invalid_grant", "The password is expired.", suberror="user_password_expired"),
    50057: Reason("invalid_grant", "The user account is disabled."),
    50074: Reason("invalid_grant", "Strong authentication is required.", suberror="basic_action"),
    50076: Reason(
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you moved to a new location, "
        "you must use multi-factor authentication to access '{resource}'.",
        suberror="basic_action",
    ),
    50078: Reason(
        "invalid_grant", "The presented multi-factor authentication has expired.", suberror="basic_action"
    ),
    50079: Reason("invalid_grant", "You must enrol in multi-factor authentication.", suberror="basic_action"),
    50089: Reason("invalid_grant", "Authentication failed due to flow token expired.", suberror=_AGAIN),
    50126: Reason("invalid_grant", "Error validating credentials due to invalid username or password."),
    50131: Reason("invalid_grant", "Device is not in the required device state.", suberror="message_only"),
    50133: Reason(
        "invalid_grant", "Session is invalid due to expiration or a recent password change.", suberror=_AGAIN
    ),
    50173: Reason(
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
        suberror=_AGAIN,
    ),
    50196: Reason(
        "invalid_grant", "The server terminated an operation because it found a client request loop."
    ),
    53003: Reason(
        "invalid_grant",
        "Access has been blocked by Conditional Access policies. "
        "The access policy does not allow token issuance.",
        suberror="message_only",
    ),
    54005: Reason(
        "invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a new code."
    ),
    65001: Reason(
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{app}'. "
        "Send an interactive authorization request for this user and resource.",
        suberror="consent_required",
    ),
    65004: Reason("access_denied", "User declined to consent to access the app."),
    70000: Reason("invalid_grant", "Provided grant is invalid or malformed.", suberror=_AGAIN),
    70003: Reason("unsupported_grant_type", "The app requested an unsupported grant type '{grant}'."),
    70008: Reason(
        "invalid_grant", "The provided authorization code or refresh token has expired.", suberror=_AGAIN
    ),
    70011: Reason("invalid_scope", "The provided value for the input parameter 'scope' is not valid."),
    70016: Reason(
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    70018: Reason("bad_verification_code", "Invalid verification code."),
    70019: Reason("expired_token", "Verification code expired."),
    70043: Reason(
        "invalid_grant",
        "The refresh token has expired or is invalid due to sign-in frequency checks by Conditional Access.",
        suberror=_AGAIN,
    ),
    SLOW_DOWN: Reason("slow_down", "The device asks too often. Wait longer before asking again."),
    90002: Reason(
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
        "the correct cloud.",
    ),
    90006: Reason("server_error", "External server retryable error.", 500),
    90012: Reason("temporarily_unavailable", "Request timed out.", 503),
    90014: Reason("invalid_request", "The required field '{field}' is missing from the credential."),
    90024: Reason("temporarily_unavailable", "A transient error has occurred. Please try again.", 503),
    90033: Reason("temporarily_unavailable", "A transient error has occurred. Please try again.", 503),
    90038: Reason("invalid_request", "Confidential client is not supported in cross-cloud requests."),
    90055: Reason("temporarily_unavailable", "There are too many incoming requests.", 429),
    90090: Reason("temporarily_unavailable", "The service is temporarily unavailable.", 503),
    90094: Reason(
        "invalid_grant", "Admin consent is required for the permissions requested by this application."
    ),
    90100: Reason("invalid_request", "{field} parameter is empty or not valid."),
    500011: Reason(
        "invalid_resource",
        "The resource principal named {resource} was not found in the tenant named {tenant}.",
    ),
    500021: Reason("access_denied", "Access to '{tenant}' tenant is denied."),
    501481: Reason(
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    530032: Reason("invalid_grant", "Access has been blocked by a security policy.", suberror="message_only"),
    700005: Reason("invalid_grant", "Provided Authorization Code is intended to use against other tenant."),
    700011: Reason(
        "unauthorized_client", "Application with identifier '{app}' was not found in the directory."
    ),
    700016: Reason(
        "unauthorized_client",
        "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if "
        "the application has not been installed by the administrator of the tenant or consented to by any "
        "user in the tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    700021: Reason(
        "invalid_client", "Client assertion application identifier doesn't match 'client_id' parameter.", 401
    ),
    700024: Reason("invalid_client", "Client assertion is not within its valid time range.", 401),
    700025: Reason(
        "invalid_client",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
        401,
    ),
    700027: Reason(
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        "[Reason - The key was not found.]",
        401,
    ),
    700030: Reason("invalid_client", "Invalid certificate: its subject name is not authorized.", 401),
    700082: Reason(
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive "
        "for 90.00:00:00.",
        suberror=_AGAIN,
    ),
    900382: Reason("invalid_request", "Confidential client is not supported in cross-cloud requests."),
    900432: Reason("invalid_request", "Confidential client is not supported in cross-cloud requests."),
    1002012: Reason(
        "invalid_scope",
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
        "with /.default suffixed to the resource identifier.",
    ),
    7000112: Reason("unauthorized_client", "Application '{app}' is disabled."),
    7000215: Reason(
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
        "value, not the client secret ID, for a secret added to app '{app}'.",
        401,
    ),
    7000218: Reason(
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        401,
    ),
    7000222: Reason("invalid_client", "The provided client secret keys for app '{app}' are expired.", 401),
}


class Denied(Exception):
    """A sign-in that Entra refuses, by one of the codes above, with what its sentence names."""

    def __init__(self, code: int, **named: str) -> None:
        super().__init__(f"AADSTS{code}")
        self.code = code
        self.named = named

    @property
    def reason(self) -> Reason:
        """The entry of the table."""
        return REASONS[self.code]

    def sentence(self) -> str:
        """Return the code and the sentence, without the trace."""
        known = {"app": "", "tenant": "", "resource": "", "issued": "", "scope": "", "grant": "", "field": ""}
        return f"AADSTS{self.code}: {self.reason.text.format_map({**known, **self.named})}"


def denial(denied: Denied, host: str, now: float, **headers: str) -> Answer:
    """Return the answer with the JSON body that Entra sends for a refusal."""
    moment = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%SZ}"
    trace, correlation = str(uuid4()), str(uuid4())
    body: dict[str, object] = {
        "error": denied.reason.error,
        "error_description": f"{denied.sentence()} Trace ID: {trace} Correlation ID: {correlation} "
        f"Timestamp: {moment}",
        "error_codes": [denied.code],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://{host}/error?code={denied.code}",
    }
    if denied.reason.suberror:
        body["suberror"] = denied.reason.suberror
    return reply(denied.reason.status, body, **headers)


def reply(status: int, body: Mapping[str, object], **headers: str) -> Answer:
    """Return an answer in JSON that nobody may keep."""
    fixed = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store, no-cache"}
    return Answer(status, json.dumps(body), {**fixed, **headers})
