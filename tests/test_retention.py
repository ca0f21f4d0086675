"""Captures go when nothing needs them and their days have passed; all else of a run stays."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge import pipeline, system
from bridge.errors import PackageError, ReaderError, ReaderOutputError
from bridge.model import Gap, Job, State
from bridge.runs.captures import are_removed, untouched
from bridge.runs.record import Run
from bridge.runs.retention import remove_captures, swept
from bridge.runs.store import REFUSED, Runs
from bridge.show import story
from bridge.workplace import Workplace
from tests.engines import RowsEngine, contoso, silent, workplace
from tests.killing import every_instant

SECOND = timedelta(seconds=1)
DAYS = 35


def delivering(home: Path, engine: RowsEngine | None = None, days: int = DAYS) -> Workplace:
    """Return a workplace that delivers to Outbox and keeps captures for some days."""
    (home / "Outbox").mkdir(exist_ok=True)
    place = workplace(home, engine, reader=home / "readers" / "Badge Service", deliver_to=home / "Outbox")
    return replace(place, settings=replace(place.settings, keep_captures=days))


def run(place: Workplace) -> Run:
    """Run the connection once."""
    return pipeline.run(place, contoso(place), silent)


def failing(home: Path, error: BaseException) -> Run:
    """Return a run whose engine fails after its first capture."""

    def fail(_: Job) -> None:
        raise error

    place = delivering(home, RowsEngine(after=fail))
    with pytest.raises(type(error)):
        run(place)
    return place.runs.all()[-1]


def aged(place: Workplace, made: Run, days: float) -> Run:
    """Make a run one that ended so many days ago."""
    now = place.runs.load(made.run)
    moved = replace(now, started=now.started - timedelta(days), ended=system.now() - timedelta(days))
    place.runs.save(moved)
    return moved


def later(place: Workplace, made: Run, age: timedelta) -> tuple[str, ...]:
    """Remove what may go when the run is so old; return the names of the runs that lost captures."""
    return remove_captures(place.runs, "Contoso", DAYS, (made.ended or made.started) + age)


def files(place: Workplace, made: Run) -> list[str]:
    """Return what lies in a run's folder, in its order."""
    folder = place.runs.path(made.run)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_border(tmp_path: Path) -> None:
    """On the last second of the last day they are there, a second later they are gone."""
    place = delivering(tmp_path)
    first = run(place)
    run(place)
    assert later(place, first, timedelta(days=DAYS)) == ()
    assert later(place, first, timedelta(days=DAYS) + SECOND) == (first.run,)
    assert later(place, first, timedelta(days=DAYS) + SECOND) == ()


def test_all_else_stays(tmp_path: Path) -> None:
    """Package, record and log of a run outlive its captures."""
    place = delivering(tmp_path)
    first = run(place)
    run(place)
    before = files(place, first)
    later(place, first, timedelta(days=400))
    assert set(before) - set(files(place, first)) == {"capture/001.xml"}
    assert files(place, first) == [f"delivered/{first.run}.zip", "log.txt", "run.json"]


def test_zero_days_are_for_ever(tmp_path: Path) -> None:
    """0 removes nothing, however old it is."""
    place = delivering(tmp_path, days=0)
    first = aged(place, run(place), 4000)
    run(place)
    assert not are_removed(place.runs, first)


def test_a_run_that_ends_well_removes_what_is_old(tmp_path: Path) -> None:
    """It is the newer run that removes, once it is whole and delivered."""
    place = delivering(tmp_path)
    first = aged(place, run(place), DAYS + 1)
    assert not are_removed(place.runs, first)
    failing(tmp_path, ReaderError("no"))
    assert not are_removed(place.runs, first)
    run(place)
    assert are_removed(place.runs, first)


def test_the_newest_whole_and_the_last_delivered_stay(tmp_path: Path) -> None:
    """There is always something to compare with: the newest run, and what the server was told last."""
    place = delivering(tmp_path)
    first, delivered = run(place), run(place)
    outbox = tmp_path / "Outbox"
    held = pipeline.run(place, replace(contoso(place), deliver_to=None), silent)
    newest = pipeline.run(place, replace(contoso(place), deliver_to=None), silent)
    assert outbox.exists()
    place.runs.refuse(place.runs.load(held.run), "ready", "superseded")
    place.runs.refuse(place.runs.load(newest.run), "ready", "superseded")
    assert later(place, newest, timedelta(days=400)) == (first.run, held.run)
    assert not are_removed(place.runs, delivered)
    assert not are_removed(place.runs, newest)


def test_what_was_sent_again_is_the_last_delivered(tmp_path: Path) -> None:
    """An older run that was delivered again is what the server knows."""
    place = delivering(tmp_path)
    first, second, third = run(place), run(place), run(place)
    pipeline.deliver_run(place, first, silent, again=True, reason="the share was restored")
    assert later(place, third, timedelta(days=400)) == (second.run,)


def test_what_waits_stays(tmp_path: Path) -> None:
    """Of what waits the newest keeps its captures, whatever came after it; what was superseded does not."""
    place = delivering(tmp_path)
    waiting = pipeline.run(place, replace(contoso(place), deliver_to=None), silent)
    second = run(delivering(tmp_path))  # which supersedes what waits
    third = run(place)
    assert place.runs.place(place.runs.load(waiting.run)) == REFUSED
    late = pipeline.run(place, replace(contoso(place), deliver_to=None), silent)
    pipeline.collect(place, contoso(place), silent)
    assert later(place, late, timedelta(days=400)) == (waiting.run, second.run)
    assert not are_removed(place.runs, third)
    assert not are_removed(place.runs, late)


@pytest.mark.parametrize(
    "error", [ReaderError("stopped half way"), KeyboardInterrupt()], ids=["failed", "int"]
)
def test_what_failed_goes(tmp_path: Path, error: BaseException) -> None:
    """A failed or interrupted run leaves names of people, too; half a capture is one."""
    failed = failing(tmp_path, error)
    place = delivering(tmp_path)
    folder = place.runs.path(failed.run) / "capture"
    (folder / "002.xml.part").write_bytes(b"x")
    newest = run(place)
    assert later(place, newest, timedelta(days=400)) == (failed.run,)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("alive", "gone"), [(True, False), (False, True)])
def test_what_runs_stays(tmp_path: Path, alive: bool, gone: bool) -> None:
    """A run whose process lives is not touched; one that was killed is abandoned."""
    place = delivering(tmp_path)
    cut = run(place)
    newest = run(place)
    package = place.runs.package(cut)
    assert package
    package.unlink()
    pid = cut.program.pid if alive else 2**22 + 1
    place.runs.save(replace(cut, state=State.RUNNING, receipts=(), program=replace(cut.program, pid=pid)))
    assert (later(place, newest, timedelta(days=400)) == (cut.run,)) is gone


def test_what_was_only_collected_stays(tmp_path: Path) -> None:
    """Its captures are all it has."""
    place = delivering(tmp_path)
    collected = pipeline.collect(place, contoso(place), silent)
    newest = run(place)
    assert later(place, newest, timedelta(days=400)) == ()
    assert not are_removed(place.runs, collected)


def test_without_deliver_to_the_newest_waiting_stays(tmp_path: Path) -> None:
    """Every package waits for somebody who takes it; only the newest could be wanted with its captures."""
    place = workplace(tmp_path)
    first, second, third = run(place), run(place), run(place)
    pipeline.collect(place, contoso(place), silent)  # which is the newest whole
    assert later(place, third, timedelta(days=400)) == (first.run, second.run)
    assert not are_removed(place.runs, third)
    assert [place.runs.place(one) for one in (first, second, third)] == ["ready"] * 3


def test_what_waits_to_be_sent_stays(tmp_path: Path) -> None:
    """A newer package that strict keeps back does not take the captures of the one that goes out next."""
    place = workplace(tmp_path)
    next_out = run(place)
    engine = RowsEngine(gaps=[Gap("warning", "a gap")])
    held = [pipeline.run(workplace(tmp_path, engine), contoso(place), silent, strict=True) for _ in range(2)]
    assert all(one.is_held for one in held)
    pipeline.collect(place, contoso(place), silent)
    assert later(place, held[1], timedelta(days=400)) == (held[0].run,)
    assert not are_removed(place.runs, next_out)


@pytest.mark.parametrize("is_sent", [True, False], ids=["delivered", "ready"])
def test_a_package_taken_by_hand_is_no_longer_waited_for(tmp_path: Path, is_sent: bool) -> None:
    """Somebody moved it out of ready or delivered: the run is done, it was not only collected."""
    place = delivering(tmp_path) if is_sent else workplace(tmp_path)
    first = run(place)
    newest = run(place)
    package = place.runs.package(first)
    assert package
    package.rename(tmp_path / package.name)
    assert later(place, newest, timedelta(days=400)) == (first.run,)


def test_a_run_that_fails_removes_what_is_old(tmp_path: Path) -> None:
    """A connection may fail for months: what failed before goes, and its whole run stays."""
    place = delivering(tmp_path)
    whole = aged(place, run(place), 400)
    old = aged(place, failing(tmp_path, ReaderError("no")), DAYS + 1)
    half = place.runs.path(old.run) / "capture" / "002.xml.part"
    half.write_bytes(b"x")
    failing(tmp_path, ReaderError("no"))
    assert list(half.parent.iterdir()) == []
    assert not are_removed(place.runs, whole)


class Gone(Runs):
    """Runs whose folder went away."""

    def all(self) -> tuple[Run, ...]:
        """Fail, as a folder that went away does."""
        raise PackageError("The state folder\nis gone.")


def test_a_failure_is_not_hidden(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong while captures are removed is logged; the run tells its own failure, or its result."""
    with pytest.raises(ReaderError, match="its own"), swept(Gone(tmp_path), "Contoso", (), DAYS):
        raise ReaderError("its own")
    with swept(Gone(tmp_path), "Contoso", (), DAYS):
        pass
    assert caplog.messages == ["captures are not removed: The state folder is gone."] * 2


@pytest.mark.parametrize("name", ["Fabrikam", "CONTOSO"])
def test_what_the_settings_no_longer_have_is_swept_too(tmp_path: Path, name: str) -> None:
    """By the same rules: its newest whole run, and what was delivered last, keep theirs."""
    place = delivering(tmp_path)
    first, second = (pipeline.run(place, replace(contoso(place), name=name), silent) for _ in range(2))
    for made in (first, second):
        aged(place, made, DAYS + 1)
    run(place)
    assert [are_removed(place.runs, one) for one in (first, second)] == [True, False]


def test_what_the_settings_have_is_its_own_runs_affair(tmp_path: Path) -> None:
    """Nobody takes the lock of a connection that may be about to run, nor of one that is busy."""
    place = delivering(tmp_path)
    other = replace(contoso(place), name="Fabrikam")
    first, _ = (pipeline.run(place, other, silent) for _ in range(2))
    aged(place, first, DAYS + 1)
    both = replace(place.settings, connections={"Contoso": contoso(place), "Fabrikam": other})
    run(replace(place, settings=both))
    assert not are_removed(place.runs, first)
    with place.runs.lock("Fabrikam", "run"):
        run(place)
    assert not are_removed(place.runs, first)
    run(place)
    assert are_removed(place.runs, first)


def test_other_connections_are_not_touched(tmp_path: Path) -> None:
    """Each connection's own runs remove what is old."""
    place = delivering(tmp_path)
    first = run(place)
    run(place)
    assert remove_captures(place.runs, "Fabrikam", DAYS, system.now() + timedelta(days=400)) == ()
    assert not are_removed(place.runs, first)


def test_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The program's log has a line for each run."""
    place = delivering(tmp_path)
    first = run(place)
    run(place)
    with caplog.at_level(logging.INFO, "bridge"):
        later(place, first, timedelta(days=400))
    assert caplog.messages == [f"{first.run}: 1 of 1 captures are removed after 35 days"]


@pytest.mark.skipif(os.name != "nt", reason="elsewhere an open file can be removed")
def test_a_file_that_is_held_open_is_left_for_next_time(tmp_path: Path) -> None:
    """Windows does not remove what another program reads; the next run tries again."""
    place = delivering(tmp_path)
    first = run(place)
    run(place)
    with (place.runs.path(first.run) / "capture" / "001.xml").open("rb"):
        assert later(place, first, timedelta(days=400)) == ()
    assert later(place, first, timedelta(days=400)) == (first.run,)


# --- a run without captures ---


@pytest.fixture
def bare(tmp_path: Path) -> tuple[Workplace, Run]:
    """A workplace with a delivered run whose captures are removed."""
    place = delivering(tmp_path)
    first = run(place)
    run(place)
    later(place, first, timedelta(days=400))
    return place, place.runs.load(first.run)


def convert(place: Workplace, made: Run) -> object:
    """Convert a run again."""
    return pipeline.convert(place, made, silent)


def use(place: Workplace, made: Run) -> object:
    """Ask for a capture."""
    return untouched(place.runs, made, made.steps[0])


@pytest.mark.parametrize("work", [convert, use])
def test_what_needs_captures_says_so(
    bare: tuple[Workplace, Run], work: Callable[[Workplace, Run], object]
) -> None:
    """The run is named, and its record is not spoilt."""
    place, first = bare
    with pytest.raises(PackageError, match=f"captures of {first.run} are removed") as refused:
        work(place, first)
    assert "beacon-bridge show" in refused.value.hint
    assert place.runs.load(first.run) == first


def test_its_story(bare: tuple[Workplace, Run]) -> None:
    """`show` tells that they are removed."""
    place, first = bare
    assert "  captures removed, as [bridge] keep_captures says" in list(story.tell(first, place.runs))


def test_its_next_command(bare: tuple[Workplace, Run]) -> None:
    """What cannot be converted again is not told to be."""
    place, first = bare
    package = place.runs.package(first)
    assert package
    package.rename(place.runs.path(first.run) / REFUSED / package.name)
    damaged = replace(first, refused="it did not verify")
    assert story.next_command(damaged, place.runs) == 'beacon-bridge run "Contoso"'


def test_it_still_verifies(bare: tuple[Workplace, Run]) -> None:
    """The package is whole without them."""
    place, first = bare
    assert pipeline.verify_run(place, first).manifest.run == first.run


def test_a_changed_capture_is_no_capture(tmp_path: Path) -> None:
    """What was touched after it was collected is refused."""
    place = delivering(tmp_path)
    made = run(place)
    assert untouched(place.runs, made, made.steps[0]) == place.runs.path(made.run) / "capture" / "001.xml"
    assert untouched(place.runs, made, replace(made.steps[0], capture=None)) is None
    with (place.runs.path(made.run) / "capture" / "001.xml").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(ReaderOutputError, match="has changed"):
        untouched(place.runs, made, made.steps[0])


# --- killed ---


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where flushing costs nothing."""
    fast = Path("/dev/shm")  # noqa: S108  # it is made by mkdtemp
    with TemporaryDirectory(dir=fast if fast.is_dir() else None) as folder:
        yield Path(folder)


def two_old_ones(home: Path) -> None:
    """Make two old runs and a new one."""
    home.mkdir(parents=True)
    place = delivering(home, days=0)
    for _ in range(2):
        aged(place, run(place), 400)
    run(place)


def sweep(home: Path) -> None:
    """Remove what is old."""
    remove_captures(delivering(home).runs, "Contoso", DAYS, system.now())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_removing_can_be_killed_at_any_instant(memory: Path) -> None:
    """What was not removed is removed the next time; the newest run is whole, always."""
    instants = 0
    for home in every_instant(memory, two_old_ones, sweep):
        instants += 1
        sweep(home)
        place = delivering(home)
        assert [are_removed(place.runs, one) for one in place.runs.all()] == [True, True, False]
        assert place.runs.unreadable() == ()
        shutil.rmtree(home)
    assert instants > 1


def test_a_clock_that_went_back(tmp_path: Path) -> None:
    """A clock that went back makes nothing old."""
    place = delivering(tmp_path)
    first = run(place)
    run(place)
    assert later(place, first, timedelta(days=-400)) == ()
