"""A sealed package to its destination folder, once, and what became of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path

from bridge import system
from bridge.errors import DeliveryError, PackageError
from bridge.model import Origin, Receipt
from bridge.package.layout import BRIDGE_1
from bridge.runs.record import PackageLine, Run, last_delivered
from bridge.runs.store import DELIVERED, READY, REFUSED, Runs

Keep = Callable[[Receipt], None]


def send(package: Path, line: PackageLine, folder: Path, receipt: Receipt, keep: Keep) -> None:
    """Copy the package to ``<RUN>.zip.part``, read it back, then rename; ``keep`` stores each receipt.

    Raises DeliveryError, and PackageError when the package is not what was sealed; it is untouched then.
    """
    target = folder / line.file
    part = target.with_name(target.name + ".part")
    try:
        _refuse_other(target, line)
        _copy(package, part, line)
        placing = replace(receipt, state="placing", target=target, moment=system.now())
        keep(placing)
        system.replace(part, target)
    except OSError as error:
        raise DeliveryError(f"{target} cannot be written: {error.strerror or error}.") from error
    keep(replace(placing, state="placed", moment=system.now()))


def _refuse_other(target: Path, line: PackageLine) -> None:
    if target.exists() and sha256_of(target) != line.sha256:
        raise DeliveryError(
            f"{target} exists and is another file.",
            hint=f"Look at {target.name}, move it away, then `beacon-bridge deliver RUN`.",
        )


def _copy(package: Path, part: Path, line: PackageLine) -> None:
    """Write the part and read it back; a part that is not whole is removed."""
    try:
        with package.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)
            system.flush(copy)
        found = sha256_of(part)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if found != line.sha256:
        part.unlink()
        if sha256_of(package) != line.sha256:
            raise PackageError(f"{package} has changed since it was sealed.")
        raise DeliveryError(f"What {part} held is not what was written: its SHA-256 was {found}.")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def whereabouts(receipt: Receipt, size: int) -> str:
    """Return what became of a delivered package of that size: still there, moved and where, or gone.

    It is looked for by its hash, whatever its name, in its destination and one level below.
    """
    folder = receipt.target.parent
    try:
        for path in (receipt.target, *folder.glob("*"), *folder.glob("*/*")):
            if path.is_file() and path.stat().st_size == size and sha256_of(path) == receipt.sha256:
                return f"still at {path}" if path == receipt.target else f"moved to {path}"
    except OSError as error:
        return f"not to be told: {folder} cannot be read: {error.strerror or error}"
    return f"gone from {folder}: taken, moved further away, or deleted"


# --- where a package may go ---


def refuse_folder(folder: Path | None, beacon_folders: Sequence[Path], connection: str) -> Path:
    """Return the destination, or raise DeliveryError that says why it is none."""
    if folder is None:
        raise DeliveryError(
            f"The connection {connection} has no deliver_to.",
            hint=f'Add deliver_to to [connections."{connection}"], or take the package from ready/.',
            retryable=False,
        )
    try:
        reachable = folder.is_dir()
        root = next((root for root in beacon_folders if _is_below(folder, root)), None)
    except OSError as error:
        raise DeliveryError(
            f"The destination {folder} cannot be reached: {error.strerror or error}."
        ) from error
    if root is not None:
        raise DeliveryError(
            f"{folder} lies below the beacon's own folder {root}, whose uploader watches it and reads a "
            f"format that is not public. {BRIDGE_1.readers}",
            hint="Set deliver_to to a folder of your own.",
            retryable=False,
        )
    if not reachable:
        raise DeliveryError(f"The destination {folder} is no folder that can be reached.")
    return folder


def _is_below(folder: Path, root: Path) -> bool:
    """Return whether a folder is another or lies below it, by whatever name, link or case it is called."""
    real, real_root = folder.resolve(), root.resolve()
    parts, root_parts = ([part.casefold() for part in path.parts] for path in (real, real_root))
    if parts[: len(root_parts)] == root_parts:
        return True
    above = (path for path in (real, *real.parents) if path.exists())
    return real_root.exists() and any(path.samefile(real_root) for path in above)


# --- which package may be sent ---


def refuse_retired(saas_management: str, *, anyway: bool) -> None:
    """Raise DeliveryError where SaaS Management is in use, unless ``anyway``."""
    if saas_management == "yes" and not anyway:
        raise DeliveryError(
            "Flexera SaaS Management is in use and retires these licences: the package is not delivered.",
            hint="If that is wanted: beacon-bridge deliver RUN --anyway",
            retryable=False,
        )


def refuse_run(run: Run, runs: Runs, *, again: bool, accept_by_hand: bool) -> None:
    """Raise DeliveryError unless this run's package may be sent now."""
    place = runs.place(run)
    if run.package is None or place == "-":
        raise DeliveryError(
            f"The run {run.run} has no package.",
            hint=run.command_for_a_package,
            retryable=False,
        )
    if place == REFUSED:
        raise DeliveryError(
            f"The package of {run.run} was refused: {run.refused or 'it did not verify'}.",
            hint=f'Make a new run: beacon-bridge run "{run.connection}"',
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
        refuse_older(run, runs)


def _refuse_second(run: Run, place: str) -> None:
    if place == DELIVERED:
        where = f" to {run.receipts[-1].target}" if run.receipts else ""
        raise DeliveryError(
            f"The package of {run.run} was delivered{where} already.",
            hint=f'Send it again with: beacon-bridge deliver {run.run} --again --reason "WHY"',
            retryable=False,
        )


def refuse_older(run: Run, runs: Runs) -> None:
    """Raise DeliveryError while a newer package waits, or after a newer one went out."""
    newest = runs.newest_waiting(run.connection)
    if newest and newest.number > run.number:
        raise DeliveryError(
            f"A newer package of {run.connection} waits, {newest.run}; only the newest is sent.",
            hint=f"beacon-bridge deliver {newest.run}",
            retryable=False,
        )
    if newer := newer_delivered(run, runs):
        raise DeliveryError(
            f"A newer package of {run.connection} was delivered, {newer[-1]}; this one would undo it.",
            hint=f'If that is wanted: beacon-bridge deliver {run.run} --again --reason "WHY"',
            retryable=False,
        )


def refuse_lost(run: Run) -> None:
    """Raise DeliveryError if a delivery was cut off while it renamed, and its file is not there."""
    if is_lost(run):
        raise DeliveryError(
            f"The package of {run.run} was being placed at {run.receipts[-1].target} and is not there: "
            "it may have been taken.",
            hint=f'Look at the destination, then: beacon-bridge deliver {run.run} --again --reason "WHY"',
            retryable=False,
        )


def is_lost(run: Run) -> bool:
    """Return whether the last delivery was cut off while it renamed, and left neither file nor part."""
    last = run.receipts[-1] if run.receipts else None
    if last is None or last.state == "placed":
        return False
    part = last.target.with_name(last.target.name + ".part")  # still there: it was not renamed
    return not last.target.exists() and not part.exists()


def newer_delivered(run: Run, runs: Runs) -> tuple[str, ...]:
    """Return the newer runs of the same connection whose packages were delivered already."""
    return tuple(
        other.run
        for other in runs.all()
        if other.connection == run.connection and other.number > run.number and other.delivered
    )


def delivered_before(run: Run, runs: Runs) -> Run | None:
    """Return which of the runs before this one, of its connection and reader folder, was delivered last."""
    return last_delivered(
        other
        for other in runs.all()
        if (other.connection, other.reader.name, other.reader.owner)
        == (run.connection, run.reader.name, run.reader.owner)
        and other.number < run.number
    )


def supersede(runs: Runs, run: Run) -> None:
    """Move every older waiting package of the run's connection to refused/."""
    for older in runs.waiting(run.connection):
        if older.number < run.number:
            runs.refuse(older, READY, f"superseded by {run.run}")


# --- delivering ---


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

    if again or not _was_placed(run, line):
        receipt = Receipt("placing", folder / line.file, line.sha256, system.now(), reason, undoes)
        send(package, line, folder, receipt, keep)
    elif run.receipts[-1].state == "placing":
        keep(replace(run.receipts[-1], state="placed", moment=system.now()))
    if runs.place(run) == READY:
        runs.move_package(run, READY, DELIVERED)
    if current.error and current.error.stage == "deliver":
        current = replace(current, error=None)
        runs.save(current)
    return current


def _was_placed(run: Run, line: PackageLine) -> bool:
    """Return whether the last delivery got as far as this package's file at its target."""
    last = run.receipts[-1] if run.receipts else None
    if last is None or last.sha256 != line.sha256:
        return False
    return last.state == "placed" or (last.target.exists() and sha256_of(last.target) == last.sha256)
