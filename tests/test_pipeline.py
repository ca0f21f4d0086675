"""The story of a run: collect, convert, deliver, each again, and what is left when one of them fails."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from bridge import pipeline
from bridge.beacon import Beacon
from bridge.errors import BeaconError, DeliveryError, PackageError, ReaderError, ReaderOutputError
from bridge.model import Bits, EngineFacts, Gap, Job, State, Talk
from bridge.package.verify import verify
from bridge.runs.store import DELIVERED, READY, REFUSED
from bridge.show.story import next_command, tell
from bridge.workplace import Workplace
from tests.disks import mounted, remount
from tests.engines import CANARY, ROWS, RowsEngine, contoso, silent, workplace

BEACON_FACTS = EngineFacts("powershell", Bits(32, 32), "powershell.exe", "5.1", "Desktop")


def outbox(home: Path) -> Path:
    """Make a destination folder."""
    folder = home / "Outbox"
    folder.mkdir()
    return folder


def test_a_run_collects_converts_and_delivers(tmp_path: Path) -> None:
    """One call leaves a verified package at the destination and its record in the run's folder."""
    place = workplace(tmp_path, deliver_to=outbox(tmp_path))
    done = pipeline.run(place, contoso(place), silent)
    assert (done.state, place.runs.place(done)) == (State.COMPLETE, DELIVERED)
    package = verify(tmp_path / "Outbox" / f"{done.run}.zip")
    assert [table.rows for table in package.manifest.tables] == [len(ROWS)]
    assert [stage.name for stage in done.stages] == ["collect", "convert", "deliver"]
    assert place.runs.load(done.run) == done


def test_without_a_destination_the_package_waits(tmp_path: Path) -> None:
    """No deliver_to is no error: the package lies in ready/."""
    place = workplace(tmp_path)
    done = pipeline.run(place, contoso(place), silent)
    assert (done.state, place.runs.place(done)) == (State.COMPLETE, READY)


def test_strict_makes_the_package_and_does_not_deliver_gaps(tmp_path: Path) -> None:
    """Under --strict a package with gaps waits; without, it goes out and says so."""
    engine = RowsEngine(gaps=[Gap("warning", "one group is hidden")])
    place = workplace(tmp_path, engine, deliver_to=outbox(tmp_path))
    done = pipeline.run(place, contoso(place), silent, strict=True)
    assert (done.state, place.runs.place(done)) == (State.COMPLETE_WITH_GAPS, READY)
    assert pipeline.verify_run(place, done).manifest.gaps == (Gap("warning", "one group is hidden"),)
    assert place.runs.place(pipeline.run(place, contoso(place), silent)) == DELIVERED


def test_what_strict_holds_back_waits_until_it_is_named(tmp_path: Path) -> None:
    """The delivery of what waits passes over it and says so, whenever it comes; `deliver RUN` delivers it."""
    engine = RowsEngine(gaps=[Gap("warning", "one group is hidden")])
    place = workplace(tmp_path, engine, deliver_to=outbox(tmp_path))
    done = pipeline.run(place, contoso(place), silent, strict=True)
    assert json.loads((place.runs.path(done.run) / "run.json").read_bytes())["strict"] is True
    said: list[Talk] = []
    assert pipeline.deliver_waiting(place, contoso(place), said.append) is None
    assert place.runs.place(done) == READY
    assert f"beacon-bridge deliver {done.run}" in said[0].text
    assert pipeline.deliver_run(place, done, silent).receipts[-1].state == "placed"


@pytest.mark.parametrize(("optional", "fails"), [((), True), (("members",), False)])
def test_a_named_gap_must_be_listed(tmp_path: Path, optional: tuple[str, ...], fails: bool) -> None:
    """A gap of the reader's own naming fails the run unless the connection lists it under optional."""
    place = workplace(tmp_path, RowsEngine(gaps=[Gap("members", "hidden")]), optional=optional)
    if not fails:
        assert pipeline.run(place, contoso(place), silent).gaps == (Gap("members", "hidden"),)
        return
    with pytest.raises(ReaderError, match="left out: members: hidden") as caught:
        pipeline.run(place, contoso(place), silent)
    assert "optional = ['members']" in caught.value.hint


def test_a_failed_reader_leaves_no_package(tmp_path: Path) -> None:
    """What the engine raises is recorded with its hint, and its next command names the run's connection."""

    def fall(_: Job) -> None:
        raise ReaderError("The reader threw half way.")

    place = workplace(tmp_path, RowsEngine(after=fall))
    with pytest.raises(ReaderError, match="half way") as caught:
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert (run.state, run.package, place.runs.place(run)) == (State.FAILED, None, "-")
    assert run.error is not None
    assert (
        caught.value.hint
        == run.error.hint
        == f"Read what the reader said with `beacon-bridge show {run.run}`."
    )
    assert next_command(run, place.runs) == 'beacon-bridge run "Contoso"'
    with pytest.raises(PackageError, match="not whole"):
        pipeline.convert(place, run, silent)


def test_a_failed_run_tells_what_it_had(tmp_path: Path) -> None:
    """The rows of its whole steps are kept, and the reader folder was looked at again."""

    def fall(_: Job) -> None:
        raise ReaderError("The reader threw half way.")

    place = workplace(tmp_path, RowsEngine(after=fall))
    with pytest.raises(ReaderError):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert ([line.rows for line in run.steps], run.reader.changed) == ([3], ())
    with pytest.raises(PackageError) as caught:
        pipeline.verify_run(place, run)
    assert caught.value.hint == f"beacon-bridge show {run.run}"


@pytest.mark.parametrize("name", ["../Microsoft 365", "bridge:../../schemas", "a/b", "a\\b", "..", ""])
def test_a_bare_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    """What is called the beacon's folder, or ours, lies among the beacon's, or ours."""
    with pytest.raises(BeaconError, match="no reader folder's name"):
        workplace(tmp_path).reader(name)


def test_an_engine_that_brings_less_is_refused(tmp_path: Path) -> None:
    """A step without a capture fails the run, even if the engine says all is well."""

    class Idle(RowsEngine):
        def collect(self, job: Job, say: object) -> object:  # type: ignore[override]  # returns Collected
            return type(super().collect(job, silent))(self.facts, ())

    place = workplace(tmp_path, Idle())
    with pytest.raises(ReaderError, match=r"no capture of Holder.xml/LoadHolder"):
        pipeline.run(place, contoso(place), silent)


def test_rows_that_do_not_fit_make_no_package(tmp_path: Path) -> None:
    """A wrong cell is named, and building/ is left empty."""
    place = workplace(tmp_path, RowsEngine(rows=[("x", "a@example.org")]))
    with pytest.raises(ReaderOutputError, match="row 1, HolderID: x; expected int"):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert run.error and run.error.findings
    assert not list(place.runs.path(run.run).rglob("*.zip"))


def test_a_capture_changed_after_collecting_is_refused(tmp_path: Path) -> None:
    """Convert takes only what was collected."""
    place = workplace(tmp_path)
    run = pipeline.collect(place, contoso(place), silent)
    capture = place.runs.path(run.run) / "capture" / "001.xml"
    capture.write_bytes(capture.read_bytes().replace(b"user1@", b"user9@"))
    with pytest.raises(ReaderOutputError, match="is not what was collected"):
        pipeline.convert(place, run, silent)


# --- 32 bits ---


def test_the_captures_tell_their_bits(tmp_path: Path) -> None:
    """The third proof of 32 bits is read from each capture's header into the record and the story."""
    place = workplace(tmp_path, RowsEngine(facts=BEACON_FACTS, header_bits="32"))
    done = pipeline.run(place, contoso(place), silent)
    assert done.capture_bits == ("32",)
    assert "  bits: PE header 32-bit, inside 32-bit, captures 32" in list(tell(done, place.runs))
    assert pipeline.verify_run(place, done).manifest.bits == "32"


def test_a_capture_that_does_not_say_32_bits_fails_the_run(tmp_path: Path) -> None:
    """On a beacon a capture from a 64-bit PowerShell is refused, whatever the engine says of itself."""
    place = workplace(tmp_path, RowsEngine(facts=BEACON_FACTS, header_bits="64"))
    with pytest.raises(BeaconError, match="of 64 bits, expected 32"):
        pipeline.run(place, contoso(place), silent)


# --- the reader folder ---


def test_a_reader_folder_that_changes_fails_the_run(tmp_path: Path) -> None:
    """The folder is hashed before and after; a difference is named, recorded, and nothing is packaged."""

    def touch(job: Job) -> None:
        (job.reader.folder / "Badges.ps1").write_text("# edited")

    place = workplace(tmp_path, RowsEngine(after=touch))
    with pytest.raises(BeaconError, match=r"changed during the run: .*Badges\.ps1"):
        pipeline.run(place, contoso(place), silent)
    assert place.runs.load("last:Contoso").reader.changed == ("Badges.ps1",)


# --- again ---


def test_convert_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """The package is a function of its captures: making it again changes nothing."""
    place = workplace(tmp_path)
    run = pipeline.run(place, contoso(place), silent)
    first = (place.runs.package(run) or tmp_path).read_bytes()
    again = pipeline.convert(place, run, silent)
    assert (place.runs.package(again) or tmp_path).read_bytes() == first
    assert again.package == run.package


def test_convert_follows_the_rule_of_its_run(tmp_path: Path) -> None:
    """Changing too_long in the settings does not change a run that was made before."""
    long = RowsEngine(rows=[("1", "x" * 201)])
    place = workplace(tmp_path, long, too_long="cut")
    run = pipeline.run(place, contoso(place), silent)
    changed = workplace(tmp_path, long, too_long="refuse")
    assert pipeline.convert(changed, run, silent).gaps == run.gaps != ()


def test_converting_a_delivered_run_again_sends_nothing(tmp_path: Path) -> None:
    """The package of a delivered run stays delivered; a second delivery wants --again."""
    place = workplace(tmp_path, deliver_to=outbox(tmp_path))
    run = pipeline.run(place, contoso(place), silent)
    again = pipeline.convert(place, run, silent)
    assert (place.runs.place(again), again.receipts) == (DELIVERED, run.receipts)
    with pytest.raises(DeliveryError, match=r"was delivered to .* already"):
        pipeline.deliver_run(place, again, silent)


def test_verify_compares_with_the_captures(tmp_path: Path) -> None:
    """verify RUN notices that a package is not what its captures give; without captures it still verifies."""
    place = workplace(tmp_path)
    run = pipeline.run(place, contoso(place), silent)
    capture = place.runs.path(run.run) / "capture" / "001.xml"
    capture.write_bytes(capture.read_bytes().replace(b"user1@", b"user9@"))
    with pytest.raises(PackageError, match=r"data/001\.xml is not what the capture 001\.xml gives"):
        pipeline.verify_run(place, run)
    capture.unlink()
    assert pipeline.verify_run(place, run).manifest.run == run.run


def test_a_run_without_a_package_cannot_be_verified(tmp_path: Path) -> None:
    """The error names the command that makes the package."""
    place = workplace(tmp_path)
    run = pipeline.collect(place, contoso(place), silent)
    with pytest.raises(PackageError, match="has no package") as caught:
        pipeline.verify_run(place, run)
    assert caught.value.hint == f"beacon-bridge convert {run.run}"


# --- what must not leak, and where nothing may go ---


def test_no_secret_rests_in_the_state_folder(tmp_path: Path) -> None:
    """After a run with a secret parameter no file below the state folder or in the package holds it."""
    seen: list[object] = []
    place = workplace(tmp_path, RowsEngine(before=lambda job: seen.append(job.values["ApiKey"])))
    run = pipeline.run(place, contoso(place), silent)
    assert repr(seen) == "[Secret(...)]"
    for path in (tmp_path / "state").rglob("*"):
        assert path.is_dir() or CANARY.encode() not in path.read_bytes()
    with zipfile.ZipFile(place.runs.package(run) or "") as package:
        assert all(CANARY.encode() not in package.read(name) for name in package.namelist())
    shown = json.loads((place.runs.path(run.run) / "run.json").read_bytes())["settings"]["parameters"]
    assert shown["ApiKey"] == {"secret": "env:KEY"}


def test_a_development_run_never_enters_a_beacon(tmp_path: Path) -> None:
    """A run of a development PowerShell is marked, and no folder of the beacon takes its package."""
    root = tmp_path / "Flexera Software"
    inbox = root / "Beacon" / "IntermediateData"
    inbox.mkdir(parents=True)
    beacon = Beacon(root, root / "Compliance" / "ImportProcedures", root / "none", "test")
    place = workplace(tmp_path, beacon=beacon, deliver_to=inbox)
    with pytest.raises(DeliveryError, match="lies below the beacon's own folder"):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert (run.development, place.runs.place(run), list(inbox.iterdir())) == (True, READY, [])


def test_a_path_with_blanks_umlauts_and_quotes(tmp_path: Path) -> None:
    """Folder names that people really use change nothing."""
    home = tmp_path / "Größe & 'Maß' \"x\" 東京"
    place = workplace(home, deliver_to=home / "Post aus Köln")
    (home / "Post aus Köln").mkdir()
    done = pipeline.run(place, contoso(place), silent)
    assert verify(home / "Post aus Köln" / f"{done.run}.zip").manifest.run == done.run


# --- a disk that fills ---


def full(path: Path) -> None:
    """Make a file to which nothing can be written because its disk is full."""
    path.symlink_to("/dev/full")


needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


@needs_dev_full
def test_a_disk_that_fills_while_collecting(tmp_path: Path) -> None:
    """The capture that could not be written fails the run by name; nothing is packaged."""
    place = workplace(tmp_path, RowsEngine(before=lambda job: full(job.captures / "001.xml.part")))
    with pytest.raises(PackageError, match="No space left on device"):
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert (run.state, next_command(run, place.runs)) == (State.FAILED, 'beacon-bridge run "Contoso"')


@needs_dev_full
def test_a_disk_that_fills_while_converting(tmp_path: Path) -> None:
    """The package is not whole, so it does not exist; once there is room, convert makes it."""
    place = workplace(
        tmp_path, RowsEngine(after=lambda job: full(job.folder / "building" / f"{job.run}.zip"))
    )
    with pytest.raises(PackageError, match="cannot be written: No space left on device") as caught:
        pipeline.run(place, contoso(place), silent)
    run = place.runs.load("last:Contoso")
    assert next_command(run, place.runs) == f"beacon-bridge convert {run.run}"
    assert f"`beacon-bridge convert {run.run}`" in caught.value.hint
    assert place.runs.place(pipeline.convert(place, run, silent)) == READY


def test_a_state_disk_that_fills(tmp_path: Path) -> None:
    """A run that fills the disk of the state folder fails by name; with room again the next one works."""
    rows = [(str(number), f"user{number}@example.org") for number in range(20000)]
    place = workplace(tmp_path, RowsEngine(rows))
    with mounted(tmp_path / "state", "size=128k,mode=700"):
        with pytest.raises(PackageError, match="No space left on device") as caught:
            pipeline.run(place, contoso(place), silent)
        assert "Make room on the disk of the state folder" in caught.value.hint
        assert not list((tmp_path / "state").rglob("*.zip"))
        assert place.runs.unreadable() == ()
        remount(tmp_path / "state", "size=16m")
        assert pipeline.run(place, contoso(place), silent).state is State.COMPLETE


def test_a_state_folder_that_takes_nothing(tmp_path: Path) -> None:
    """A state folder on a read-only disk is named before anything is started."""
    started: list[Job] = []
    place = workplace(tmp_path, RowsEngine(before=started.append))
    with mounted(tmp_path / "state", "ro"), pytest.raises(PackageError, match="Read-only file system"):
        pipeline.run(place, contoso(place), silent)
    assert started == []


def test_a_package_that_does_not_verify_goes_to_refused(tmp_path: Path) -> None:
    """A package is read again before it counts; here its record was spoilt, so its manifest is none."""
    place = workplace(tmp_path)
    run = pipeline.collect(place, contoso(place), silent)
    record = place.runs.path(run.run) / "run.json"
    record.write_bytes(record.read_bytes().replace(run.reader.sha256.encode(), b"no hash"))
    with pytest.raises(PackageError, match="not a bridge-1 manifest"):
        pipeline.convert(place, run, silent)
    now = place.runs.load(run.run)
    assert (now.state, place.runs.place(now)) == (State.FAILED, REFUSED)
    assert now.refused
    assert "did not verify" in now.refused


def test_a_package_that_changed_goes_to_refused(tmp_path: Path) -> None:
    """What is not what was sealed is kept aside and never sent."""
    place = workplace(tmp_path)
    run = pipeline.run(place, contoso(place), silent)
    package = place.runs.package(run) or tmp_path
    package.write_bytes(package.read_bytes()[:-1])
    with pytest.raises(PackageError, match="has changed since it was sealed"):
        pipeline.verify_run(place, run)
    sending = workplace(tmp_path, deliver_to=outbox(tmp_path))
    with pytest.raises(PackageError, match="has changed since it was sealed"):
        pipeline.deliver_run(sending, run, silent)
    now = place.runs.load(run.run)
    assert (place.runs.place(now), next_command(now, place.runs)) == (
        REFUSED,
        f"beacon-bridge convert {run.run}",
    )
    assert list((tmp_path / "Outbox").iterdir()) == []


def test_the_story_names_everything(tmp_path: Path) -> None:
    """show RUN tells reader, steps, package, receipt, whereabouts and the next command."""
    place: Workplace = workplace(tmp_path, deliver_to=outbox(tmp_path))
    done = pipeline.run(place, contoso(place), silent)
    told = "\n".join(tell(done, place.runs))
    for part in (
        f"Run {done.run} of Contoso (contoso.example), number 1: complete",
        "001 Holder.xml/LoadHolder -> #Holder: 3 rows",
        "package delivered:",
        f"now still at {tmp_path / 'Outbox' / f'{done.run}.zip'}",
        "beacon-bridge alone reads a bridge-1 package",
        "Next: nothing: the package was delivered",
    ):
        assert part in told
