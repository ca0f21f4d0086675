"""How long to wait, and no longer: deadlines, Graph's budgets, and what is asked again."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import requests
import tenacity

from bridge import system
from bridge.errors import ReaderError

ATTEMPTS = 10  # of one request, the first included
THROTTLED = 100  # of one that is throttled: side by side, one call can be the unlucky one again and again
UNANSWERED = 4  # attempts where nothing answers at all
LONGEST_WAIT = 60.0  # seconds, where Graph does not say how long
WAITED = 900.0  # seconds, altogether for one request


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

    @property
    def seconds(self) -> float:
        """How long it is until then."""
        return self.at - system.stopwatch()

    def refuse(self, seconds: float = 0.0) -> None:
        """Raise ReaderError if it comes before so many seconds have passed."""
        if seconds > self.seconds:
            raise ReaderError(
                f"The {self.what} is not done after {self.minutes:g} minutes.",
                hint=f"Raise minutes.{self.what} of the connection, or run again when Graph is less busy.",
                retryable=True,
            )


class Budget:
    """Calls that Graph throttles together: what is asked of one of them holds for all.

    While it ``is_tight`` only who holds ``turn`` may ask, so that one finds out whether all may go on.
    """

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.is_tight = False
        self._lock = threading.Lock()
        self._free_at = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody ask for so many seconds."""
        with self._lock:
            self.is_tight = True
            self._free_at = max(self._free_at, system.stopwatch() + seconds)

    def relax(self) -> None:
        """Let everybody ask again: somebody was answered."""
        with self._lock:
            self.is_tight = self._free_at > system.stopwatch()

    @property
    def seconds(self) -> float:
        """How long it is until somebody may ask."""
        return max(0.0, self._free_at - system.stopwatch())


class Again(Exception):
    """A request that may succeed later; ``seconds`` is how long Graph asks to wait, None if it does not."""

    def __init__(self, reason: str, sentence: str, seconds: float | None, attempts: int) -> None:
        super().__init__(sentence)
        self.reason, self.seconds, self.attempts = reason, seconds, attempts


def again(state: tenacity.RetryCallState) -> Again:
    """Return why a request is asked again."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, Again):
        raise TypeError("only what may succeed later is tried again")
    return error


def pause(state: tenacity.RetryCallState) -> float:
    """Return the seconds that Graph asks for; growing seconds where it does not."""
    seconds = again(state).seconds
    return min(2.0 ** (state.attempt_number - 1), LONGEST_WAIT) if seconds is None else seconds


def enough(state: tenacity.RetryCallState) -> bool:
    """Return whether a request has been asked, or has waited, often enough."""
    too_long = state.idle_for + state.upcoming_sleep > WAITED
    return too_long or state.attempt_number >= again(state).attempts


def retry_after(answer: requests.Response) -> float | None:
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
