"""Where a command writes its HTML page."""

from __future__ import annotations

from pathlib import Path

from bridge.desk import Desk
from bridge.errors import SettingsError


def write(desk: Desk, file: Path, page: str) -> None:
    """Write a page whole, or raise SettingsError."""
    from bridge import system

    try:
        system.write_whole(file, page.encode())
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror or error}.",
            hint="Name a file in a folder that is there and that this account may write to.",
        ) from error
    desk.tell(f"page: {file}")
