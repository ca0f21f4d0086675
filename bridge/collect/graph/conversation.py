"""A conversation with Microsoft Graph: one call after another, page by page, with honest waits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import tenacity
from requests.auth import AuthBase
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, SSLError, Timeout

from bridge import system
from bridge.collect.graph.calls import Call, Item
from bridge.errors import ReaderError, SignInError
from bridge.model import Secret, TokenSource
from bridge.web.route import Route
from bridge.web.session import Session

ATTEMPTS = 10  # of one request, the first included
UNANSWERED = 4  # attempts where nothing answers at all
LONGEST_WAIT = 60.0  # seconds, where Graph does not say how long
WAITED = 900.0  # seconds, altogether for one request
_TIMEOUT = 100.0  # seconds without a byte
_UNANSWERED = (requests.ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError)
_EXPIRED_PAGES = {"Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException"}


# --- what it needs ---


class Bearer(AuthBase):
    """The access token, put into each request's header.

    A token that was given is used until it is rejected; without one the source is asked before each request,
    and decides when a new one is due.
    """

    def __init__(self, given: str | Secret, source: TokenSource | None) -> None:
        token = given if isinstance(given, Secret) else Secret(given)
        self._source = source
        self._asked = None if token.reveal() else source
        if self._asked is not None:
            token = self._asked(None)
        if not token.reveal():
            raise SignInError(
                "AccessToken is empty and nothing else gives a token.",
                hint='Write AccessToken = { secret = "env:NAME" } in the connection\'s parameters.',
            )
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        if self._asked is not None:
            self._token = self._asked(None)
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request

    def renew(self) -> bool:
        """Ask for another token in place of a rejected one; False if there is nobody to ask."""
        if self._source is None:
            return False
        self._token = self._source(self._token)
        return True


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the stopwatch, and which of the connection's minutes sets it."""

    at: float
    minutes: float
    what: str

    @classmethod
    def after(cls, minutes: float, what: str) -> Deadline:
        """Return the deadline so many minutes from now; 0 minutes mean none."""
        return cls(system.stopwatch() + 60 * minutes if minutes else math.inf, minutes, what)

    def refuse(self, seconds: float = 0.0) -> None:
        """Raise ReaderError if it comes before so many seconds have passed."""
        if system.stopwatch() + seconds > self.at:
            raise ReaderError(
                f"The {self.what} is not done after {self.minutes:g} minutes.",
                hint=f"Raise minutes.{self.what} of the connection, or run again when Graph is less busy.",
                retryable=True,
            )


class _Again(Exception):
    """A request that may succeed later; ``seconds`` is how long Graph asks to wait, None if it does not."""

    def __init__(self, reason: str, sentence: str, seconds: float | None, attempts: int) -> None:
        super().__init__(sentence)
        self.reason, self.seconds, self.attempts = reason, seconds, attempts


# --- page by page ---


def connected(route: Route) -> requests.Session:
    """Return a session that keeps its connections for one run: use it as a context manager."""
    return Session(route)


class Client:
    """Follows calls page by page for one step: waits as long as Graph asks for, and not for ever."""

    def __init__(
        self,
        session: requests.Session,
        root: str,
        bearer: Bearer,
        deadline: Deadline,
        tell_wait: Callable[[str], None],
    ) -> None:
        self._session = session
        self._root = root
        self._bearer = bearer
        self._deadline = deadline
        self._tell_wait = tell_wait

    def items(self, call: Call) -> Iterator[Item]:
        """Yield the items of every page of a call. A page may be empty and still have a next link."""
        seen: set[str] = set()
        link: str | None = self._root + call.path
        while link is not None:
            if link in seen:
                raise ReaderError("Microsoft Graph named the same next page twice, so its list has no end.")
            seen.add(link)
            page = self._page(link, call)
            yield from page["value"]
            link = self._next(page)

    def _next(self, page: Item) -> str | None:
        """Return the next link unchanged, if it leads to where the token may go."""
        link = page.get("@odata.nextLink")
        if link is None:
            return None
        if not isinstance(link, str) or _authority(link) != _authority(self._root):
            raise ReaderError(
                "Microsoft Graph named a next page elsewhere than on "
                f"{urlsplit(self._root).netloc}: the token is not sent there."
            )
        return link

    def _page(self, link: str, call: Call) -> Item:
        answer = self._patiently(link)
        if answer.status_code == 401 and self._bearer.renew():
            answer = self._patiently(link)
        if answer.status_code != 200:
            raise _refusal(answer, call)
        try:
            page = json.loads(answer.content)
        except ValueError as error:
            raise ReaderError("Microsoft Graph answered with something that is no JSON.") from error
        if not isinstance(page, dict) or not isinstance(page.get("value"), list):
            raise ReaderError("Microsoft Graph answered without a list of values.")
        return page

    def _patiently(self, link: str) -> requests.Response:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            wait=_wait,
            stop=_stop,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, link)
        except _Again as again:
            attempts = retrying.statistics["attempt_number"]
            raise ReaderError(f"Gave up after {attempts} attempts: {again}", retryable=True) from again

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        self._deadline.refuse(state.upcoming_sleep)
        self._tell_wait(f"waiting {state.upcoming_sleep:g} seconds: {_again(state).reason}")

    def _once(self, link: str) -> requests.Response:
        self._deadline.refuse()
        timeout = min(_TIMEOUT, max(1.0, self._deadline.at - system.stopwatch()))
        try:
            answer = self._session.get(link, auth=self._bearer, timeout=timeout, allow_redirects=False)
        except SSLError as error:
            raise ReaderError(f"Microsoft Graph cannot be trusted: {error}") from error
        except _UNANSWERED as error:
            sentence = f"Microsoft Graph did not answer: {error}"
            raise _Again("no answer", sentence, None, UNANSWERED) from error
        except requests.RequestException as error:
            raise ReaderError(f"Microsoft Graph cannot be asked: {error}") from error
        if answer.status_code == 429 or (answer.status_code >= 500 and answer.status_code != 501):
            reason = f"HTTP {answer.status_code}"
            raise _Again(reason, _said(answer), _retry_after(answer), ATTEMPTS)
        return answer


def _authority(link: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of an address; impossible ones are like no other."""
    try:
        parts = urlsplit(link)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None


# --- waiting ---


def _again(state: tenacity.RetryCallState) -> _Again:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, _Again):
        raise TypeError("only what may succeed later is tried again")
    return error


def _wait(state: tenacity.RetryCallState) -> float:
    """Return what Graph asks for; growing seconds where it does not."""
    seconds = _again(state).seconds
    return min(2.0 ** (state.attempt_number - 1), LONGEST_WAIT) if seconds is None else seconds


def _stop(state: tenacity.RetryCallState) -> bool:
    too_long = state.idle_for + state.upcoming_sleep > WAITED
    return too_long or state.attempt_number >= _again(state).attempts


def _retry_after(answer: requests.Response) -> float | None:
    """Return the seconds of Retry-After, which may also name a moment; None where it is missing."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - system.now()).total_seconds())


# --- refusals ---


def _refusal(answer: requests.Response, call: Call) -> ReaderError | SignInError:
    said = _said(answer)
    if answer.status_code == 401:
        return SignInError(
            f"The access token was refused. {said}", hint="Give a fresh token for this GraphRoot's cloud."
        )
    if answer.status_code == 403:
        hint = f"Grant the app the application permission {call.permission}, with admin consent."
        return ReaderError(said, hint=hint)
    if _error(answer)[0] in _EXPIRED_PAGES:
        return ReaderError(said, hint="Graph forgot where it was: run again.", retryable=True)
    return ReaderError(said)


def _said(answer: requests.Response) -> str:
    """Return status, code and message of a refusal as a sentence."""
    code, message = _error(answer)
    return f"Microsoft Graph answered with HTTP {answer.status_code}: {code}: {message}"


def _error(answer: requests.Response) -> tuple[str, str]:
    """Return code and message of Graph's error body, or the beginning of a body that is something else."""
    try:
        error = json.loads(answer.content)["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "no Graph error", answer.content[:200].decode("utf-8", "replace")
