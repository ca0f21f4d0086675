"""Delivery: once, whole, the newest only, and never into the beacon's own folders."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from bridge import deliver, pipeline, system
from bridge.beacon import Beacon
from bridge.errors import DeliveryError, PackageError
from bridge.model import Origin, Receipt, State
from bridge.runs.record import Run
from bridge.runs.store import DELIVERED, READY, REFUSED
from bridge.show.story import next_command, tell
from bridge.workplace import Workplace
from tests.disks import mounted, remount
from tests.engines import RowsEngine, contoso, silent, workplace


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """The destination."""
    folder = tmp_path / "Outbox"
    folder.mkdir()
    return folder


@pytest.fixture
def place(tmp_path: Path, outbox: Path) -> Workplace:
    """A workplace that delivers to the destination."""
    return workplace(tmp_path, deliver_to=outbox)


def make(place: Workplace) -> Run:
    """Make a package that waits."""
    collected = pipeline.collect(place, contoso(place), silent)
    return pipeline.convert(place, collected, silent)


def send(place: Workplace, run: Run, **more: object) -> Run:
    """Deliver a run."""
    return pipeline.deliver_run(place, run, silent, **more)  # type: ignore[arg-type]  # options by name


def test_a_package_is_placed_and_ours_moves(place: Workplace, outbox: Path) -> None:
    """The copy equals the package, no part is left, and two receipts say when."""
    run = send(place, make(place))
    target = outbox / f"{run.run}.zip"
    assert [path.name for path in outbox.iterdir()] == [target.name]
    assert run.package
    assert deliver.sha256_of(target) == run.package.sha256
    assert place.runs.place(run) == DELIVERED
    assert [(one.state, one.target, one.sha256) for one in run.receipts] == [
        ("placing", target, run.package.sha256),
        ("placed", target, run.package.sha256),
    ]
    assert place.runs.load(run.run) == run


def test_a_package_is_delivered_once(place: Workplace, outbox: Path) -> None:
    """A second delivery is refused and names the command that would send it again."""
    run = send(place, make(place))
    next(outbox.iterdir()).unlink()
    with pytest.raises(DeliveryError, match="was delivered to .* already") as caught:  # noqa: RUF043  # a pattern
        send(place, run)
    assert caught.value.hint.endswith(f'beacon-bridge deliver {run.run} --again --reason "WHY"')
    assert list(outbox.iterdir()) == []


def test_again_sends_it_and_records_why_and_what_it_undoes(place: Workplace, outbox: Path) -> None:
    """--again names the newer package that it undoes, on the screen, in the log and in the receipt."""
    first, second = send(place, make(place)), send(place, make(place))
    said: list[str] = []
    again = pipeline.deliver_run(
        place, first, lambda talk: said.append(talk.text), again=True, reason="restored"
    )
    last = again.receipts[-1]
    assert (last.state, last.reason, last.undoes) == ("placed", "restored", (second.run,))
    assert f"This undoes what was delivered later: {second.run}." in said
    assert second.run in (place.runs.path(first.run) / "log.txt").read_text("utf-8")
    assert any(f"because: restored, undoing {second.run}" in line for line in tell(again, place.runs))
    assert len(list(outbox.iterdir())) == 2


# --- the newest only ---


def test_only_the_newest_waiting_package_is_sent(place: Workplace, outbox: Path) -> None:
    """Older waiting packages are superseded: they go to refused/ and say by which run."""
    older, newest = make(place), make(place)
    sent = pipeline.deliver_waiting(place, contoso(place), silent)
    assert sent
    assert sent.run == newest.run
    old = place.runs.load(older.run)
    assert (place.runs.place(old), old.refused) == (REFUSED, f"superseded by {newest.run}")
    assert next_command(old, place.runs) == f"nothing: superseded by {newest.run}"
    assert len(list(outbox.iterdir())) == 1
    assert pipeline.deliver_waiting(place, contoso(place), silent) is None


def test_an_older_package_is_refused_while_a_newer_one_waits(place: Workplace, outbox: Path) -> None:
    """Naming the older run sends nothing and names the newer one."""
    older, newest = make(place), make(place)
    with pytest.raises(DeliveryError, match="only the newest is sent") as caught:
        send(place, older)
    assert caught.value.hint == f"beacon-bridge deliver {newest.run}"
    assert (place.runs.place(older), list(outbox.iterdir())) == (READY, [])


def test_an_older_package_is_refused_after_a_newer_one_went_out(place: Workplace) -> None:
    """A superseded package that is made again would undo the newer one, so it wants --again."""
    older, newest = make(place), make(place)
    send(place, newest)
    again = pipeline.convert(place, older, silent)
    assert place.runs.place(again) == READY
    with pytest.raises(DeliveryError, match="this one would undo it"):
        send(place, again)
    assert send(place, again, again=True, reason="wanted").receipts[-1].undoes == (newest.run,)


def test_a_superseded_package_is_not_sent(place: Workplace) -> None:
    """What lies in refused/ stays there, and the error says why."""
    older, newest = make(place), make(place)
    send(place, newest)
    with pytest.raises(DeliveryError, match=f"was refused: superseded by {newest.run}"):
        send(place, older)


def test_a_package_made_by_hand_wants_to_be_accepted(tmp_path: Path, place: Workplace, outbox: Path) -> None:
    """deliver wants --accept-by-hand, and --waiting leaves such a package alone."""
    capture = place.runs.path(make(place).run) / "capture" / "001.xml"
    files = {"LoadHolder": capture}
    by_hand = pipeline.convert_by_hand(place, contoso(place), contoso(place).reader, files, silent)
    assert by_hand.origin is Origin.BY_HAND
    with pytest.raises(DeliveryError, match="was made by hand") as caught:
        send(place, by_hand)
    assert caught.value.hint == f"beacon-bridge deliver {by_hand.run} --accept-by-hand"
    assert pipeline.deliver_waiting(place, contoso(place), silent)
    assert place.runs.place(by_hand) == READY
    assert send(place, by_hand, accept_by_hand=True).receipts[-1].state == "placed"
    assert len(list(outbox.iterdir())) == 2


# --- placing without a file ---


def placing(place: Workplace, run: Run, outbox: Path) -> Run:
    """Leave a run as a delivery that was killed after its receipt ``placing``."""
    assert run.package
    receipt = Receipt("placing", outbox / run.package.file, run.package.sha256, system.now())
    cut = Run(**{**{name: getattr(run, name) for name in run.__dataclass_fields__}, "receipts": (receipt,)})
    place.runs.save(cut)
    return cut


def test_placing_without_a_file_asks_to_look(place: Workplace, outbox: Path) -> None:
    """The file may have been taken: nothing is sent until somebody has looked and says --again."""
    run = placing(place, make(place), outbox)
    with pytest.raises(DeliveryError, match="it may have been taken") as caught:
        send(place, run)
    assert "Look at the destination, then" in caught.value.hint
    assert list(outbox.iterdir()) == []
    now = place.runs.load(run.run)
    assert next_command(now, place.runs) == f'beacon-bridge deliver {run.run} --again --reason "WHY"'
    assert send(place, now, again=True, reason="looked").receipts[-1].state == "placed"


def test_placing_with_its_part_goes_on(place: Workplace, outbox: Path) -> None:
    """A part that is still there was never renamed: the delivery is done again without a question."""
    run = placing(place, make(place), outbox)
    (outbox / f"{run.run}.zip.part").write_bytes(b"half")
    assert [one.state for one in send(place, run).receipts] == ["placing", "placing", "placed"]
    assert [path.name for path in outbox.iterdir()] == [f"{run.run}.zip"]


# --- destinations ---


def test_a_connection_without_deliver_to(tmp_path: Path) -> None:
    """deliver without a destination says which key to add; --waiting passes over it."""
    place = workplace(tmp_path)
    run = make(place)
    with pytest.raises(DeliveryError, match="has no deliver_to"):
        send(place, run)
    assert pipeline.deliver_waiting(place, contoso(place), silent) is None


def test_a_record_does_not_grow_with_each_attempt(tmp_path: Path) -> None:
    """The same refusal again takes the place of the one before; another one stands beside it."""
    place = workplace(tmp_path, deliver_to=tmp_path / "gone")
    run = make(workplace(tmp_path))
    for _ in range(5):
        with pytest.raises(DeliveryError):
            pipeline.deliver_waiting(place, contoso(place), silent)
    assert [stage.name for stage in place.runs.load(run.run).stages] == ["collect", "convert", "deliver"]
    elsewhere = workplace(tmp_path, deliver_to=tmp_path / "gone too")
    with pytest.raises(DeliveryError):
        pipeline.deliver_waiting(elsewhere, contoso(elsewhere), silent)
    assert [stage.name for stage in place.runs.load(run.run).stages][2:] == ["deliver"] * 2


def test_a_destination_that_is_not_there(tmp_path: Path) -> None:
    """A share that cannot be reached leaves the package in ready/, and a retry can help."""
    place = workplace(tmp_path, deliver_to=tmp_path / "gone")
    with pytest.raises(DeliveryError, match="no folder that can be reached") as caught:
        pipeline.run(place, contoso(place), silent)
    assert caught.value.retryable
    run = place.runs.load("last:Contoso")
    assert caught.value.hint == f"Mend the destination, then `beacon-bridge deliver {run.run}`."
    assert run.error
    assert (run.error.stage, run.error.hint) == ("deliver", caught.value.hint)
    assert (run.state, next_command(run, place.runs)) == (State.COMPLETE, f"beacon-bridge deliver {run.run}")


Name = Callable[[Path], Path]
BELOW: dict[str, Name] = {
    "as it is": lambda root: root / "Beacon" / "IntermediateData",
    "the root itself": lambda root: root,
    "through ..": lambda root: root / "Beacon" / ".." / "Beacon" / "IntermediateData",
    "in capitals": lambda root: Path(str(root).upper()) / "BEACON" / "INTERMEDIATEDATA",
    "a folder that is not there yet": lambda root: root / "Beacon" / "IntermediateData" / "new",
    "through a link": lambda root: link(root.parent / "innocent", root / "Beacon"),
    "its ImportProcedures elsewhere": lambda root: root.parent / "Procedures" / "Inventory",
    "its overrides elsewhere": lambda root: root.parent / "Custom" / "Reader",
}


def link(name: Path, target: Path) -> Path:
    """Make a symbolic link and return a path that goes through it."""
    try:
        name.symlink_to(target)
    except OSError:
        pytest.skip("this account may not make symbolic links")
    return name / "IntermediateData"


@pytest.mark.parametrize("name", BELOW.values(), ids=BELOW.keys())
def test_a_folder_of_the_beacon_is_refused(tmp_path: Path, name: Name) -> None:
    """However it is called, a folder below the beacon's data root takes no bridge-1 package."""
    root = tmp_path / "Flexera Software"
    (root / "Beacon" / "IntermediateData").mkdir(parents=True)
    beacon = Beacon(root, tmp_path / "Procedures", tmp_path / "Custom", "test")
    place = workplace(tmp_path, beacon=beacon, deliver_to=name(root))
    with pytest.raises(DeliveryError, match="a format that is not public") as caught:
        pipeline.run(place, contoso(place), silent)
    assert "no Flexera uploader is known to accept it" in str(caught.value)
    assert caught.value.hint == "Set deliver_to to a folder of your own."
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_a_folder_beside_the_beacon_is_accepted(tmp_path: Path) -> None:
    """A name that merely begins like the data root is no part of it."""
    root = tmp_path / "Flexera Software"
    root.mkdir()
    (tmp_path / "Flexera Software 2").mkdir()
    beacon = Beacon(root, root / "Procedures", tmp_path / "none", "test")
    place = workplace(tmp_path, beacon=beacon, deliver_to=tmp_path / "Flexera Software 2")
    assert place.runs.place(pipeline.run(place, contoso(place), silent)) == DELIVERED


def test_another_file_of_that_name_is_not_overwritten(place: Workplace, outbox: Path) -> None:
    """What is not ours is left alone and named."""
    run = make(place)
    (outbox / f"{run.run}.zip").write_bytes(b"somebody else's")
    with pytest.raises(DeliveryError, match="exists and is another file") as caught:
        send(place, run)
    assert f"beacon-bridge deliver {run.run}" in caught.value.hint
    assert (outbox / f"{run.run}.zip").read_bytes() == b"somebody else's"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_destination_that_is_full(place: Workplace, outbox: Path) -> None:
    """The package waits, no part is left, the run says why, and once there is room it is sent."""
    run = make(place)
    (outbox / f"{run.run}.zip.part").symlink_to("/dev/full")
    with pytest.raises(DeliveryError, match="cannot be written: No space left on device"):
        send(place, run)
    now = place.runs.load(run.run)
    assert (place.runs.place(now), now.receipts, list(outbox.iterdir())) == (READY, (), [])
    assert now.error
    assert now.error.stage == "deliver"
    sent = send(place, now)
    assert (sent.error, place.runs.place(sent)) == (None, DELIVERED)
    assert [stage.outcome for stage in sent.stages if stage.name == "deliver"] == ["failed", "complete"]


def test_a_read_only_destination(place: Workplace, outbox: Path) -> None:
    """A destination that takes nothing leaves the package in ready/."""
    run = make(place)
    with mounted(outbox, "ro"), pytest.raises(DeliveryError, match="Read-only file system"):
        send(place, run)
    assert place.runs.place(run) == READY


def test_a_small_destination_that_fills(tmp_path: Path, outbox: Path) -> None:
    """A disk that fills half way keeps no half package, and takes the whole one when it has room."""
    rows = [(str(number), f"{sha256(b'%d' % number).hexdigest()}@example.org") for number in range(5000)]
    place = workplace(tmp_path, RowsEngine(rows), deliver_to=outbox)
    run = make(place)
    with mounted(outbox, "size=64k"):
        with pytest.raises(DeliveryError, match="No space left on device"):
            send(place, run)
        assert list(outbox.iterdir()) == []
        remount(outbox, "size=8m")
        assert send(place, run).receipts[-1].state == "placed"


def test_a_destination_whose_file_is_a_folder(place: Workplace, outbox: Path) -> None:
    """A target that cannot be written, whatever the reason, is a DeliveryError."""
    run = make(place)
    (outbox / f"{run.run}.zip.part").mkdir()
    with pytest.raises(DeliveryError, match="cannot be written"):
        send(place, run)
    assert place.runs.place(run) == READY


def test_a_damaged_package_is_not_sent(place: Workplace, outbox: Path) -> None:
    """What is read back is compared with the record: a byte that rotted in ready/ sends it to refused/."""
    run = make(place)
    path = place.runs.package(run) or outbox
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    with pytest.raises(PackageError, match="has changed since it was sealed"):
        send(place, run)
    assert (place.runs.place(run), list(outbox.iterdir())) == (REFUSED, [])


# --- what became of it ---


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (lambda file: file, "still at {folder}/{name}"),
        (lambda file: file.rename(file.parent / "done" / file.name), "moved to {folder}/done/{name}"),
        (lambda file: file.rename(file.parent / "done" / "taken.bin"), "moved to {folder}/done/taken.bin"),
        (lambda file: file.rename(file.parent / "renamed.zip"), "moved to {folder}/renamed.zip"),
        (lambda file: file.rename(file.parent / "done" / "deep" / file.name), "gone from {folder}"),
        (lambda file: file.unlink(), "gone from {folder}"),
        (lambda file: file.write_bytes(b"x" * file.stat().st_size), "gone from {folder}"),
    ],
)
def test_show_finds_a_delivered_package(
    place: Workplace, outbox: Path, move: Callable[[Path], object], expected: str
) -> None:
    """By its hash, at its target and one level below: still there, moved and where, or gone."""
    run = send(place, make(place))
    (outbox / "done" / "deep").mkdir(parents=True)
    file = outbox / f"{run.run}.zip"
    move(file)
    told = "\n".join(tell(run, place.runs))
    assert f"now {expected.format(folder=outbox, name=file.name)}" in told


# --- renames on Windows ---


class Held(type(Path())):  # type: ignore[misc]  # the concrete class of this operating system
    """A file that another process holds open for a number of tries."""

    tries = 0
    held_for = 3
    code = 32

    def replace(self, target: str | os.PathLike[str]) -> Path:
        """Fail as Windows does, then rename."""
        type(self).tries += 1
        if type(self).tries <= self.held_for:
            error = PermissionError(errno.EACCES, "used by another process")
            error.__dict__["winerror"] = self.code
            raise error
        return Path(super().replace(target))


@pytest.mark.parametrize("code", [5, 32, 33])
def test_a_rename_waits_for_who_holds_the_file(tmp_path: Path, code: int) -> None:
    """A sharing violation, as a virus scanner causes it, is tried again."""
    held = type("HeldThreeTimes", (Held,), {"tries": 0, "code": code})(tmp_path / "a")
    held.write_bytes(b"x")
    system.replace(held, tmp_path / "b")
    assert (type(held).tries, (tmp_path / "b").read_bytes()) == (4, b"x")


def test_a_rename_gives_up_after_two_seconds(tmp_path: Path) -> None:
    """Who holds the file for longer is reported by the system's own error."""
    held = type("HeldForGood", (Held,), {"tries": 0, "held_for": 10**6})(tmp_path / "a")
    held.write_bytes(b"x")
    begun = system.stopwatch()
    with pytest.raises(PermissionError):
        system.replace(held, tmp_path / "b")
    assert 1.5 < system.stopwatch() - begun < 10
    assert type(held).tries > 10


def test_another_error_is_not_tried_again(tmp_path: Path) -> None:
    """A missing file does not come back by waiting."""
    held = type("Missing", (Held,), {"tries": 0, "held_for": 0})(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        system.replace(held, tmp_path / "b")
    assert type(held).tries == 1


def test_who_reads_the_package_is_told(tmp_path: Path) -> None:
    """The layout says of itself that no Flexera uploader is known to accept it."""
    place = workplace(tmp_path, RowsEngine())
    assert "beacon-bridge alone reads" in "\n".join(tell(make(place), place.runs))
