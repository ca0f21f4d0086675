"""`beacon-bridge status`: a line a connection, and an exit code that monitoring can go by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bridge import cli, expiry, pipeline, status, system
from bridge.errors import BeaconError, DeliveryError, ReaderError, SettingsError
from bridge.model import Connection, Job, Secret, SecretReference, SignIn, State
from bridge.runs.record import Run
from bridge.secrets.fetch import Secrets
from bridge.secrets.store import Store
from bridge.status import Line, Look
from bridge.workplace import Workplace
from tests.engines import RowsEngine, contoso, silent, workplace

DAY_AND_HALF = timedelta(hours=36)


def no_start(_: str) -> datetime | None:
    """Know of no task."""
    return None


def no_end(_: Connection) -> date | None:
    """Know of no expiry."""
    return None


def look(after: timedelta = timedelta(0), **more: object) -> Look:
    """Return how a connection is judged so much later."""
    facts: dict[str, object] = {"max_age": DAY_AND_HALF, "next_start": no_start, "expiry": no_end, **more}
    return Look(now=system.now() + after, **facts)  # type: ignore[arg-type]  # fields by name


def line(place: Workplace, how: Look | None = None) -> Line:
    """Return the line of the workplace's one connection."""
    (found,) = status.lines([contoso(place)], place.runs, how or look())
    return found


def delivering(tmp_path: Path, engine: RowsEngine | None = None) -> Workplace:
    """Return a workplace that delivers to Outbox."""
    (tmp_path / "Outbox").mkdir(exist_ok=True)
    return workplace(tmp_path, engine, deliver_to=tmp_path / "Outbox")


def test_before_the_first_run(tmp_path: Path) -> None:
    """Never delivered is overdue."""
    found = line(delivering(tmp_path))
    assert (found.delivered, found.age, found.outcome, found.waiting) == (None, None, "-", 0)
    assert found.problems == ("nothing was delivered yet",)
    assert found.exit_code == DeliveryError.exit_code


def test_after_a_delivery(tmp_path: Path) -> None:
    """Fresh is fine; the moment is that of the receipt."""
    place = delivering(tmp_path)
    made = pipeline.run(place, contoso(place), silent)
    found = line(place)
    assert found.delivered == made.receipts[-1].moment
    assert (found.outcome, found.waiting, found.problems, found.exit_code) == ("complete", 0, (), 0)


@pytest.mark.parametrize(("hours", "overdue"), [(35, False), (37, True), (24 * 400, True)])
def test_what_is_older_than_the_age_is_overdue(tmp_path: Path, hours: int, overdue: bool) -> None:
    """By the age that was asked for, to the hour."""
    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)
    found = line(place, look(timedelta(hours=hours)))
    assert bool(found.problems) == overdue
    assert found.exit_code == (9 if overdue else 0)


def test_a_clock_that_went_back_makes_nothing_overdue(tmp_path: Path) -> None:
    """A delivery in the future has an age below zero, which is shown as none."""
    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)
    found = line(place, look(timedelta(hours=-5)))
    assert found.exit_code == 0
    assert found.age
    assert status.shown(found.age) == "0m"


def test_a_failed_last_run_has_its_own_code(tmp_path: Path) -> None:
    """Even when the delivery before it is fresh."""
    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)

    def throw(_: Job) -> None:
        raise ReaderError("the reader threw")

    broken = delivering(tmp_path, RowsEngine(before=throw))
    with pytest.raises(ReaderError):
        pipeline.run(broken, contoso(broken), silent)
    found = line(place)
    assert found.outcome == "failed"
    assert found.problems == ("the last run failed: ReaderError: the reader threw",)
    assert found.exit_code == ReaderError.exit_code


@pytest.mark.parametrize("state", [State.INTERRUPTED, State.RUNNING])
def test_a_run_that_did_not_end(tmp_path: Path, state: State) -> None:
    """Interrupted, or running while its process is gone (abandoned): trouble, whatever came before."""
    place = delivering(tmp_path)
    made = pipeline.run(place, contoso(place), silent)
    dead = replace(made.program, pid=2**22 + 1, process_started=1.0)
    place.runs.save(replace(made, state=state, program=dead))
    found = line(place)
    assert found.outcome in {"interrupted", "abandoned"}
    assert found.exit_code == DeliveryError.exit_code


def test_a_next_start_that_cannot_be_told_is_a_warning(tmp_path: Path) -> None:
    """The line has all else, and monitoring is not alarmed."""

    def untold(_: str) -> datetime | None:
        raise BeaconError("A task was planned by hand.")

    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)
    found = line(place, look(next_start=untold))
    assert found.warnings == ("the next start is not to be told: A task was planned by hand.",)
    assert (found.next_start, found.exit_code) == (None, 0)


def test_a_run_under_way_hides_nothing(tmp_path: Path) -> None:
    """While a run is under way, the one before it decides: well or failed."""

    def throw(_: Job) -> None:
        raise ReaderError("the reader threw")

    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)
    under_way(place)
    assert (line(place).outcome, line(place).exit_code) == ("running", 0)
    broken = delivering(tmp_path, RowsEngine(before=throw))
    with pytest.raises(ReaderError):
        pipeline.run(broken, contoso(broken), silent)
    under_way(place)
    assert (line(place).outcome, line(place).exit_code) == ("running", ReaderError.exit_code)


def under_way(place: Workplace) -> None:
    """Make a run that this process is at."""
    made = pipeline.collect(place, contoso(place), silent)
    place.runs.save(replace(made, state=State.RUNNING))


def test_packages_that_wait_are_counted(tmp_path: Path) -> None:
    """A destination that cannot be reached: the package waits, and the failure is the run's."""
    place = workplace(tmp_path, deliver_to=tmp_path / "nowhere")
    with pytest.raises(DeliveryError):
        pipeline.run(place, contoso(place), silent)
    found = line(place)
    assert (found.waiting, found.exit_code) == (1, DeliveryError.exit_code)


def test_a_connection_without_a_destination(tmp_path: Path) -> None:
    """Where nothing is to be delivered, the last package that was made counts."""
    place = workplace(tmp_path)
    made: Run = pipeline.run(place, contoso(place), silent)
    found = line(place)
    assert (found.delivered, found.waiting, found.exit_code) == (made.ended, 1, 0)


# --- credentials ---


@pytest.mark.parametrize(
    ("days", "problem", "warning"),
    [(-1, True, False), (0, False, True), (30, False, True), (31, False, False)],
)
def test_a_credential_that_expires(tmp_path: Path, days: int, problem: bool, warning: bool) -> None:
    """Past its day it is trouble with the code of a sign-in; from thirty days before, a warning."""
    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)
    end = datetime.now().astimezone().date() + timedelta(days=days)
    found = line(place, look(expiry=lambda _: end))
    assert (bool(found.problems), bool(found.warnings)) == (problem, warning)
    assert found.exit_code == (5 if problem else 0)


def test_a_credential_that_cannot_be_had(tmp_path: Path) -> None:
    """What a run would stumble over is told before it."""
    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)

    def gone(_: Connection) -> date | None:
        raise SettingsError("The secret store:x is not there.")

    found = line(place, look(expiry=gone))
    assert found.problems == ("The secret store:x is not there.",)
    assert found.exit_code == SettingsError.exit_code


@dataclass
class Kept:
    """A vault's days by name."""

    days: Mapping[str, date] = field(default_factory=dict)

    def expiry(self, name: str) -> date | None:
        """Return the day."""
        return self.days.get(name)


def test_the_first_of_several_credentials_counts(tmp_path: Path) -> None:
    """Parameters and the sign-in; only what lies in the store has a day."""
    connection = Connection(
        "x",
        "r",
        "t",
        parameters={"Key": SecretReference("store", "key"), "Other": SecretReference("env", "other")},
        sign_in=SignIn("secret", "id", secret=SecretReference("store", "app")),
    )
    kept = Kept({"key": date(2027, 5, 1), "app": date(2027, 4, 1), "other": date(2020, 1, 1)})
    secrets = Secrets({}, str, Store(tmp_path, system.FileVault()))
    assert expiry.first(connection, secrets, kept) == date(2027, 4, 1)
    assert expiry.first(replace(connection, parameters={}, sign_in=None), secrets, kept) is None


def test_a_certificate_tells_its_own_end(tmp_path: Path) -> None:
    """Its last day is read from the file, whatever was said when it was stored."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "beacon")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 7, datetime(2026, 1, 1), datetime(2027, 3, 9)
    )
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    store = Store(tmp_path / "secrets", system.FileVault())
    store.put_bytes("cert", pem)
    sign_in = SignIn("certificate", "id", certificate=SecretReference("store", "cert"))
    connection = Connection("x", "r", "t", sign_in=sign_in)
    secrets = Secrets({}, str, store)
    assert expiry.first(connection, secrets, store) == date(2027, 3, 9)
    typed = replace(sign_in, passphrase=SecretReference("stdin", "word"))
    assert expiry.first(replace(connection, sign_in=typed), secrets, store) is None


# --- several, and the command ---


def test_the_code_of_several_connections() -> None:
    """0, the code that all in trouble share, or 12."""
    one = Line("a", None, None, None, "-", 0, None, None, (), (), 0)
    assert status.exit_code([one]) == 0
    assert status.exit_code([one, replace(one, exit_code=9), replace(one, exit_code=9)]) == 9
    assert status.exit_code([replace(one, exit_code=5), replace(one, exit_code=9)]) == 12


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(minutes=12, seconds=59), "12m"),
        (timedelta(hours=5, minutes=7), "5h 07m"),
        (timedelta(days=2, hours=3, minutes=59), "2d 03h"),
    ],
)
def test_a_length_as_people_say_it(length: timedelta, expected: str) -> None:
    """Rounded down, in two units at most."""
    assert status.shown(length) == expected


def config(tmp_path: Path) -> str:
    """Return the path of a settings file that describes the workplace."""
    reader = tmp_path / "readers" / "Badge Service"
    file = tmp_path / "bridge.toml"
    file.write_text(
        f"[bridge]\nstate = 'state'\n[connections.Contoso]\nreader = '{reader}'\ntenant = 'contoso.example'\n"
        "deliver_to = 'Outbox'\n",
        "utf-8",
    )
    return str(file)


def test_the_command_before_and_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 9 and `never` before the first delivery; code 0 and the local time with its offset after it."""
    place = delivering(tmp_path)
    assert cli.main(["status", "--config", config(tmp_path)]) == 9
    before = capsys.readouterr().out
    assert "never" in before
    assert "Contoso: nothing was delivered yet" in before
    made = pipeline.run(place, contoso(place), silent)
    assert cli.main(["status", "--config", config(tmp_path)]) == 0
    after = capsys.readouterr().out
    assert made.receipts[-1].moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z") in after


def test_the_command_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list, moments in UTC, the age in seconds; an age that was not asked for is no excuse."""
    place = delivering(tmp_path)
    pipeline.run(place, contoso(place), silent)
    assert cli.main(["status", "--json", "--max-age", "1m", "--config", config(tmp_path)]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["connection"], one["overdue"], one["outcome"], one["waiting"]) == (
        "Contoso",
        False,
        "complete",
        0,
    )
    assert 0 <= one["age_seconds"] < 60
    assert datetime.fromisoformat(one["delivered"]).tzinfo == UTC
    assert one["next_start"] is None


@pytest.mark.parametrize("word", ["0h", "36", "h", "-1d", "1w", "1.5h", "99999d", ""])
def test_an_age_that_is_none(word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Minutes, hours, days, and nothing else."""
    assert cli.main(["status", "--max-age", word, "--config", config(tmp_path)]) == 2
    assert "no length such as 30m, 36h or 7d" in capsys.readouterr().err


def test_no_secret_is_read_to_tell_its_age(tmp_path: Path) -> None:
    """A stored secret's day is known without opening it: the account that watches needs no right to it."""
    store = Store(tmp_path / "secrets", system.FileVault())
    store.put("app", Secret("s3cret-of-the-app"), expires=date(2027, 1, 31))
    connection = Connection("x", "r", "t", parameters={"Key": SecretReference("store", "app")})

    class Refuses:
        def fetch(self, reference: SecretReference) -> Secret:
            raise AssertionError(reference)

        def fetch_bytes(self, reference: SecretReference) -> bytes:
            raise AssertionError(reference)

    assert expiry.first(connection, Refuses(), store) == date(2027, 1, 31)
