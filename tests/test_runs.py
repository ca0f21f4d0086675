"""Run folders: their numbers, records, logs and locks."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge import pipeline
from bridge.errors import BusyError, PackageError, ReaderError, SettingsError
from bridge.model import Gap, State, Talk
from bridge.runs import record
from bridge.runs.journal import journal
from bridge.runs.record import Run
from bridge.runs.store import Runs
from bridge.show.story import next_command
from tests.engines import CANARY, RowsEngine, contoso, silent, workplace

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def test_a_run_folder_has_its_places(tmp_path: Path) -> None:
    """A new run has its name, its number and its empty folders."""
    runs = Runs(tmp_path / "state")
    name, number = runs.new(NOON)
    assert (name[:17], number) == ("20261122T120000Z-", 1)
    places = sorted(path.name for path in runs.path(name).iterdir())
    assert places == ["building", "capture", "delivered", "ready", "refused"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead of modes")
def test_the_state_folder_is_private(tmp_path: Path) -> None:
    """Captures name every employee: nobody but the owner may look."""
    runs = Runs(tmp_path / "state")
    runs.new(NOON)
    assert (runs.state.stat().st_mode & 0o777, runs.folder.stat().st_mode & 0o777) == (0o700, 0o700)


def test_numbers_grow_when_the_clock_jumps_back(tmp_path: Path) -> None:
    """The newest run is the one with the greatest number, whatever its name says."""
    place = workplace(tmp_path)
    made = pipeline.run(place, contoso(place), silent)
    name, number = place.runs.new(NOON - timedelta(days=4000))
    earlier = replace(made, run=name, number=number, started=NOON - timedelta(days=4000))
    place.runs.save(earlier)
    assert name < made.run
    assert place.runs.load("last:Contoso").run == name
    assert [one.run for one in place.runs.all()] == [made.run, name]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"\0")])
def test_a_lost_counter_is_found_again(tmp_path: Path, spoil: object) -> None:
    """Without the counter the next number follows from the records."""
    place = workplace(tmp_path)
    pipeline.run(place, contoso(place), silent)
    pipeline.run(place, contoso(place), silent)
    spoil(place.runs.folder / ".number")  # type: ignore[operator]  # a function of a path
    assert place.runs.new(NOON)[1] == 3


@pytest.mark.parametrize("name", ["x", "../state", "20261122T081530Z-4f2a", "last:Nobody", "", "con"])
def test_a_run_that_is_not_there(tmp_path: Path, name: str) -> None:
    """A wrong name, also one that leads elsewhere, is named, with what lists the right ones."""
    with pytest.raises(SettingsError, match="There is no run") as caught:
        Runs(tmp_path).load(name)
    assert caught.value.hint.lstrip("`").startswith("beacon-bridge")


def test_a_record_survives_its_json(tmp_path: Path) -> None:
    """run.json read back is the same record, with every key of the dataclass."""
    place = workplace(tmp_path, RowsEngine(gaps=[Gap("warning", 'Zoë said "no"\n')]))
    run = pipeline.run(place, contoso(place), silent)
    content = (place.runs.path(run.run) / "run.json").read_bytes()
    assert record.from_json(content, "x") == run
    assert list(json.loads(content)) == [field.name for field in fields(Run)]


def test_every_key_of_a_record_is_documented() -> None:
    """docs/formats.md names each key of run.json."""
    formats = (Path(__file__).parents[1] / "docs" / "formats.md").read_text("utf-8")
    section = formats[formats.index("## run.json") :]
    parts = (
        Run,
        record.Program,
        record.ReaderLine,
        record.StepLine,
        record.Stage,
        record.PackageLine,
        record.Failure,
    )
    missing = [
        f"{part.__name__}.{one.name}"
        for part in parts
        for one in fields(part)
        if f"`{one.name}`" not in section
    ]
    assert missing == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b"\xff\xfe", b'{"format": "run-2"}'])
def test_an_unreadable_record_is_named_and_in_nobodys_way(tmp_path: Path, content: bytes) -> None:
    """A spoilt run.json is listed with its reason; the other runs are found as before."""
    place = workplace(tmp_path)
    spoilt, sound = (pipeline.run(place, contoso(place), silent) for _ in range(2))
    path = place.runs.path(spoilt.run) / "run.json"
    path.write_bytes(content)
    assert [one.run for one in place.runs.all()] == [sound.run]
    (said,) = place.runs.unreadable()
    assert str(path) in said
    with pytest.raises(PackageError, match="is no run record"):
        place.runs.load(spoilt.run)


def test_a_record_of_another_run_is_refused(tmp_path: Path) -> None:
    """A copied run folder must not write into the folder it was copied from."""
    place = workplace(tmp_path)
    made = pipeline.run(place, contoso(place), silent)
    copy = "20300101T000000Z-ffff"
    place.runs.path(made.run).rename(place.runs.path(copy))
    with pytest.raises(PackageError, match="record of another run"):
        place.runs.load(copy)


# --- how runs end ---


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends a process on Windows")
def test_an_interrupted_run_is_recorded(tmp_path: Path) -> None:
    """Ctrl-C while the reader works: the run says interrupted, and collecting again comes next."""
    place = workplace(tmp_path, RowsEngine(before=lambda _: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert (run.state, run.error) == (State.INTERRUPTED, None)
    assert [stage.outcome for stage in run.stages] == ["interrupted"]
    assert next_command(run, place.runs) == 'beacon-bridge run "Contoso"'
    assert "interrupted" in (place.runs.path(run.run) / "log.txt").read_text("utf-8")


def test_a_run_whose_process_is_gone_is_abandoned(tmp_path: Path) -> None:
    """A record that says running counts only as long as its very process lives."""
    place = workplace(tmp_path)
    made = pipeline.run(place, contoso(place), silent)
    place.runs.save(replace(made, state=State.RUNNING))
    assert place.runs.load(made.run).state is State.RUNNING
    other = replace(made.program, process_started=made.program.process_started - 3600)
    place.runs.save(replace(made, state=State.RUNNING, program=other))
    assert place.runs.load(made.run).state is State.ABANDONED


def test_the_log_is_one_line_an_event(tmp_path: Path) -> None:
    """What the reader says cannot break the run's log, nor the terminal that shows it."""
    place = workplace(tmp_path)
    run = pipeline.run(place, contoso(place), silent)
    with place.runs.log(run, silent) as say:
        say(Talk("log", "one\r\ntwo\x1b[31m \u202e", "S"))
        say(Talk("rows", "", "S", 7))
    last = (place.runs.path(run.run) / "log.txt").read_text("utf-8").splitlines()[-1]
    assert last.endswith(r"log   S one\x0d\x0atwo\x1b[31m \x202e")


# --- locks ---

HOLDER = """
import sys
from pathlib import Path
from bridge.runs.store import Runs
with Runs(Path(sys.argv[1])).lock("Contoso", "run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the connection's lock in another process."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin
    assert child.stdout
    with child:
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.stdin.close()


def test_a_second_run_at_the_same_time_is_refused(tmp_path: Path) -> None:
    """Two processes: the second is told who holds the lock, since when, and what for; then it may."""
    place = workplace(tmp_path)
    with held(tmp_path / "state") as child, pytest.raises(BusyError) as caught:
        pipeline.run(place, contoso(place), silent)
    said = str(caught.value)
    assert f"Contoso is busy: process {child.pid} holds its lock since 20" in said
    assert said.endswith("Z (run).")
    assert place.runs.all() == ()
    assert pipeline.run(place, contoso(place), silent).number == 1


def test_a_killed_holder_holds_no_more(tmp_path: Path) -> None:
    """The lock goes with its process, however that ends."""
    place = workplace(tmp_path)
    with held(tmp_path / "state") as child:
        child.kill()
        child.wait()
        assert pipeline.run(place, contoso(place), silent).state is State.COMPLETE


def test_connections_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """The lock belongs to one connection; its name's case does not matter."""
    runs = Runs(tmp_path / "state")
    with runs.lock("A", "run"), runs.lock("B", "run"), pytest.raises(BusyError), runs.lock("a", "run"):
        pass


def test_a_name_that_windows_reserves_can_be_locked(tmp_path: Path) -> None:
    """CON and NUL are devices on Windows, so no file is called by a connection's bare name."""
    runs = Runs(tmp_path / "state")
    with runs.lock("CON", "run"):
        names = {path.name for path in (tmp_path / "state" / "locks").iterdir()}
    assert names == {"connection con.lock", "connection con.json"}


# --- the program's own log ---


def log_of(state: Path) -> list[str]:
    """Return the lines of the program's log."""
    return (state / "logs" / "beacon-bridge.log").read_text("utf-8").splitlines()


def test_a_record_holds_any_text(tmp_path: Path) -> None:
    """Half of a surrogate pair in a gap, as a capture by hand may have one, breaks no record."""
    place = workplace(tmp_path, RowsEngine(gaps=[Gap("warning", "odd \ud800 text")]))
    run = pipeline.run(place, contoso(place), silent)
    assert [gap.text for gap in place.runs.load(run.run).gaps] == ["odd ? text"]


def test_the_programs_log_tells_stages_and_failures(tmp_path: Path) -> None:
    """A line as each stage begins and ends, and the error that ended a command; no secret."""

    def fall(_: object) -> None:
        raise ReaderError("It fell\nover.")

    place = workplace(tmp_path, RowsEngine(after=fall))
    with pytest.raises(ReaderError), journal(place.settings.state):
        pipeline.run(place, contoso(place), silent)
    begins, ends, error = log_of(place.settings.state)
    run = place.runs.load("last:Contoso").run
    assert f" INFO {run} collect of Contoso begins" in begins
    assert f" INFO {run} collect: failed, 3 rows" in ends
    assert error.endswith(" ERROR ReaderError: It fell over.")
    assert CANARY not in "".join([begins, ends, error])


def test_what_libraries_log_is_not_kept(tmp_path: Path) -> None:
    """Only our own modules write there: a library's line may hold a token."""
    with journal(tmp_path / "state"):
        logging.getLogger("urllib3").error("Bearer eyJ")
        logging.getLogger("bridge.x").info("ours")
    assert [line.split(" ", 3)[3] for line in log_of(tmp_path / "state")] == ["ours"]


def test_the_programs_log_ends_with_its_command(tmp_path: Path) -> None:
    """What logged nothing before a command logs nothing after it."""
    program = logging.getLogger("bridge")
    before = (program.level, list(program.handlers))
    with journal(tmp_path / "state"):
        assert program.level == logging.INFO
    assert (program.level, program.handlers) == before
    assert program.level == logging.NOTSET


def test_the_programs_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    """A full log becomes .1; at most four older ones are kept."""
    folder = tmp_path / "state" / "logs"
    for number in range(7):
        with journal(tmp_path / "state"):
            logging.getLogger("bridge.x").info("%d %s", number, "x" * 5_300_000)
    assert len(list(folder.iterdir())) == 5
    assert " 6 x" in (folder / "beacon-bridge.log").read_text("utf-8")[:100]
