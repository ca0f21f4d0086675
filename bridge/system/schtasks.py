"""schtasks.exe, the program that registers tasks with the Windows Task Scheduler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_STDERR = 2  # the descriptor: standard output is for results


@dataclass(frozen=True, slots=True)
class Done:
    """How schtasks ended, and what it said; with the terminal in its hands it says it there."""

    code: int
    said: str = ""


@dataclass(frozen=True, slots=True)
class Schtasks:
    """Runs the system's own schtasks; a password goes from the terminal to it, never through us."""

    executable: Path

    def __call__(self, arguments: Sequence[str], *, asks: bool) -> Done:
        """Run it to its end; with ``asks`` it has the terminal and talks on standard error, as we do."""
        words = [str(self.executable), *arguments]
        if asks:
            return Done(subprocess.run(words, stdout=_STDERR, check=False).returncode)
        encoding = "oem" if sys.platform == "win32" else "utf-8"
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding=encoding,
            errors="replace",
            check=False,
        )
        return Done(done.returncode, done.stdout)
