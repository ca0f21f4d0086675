"""What Microsoft Entra says when it says no: its codes, and what an administrator does about each.

Source: MicrosoftDocs/entra-docs docs/identity-platform/reference-error-codes.md, which advises to act on the
code and never on the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.errors import SignInError

_CODE = re.compile(r"AADSTS(\d+)")
_AFTER = re.compile(r"[\r\n]|\s(?:Trace ID|Correlation ID|Timestamp):")  # what only Microsoft's support needs
_SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)
_MOST = 300  # characters of a text that has no end


@dataclass(frozen=True, slots=True)
class Action:
    """What to do about a refusal, and whether the same call can succeed later by itself."""

    hint: str
    retryable: bool = False


_AGAIN = Action('Sign in again: beacon-bridge signin "{connection}"')
_SECRET = Action(
    "Copy the secret's Value, not its Secret ID, and store it again with `beacon-bridge secret set`."
)
_EXPIRED_SECRET = Action(
    "Make a new client secret in the app registration and store it with `beacon-bridge secret set`."
)
_CERTIFICATE = Action(
    "Upload the public part of this certificate to the app registration (Certificates & secrets), and check "
    "its dates."
)
_CLOCK = Action("Set this machine's clock; Microsoft accepts five minutes of difference.")
_FACTOR = Action(
    'Sign in again with the second factor: beacon-bridge signin "{connection}"; or use the app\'s own '
    "credential (flow secret or certificate), which needs none."
)
_CONSENT = Action(
    'Let an administrator consent: beacon-bridge permissions "{connection}" --manifest prints the address.'
)
_CONFIGURATION = Action("Check client_id, tenant and cloud of the connection: often it is the wrong cloud.")
_CLOUD = Action("Set cloud of the connection to the tenant's national cloud.")
_ACCOUNT = Action(
    "Look at the user's account in the tenant: it is disabled, locked, or its password is wrong."
)
_POLICY = Action(
    "A Conditional Access policy is in the way: let its owner exempt this sign-in, try the other way (--code "
    "or --device), or use the app's own credential."
)
_BACK_OFF = Action("Wait, then try again; too many sign-ins came at once.", retryable=True)
_RETRY = Action("Try again in a few minutes.", retryable=True)
_FLOW = Action(
    'Try the other way: beacon-bridge signin "{connection}" --code; or set "Allow public client flows" to '
    "Yes in the app registration (Authentication)."
)
_NOT_PUBLIC = Action(
    'Add the app\'s secret to [signin] (secret = "store:NAME"), or set "Allow public client flows" to Yes in '
    "the app registration (Authentication)."
)
_PUBLIC = Action("Remove secret from [signin]: this app is a public client, which has none.")
_REDIRECT = Action(
    "Add the redirect URI https://login.microsoftonline.com/common/oauth2/nativeclient to the app "
    "registration (Authentication, Mobile and desktop applications), or try the other way: "
    'beacon-bridge signin "{connection}" --device'
)
_RESTART = Action(
    'Start again; a code is good once and for a few minutes: beacon-bridge signin "{connection}"'
)
_OTHER_CLIENT = Action(
    "The token belongs to another app or tenant: check client_id and tenant, then sign in again: "
    'beacon-bridge signin "{connection}"'
)

_BY_CODE: Mapping[int, Action] = {
    code: action
    for codes, action in (
        ((70000, 70008, 700082, 70043, 50173, 50133, 50089), _AGAIN),
        ((7000215,), _SECRET),
        ((7000222,), _EXPIRED_SECRET),
        ((700027, 700030, 50012, 700021), _CERTIFICATE),
        ((700024,), _CLOCK),
        ((50076, 50079, 50074, 50078), _FACTOR),
        ((65001, 90094), _CONSENT),
        ((700016, 700011, 90002, 900023, 7000229, 7000112, 500011), _CONFIGURATION),
        ((90038, 900382, 900432), _CLOUD),
        ((50057, 50055, 50126, 50053, 50034), _ACCOUNT),
        ((53003, 530032, 50131), _POLICY),
        ((90055, 50196), _BACK_OFF),
        ((50033, 90006, 90012, 90024, 90033, 90090), _RETRY),
        ((7000218,), _NOT_PUBLIC),
        ((700025,), _PUBLIC),
        ((50011,), _REDIRECT),
        ((70018, 70019, 54005, 501481), _RESTART),
        ((50020, 700005), _OTHER_CLIENT),
    )
    for code in codes
}

# The OAuth 2 error (RFC 6749, RFC 8628), for what has no code, or one that is not in the table.
_BY_ERROR: Mapping[str, Action] = {
    "invalid_grant": _AGAIN,
    "interaction_required": _FACTOR,
    "consent_required": _CONSENT,
    "invalid_client": Action("Check client_id and the secret or certificate of [signin]."),
    "unauthorized_client": _CONFIGURATION,
    "invalid_scope": _CONFIGURATION,
    "temporarily_unavailable": _RETRY,
    "server_error": _RETRY,
    "slow_down": _BACK_OFF,
    "authorization_pending": Action(
        'Nobody signed in before the code expired: beacon-bridge signin "{connection}" --device'
    ),
    "expired_token": _RESTART,
    "bad_verification_code": _RESTART,
    "access_denied": Action('The sign-in was declined in the browser: beacon-bridge signin "{connection}"'),
    "authorization_declined": Action(
        'The sign-in was declined in the browser: beacon-bridge signin "{connection}"'
    ),
}
_UNKNOWN = Action(
    "Look the code up at https://login.microsoftonline.com/error, or ask the tenant's administrator."
)


def refusal(
    answer: Mapping[str, Any], connection: str, *, flow: str = "", seconds: float | None = None
) -> SignInError:
    """Return the SignInError for a dict that msal returned instead of a token.

    ``flow`` is ``device`` or ``code`` where a person signs in: a refusal of one names the other. An unknown
    code keeps its text.
    """
    codes = _codes(answer)
    error = str(answer.get("error") or "")
    code = next((one for one in codes if one in _BY_CODE), codes[0] if codes else None)
    known = _BY_CODE.get(code) if code is not None else None
    action = known or _BY_ERROR.get(error, _UNKNOWN)
    if code == 7000218 and flow == "device":
        action = _FLOW
    hint = action.hint.format(connection=connection)
    if flow and code in {53003, 530032, 50131, 50097, 50005}:
        hint = f'Try the other way: beacon-bridge signin "{connection}" --{_other(flow)}. {hint}'
    said = _said(answer, code)
    return SignInError(
        f"Microsoft Entra refused the sign-in of {connection}: {said}",
        hint=hint,
        retryable=action.retryable,
        aadsts=code,
        seconds=seconds,
    )


def _other(flow: str) -> str:
    return "code" if flow == "device" else "device"


def _codes(answer: Mapping[str, Any]) -> list[int]:
    listed = answer.get("error_codes")
    codes = [int(one) for one in listed if str(one).isdigit()] if isinstance(listed, Iterable) else []
    return codes or [int(one) for one in _CODE.findall(str(answer.get("error_description") or ""))]


def _said(answer: Mapping[str, Any], code: int | None) -> str:
    """Return code and first sentence; no trace ids, which no administrator needs."""
    text = first_sentence(str(answer.get("error_description") or ""))
    text = re.sub(r"^AADSTS\d+:\s*", "", text) or str(answer.get("error") or "no reason was given.")
    return text if code is None else f"AADSTS{code}: {text}"


def first_sentence(text: str) -> str:
    """Return the first sentence of what Microsoft said, without its trace ids."""
    meant = _AFTER.split(text.strip(), maxsplit=1)[0]
    found = _SENTENCE.match(meant)
    return (found[0] if found else meant)[:_MOST]
