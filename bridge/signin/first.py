"""The first refresh token of a connection: a person signs in once, in a browser on any machine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bridge.errors import SettingsError, SignInError
from bridge.model import Secret, SecretReference
from bridge.signin.entra import Entra, Grant
from bridge.signin.refusals import refusal
from bridge.signin.tenant import prove

# Where a native app's browser ends: the same host in every cloud's own words, registered as it stands.
# learn.microsoft.com/entra/identity-platform/reply-url
_REDIRECT = "{authority}/common/oauth2/nativeclient"


def place(entra: Entra) -> SecretReference:
    """Return where the refresh token will be stored; SettingsError if this connection has no such place."""
    name = entra.connection.name
    reference = entra.sign_in.refresh_token
    if reference is None:
        raise SettingsError(
            f"The connection {name} signs in as an app (flow {entra.sign_in.flow}); nobody has to sign in.",
            hint=f'Test it: beacon-bridge check "{name}"',
        )
    if reference.where != "store":
        raise SettingsError(
            f"The refresh token of {name} is {reference}, where nothing can be stored.",
            hint='Write refresh_token = "store:NAME" in its [signin].',
        )
    return reference


def by_code(entra: Entra, show: Callable[[str], None], ask: Callable[[str], str]) -> Grant:
    """Sign in by authorization code with PKCE: an address to open, the resulting address pasted back.

    ``show`` is told what to do, ``ask`` returns the pasted line. Raises SignInError; the state is checked.
    """
    with entra.translated(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # msal recommends form_post, which no native client can receive
        app = entra.application()
        flow = app.initiate_auth_code_flow(
            entra.scopes, redirect_uri=_REDIRECT.format(authority=entra.connection.cloud.authority)
        )
    show("Open this address in a browser, on any machine, and sign in:")
    show(flow["auth_uri"])
    show("The browser ends on an empty page. Copy that page's whole address.")
    answer = _pasted(ask("Address of the empty page"), flow["state"])
    with entra.translated():
        said = app.acquire_token_by_auth_code_flow(flow, answer)
    return _whole(entra, app, said, "code")


def by_device(entra: Entra, show: Callable[[str], None]) -> Grant:
    """Sign in by device code: a short code that is typed into a page on any machine. Raises SignInError."""
    with entra.translated():
        app = entra.application()
        flow = app.initiate_device_flow(entra.scopes)
    if "user_code" not in flow:
        raise refusal(flow, entra.connection.name, flow="device")
    show(
        f"Open {flow['verification_uri']} in a browser, on any machine, and type the code {flow['user_code']}"
    )
    show(f"Waiting for up to {round(int(flow['expires_in']) / 60)} minutes; Ctrl-C stops it.")
    with entra.translated():
        said = app.acquire_token_by_device_flow(flow)
    return _whole(entra, app, said, "device")


def _whole(entra: Entra, app: Any, said: Mapping[str, Any], flow: str) -> Grant:  # noqa: ANN401  # msal's
    """Return a grant that has a refresh token, of the right tenant."""
    grant = entra.granted(app, said, flow)
    if grant.refresh_token is None:
        raise SignInError(
            f"Microsoft Entra gave {entra.connection.name} a token, but no refresh token.",
            hint="Let the app have the delegated permission offline_access, then sign in again.",
        )
    prove(entra, grant)
    return grant


def _pasted(line: str, state: str) -> dict[str, str]:
    """Return the answer in a pasted address; SignInError if it is none, or another sign-in's."""
    address = Secret("".join(line.split()))  # a terminal may have wrapped it
    parts = urlsplit(address.reveal())
    found = {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}
    again = "Copy the whole address from the browser's address line, beginning with https://."
    if "code" not in found and "error" not in found:
        raise SignInError("What was pasted is not the address of the empty page: it has no code.", hint=again)
    if found.get("state") != state:
        raise SignInError(
            "What was pasted belongs to another sign-in: its state is not the one that was sent.",
            hint="Start again, and open the address that is shown then.",
        )
    return found
