"""The conversation of one connection with Microsoft Entra, through msal; its failures have names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import msal  # type: ignore[import-untyped]  # it has no types
import requests
import tenacity
from msal.exceptions import MsalError  # type: ignore[import-untyped]  # likewise

from bridge import system
from bridge.errors import SettingsError, SignInError
from bridge.model import Connection, Secret, SecretReference, SignIn
from bridge.signin.certificate import identity
from bridge.signin.claims import claims
from bridge.signin.refusals import refusal
from bridge.web.route import Route
from bridge.web.session import Session

T = TypeVar("T")
logging.getLogger("msal").addHandler(logging.NullHandler())  # it prints whole answers otherwise

ATTEMPTS = 4  # of one sign-in, the first included
LONGEST_WAIT = 60.0  # seconds; where Microsoft asks for more the run ends and says so
MOST_SKEW = timedelta(minutes=5)  # what Microsoft accepts


class Fetches(Protocol):
    """Gets a secret that the settings name."""

    def fetch(self, reference: SecretReference) -> Secret:
        """Return it as text, or raise SettingsError."""
        ...

    def fetch_bytes(self, reference: SecretReference) -> bytes:
        """Return it as bytes: a certificate."""
        ...


@dataclass(frozen=True)
class Grant:
    """What a successful sign-in brought."""

    token: Secret
    seconds: float  # that the token is good for, from now
    refresh_token: Secret | None
    tenant: str | None  # the tid that the token or its id token claims
    authority: str  # the tenant that the sign-in service knows by the connection's name for it, usually an id
    user: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Entra:
    """Signs one connection in; every request goes its route and has a deadline."""

    def __init__(self, connection: Connection, sign_in: SignIn, secrets: Fetches, route: Route) -> None:
        self.connection, self.sign_in, self._secrets = connection, sign_in, secrets
        self.session = Session(route)
        self.session.hooks["response"].append(self._look)
        self.skew: timedelta | None = None  # how far this machine's clock is ahead of Microsoft's
        self.names: frozenset[str] = frozenset()  # the organisation's id and domains, once Graph showed them
        self._last: requests.Response | None = None

    @property
    def scopes(self) -> list[str]:
        """What is asked for: everything that the app was granted on the cloud's Graph."""
        return [f"{self.connection.cloud.graph}/.default"]

    # --- the ways to sign in ---

    def by_credential(self) -> Grant:
        """Sign in as the app itself, with its secret or certificate."""
        return self.patiently(lambda: self._once(lambda app: app.acquire_token_for_client(self.scopes)))

    def by_refresh_token(self, token: Secret) -> Grant:
        """Redeem a refresh token, as a public client or, where [signin] has a secret, a confidential one."""
        said = token.reveal()
        return self.patiently(
            lambda: self._once(lambda app: app.acquire_token_by_refresh_token(said, self.scopes))
        )

    def patiently(self, ask: Callable[[], T]) -> T:
        """Ask again where the same call can succeed later; wait as long as Microsoft asks for."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, SignInError) and error.retryable
            ),
            wait=_wait,
            stop=_stop,
            reraise=True,
        )
        return retrying(ask)

    def _once(self, ask: Callable[[Any], Mapping[str, Any]]) -> Grant:
        with self.translated():
            app = self.application()
            answer = ask(app)
        return self.granted(app, answer)

    def granted(self, app: Any, answer: Mapping[str, Any], flow: str = "") -> Grant:  # noqa: ANN401  # msal's
        """Return what msal's dict grants, or raise the SignInError that it is."""
        if "access_token" not in answer:
            raise self._skewed(refusal(answer, self.connection.name, flow=flow, seconds=self._retry_after()))
        token = Secret(str(answer["access_token"]))
        said = answer.get("id_token_claims") or {}
        own = claims(token)
        refresh = answer.get("refresh_token")
        return Grant(
            token=token,
            seconds=float(answer.get("expires_in") or 0),
            refresh_token=Secret(str(refresh)) if refresh else None,
            tenant=own.get("tid") or said.get("tid"),
            authority=str(app.authority.tenant),
            user=said.get("preferred_username") or own.get("upn"),
            claims=own,
        )

    # --- msal ---

    def application(self) -> msal.ClientApplication:
        """Return msal's client for this connection; a new one each time, for msal keeps refusals a minute.

        Instance discovery would ask the global cloud about a national one, or about one it does not know.
        """
        place = f"{self.connection.cloud.authority}/{self.connection.tenant}"
        credential = self._credential()
        kind = msal.PublicClientApplication if credential is None else msal.ConfidentialClientApplication
        return kind(
            self.sign_in.client_id,
            **({} if credential is None else {"client_credential": credential}),
            authority=place,
            http_client=self.session,
            instance_discovery=False,
        )

    def _credential(self) -> str | dict[str, str] | None:
        """Return the app's credential as msal takes it, None for a public client."""
        said = self.sign_in
        if said.certificate is not None:
            passphrase = None if said.passphrase is None else self._secrets.fetch(said.passphrase)
            found = identity(self._secrets.fetch_bytes(said.certificate), passphrase, str(said.certificate))
            found.refuse_dates(str(said.certificate), system.now())
            return {"private_key": found.key.reveal(), "public_certificate": found.certificate}
        return None if said.secret is None else self._secrets.fetch(said.secret).reveal()

    # --- what came back ---

    def _look(self, response: requests.Response, **_: object) -> None:
        """Keep the last answer, and measure the clock by its Date."""
        self._last = response
        try:
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
        except ValueError:
            return
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self.skew = system.now() - aware

    @property
    def clock(self) -> str | None:
        """What is wrong with this machine's clock, None if nothing is or nothing has answered."""
        if self.skew is None or abs(self.skew) <= MOST_SKEW:
            return None
        minutes = round(abs(self.skew).total_seconds() / 60)
        where = "ahead of" if self.skew > timedelta(0) else "behind"
        return f"This machine's clock is {minutes} minutes {where} Microsoft's."

    def _skewed(self, error: SignInError) -> SignInError:
        """Return the error, naming a wrong clock beside it: it is the cause more often than not."""
        if self.clock is None:
            return error
        return SignInError(
            f"{error.sentence} {self.clock}",
            hint=f"Set this machine's clock first. {error.hint}",
            aadsts=error.aadsts,
        )

    def _retry_after(self) -> float | None:
        text = "" if self._last is None else self._last.headers.get("Retry-After", "").strip()
        return float(text) if text.isascii() and text.isdigit() else None

    # --- exceptions of msal and requests ---

    @contextmanager
    def translated(self, address: str | None = None) -> Iterator[None]:
        """Turn what msal and requests raise into a SignInError, here and nowhere else.

        ``address`` is asked for; the sign-in service where none is named.
        """
        self._last = None
        host = urlsplit(address or self.connection.cloud.authority).netloc
        try:
            yield
        except requests.exceptions.ProxyError as error:
            raise _proxy(error, host) from error
        except requests.exceptions.SSLError as error:
            raise SignInError(
                f"{host} cannot be trusted: its certificate is not from an authority known here.",
                hint="Where a proxy opens TLS, set [http] ca_bundle to its authority's certificate in PEM.",
            ) from error
        except requests.exceptions.Timeout as error:
            raise SignInError(f"{host} did not answer in time.", hint=_NETWORK, retryable=True) from error
        except (requests.JSONDecodeError, requests.HTTPError) as error:
            raise self._unusable(error, host) from error
        except requests.RequestException as error:
            raise SignInError(
                f"{host} cannot be reached ({_innermost(error)}).", hint=_NETWORK, retryable=True
            ) from error
        except (MsalError, ValueError, KeyError, RuntimeError) as error:
            raise self._skewed(self._unusable(error, host)) from error

    def _unusable(self, error: Exception, host: str) -> SignInError:
        """Return what an answer means that msal could not use: a refusal, an overload, another's page."""
        if self._last is None:
            raise SettingsError(
                f"The connection {self.connection.name} cannot sign in: {error}",
                hint="Check authority, tenant and the credential of the connection.",
            ) from error
        status = self._last.status_code
        try:
            said = self._last.json()
        except ValueError:
            said = None
        if isinstance(said, dict) and isinstance(said.get("error"), str):
            return refusal(said, self.connection.name, seconds=self._retry_after())
        return SignInError(
            f"{host} answered with HTTP {status} and nothing that a sign-in could use.",
            hint="Try again in a few minutes." if _is_overload(status) else _SOMEBODY,
            retryable=_is_overload(status),
            seconds=self._retry_after(),
        )


_SOMEBODY = "Something between here and Microsoft answers in its place: look at the proxy and at authority."
_NETWORK = (
    "Check the network, and proxy and no_proxy in [http]: this account may need another proxy than yours."
)


def _proxy(error: Exception, host: str) -> SignInError:
    if "407" in str(error):
        return SignInError(
            "The proxy asks for a user name and password.",
            hint="Set proxy_user and proxy_password in [http]; Basic is the only scheme that is spoken.",
        )
    return SignInError(
        f"The proxy does not lead to {host} ({_innermost(error)}).",
        hint="Check proxy and no_proxy in [http], and whether the proxy lets this address through.",
        retryable=True,
    )


def _is_overload(status: int) -> bool:
    return status == 429 or status >= 500


def _innermost(error: BaseException) -> str:
    """Return the cause at the bottom of a chain, which says what happened without addresses."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return str(error)[:200] or type(error).__name__


# --- waiting ---


def _seconds(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, SignInError) else None
    return 2.0 ** (state.attempt_number - 1) if asked is None else asked


def _wait(state: tenacity.RetryCallState) -> float:
    return _seconds(state)


def _stop(state: tenacity.RetryCallState) -> bool:
    return state.attempt_number >= ATTEMPTS or _seconds(state) > LONGEST_WAIT
