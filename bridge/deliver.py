"""A sealed package to its destination folder, once, and what became of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path

from bridge import system
from bridge.errors import DeliveryError
from bridge.model import Origin, Receipt
from bridge.package.layout import BRIDGE_1
from bridge.runs.record import PackageLine, Run
from bridge.runs.store import DELIVERED, READY, REFUSED, Runs

Keep = Callable[[Receipt], None]


def send(package: Path, line: PackageLine, folder: Path, receipt: Receipt, keep: Keep) -> Receipt:
    """Copy the package to ``<RUN>.zip.part``, read it back, then rename; ``keep`` stores each receipt.

    Returns the receipt of the placed package. Raises DeliveryError; the package is untouched then.
    """
    target = folder / line.file
    part = target.with_name(target.name + ".part")
    try:
        _refuse_other(target, line)
        with package.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)
            system.flush(copy)
        if (found := sha256_of(part)) != line.sha256:
            raise DeliveryError(f"What {part} holds is not what was written: its SHA-256 is {found}.")
        placing = replace(receipt, state="placing", moment=system.now())
        keep(placing)
        system.replace(part, target)
    except OSError as error:
        raise DeliveryError(f"{target} cannot be written: {error.strerror or error}.") from error
    placed = replace(placing, state="placed", moment=system.now())
    keep(placed)
    return placed


def _refuse_other(target: Path, line: PackageLine) -> None:
    if target.exists() and sha256_of(target) != line.sha256:
        raise DeliveryError(
            f"{target} exists and is another file.", hint=f"Look at {target.name} and move it away."
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def whereabouts(receipt: Receipt) -> str:
    """Return what became of a placed package: still there, moved and where, or gone.

    It is looked for by its hash at its target and in every file one level below.
    """
    target = receipt.target
    if target.exists() and sha256_of(target) == receipt.sha256:
        return f"still at {target}"
    candidates = [*target.parent.glob("*.zip"), *target.parent.glob("*/*.zip")]
    for path in candidates:
        if path.is_file() and sha256_of(path) == receipt.sha256:
            return f"moved to {path}"
    return f"gone from {target.parent}: taken, moved further away, or deleted"


# --- which package may be sent ---


def refuse_folder(folder: Path | None, data_root: Path | None, connection: str) -> Path:
    """Return the destination, or raise DeliveryError that says why it is none."""
    if folder is None:
        raise DeliveryError(
            f"The connection {connection} has no deliver_to.",
            hint=f'Add deliver_to to [connections."{connection}"], or take the package from ready/.',
            retryable=False,
        )
    if data_root is not None and _is_below(folder, data_root):
        raise DeliveryError(
            f"{folder} lies below the beacon's own folder {data_root}, whose uploader watches it and reads a "
            f"format that is not public. {BRIDGE_1.readers}",
            hint="Set deliver_to to a folder of your own.",
            retryable=False,
        )
    if not folder.is_dir():
        raise DeliveryError(f"The destination {folder} is no folder that can be reached.")
    return folder


def _is_below(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve())


def refuse_run(run: Run, runs: Runs, *, again: bool, accept_by_hand: bool) -> None:
    """Raise DeliveryError unless this run's package may be sent now."""
    place = runs.place(run)
    if run.package is None or place == "-":
        raise DeliveryError(
            f"The run {run.run} has no package.", hint=f"beacon-bridge convert {run.run}", retryable=False
        )
    if place == REFUSED:
        raise DeliveryError(
            f"The package of {run.run} was refused: {run.refused or 'it did not verify'}.",
            hint=f"Make a new run: beacon-bridge run {run.connection!r}",
            retryable=False,
        )
    if run.origin is Origin.BY_HAND and not accept_by_hand:
        raise DeliveryError(
            f"The package of {run.run} was made by hand; nothing proves where its rows come from.",
            hint=f"beacon-bridge deliver {run.run} --accept-by-hand",
            retryable=False,
        )
    if not again:
        _refuse_second(run, place)


def _refuse_second(run: Run, place: str) -> None:
    if place == DELIVERED:
        raise DeliveryError(
            f"The package of {run.run} was delivered to {run.receipts[-1].target} already.",
            hint=f'Send it again with: beacon-bridge deliver {run.run} --again --reason "WHY"',
            retryable=False,
        )
    last = run.receipts[-1] if run.receipts else None
    if last and last.state == "placing" and not _can_go_on(last):
        raise DeliveryError(
            f"The package of {run.run} was being placed at {last.target} and is not there: "
            "it may have been taken.",
            hint=f"Look at the destination, then: beacon-bridge deliver {run.run} --again --reason WHY",
            retryable=False,
        )


def _can_go_on(receipt: Receipt) -> bool:
    """Return whether an interrupted delivery left its file, or its part, at the target."""
    part = receipt.target.with_name(receipt.target.name + ".part")
    return receipt.target.exists() or part.exists()


def newer_delivered(run: Run, runs: Runs) -> tuple[str, ...]:
    """Return the newer runs of the same connection whose packages were delivered already."""
    return tuple(
        other.run
        for other in runs.all()
        if other.connection == run.connection
        and other.number > run.number
        and any(receipt.state == "placed" for receipt in other.receipts)
    )


def supersede(runs: Runs, waiting: tuple[Run, ...]) -> Run:
    """Move all waiting packages but the newest to refused/ and return the newest run."""
    *older, newest = waiting
    for run in older:
        runs.save(replace(run, refused=f"superseded by {newest.run}"))
        runs.move_package(run, READY, REFUSED)
    return newest


def deliver(
    run: Run, runs: Runs, folder: Path, *, again: bool = False, reason: str = "", undoes: tuple[str, ...] = ()
) -> Run:
    """Send the run's package and return its record; the caller has asked `refuse_run`.

    A delivery that was cut off after its file was placed is finished, not repeated.
    """
    package, line = runs.package(run), run.package
    if package is None or line is None:
        raise DeliveryError(f"The run {run.run} has no package.", retryable=False)
    current = run

    def keep(receipt: Receipt) -> None:
        nonlocal current
        current = replace(current, receipts=(*current.receipts, receipt))
        runs.save(current)

    if again or not _was_placed(run):
        target = folder / line.file
        receipt = Receipt("placing", target, line.sha256, system.now(), reason, undoes)
        send(package, line, folder, receipt, keep)
    elif run.receipts[-1].state == "placing":
        keep(replace(run.receipts[-1], state="placed", moment=system.now()))
    if runs.place(run) == READY:
        runs.move_package(run, READY, DELIVERED)
    current = replace(
        current, error=None if current.error and current.error.stage == "deliver" else current.error
    )
    runs.save(current)
    return current


def _was_placed(run: Run) -> bool:
    """Return whether the last delivery got as far as the file at its target."""
    if not run.receipts:
        return False
    last = run.receipts[-1]
    if last.state == "placed":
        return True
    return last.target.exists() and sha256_of(last.target) == last.sha256
