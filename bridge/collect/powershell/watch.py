"""The watch over a host: its events are taken, its deadlines kept, its end named."""

from __future__ import annotations

from collections.abc import Iterator

from bridge import system
from bridge.collect.powershell import job as orders
from bridge.collect.powershell.account import Account
from bridge.collect.powershell.host import Ended, Event, Host, Line
from bridge.errors import BeaconError, BridgeError, ReaderError
from bridge.model import Job, Secret, Talk
from bridge.secrets.guises import guises, hide

RIGHT_ONE = r"%SystemRoot%\SysWOW64\WindowsPowerShell\v1.0\powershell.exe"
_LANGUAGE = 71  # the host's exit code where PowerShell does not run in FullLanguage


def not_32(found: str) -> BeaconError:
    """Return the refusal of anything but a 32-bit PowerShell."""
    return BeaconError(
        f"{found}; the beacon is a 32-bit program, and its readers run in 32-bit PowerShell only.",
        hint=f"The right one is {RIGHT_ONE}.",
    )


class Watch:
    """Follows a host to its end, watching the deadlines."""

    def __init__(self, host: Host, order: orders.Order, account: Account, *, only_32: bool) -> None:
        self._host, self._order, self._account, self._only_32 = host, order, account, only_32
        self._started = self._step_started = self._alive = system.stopwatch()
        self._shown = order.guises
        self._handed = _last_secret(account.job)
        self._last_words: list[str] = []

    def follow(self) -> None:
        """Return when the host has ended well; raise what went wrong otherwise."""
        for heard in self._host.hear():
            if isinstance(heard, Event):
                self._event(heard)
            elif isinstance(heard, Line):
                self._line(heard)
            elif isinstance(heard, Ended):
                self._ended(heard)
            if self._account.failure is not None:
                raise self._account.failure
            if self._account.ended:
                return
            self._refuse_late()

    def _event(self, event: Event) -> None:
        if event.name == "token":
            self._token(rejected=bool(event.facts["rejected"]))
            return
        if self._account.take(event):
            self._alive = system.stopwatch()
        if event.name == "hello":
            self._refuse_bits(int(event.facts["bits"]))
        elif event.name == "step":
            self._step_started = system.stopwatch()
        if event.lost and self._account.failure is None:
            where = self._account.step or "The reader"
            self._account.failure = ReaderError(f"{where} failed: an event of the host is missing.")

    def _refuse_bits(self, bits: int) -> None:
        if self._only_32 and bits != 32:
            raise not_32(f"This PowerShell says that it has {bits} bits")

    def _token(self, *, rejected: bool) -> None:
        """Answer a question for a token; a refusal reaches the reader, whose failure names it."""
        source = self._account.job.token
        if source is None:
            self._host.answer(orders.refusal("there is no token source"))
            return
        try:
            token = source(self._handed if rejected else None)
        except BridgeError as error:
            self._account.failure = error
            return
        if token != self._handed:  # a reader asks again and again while the token is good
            self._handed = token
            self._shown += guises([token.reveal()])
        self._host.answer(orders.answer(token))

    def _line(self, line: Line) -> None:
        text = hide(line.text, self._shown)
        self._last_words = [*self._last_words[-4:], text]
        self._account.say(Talk("log", f"{line.source}: {text}", step=self._account.step))

    def _ended(self, ended: Ended) -> None:
        """Name the end of a process that did not say that it has ended."""
        account = self._account
        if account.ended or account.failure is not None:
            return
        if account.hello is not None:
            where = account.step or "the reader"
            account.failure = ReaderError(
                f"PowerShell ended with code {ended.code} in the middle of {where}.",
                hint="The reader ended its own process, or something killed it; read the run's log.",
            )
        elif ended.code == _LANGUAGE:
            account.failure = BeaconError(
                "PowerShell runs in a restricted language mode here; readers need FullLanguage.",
                hint="Allow bridge's ps_scripts and the reader folders in the application control policy.",
            )
        else:
            said = " / ".join(self._last_words) or "nothing"
            account.failure = BeaconError(
                f"PowerShell could not run the host (code {ended.code}); it said: {said}"
            )

    def _refuse_late(self) -> None:
        now = system.stopwatch()
        for what, begun, minutes in self._deadlines():
            if minutes and now - begun > minutes * 60:
                where = self._account.step or "the reader"
                raise ReaderError(
                    f"{where}: {what} {minutes:g} minutes; PowerShell was ended.",
                    hint="The log says what it did last; the limits are `minutes` of the connection.",
                    retryable=True,
                )

    def _deadlines(self) -> Iterator[tuple[str, float, float]]:
        minutes = self._account.job.minutes
        yield "the whole run took more than", self._started, minutes.run
        if self._account.step:
            yield "the step took more than", self._step_started, minutes.step
        yield "no row and no message for", self._alive, minutes.silence


def _last_secret(job: Job) -> Secret | None:
    """Return the last secret among a job's values: the token that the reader begins with, if it has one."""
    secrets = [value for value in job.values.values() if isinstance(value, Secret)]
    return secrets[-1] if secrets else None
