"""Real disks in memory that are small or read-only, where the tests may mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a disk in memory on an empty folder; the test is skipped where that is not allowed."""
    if os.name == "nt" or shutil.which("mount") is None:
        pytest.skip("there is no mount here")
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted disk, for instance to a larger one."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
