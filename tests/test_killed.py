"""A process killed at any instant leaves either the old state or the new one, and the next one goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge import pipeline
from bridge.deliver import sha256_of
from bridge.errors import DeliveryError, PackageError, SettingsError
from bridge.model import State
from bridge.package.verify import verify
from bridge.runs.record import Run
from bridge.runs.store import DELIVERED, READY
from bridge.workplace import Workplace
from tests.engines import contoso, silent, workplace
from tests.killing import every_instant

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

FEWEST = 20  # instants: fewer would mean that the operations are not seen


def place_at(home: Path) -> Workplace:
    """Return a workplace that delivers to ``home/Outbox``, with one reader folder for all of them."""
    return workplace(home, reader=home.parent / "Badge Service", deliver_to=home / "Outbox")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where flushing costs nothing; the tests kill a process some hundred times."""
    fast = Path("/dev/shm")  # noqa: S108  # it is made by mkdtemp
    with TemporaryDirectory(dir=fast if fast.is_dir() else None) as folder:
        workplace(Path(folder), reader=Path(folder) / "Badge Service")
        yield Path(folder)


def prepare(home: Path) -> None:
    """Make the destination."""
    (home / "Outbox").mkdir(parents=True)


def run(home: Path) -> Run:
    """Run the connection once, all three stages."""
    place = place_at(home)
    return pipeline.run(place, contoso(place), silent)


def assert_whole(home: Path) -> None:
    """Assert that every package that counts verifies, and that no record is torn or says it still runs."""
    counts = [*home.glob("state/runs/*/ready/*.zip"), *home.glob("state/runs/*/delivered/*.zip")]
    for path in (*counts, *home.glob("Outbox/*.zip")):
        assert verify(path)
    runs = place_at(home).runs
    assert runs.unreadable() == ()
    for one in runs.all():
        assert one.state is not State.RUNNING
        if runs.place(one) in {READY, DELIVERED}:  # run.json names the package that lies there
            assert one.package
            assert sha256_of(runs.package(one) or home) == one.package.sha256


def test_a_run_killed_at_any_instant(memory: Path) -> None:
    """Whatever file operation a run dies at: what counts verifies, it is abandoned, the next one works."""
    states, instants = set(), 0
    for home in every_instant(memory, prepare, run):
        instants += 1
        assert_whole(home)
        states |= {one.state for one in place_at(home).runs.all()}
        after = run(home)
        assert (after.state, place_at(home).runs.place(after)) == (State.COMPLETE, DELIVERED)
        assert_whole(home)
        shutil.rmtree(home)
    assert instants > FEWEST
    assert states == {State.ABANDONED, State.COMPLETE}


def test_a_conversion_killed_at_any_instant(memory: Path) -> None:
    """`convert RUN` finishes what a killed conversion began."""
    place = place_at(memory / "sound")
    collected = pipeline.collect(place, contoso(place), silent)

    identities = set()
    for home in every_instant(
        memory,
        partial(shutil.copytree, memory / "sound"),
        lambda home: pipeline.convert(place_at(home), collected, silent),
    ):
        assert_whole(home)
        again = place_at(home)
        done = pipeline.convert(again, again.runs.load(collected.run), silent)
        assert (done.state, again.runs.place(done)) == (State.COMPLETE, READY)
        identities.add(pipeline.verify_run(again, done).sha256)
    assert len(identities) == 1


def test_a_delivery_killed_at_any_instant(memory: Path) -> None:
    """`deliver RUN` finishes what a killed delivery began, and the package is sent once."""
    made = place_at(memory / "sound")
    waiting = pipeline.convert(made, pipeline.collect(made, contoso(made), silent), silent)
    (memory / "sound" / "Outbox").mkdir()

    left = set()
    for home in every_instant(
        memory,
        partial(shutil.copytree, memory / "sound"),
        lambda home: pipeline.deliver_run(place_at(home), waiting, silent),
    ):
        assert_whole(home)
        place = place_at(home)
        now = place.runs.load(waiting.run)
        left.add((place.runs.place(now), tuple(receipt.state for receipt in now.receipts)))
        if (home / "Outbox" / f"{waiting.run}.zip").exists():
            assert now.receipts, "a file at the target that no receipt tells of"
        if place.runs.place(now) == READY:
            now = pipeline.deliver_run(place, now, silent)
        assert (place.runs.place(now), now.receipts[-1].state) == (DELIVERED, "placed")
        assert [path.name for path in (home / "Outbox").iterdir()] == [f"{waiting.run}.zip"]
    assert left >= {(READY, ()), (READY, ("placing",)), (READY, ("placing", "placed"))}


def test_a_delivery_killed_while_its_file_was_taken(memory: Path) -> None:
    """Killed between rename and receipt, and the file taken meanwhile: it may have been taken, so ask."""
    made = place_at(memory / "sound")
    waiting = pipeline.convert(made, pipeline.collect(made, contoso(made), silent), silent)
    (memory / "sound" / "Outbox").mkdir()

    asked = 0
    for home in every_instant(
        memory,
        partial(shutil.copytree, memory / "sound"),
        lambda home: pipeline.deliver_run(place_at(home), waiting, silent),
    ):
        place = place_at(home)
        now = place.runs.load(waiting.run)
        file = home / "Outbox" / f"{waiting.run}.zip"
        if not now.receipts or now.receipts[-1].state == "placed" or not file.exists():
            continue
        asked += 1
        file.unlink()
        with pytest.raises(DeliveryError, match="it may have been taken") as caught:
            pipeline.deliver_run(place, now, silent)
        assert f"beacon-bridge deliver {waiting.run} --again --reason" in caught.value.hint
        sent = pipeline.deliver_run(place, now, silent, again=True, reason="the share lost it")
        assert (sent.receipts[-1].state, sent.receipts[-1].reason) == ("placed", "the share lost it")
        assert verify(file)
    assert asked


def test_a_folder_without_a_record_is_no_run(memory: Path) -> None:
    """A run killed before its first record left an empty folder, which is in nobody's way."""
    place = workplace(memory)
    done = pipeline.run(place, contoso(place), silent)
    (place.runs.folder / "20200101T000000Z-0000").mkdir()
    assert [one.run for one in place.runs.all()] == [done.run]
    with pytest.raises(SettingsError, match="There is no run"):
        place.runs.load("20200101T000000Z-0000")


def test_an_old_package_is_not_sent_for_a_new_record(memory: Path) -> None:
    """If the package in ready/ is not the one that run.json names, it is not sent."""
    prepare(memory / "x")
    place = place_at(memory / "x")
    made = pipeline.convert(place, pipeline.collect(place, contoso(place), silent), silent)
    package = place.runs.package(made) or memory
    package.write_bytes(package.read_bytes() + b"x")
    with pytest.raises(PackageError, match="has changed since it was sealed"):
        pipeline.deliver_run(place, made, silent)
