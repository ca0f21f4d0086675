"""Where a command writes a file that somebody named: its HTML page, its CSV."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bridge.desk import Desk
from bridge.errors import SettingsError


def write(desk: Desk, file: Path, page: str) -> None:
    """Write a page whole, or raise SettingsError."""
    from bridge import system

    with _named(file):
        system.write_whole(file, page.encode())
    desk.tell(f"page: {file}")


def write_csv(desk: Desk, file: Path, written: Callable[[IO[str]], None]) -> None:
    """Write CSV whole, as it is made, or raise SettingsError: UTF-8 that says so, as spreadsheets want it."""
    from bridge import system

    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    with _named(file):
        try:
            with part.open("w", encoding="utf-8-sig", newline="") as out:
                written(out)
                system.flush(out)
            system.replace(part, file)
        finally:
            part.unlink(missing_ok=True)
    desk.tell(f"csv: {file}")


@contextmanager
def _named(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror or error}.",
            hint="Name a file in a folder that is there and that this account may write to.",
        ) from error
