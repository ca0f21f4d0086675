"""What each connection last delivered, and whether that is overdue: monitoring needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bridge.errors import EXIT_SEVERAL, BridgeError, DeliveryError, SignInError
from bridge.model import Connection, State
from bridge.runs.record import Run
from bridge.runs.store import Runs

SOON = timedelta(days=30)  # from then on a credential's end is told

NextStart = Callable[[str], datetime | None]  # a connection's name -> its task's next start, local time
Expiry = Callable[[Connection], date | None]  # the first of its credentials to expire


@dataclass(frozen=True, slots=True)
class Line:
    """One connection: moments in UTC, ``next_start`` in local time, ``problems`` as sentences.

    ``delivered`` is when a package was last placed at its destination or, where the connection has none, when
    the last package was made. ``outcome`` is how its last run ended, ``-`` before the first.
    """

    connection: str
    delivered: datetime | None
    age: timedelta | None
    run: str | None
    outcome: str
    waiting: int
    next_start: datetime | None
    expires: date | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    exit_code: int


@dataclass(frozen=True, slots=True)
class Look:
    """By what a connection is judged: the moment, the greatest age, its tasks and its credentials."""

    now: datetime
    max_age: timedelta
    next_start: NextStart
    expiry: Expiry


def lines(connections: Sequence[Connection], runs: Runs, look: Look) -> list[Line]:
    """Return a line for each connection, in the settings' order."""
    made = runs.all()
    return [
        _line(one, [run for run in made if run.connection == one.name], runs, look) for one in connections
    ]


def exit_code(found: Sequence[Line]) -> int:
    """Return 0, the code that all connections in trouble share, or 12 where they differ."""
    codes = {line.exit_code for line in found if line.exit_code}
    return EXIT_SEVERAL if len(codes) > 1 else next(iter(codes), 0)


def _line(connection: Connection, made: Sequence[Run], runs: Runs, look: Look) -> Line:
    last = made[-1] if made else None
    delivered = last_delivered(connection, made)
    expires, unknown = _expiry(connection, look)
    age = look.now - delivered if delivered else None
    start, untold = _next_start(connection, look)
    problems = [*_failed(made), *_expired(expires, look), *unknown, *_overdue(age, look)]
    return Line(
        connection=connection.name,
        delivered=delivered,
        age=age,
        run=last.run if last else None,
        outcome=str(last.state) if last else "-",
        waiting=len(runs.waiting(connection.name)),
        next_start=start,
        expires=expires,
        problems=tuple(text for text, _ in problems),
        warnings=(*_soon(expires, look), *untold),
        exit_code=problems[0][1] if problems else 0,
    )


def last_delivered(connection: Connection, made: Sequence[Run]) -> datetime | None:
    """Return when the last package arrived or, for a connection without deliver_to, was made."""
    if connection.deliver_to is None:
        moments = [run.ended for run in made if run.package and run.ended]
    else:
        placed = (receipt for run in made for receipt in run.receipts if receipt.state == "placed")
        moments = [receipt.moment for receipt in placed]
    return max(moments, default=None)


def _failed(made: Sequence[Run]) -> list[tuple[str, int]]:
    """Return what became of the last run that has ended, if it is nothing good."""
    ended = [run for run in made if run.state is not State.RUNNING]
    last = ended[-1] if ended else None
    if last is None:
        return []
    if last.error:
        return [(f"the last run failed: {last.error.name}: {last.error.sentence}", last.error.exit_code)]
    if last.state in {State.INTERRUPTED, State.ABANDONED}:
        return [(f"the last run was {last.state}", DeliveryError.exit_code)]
    return []


def _next_start(connection: Connection, look: Look) -> tuple[datetime | None, list[str]]:
    """Return the next start, or why it is not to be told: no reason to tell nothing else."""
    try:
        return look.next_start(connection.name), []
    except BridgeError as error:
        return None, [f"the next start is not to be told: {error}"]


def _expiry(connection: Connection, look: Look) -> tuple[date | None, list[tuple[str, int]]]:
    """Return the first end of a credential, or why it is not to be had."""
    try:
        return look.expiry(connection), []
    except BridgeError as error:
        return None, [(str(error), error.exit_code)]


def _expired(expires: date | None, look: Look) -> list[tuple[str, int]]:
    if expires is None or expires >= look.now.astimezone().date():
        return []
    return [(f"a credential expired on {expires}", SignInError.exit_code)]


def _soon(expires: date | None, look: Look) -> list[str]:
    today = look.now.astimezone().date()
    if expires is None or not today <= expires <= today + SOON:
        return []
    return [f"a credential expires on {expires}, in {(expires - today).days} days"]


def _overdue(age: timedelta | None, look: Look) -> list[tuple[str, int]]:
    if age is None:
        return [("nothing was delivered yet", DeliveryError.exit_code)]
    if age > look.max_age:
        return [(f"overdue: the last package is older than {shown(look.max_age)}", DeliveryError.exit_code)]
    return []


def shown(length: timedelta) -> str:
    """Return a length as people say it: ``2d 03h``, ``5h 07m``, ``12m``."""
    minutes = max(length, timedelta(0)) // timedelta(minutes=1)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m"
