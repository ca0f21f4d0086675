"""A conversation with Microsoft Graph: one request after another, with honest waits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
from requests.auth import AuthBase
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, SSLError, Timeout

from bridge import system
from bridge.collect.graph.abreast import Stop
from bridge.collect.graph.bearer import Bearer
from bridge.collect.graph.waiting import (
    ATTEMPTS,
    THROTTLED,
    UNANSWERED,
    Again,
    Budget,
    Deadline,
    again,
    enough,
    pause,
    retry_after,
)
from bridge.errors import ReaderError, SignInError

T = TypeVar("T")

_TIMEOUT = 100.0  # seconds without a byte
_SOON = 0.05  # seconds that are not worth telling
_UNANSWERED = (requests.ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError)
_EXPIRED_PAGES = {"Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException"}
_HOST = re.compile("[a-z0-9_.:-]+")
_BODY = 200  # UTF-16 units that are shown of a body that is no error of Graph


class Forbidden(Exception):
    """Graph wants a permission that the app does not have: ``error``, unless it is a gap."""

    def __init__(self, error: ReaderError) -> None:
        super().__init__(str(error))
        self.error = error


class Restart(Exception):
    """A list that cannot go on where it was; its step can begin again. The text says why."""


class _Unsigned(AuthBase):
    """Signs nothing, and keeps requests from finding something to sign with."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


@dataclass(frozen=True)
class Client:
    """Asks for one step: waits as long as it is asked to, and not for ever.

    ``bearer`` is None where no token may go. ``budget`` is shared by the calls that Graph throttles together.
    ``tell_wait`` is told each wait as it begins; ``who`` is how an error calls whoever answers.
    """

    session: requests.Session
    bearer: Bearer | None
    deadline: Deadline
    budget: Budget
    stop: Stop
    tell_wait: Callable[[str], None]
    who: str = "Microsoft Graph"

    def get(
        self, address: str, *, headers: Mapping[str, str] | None = None, stream: bool = False
    ) -> requests.Response:
        """Return the answer to a request, whatever it is but a reason to ask again.

        Redirects are not followed. A rejected token is renewed once. With ``stream`` the body of an answer
        with status 200 has not been read yet. Raises ReaderError and SignInError.
        """
        ask = partial(self._once, address, headers or {}, stream)
        answer = self.patiently(ask)
        if self.bearer is None or answer.status_code != 401:
            return answer
        if self.bearer.renew(answer.request):
            answer = self.patiently(ask)
        if answer.status_code == 401:
            raise SignInError(
                f"The access token was refused. {said(answer)}",
                hint="Give a fresh token for this GraphRoot's cloud.",
            )
        return answer

    def blocks(self, answer: requests.Response, size: int) -> Iterator[bytes]:
        """Yield the body of a streamed answer in blocks; raise Again if it breaks off, or may have done so.

        Whoever asks for the blocks closes the answer: one that is being read cannot be closed by another.
        """
        with answer:
            if answer.raw.length_remaining is None and not answer.raw.chunked:
                raise self._broken("came without a length, so its end cannot be told from a cut")
            try:
                for block in answer.iter_content(size):
                    self.stop.check()
                    self.deadline.refuse()
                    yield block
            except requests.RequestException:
                raise self._broken("broke off") from None

    def _broken(self, what: str) -> Again:
        return Again("a download broke off", f"{self.who} {what}", None, UNANSWERED)

    def run(self, task: Callable[[], T]) -> T:
        """Return or raise what a task does in a thread; end at the deadline and when all stop."""
        return self.outcome(system.begin(task))

    def outcome(self, coming: Future[T]) -> T:
        """Return or raise what comes; end at the deadline and when all stop."""
        return self.stop.outcome(coming, self.deadline.refuse)

    def patiently(self, task: Callable[[], T]) -> T:
        """Return what a task does; wait and do it again where it raises Again, and ReaderError in the end."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Again),
            wait=pause,
            stop=enough,
            sleep=self.stop.sleep,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        try:
            return retrying(task)
        except Again as error:
            attempts = retrying.statistics["attempt_number"]
            raise ReaderError(f"Gave up after {attempts} attempts: {error}", retryable=True) from None

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        reason, seconds = again(state).reason, state.upcoming_sleep
        if reason == "HTTP 429":
            self.budget.hold(seconds)
        self._announce(seconds, reason)

    def _announce(self, seconds: float, reason: str) -> None:
        self.stop.check()
        self.deadline.refuse(seconds)
        if seconds > _SOON:
            self.tell_wait(f"waiting {round(seconds, 1):g} seconds: {reason}")

    def _once(self, address: str, headers: Mapping[str, str], stream: bool) -> requests.Response:
        while True:
            while seconds := self.budget.seconds:
                self._announce(seconds, "HTTP 429 of another call")
                self.stop.sleep(seconds)
            if not self.budget.is_tight:
                return self._now(address, headers, stream)
            with self.budget.turn:
                if not self.budget.seconds:
                    return self._now(address, headers, stream)

    def _now(self, address: str, headers: Mapping[str, str], stream: bool) -> requests.Response:
        self.stop.check()
        self.deadline.refuse()
        try:
            answer = self._send(address, headers, stream)
        except SSLError as error:
            raise ReaderError(f"{self.who} cannot be trusted: {self._shown(error)}") from None
        except _UNANSWERED as error:
            sentence = f"{self.who} did not answer: {self._shown(error)}"
            raise Again("no answer", sentence, None, UNANSWERED) from None
        except (requests.RequestException, ValueError) as error:  # an address, or one that a redirect names
            raise ReaderError(f"{self.who} cannot be asked: {type(error).__name__}") from None
        if answer.status_code == 429 or (answer.status_code >= 500 and answer.status_code != 501):
            seconds = retry_after(answer)
            if answer.status_code == 429:
                self.budget.hold(seconds or 0.0)
            attempts = THROTTLED if answer.status_code == 429 else ATTEMPTS
            raise Again(f"HTTP {answer.status_code}", self._said(answer), seconds, attempts)
        self.budget.relax()
        return answer

    def _send(self, address: str, headers: Mapping[str, str], stream: bool) -> requests.Response:
        answer = self.session.get(
            address,
            auth=self.bearer or _Unsigned(),
            headers=headers,
            timeout=min(_TIMEOUT, max(1.0, self.deadline.seconds)),
            allow_redirects=False,
            stream=stream,
        )
        if stream and answer.status_code != 200:
            _ = answer.content
        return answer

    # Without a token the address itself is the secret, and errors and bodies may quote it.

    def _shown(self, error: Exception) -> str:
        return type(error).__name__ if self.bearer is None else str(error)

    def _said(self, answer: requests.Response) -> str:
        return f"{self.who} answered with HTTP {answer.status_code}" if self.bearer is None else said(answer)


# --- addresses ---


def authority(address: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address; no host where it is none or can be read in two ways."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        host = ascii_host(parts.hostname or "")
    except ValueError:
        return "", "", None
    if not host or "\\" in address or "@" in parts.netloc or not address.isprintable() or " " in address:
        return "", "", None
    return parts.scheme, host, port


def ascii_host(name: str) -> str:
    """Return the name of a host as DNS has it; nothing for one that is none or can be read in two ways."""
    plain = name.lower()
    try:
        encoded = plain.encode("idna").decode()
        is_same = plain.isascii() or encoded.encode().decode("idna") == plain
    except UnicodeError:
        return ""
    is_named = all(one.isascii() or one.isalnum() for one in plain) and _HOST.fullmatch(encoded)
    return encoded if is_same and is_named else ""


# --- refusals ---


def refusal(answer: requests.Response, permission: str) -> ReaderError:
    """Return the error that an answer is; it names the permission where that is missing."""
    if answer.status_code == 403:
        hint = f"Grant the app the application permission {permission}, with admin consent."
        return ReaderError(said(answer), hint=hint)
    return ReaderError(said(answer))


def is_expired_page(answer: requests.Response) -> bool:
    """Return whether Graph has forgotten where a list was."""
    return answer.status_code != 200 and _error(answer)[0] in _EXPIRED_PAGES


def said(answer: requests.Response) -> str:
    """Return status, code and message of a refusal as a sentence."""
    code, message = _error(answer)
    return f"Microsoft Graph answered with HTTP {answer.status_code}: {code}: {message}"


def _error(answer: requests.Response) -> tuple[str, str]:
    """Return code and message of Graph's error body, or the beginning of a body that is something else."""
    text = answer.content.decode("utf-8-sig", "replace")
    try:
        error = json.loads(text)["error"]
        return _plain(error.get("code")), _plain(error.get("message"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "no Graph error", cut(text, _BODY)


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def cut(text: str, units: int) -> str:
    """Return so many UTF-16 units of a text, as .NET counts; half of a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "replace")
