"""Files that appear whole, and renames that survive a virus scanner."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import IO, Any

import tenacity

WINDOWS = sys.platform == "win32"

_SHARING_VIOLATIONS = {5, 32, 33}  # ERROR_ACCESS_DENIED, _SHARING_VIOLATION, _LOCK_VIOLATION


def _is_sharing_violation(error: BaseException) -> bool:
    return isinstance(error, OSError) and getattr(error, "winerror", None) in _SHARING_VIOLATIONS


@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_sharing_violation),
    stop=tenacity.stop_after_delay(2),
    wait=tenacity.wait_fixed(0.05),
    reraise=True,
)
def replace(source: Path, target: Path) -> None:
    """Move a file to its place on the same volume; a sharing violation is retried for two seconds."""
    source.replace(target)
    flush_folder(target.parent)


def is_broken_pipe(error: OSError) -> bool:
    """Return whether a write failed because nobody reads the pipe any more; Windows says EINVAL."""
    return isinstance(error, BrokenPipeError) or (WINDOWS and error.errno == errno.EINVAL)


def flush(file: IO[Any]) -> None:
    """Bring a file's bytes to the disk."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the operating system wants to be asked."""
    if WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(content)
        flush(file)
    replace(part, path)


def free_bytes(folder: Path) -> int:
    """Return the free space of the volume that holds the folder, or its nearest parent that exists.

    OSError if there is none: a drive that is not there.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
