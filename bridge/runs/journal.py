"""The program's own log, ``<state>/logs/beacon-bridge.log``: a line for each stage and each failure."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from bridge import system
from bridge.errors import BridgeError
from bridge.runs.store import kept

MOST_BYTES = 5 * 1024 * 1024
OLDER_FILES = 4

log = logging.getLogger(__name__)


class _File(RotatingFileHandler):
    """A log that never fails a run: not by a full disk, and not by a second process that holds the file."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the standard library's name
        """Lose the line."""

    def rotate(self, source: str, dest: str) -> None:
        """Rename the file, or go on with it while another process holds it."""
        with suppress(OSError):
            super().rotate(source, dest)


@contextmanager
def journal(state: Path) -> Iterator[None]:
    """Keep the program's log while the body runs; its failure is the last line."""
    with kept():
        for folder in (state, state / "logs"):
            system.make_private_folder(folder)
        file = _File(
            state / "logs" / "beacon-bridge.log",
            maxBytes=MOST_BYTES,
            backupCount=OLDER_FILES,
            encoding="utf-8",
            errors="backslashreplace",
        )
    form = logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    file.setFormatter(form)
    program = logging.getLogger("bridge")  # ours alone: what libraries log may hold a token
    level = program.level
    program.setLevel(logging.INFO)
    program.addHandler(file)
    try:
        yield
    except BridgeError as error:
        log.error("%s: %s", type(error).__name__, " ".join(str(error).split()))
        raise
    except KeyboardInterrupt:
        log.error("interrupted")
        raise
    finally:
        program.removeHandler(file)
        program.setLevel(level)
        with suppress(OSError):
            file.close()
