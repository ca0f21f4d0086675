"""Where this operating system keeps things, and how long a path may be."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from bridge.system.files import WINDOWS


def path_length_limit() -> int | None:
    """Return how many characters a path may have for Windows PowerShell 5.1; None: no such limit here."""
    return 240 if WINDOWS else None


def default_state() -> Path:
    """Return where state lies by default: ProgramData, elsewhere the user's state folder."""
    if WINDOWS:
        return program_data() / "beacon-bridge"
    return platformdirs.user_state_path("beacon-bridge")


def program_data() -> Path:
    """Return the known folder ProgramData; elsewhere the folder that comes nearest."""
    return platformdirs.site_data_path()
